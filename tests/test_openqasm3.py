"""OpenQASM 3 files: what would take any time or memory is refused first, and calls that do not fit are named."""

import math

import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator
from qiskit_qasm3_import.converter import ConvertVisitor

from basicaer import BasicAerError
from openqasm3_programs import STANDARD_GATES

HEADER = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
MOST = 1_000_000


@pytest.fixture
def refused(loaded, monkeypatch):
    """A function that returns why a program is refused, before the importer has made anything of it."""

    def refuse(program):
        made = []
        monkeypatch.setattr(ConvertVisitor, "convert", lambda _importer, program: made.append(program))
        with pytest.raises(BasicAerError) as caught:
            loaded(program)
        assert not made
        return caught.value.message.partition("cannot be read as OpenQASM 3: program.qasm:")[2]

    return refuse


SIZES = {  # what a size may be written like: a small one, and one that is too large
    "digits": ("3", "1000001"),
    "more digits than are read": ("0003", "9" * 4000),
    "underscores": ("0_3", "1_000_000_000"),
    "hex": ("0x3", "0xFFFFFFFF"),
    "octal": ("0o3", "0o7777777777"),
    "binary": ("0b11", "0b11111111111111111111111111111111"),
    "bit string": ('"011"', f'"{"1" * 32}"'),
    "product": ("3*1", "1000*1000*1000"),
    "sum": ("(1+1)+1", "1000000+1"),
    "difference": ("5-2", "2000000-1"),
    "quotient": ("7/2", "4000000000/2"),
    "sign": ("1-(-2)", "1-(-2000000)"),
}
DECLARATIONS = {
    "qubit[{}] q;": "qubits",
    "bit[{}] q;": "classical bits",
    "qreg q[{}];": "qubits",
    "creg q[{}];": "classical bits",
    "qubit[999999] p; qubit[{}] q;": "qubits",
    "bit[999999] p; bit[{}] q;": "classical bits",
    "qubit[2] p; bit[{}] q = measure p;": "classical bits",
}


@pytest.mark.parametrize("declaration", DECLARATIONS)
@pytest.mark.parametrize("size", SIZES)
def test_sizes_that_are_too_large_are_refused_however_they_are_written(size, declaration, refused):
    words = refused(HEADER + declaration.format(SIZES[size][1]))
    assert f"there would be more than {MOST} {DECLARATIONS[declaration]} in all; use fewer." in words


@pytest.mark.parametrize("size", SIZES)
def test_other_sizes_may_be_written_like_that_too(size, loaded):
    circuit = loaded(f"{HEADER}qubit[{SIZES[size][0]}] q; bit[{SIZES[size][0]}] c; qubit r;")
    assert (circuit.num_qubits, circuit.num_clbits) == (4, 3)


@pytest.mark.parametrize("size", ["n", "6 / 2 * 1", "n - 2 + 2", "sizeof(a)", "uint(3.5)", 'popcount("1101")'])
@pytest.mark.parametrize("declaration", list(DECLARATIONS)[:4])
def test_a_size_that_is_known_before_may_have_names(size, declaration, loaded):
    circuit = loaded(f"{HEADER}const uint n = 3; array[int, 3] a; {declaration.format(size)}")
    assert circuit.num_qubits + circuit.num_clbits == 3


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ("10**9", f"there would be more than {MOST} "),
        ("2**2000", f"there would be more than {MOST} "),
        ("2**10**9", "a number of more than 4096 bits is too large"),
        ("-n", "cannot be negative, as -3 is"),
        ("m", "'m' is not defined"),
        ("pi", "a number of bits must be an integer that is known before the program runs"),
        ("3.0", "a number of bits must be an integer that is known before the program runs"),
        ("true", "a number of bits must be an integer that is known before the program runs"),
        ("1/0", "division by zero"),
        ("int(d)", "this depends on the bit 'd', and must be known before the program runs"),
    ],
)
@pytest.mark.parametrize("declaration", list(DECLARATIONS)[:2])
def test_other_sizes_are_refused(size, words, declaration, refused):
    assert words in refused(f"{HEADER}const uint n = 3; bit d; {declaration.format(size)}")


@pytest.mark.parametrize(
    "statement", ["h ${};", "cx $0, ${};", "bit c = measure ${};", "reset ${};", "barrier $1, ${};"]
)
@pytest.mark.parametrize("number", [MOST, 999_999_999, int("9" * 4000)])
def test_qubits_of_the_hardware_are_counted(statement, number, refused, loaded):
    with pytest.MonkeyPatch.context() as context:
        context.undo()
        assert loaded(HEADER + statement.format(5)).num_qubits == 6
    assert f"there would be more than {MOST} qubits in all" in refused(HEADER + statement.format(number))


@pytest.mark.parametrize("controls", ["3", "1000000000000", "2*500", "-1"])
@pytest.mark.parametrize(
    "call", ["ctrl({}) @ x q[0], q[1];", "negctrl({}) @ rx(1) q[0], q[1];", "ctrl({}) @ gphase(1) q[0], q[1];"]
)
def test_more_controls_than_qubits_are_refused(call, controls, refused):
    words = refused(f"{HEADER}qubit[2] q;\n{call.format(controls)}")
    assert words.startswith("4,0: ")
    assert words.endswith("controls do not fit the number of qubits, 2.")


@pytest.mark.parametrize("name", STANDARD_GATES)
def test_a_call_with_another_number_of_parameters_is_named(name, refused, loaded):
    takes, qubits = STANDARD_GATES[name]

    def program(parameters):
        values = f"({', '.join(str(i + 1) for i in range(parameters))})" if parameters else ""
        return f"{HEADER}qubit[3] q;\n{name}{values} {', '.join(f'q[{i}]' for i in range(qubits))};"

    assert len(loaded(program(takes)).data) == 1
    for got in {0, 1, 2, 3, 4, 5, 6} - {takes}:
        assert refused(program(got)) == f"4,0: '{name}' takes {takes} parameter{'s' * (takes != 1)}, but got {got}."


@pytest.mark.parametrize("call", ["own q;", "own(1) q;", "inv @ own(1, 2, 3) q;", "gate other p { own(1) p; }"])
def test_a_call_of_an_own_gate_with_another_number_of_parameters_is_named(call, refused):
    assert "'own' takes 2 parameters, but got " in refused(f"{HEADER}gate own(a, b) p {{ }}\nqubit q;\n{call}")


def test_an_own_gate_may_have_the_name_of_a_standard_one(loaded):
    assert len(loaded("OPENQASM 3.0; gate rx(a, b) p { U(a, b, 0) p; } qubit q; rx(1, 2) q;").data) == 1


def test_gates_inside_gates_are_counted(refused):
    """The importer copies all of them for each call."""
    nested = "".join(f"gate g{i} q {{ g{i - 1} q; g{i - 1} q; }}\n" for i in range(1, 22))
    words = refused(f"{HEADER}gate g0 q {{ x q; }}\n{nested}qubit q; x q;")
    assert words == "23,0: 'g20' stands for more than 1000000 gates; use loops in their place."


def test_what_the_memory_does_not_hold_is_no_syntax_error(loaded, monkeypatch):
    def convert(_importer, _program):
        raise MemoryError

    monkeypatch.setattr(ConvertVisitor, "convert", convert)
    with pytest.raises(MemoryError):
        loaded(HEADER)


@pytest.mark.parametrize(
    "deep", ["rx({}1{}) q;".format("(" * 3000, ")" * 3000), f"{'if (c) { ' * 900}x q;{' }' * 900}"]
)
def test_what_stands_inside_one_another_too_deeply_is_refused(deep, loaded):
    with pytest.raises(BasicAerError, match="3: its parts are nested too deeply; write some of them out"):
        loaded(f"{HEADER}qubit q; bit c; {deep}")


@pytest.mark.parametrize("other", ["", "int k = 1; "])  # read by the importer, and worked out
def test_aliases_of_aliases_do_not_grow_without_end(other, loaded):
    doubled = "".join(f"let a{i + 1} = a{i} ++ a{i}; " for i in range(60))
    with pytest.raises(BasicAerError, match=r"would be written out|this would have \d+ elements"):
        loaded(f"{HEADER}{other}qubit[20] q; let a0 = q[0:9] ++ q[10:19]; {doubled}")


@pytest.mark.parametrize(
    "statement", ["x q", "measure q -> c", "reset q", "barrier q", "delay[1ns] q", "gphase(1)", "let a{} = q"]
)
def test_few_statements_do_not_stand_for_any_number_of_gates(statement, loaded, monkeypatch):
    monkeypatch.setattr("basicaer.openqasm.checks._MOST_OPERANDS", 1000)
    text = f"{HEADER}qubit[100] q; bit[100] c; gate g q {{ x q; x q; }} "
    statements = "".join(f"{statement.format(i)};\n" for i in range(11))
    if statement == "gphase(1)":
        loaded(text + statements)
    else:
        with pytest.raises(BasicAerError, match="13,0: more than 1000 qubits or bits would be written out"):
            loaded(text + statements)


@pytest.mark.parametrize(
    "statement",
    [
        "barrier q;",
        "delay[1ns] q;",
        "d = uint(c) % 7 > 5;",
        "if (c[0:4] == 3) { }",
        "c <<= 1;",
        "e = b;",
        "a[0] = 1;",
        "let e = q ++ q;",
        "switch (uint(c[0:4])) { case 0 { d = 0; } default { d = 1; } }",
        "i = 2 ** 2000 % 5;",
    ],
)
def test_work_that_makes_few_statements_is_bounded(statement, loaded, monkeypatch):
    monkeypatch.setattr("basicaer.openqasm.output._MOST_STEPS", 10_000)
    monkeypatch.setattr("basicaer.openqasm.output._MOST_STATEMENTS", 10_000)
    declared = (
        "qubit[50] q; bit[12] c; bit d; int i; array[int, 1000] a; array[int, 9] e; "
        "array[int, 9] b = {1, 2, 3, 4, 5, 6, 7, 8, 9}; c = measure q[0:11];"
    )
    with pytest.raises(BasicAerError, match="more than 10000 st"):
        loaded(f"{HEADER}{declared}\nfor int n in [1:1000] {{ {statement} }}")


@pytest.mark.parametrize(
    ("loop", "turns"),
    [
        ("for int i in [1:3] { rx(pi * (i / 2)) q; }", 2),  # 0 + 1 + 1
        ("for int i in {-3} { rx(pi * (i / 2)) q; }", -1),
        ("for int i in [1:3] { rx(pi * ((i + 1) / (2 * i))) q; }", 1),  # 1 + 0 + 0
        ("for int i in [1:2] { for int j in [2:3] { rx(pi * (j / 2 + i)) q; } }", 10),
        ("for int i in [1:3] { rx(pi * (i / 2.0)) q; }", 3),
        ("for int i in [1:3] { rx(pi * i / 2) q; }", 3),
        ("for uint[1] i in [1:2] { rx(pi / 2 * i) q; }", 0.5),  # 1 and 0
        ("for int[2] i in {2, 1} { rx(pi / 2 * i) q; }", -0.5),  # -2 and 1
        ("for int[3] i in {2, 1} { rx(pi / 2 * i) q; }", 1.5),
    ],
)
@pytest.mark.parametrize("other", ["", "const int k = 1; "])  # read by the importer, or worked out
def test_variables_of_loops_are_integers_of_their_type(loop, turns, other, loaded):
    circuit = loaded(f"{HEADER}{other}qubit q; {loop}")
    want = QuantumCircuit(1)
    want.rx(turns * math.pi, 0)
    assert Operator(flat(circuit)) == Operator(want)


def flat(circuit):
    """A circuit whose loops are written out."""
    result = QuantumCircuit(*circuit.qregs, *(() if circuit.qregs else [circuit.qubits]))
    for item in circuit.data:
        if item.operation.name != "for_loop":
            result.append(item)
            continue
        values, variable, body = item.operation.params
        for value in values:
            bound = body if variable is None else body.assign_parameters({variable: value}, strict=False)
            result.compose(flat(bound), item.qubits, inplace=True)
    return result
