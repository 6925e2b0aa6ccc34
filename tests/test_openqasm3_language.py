"""The language of OpenQASM 3: a program for each feature, and what is said where one is refused."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator

from basicaer import BasicAer, BasicAerError
from openqasm3_programs import HEADER, PROGRAMS, STANDARD_GATES


def outcomes(circuit, shots=20):
    counts = BasicAer.get_backend("qasm_simulator").run(circuit, shots=shots, seed_simulator=1).result().get_counts()
    return {outcome.replace(" ", "") for outcome in counts}


@pytest.mark.parametrize("program", PROGRAMS, ids=[f"{one.chapter}: {one.feature}" for one in PROGRAMS])
def test_every_feature_runs_or_is_refused_as_the_page_says(program, loaded):
    inputs = {name: float(number) for name, number in (one.split("=") for one in program.inputs.split())}
    if program.refused:
        with pytest.raises(BasicAerError) as caught:
            loaded(HEADER + program.text)
        assert program.refused in caught.value.message
    else:
        assert outcomes(loaded(HEADER + program.text, inputs)) == {program.outcome}


# Gates: what is worked out first is the same as what the importer takes as it is, with the global phase.

MODIFIERS = ("", "inv @ ", "pow(2) @ ", "ctrl @ ", "negctrl @ inv @ ")
ANGLES = (0.3, 1.1, 2.3, 0.7)


@pytest.mark.parametrize("name", STANDARD_GATES)
def test_gates_are_the_importers_own(name, loaded):
    parameters, qubits = STANDARD_GATES[name]
    plain, worked_out = "", "array[float, 4] a = {0.15, 0.55, 1.15, 0.35};"
    for modifier in MODIFIERS:
        operands = ", ".join(f"q[{i}]" for i in range(qubits + ("ctrl" in modifier)))
        values = f"({', '.join(map(str, ANGLES[:parameters]))})" if parameters else ""
        plain += f"{modifier}{name}{values} {operands};"
        values = f"({', '.join(f'2 * a[{i}]' for i in range(parameters))})" if parameters else ""
        worked_out += f"{modifier.replace('2', 'int(sqrt(4))')}{name}{values} {operands};"
    want, got = (Operator(loaded(f"{HEADER} qubit[4] q; {text} gphase(0.4);")) for text in (plain, worked_out))
    assert np.allclose(got.data, want.data, atol=1e-12)


@pytest.mark.parametrize("value", [0.4, -1.3])
def test_functions_of_parameters_are_those_of_numbers(value, loaded):
    """In definitions of gates, and of inputs that have a value later."""
    formulas = {
        "sin(a) + cos(a) * tan(a)": np.sin(value) + np.cos(value) * np.tan(value),
        "exp(a) / 2 - 3 * a": np.exp(value) / 2 - 3 * value,
        "arctan(a) ** 2": np.arctan(value) ** 2,
        "-arcsin(a / 2) - arccos(a / 2)": -np.pi / 2,
        "log(a * a) + sqrt(a * a)": np.log(value**2) + abs(value),
    }
    for formula, number in formulas.items():
        gate = f"const int n = 1; gate g(a) q {{ rz({formula}) q; }} input float a; qubit q; g(n * a) q;"
        circuit = loaded(f"{HEADER}{gate} rx({formula}) q;").assign_parameters({"a": value})
        want = QuantumCircuit(1)
        want.rz(number, 0)
        want.rx(number, 0)
        assert np.allclose(Operator(circuit).data, Operator(want).data, atol=1e-12)


def test_loops_and_functions_make_the_circuit_that_is_written_out(loaded):
    """The quantum Fourier transform of four qubits, as functions and loops and gate by gate."""
    short = """const int n = 4;
    def turn(qubit[n] q, int i) { for int j in [i + 1:n - 1] { cp(pi / 2 ** (j - i)) q[i], q[j]; } }
    def reverse(qubit[n] q) { int i = 0; while (i < n / 2) { swap q[i], q[-1 - i]; i += 1; } }
    qubit[n] q;
    reverse(q);
    for uint[4] i in [0:n - 1] { h q[i]; turn(q, i); }"""
    want = QuantumCircuit(4)
    want.swap(0, 3)
    want.swap(1, 2)
    for i in range(4):
        want.h(i)
        for j in range(i + 1, 4):
            want.cp(np.pi / 2 ** (j - i), i, j)
    assert Operator(loaded(HEADER + short)) == Operator(want)
    assert [item.name for item in loaded(HEADER + short).data] == [item.name for item in want.data]


def test_a_program_that_the_importer_takes_is_left_to_it(loaded):
    """Its loops stay loops."""
    circuit = loaded(f"{HEADER} qubit q; for int i in [0:9] {{ rx(0.1 * i) q; }}")
    assert [item.name for item in circuit.data] == ["for_loop"]


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("qubit[4] q; bit[4] c; x q[0:-1]; c = measure q;", "1111"),
        ("qubit[4] q; bit[4] c; x q[3:-1:0]; c = measure q;", "1111"),
        ("qubit[4] q; bit[4] c; x q[3 + -7 / 2]; c = measure q;", "0001"),
        ("gate g q { for int i in [0:2] { rx(i * pi / 3) q; } } qubit q; bit c; g q; c = measure q;", "1"),
    ],
)
def test_what_the_importer_would_misread_is_worked_out_first(text, outcome, loaded):
    assert outcomes(loaded(HEADER + text)) == {outcome}


def test_a_global_phase_in_a_loop_counts_once_for_each_iteration(loaded):
    circuit = loaded(f"{HEADER} qubit q; for int i in [1:3] {{ gphase(0.1 * i); }}")
    assert circuit.global_phase == pytest.approx(0.6)


# What depends on measurements.


def formula_over(rng, depth):
    """A random condition over c[0] to c[3], in OpenQASM and as a function of the bits in Python."""
    if depth == 0:
        kind, i, j, number = rng.integers(5), *rng.integers(4, size=2), int(rng.integers(16))
        return (
            (f"c[{i}]", lambda c: bool(c[i])),
            (f"(c == {number})", lambda c: int("".join(map(str, c[::-1])), 2) == number),
            (f"(uint[4](c) >= {number})", lambda c: int("".join(map(str, c[::-1])), 2) >= number),
            (f"(popcount(c[{{{i}, {j}}}]) != 1)", lambda c: c[i] + c[j] != 1),
            (f"(((c << {i}) | (c >> {j}))[1])", lambda c: bool((i < 2 and c[1 - i]) or (j < 3 and c[1 + j]))),
        )[kind]
    (left, of_left), (right, of_right) = (formula_over(rng, depth - 1) for _ in range(2))
    return (
        (f"({left} && {right})", lambda c: of_left(c) and of_right(c)),
        (f"({left} || {right})", lambda c: of_left(c) or of_right(c)),
        (f"(!{left})", lambda c: not of_left(c)),
        (f"({left} != {right})", lambda c: of_left(c) != of_right(c)),
    )[rng.integers(4)]


@pytest.mark.parametrize("seed", range(12))
def test_conditions_over_bits_hold_for_the_outcomes_that_they_should(seed, loaded):
    formula, holds = formula_over(np.random.default_rng(seed), depth=2)
    text = f"""qubit[4] q; qubit r; bit[4] c; bit[3] d;
    h q; c = measure q;
    d[0] = {formula};
    if ({formula}) {{ x r; }} d[1] = measure r;
    switch (int({formula})) {{ case 1 {{ d[2] = 1; }} default {{ }} }}"""
    got = outcomes(loaded(HEADER + text), shots=400)
    bits = [f"{number:04b}" for number in range(16)]
    assert got == {str(int(holds([int(bit) for bit in c[::-1]]))) * 3 + c for c in bits}


MOVED = {  # an expression over c, of three bits, and its value as a number, of which the lowest three bits count
    "c << 1": lambda c: c << 1,
    "c >> 2": lambda c: c >> 2,
    "rotl(c, 1)": lambda c: c << 1 | c >> 2,
    "rotr(c, 3)": lambda c: c,
    "c ^ (c << 1)": lambda c: c ^ c << 1,
    "~c": lambda c: ~c,
    "c & d | d": lambda _: 5,
    "d": lambda _: 5,
}


@pytest.mark.parametrize("expression", MOVED)
def test_an_assignment_reads_all_bits_before_it_writes_any(expression, loaded):
    declared = 'qubit[3] q; bit[3] c; bit[3] before; bit[3] d = "101";'
    circuit = loaded(f"{HEADER}{declared} h q; c = measure q; before = measure q; c = {expression};")
    want = {f"101{c:03b}{MOVED[expression](c) & 7:03b}" for c in range(8)}
    assert outcomes(circuit, shots=200) == want


def test_an_assignment_of_many_bits_needs_no_cases(loaded):
    circuit = loaded(f"{HEADER} qubit[20] q; bit[20] c; x q[0:2:19]; c = measure q; c <<= 1; c ^= c >> 1;")
    assert outcomes(circuit) == {"1" * 20}


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("if (d) { n = 1; } n = 2; x q[n];", "100"),
        ("if (d) { n = 1; x q[n]; } else { n = 2; x q[n]; }", "010"),
        ("while (n < 3) { n += 1; if (d) { continue; } x q[0]; } x q[n - 1];", "100"),
        ("for int i in [0:2] { if (!d) { n = 1; break; } x q[i]; } ", "111"),
        ("while (true) { x q[n]; n += 1; if (n == 2) break; }", "011"),
        ("bit e = 0; while (!e) { x q[1]; e = measure q[1]; }", "010"),
        ("bit e = 1; if (d) { e = 0; } if (e) { x q[0]; } else { x q[1]; }", "010"),
    ],
)
def test_what_is_known_stays_known_where_measurements_do_not_decide(text, outcome, loaded):
    declared = "qubit[3] q; qubit r; bit[3] c; bit d; int n = 0; x r; d = measure r;"
    circuit = loaded(f"{HEADER}{declared} {text} c = measure q;")
    assert {got[-3:] for got in outcomes(circuit)} == {outcome}


LOST = "the value of 'n' depends on a measurement, and must be known here; use bits"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("if (d) { n = 1; }\nx q[n];", "3,4", LOST),
        ("if (d) { n = 1; } else { n = 1; }\nx q[n];", "3,4", LOST),
        ("while (d) { n += 1; d = measure q[0]; }", "2,12", LOST),
        ("for int i in [0:2] { if (d) { break; } n += 1; }\nx q[n];", "3,4", LOST),
        ("for int i in [0:2] { if (d) { continue; } n += 1; }", "2,42", LOST),
        ("array[int, 2] n2 = {0, 0}; if (d) { n2[0] = 1; }\nx q[n2[1]];", "3,4", LOST.replace("'n'", "'n2'")),
        ("n = int(c);", "2,4", "'n' would get a value that depends on a measurement; only bits can"),
        ("bool b = d;", "2,9", "'b' would get a value that depends on a measurement; only bits can"),
        ("array[int, 2] a = {0, 1};\na[int(d)] = 1;", "3,0", "this depends on the bit 'd'"),
        ("for int i in [0:int(d)] { x q[i]; }", "2,0", "this depends on the bit 'd'"),
        ("c[int(d)] = measure q[0];", "2,0", "this depends on the bit 'd'"),
        ("while (true) { x q[0]; }", "2,0", "this loop never ends"),
        ("while (n < 1) { x q[0]; }", "2,0", "more than 1000000 statements would have to be worked out"),
        ("if (d) { end; }", "2,9", "'end' cannot depend on a measurement"),
        ("for int i in [0:2] { if (d) break; if (d) continue; }", "2,42", "'break' and 'continue' cannot both depend"),
    ],
)
def test_what_depends_on_a_measurement_and_must_not_is_refused(text, place, words, loaded, monkeypatch):
    monkeypatch.setattr("basicaer.openqasm.output._MOST_STATEMENTS", 1000)
    words = words.replace("1000000", "1000")
    with pytest.raises(BasicAerError) as caught:
        loaded(f"{HEADER} qubit[3] q; bit[3] c; bit d; int n = 0; d = measure q[0]; c = measure q;\n{text}")
    assert f"cannot be read as OpenQASM 3: program.qasm:{place}: {words}" in caught.value.message


# Functions.


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        # the bits of a function: each result is kept until the statement that calls ends
        ("def f(qubit r) -> bit { bit b; b = measure r; return b; } x q[0]; if (f(q[0]) && !f(q[1])) x q[2];", "101"),
        (
            "def f(qubit r) -> bit { return measure r; } def g(qubit r) -> bit { return f(r); } d[1] = g(q[0]);",
            "000",
        ),
        ("def f(bit b) -> bit { b = !b; return b; } d[0] = f(d[0]); if (d[0]) x q[0];", "001"),
        ("def f(bit[2] b) -> bit[2] { return rotl(b, 1); } d[0] = 1; d = f(d); if (d == 2) x q[1];", "010"),
        (
            "def f(bit[2] b) -> bit { bit e; e = b[0] ^ b[1]; return e; } d[0] = 1; d[0] = f(d); if (d[0]) x q[1];",
            "010",
        ),
        (
            "def f(bit[2] b) -> bit[2] { return bit[2](uint(b) + 2); } d[0] = measure r; d = f(d); if (d == 2) x q[1];",
            "010",
        ),
        ('def f(bit[2] b) -> bool { return b == 1; } if (f("01")) x q[1];', "010"),
        (
            "{ bit e; { let a = e; } if (true) { bit g; g = 1; } d[0] = e; } if (d[0]) x q[0];",
            "000",
        ),
        ("def f(bit b) -> bit { bit e; e = 1; if (b) e = 0; return e; } d[0] = f(d[0]); if (d[0]) x q[1];", "010"),
        ("def f(qubit r, int n) { if (n > 0) { x r; f(r, n - 1); } } f(q[0], 3); f(q[1], 4);", "001"),
        ("def fib(int n) -> int { if (n < 2) { return n; } return fib(n - 1) + fib(n - 2); } x q[fib(3)];", "100"),
        ("const int k = 2; def f() -> int { return k; } x q[f()];", "100"),
        ('def f(bit b, qubit r) { if (b) x r; } f(true, q[0]); f("1", q[1]);', "011"),
    ],
)
def test_functions(text, outcome, loaded):
    program = f"{HEADER} qubit[3] q; qubit r; bit[3] c; bit[2] d; {text} c = measure q;"
    assert {got[-3:] for got in outcomes(loaded(program))} == {outcome}


def test_bits_of_a_function_are_used_again(loaded):
    text = "def f(qubit q) { bit b; b = measure q; if (b) x q; } qubit q; for int i in [0:9] { f(q); }"
    assert loaded(HEADER + text).num_clbits == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x q[f(1, 2)];", "2,4: 'f' takes 1 argument, but got 2"),
        ("g(q);", "2,2: 'r' takes 1 qubit, but got 3"),
        ("h(1);", "2,0: 'h' is no function that is defined"),
        ("x q[g(q[0])];", "2,4: 'g' returns nothing"),
        ("k();", ": 'm' cannot be seen in a function; make it an argument"),
        ("l();", ": 'q' cannot be seen in a function; make it an argument"),
        ("bit c; c = measure q[0]; x q[v(c)];", "what this function returns depends on a measurement; only bits can"),
        ("deep(0);", "its parts are nested too deeply"),
    ],
)
def test_wrong_calls_are_refused(text, words, loaded):
    definitions = (
        "int m = 0; qubit[3] q; def f(int n) -> int { return n; } def g(qubit r) { x r; } "
        "def v(bit b) -> int { return 2 * int(b); } "
        "def k() -> int { return m; } def l() { x q[0]; } def deep(int n) { deep(n + 1); }"
    )
    with pytest.raises(BasicAerError) as caught:
        loaded(f"{HEADER}{definitions}\n{text}")
    assert words in caught.value.message


def test_the_parser_is_what_refuses_a_return_outside(loaded):
    with pytest.raises(BasicAerError, match="1,38: 'return' statement outside"):
        loaded(f"{HEADER}return 1;")


# Errors.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cx q[0], q[0];", "2,0: duplicate "),
        ("cx q, r;", "2,0: the operands have different widths (2, 3)"),
        ("x q[2];", "2,4: the index 2 is outside of the 2 elements"),
        ("warp q;", "2,0: gate 'warp' is not defined"),
        ("x y2;", "2,2: 'y2' is not defined"),
        ("rx(z) q;", "2,3: this must be a real number; cast bits to 'int' first"),
        ("rx(1/0) q;", "2,3: division by zero"),
        ("rx(sqrt(-1)) q;", "2,3: this has no value (math domain error)"),
        ("rx(2 * log(0)) q;", "2,7: this has no value"),
        ("rx(10.0 ** 400) q;", "2,3: this has no value"),
        ("c = measure q;", "2,0: 2 qubits cannot be measured into 1 bit"),
        ("pow(a) @ x q;", "2,4: the number of a modifier must be known before the program runs"),
        ("qubit p;", "2,0: 'p' is already declared, perhaps as a gate of 'stdgates.inc'"),
        ("int i = 0; int i = 1;", "2,11: 'i' is already declared"),
        ("const int k = 1; k = 2;", "2,17: 'k' cannot be assigned to"),
        ("int i; x q[i];", "2,11: 'i' has no value yet; assign it one first"),
        ("array[int, 2] b; x q[b[0]];", "2,21: this element has no value yet; assign it one first"),
        ("float[8] b = 1;", "2,0: a 'float' has 16, 32 or 64 bits, not 8"),
        (
            'bit[3] b = "10";',
            "2,0: a bit string of 2 bits cannot become a value of type 'bit[3]'",
        ),
        ("int b = z;", "2,8: a complex number cannot become an integer"),
        ("int b = c + 1;", "2,8: 'b' would get a value that depends on a measurement"),
        ("def f(int n, int n) -> int { return n; }", "2,0: two arguments are called 'n'; give each a name of its own"),
        ("def f(qubit n, qubit n) { x n; }", "2,0: two arguments are called 'n'; give each a name of its own"),
        ("switch (int(c)) { case 1 { } case 0, 1 { } }", "2,0: two cases of this switch stand for 1; write it in one"),
        ("let b = q ++ c;", "2,8: qubits and bits cannot be concatenated"),
        ("delay[1] q;", "2,5: this must be a duration, such as '100ns'"),
    ],
)
def test_errors_have_a_place_and_the_words_of_the_language(text, words, loaded):
    with pytest.raises(BasicAerError) as caught:
        loaded(f"{HEADER} input float a; const complex z = 1im; qubit[2] q; qubit[3] r; bit c;\n{text}")
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("declared", "holds"),
    [
        ("uint[2] u = 1;", "~u == 2"),
        ("const uint[4] u = 1;", "~u == 14 && ~~u == u"),
        ("", "~uint[4](1) == 14"),
        ("uint u = 0;", "~u == 2 ** 64 - 1"),
        ("int[4] u = 1;", "~u == -2"),
        ("uint[4] u = 12;", "u << 1 == 8 && u << 100 == 0 && u >> 3 == 1 && u >> 100 == 0"),
        ("uint[4] u = 12; uint[4] v = 4;", "(u | v) << 1 == 8 && ~(u ^ v) == 7 && ~(u & v) == 11"),
        ("uint[4] u = 12; uint[4] v = 13;", "u + 5 == 17 && u - v == -1 && u * 2 == 24"),  # exact, as the page says
        ("array[uint[4], 2] u = {1, 2};", "~u[1] == 13"),
        ("int i = 2 ** 2000 + 5;", "i == 5"),
        ("uint[100] i = 2 ** 2000 - 1;", "i == 2 ** 100 - 1"),
        ("angle[8] a = pi;", "a + a == 0 && a * 2 == 0 && 3 * a == pi && a / 2 == pi / 2 && a + pi > 6"),
        ("angle[8] a = pi / 2;", "-a == 3 * pi / 2 && a - 2 * a == 3 * pi / 2"),
        ("angle a = pi; angle[4] b = pi;", "a + b == 0 && a - b == 0"),
        ("angle[4] a = pi; float f = a;", "f + f > 6"),
    ],
)
def test_sizes_of_types_count_before_a_value_is_assigned(declared, holds, loaded):
    assert outcomes(loaded(f"{HEADER}{declared} qubit q; bit c; if ({holds}) x q; c = measure q;")) == {"1"}


def test_a_whole_turn_of_angles_is_nothing_under_a_control(loaded):
    text = "angle[8] a = pi; qubit[2] q; bit c; h q[0]; ctrl @ rx(a + a) q[0], q[1]; h q[0]; c = measure q[0];"
    assert outcomes(loaded(HEADER + text)) == {"0"}
