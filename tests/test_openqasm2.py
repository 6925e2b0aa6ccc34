"""OpenQASM 2 files: their own names go before the older library's, and a bad one is refused in words."""

import re

import numpy as np
import pytest
from click.testing import CliRunner
from qiskit import QuantumCircuit, qasm2
from qiskit.quantum_info import Operator

from basicaer import BasicAer, BasicAerError
from basicaer.cli import main
from basicaer.errors import JobTimeLimitError
from basicaer.openqasm.loading import load_circuit
from odd_values import ODD_VALUES

HEADER = "OPENQASM 2.0;\n"
INCLUDE = 'include "qelib1.inc";\n'
LIBRARY = {known.name: (known.num_params, known.num_qubits) for known in qasm2.LEGACY_CUSTOM_INSTRUCTIONS}
OLD_FILE = (qasm2.LEGACY_INCLUDE_PATH[0] / "qelib1.inc").read_text("utf-8")
NAMES = sorted({*LIBRARY, *re.findall(r"^gate (\w+)", OLD_FILE, re.MULTILINE)})
VALUES = (0.3, 1.1, 2.3, 0.7, 0.2)


def is_of_the_paper(name):
    """Whether the standard file defines a gate already, so that no program may define it again."""
    try:
        qasm2.loads(f"{HEADER}{INCLUDE}gate {name} a {{ }}")
    except qasm2.QASM2ParseError as error:
        return "already defined" in str(error)
    return False


OF_THE_PAPER = {name for name in NAMES if is_of_the_paper(name)}


def own_gate(name, parameters, qubits):
    """A definition, a call, and the circuit that the call stands for."""
    angles, wires = [f"t{i}" for i in range(parameters)], [f"w{i}" for i in range(qubits)]
    body, want = "", QuantumCircuit(qubits)
    for i, wire in enumerate(wires):
        values = [*VALUES[:parameters], 0.0, 0.0, 0.0][:3]
        written = [*angles, "0", "0", "0"][:3]
        body += f"U({written[0]}+0.{i + 1},{written[1]},{written[2]}) {wire}; "
        want.u(values[0] + 0.1 * (i + 1), values[1], values[2], i)
        if i:
            body += f"CX {wires[i - 1]},{wire}; "
            want.cx(i - 1, i)
    taken = f"({', '.join(angles)})" if angles else ""
    head = f"gate {name}{taken} {', '.join(wires)} {{ {body}}}\n"
    arguments = f"({', '.join(map(str, VALUES[:parameters]))})" if angles else ""
    return head, f"{name}{arguments} {', '.join(f'q[{i}]' for i in range(qubits))};\n", want


def unitary(circuit):
    return BasicAer.get_backend("unitary_simulator").run(circuit).result().get_unitary()


SIGNATURES = {
    "same": lambda parameters, qubits: (parameters, qubits),
    "more parameters": lambda parameters, qubits: (parameters + 1, qubits),
    "more qubits": lambda parameters, qubits: (parameters, qubits + 1),
    "one qubit": lambda parameters, _: (1 - min(parameters, 1), 1),
}


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("name", NAMES)
def test_a_gate_of_the_files_own_is_its_own_whatever_its_name(name, signature, loaded):
    parameters, qubits = SIGNATURES[signature](*LIBRARY[name])
    definition, call, want = own_gate(name, parameters, qubits)
    registers = f"qreg q[{qubits}];\n"
    circuits = [loaded(HEADER + definition + registers + call)]
    included = f'{HEADER}include "mine.inc";\n{registers}{call}'
    circuits.append(loaded(included, mine=definition))
    circuits.append(loaded(included, mine='include "nested.inc";', nested=definition))
    with_standard = HEADER + INCLUDE + definition + registers + call
    if name in OF_THE_PAPER:
        with pytest.raises(BasicAerError, match=f"3,0: '{name}' is already defined"):
            loaded(with_standard)
    else:
        circuits.append(loaded(with_standard))
    for circuit in circuits:
        assert np.allclose(unitary(circuit), Operator(want).data, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_other_gates_of_the_library_stay(name, loaded):
    """Also where comments, strings and parameters have the name."""
    parameters, qubits = LIBRARY[name]
    other, _, _ = own_gate("own", 1, 1)
    arguments = f"({', '.join(str(i + 1) for i in range(parameters))})" if parameters else ""
    call = f"{name}{arguments} {', '.join(f'q[{i}]' for i in range(qubits))};"
    lines = [f"// gate {name} a {{ }}", f"gate around({name}) a {{ U({name}, 0, 0) a; }} // opaque {name} a;", other]
    declared = "opaque delay(t) a;\n" if name == "delay" else ""
    circuit = loaded("\n".join([HEADER, INCLUDE, declared, *lines, f"qreg q[{qubits}];", call]))
    known = next(one for one in qasm2.LEGACY_CUSTOM_INSTRUCTIONS if one.name == name)
    assert [item.name for item in circuit.data] == [known.constructor(*range(1, parameters + 1)).name]
    if name != "delay":
        want = Operator(known.constructor(*range(1, parameters + 1))).data
        assert np.allclose(unitary(circuit), want, atol=1e-12)


def test_a_name_in_the_name_of_a_file_is_none(loaded, tmp_path):
    (tmp_path / "a;gate swap a.inc").write_text("", "utf-8")
    circuit = loaded(f'{HEADER}include "a;gate swap a.inc"; qreg q[2]; swap q[0],q[1];')
    assert np.allclose(unitary(circuit), Operator.from_label("II").compose(SWAP).data)


SWAP = Operator(qasm2.loads(f"{HEADER}{INCLUDE}qreg q[2]; cx q[0],q[1]; cx q[1],q[0]; cx q[0],q[1];"))


@pytest.mark.parametrize("name", [*NAMES, "asin", "acos", "atan"])
def test_registers_may_have_any_of_the_names(name, loaded):
    circuit = loaded(f"{HEADER}qreg {name}[2]; creg c[2]; U(pi,0,pi) {name}[1]; measure {name}->c;")
    assert BasicAer.get_backend("qasm_simulator").run(circuit).result().get_counts() == {"10": 1024}
    circuit = loaded(f"{HEADER}qreg q[2]; creg {name}[2]; U(pi,0,pi) q[1]; measure q->{name};")
    assert BasicAer.get_backend("qasm_simulator").run(circuit).result().get_counts() == {"10": 1024}


def test_gates_may_have_the_names_of_the_added_functions(loaded):
    for name in ("asin", "acos", "atan"):
        definition, call, want = own_gate(name, 2, 1)
        assert np.allclose(unitary(loaded(f"{HEADER}{definition}qreg q[1];{call}")), Operator(want).data)
        circuit = loaded(f"{HEADER}qreg q[1]; U({name}(0.4),0,0) q[0];")
        assert circuit.data[0].operation.params[0] == pytest.approx(getattr(np, f"arc{name[1:]}")(0.4))


def test_the_example_of_rxx_with_twice_the_angle(loaded):
    definition = "gate rxx(t) a,b { h a; h b; cx a,b; rz(2*t) b; cx a,b; h a; h b; }\n"
    registers = "qreg q[2]; creg c[2]; rxx(pi/2) q[0],q[1]; measure q->c;"
    counts = BasicAer.get_backend("qasm_simulator").run(loaded(HEADER + INCLUDE + definition + registers)).result()
    assert counts.get_counts() == {"11": 1024}


def test_an_opaque_gate_of_another_signature_is_the_files_own(loaded):
    circuit = loaded(f"{HEADER}opaque swap(t) a; qreg q[1]; swap(0.5) q[0];")
    assert (circuit.data[0].name, circuit.data[0].params) == ("swap", [0.5])
    with pytest.raises(BasicAerError, match="'swap'"):
        BasicAer.get_backend("unitary_simulator").run(circuit)
    assert loaded(qasm2.dumps(loaded(f"{HEADER}opaque delay(t) a; qreg q[1]; delay(7) q[0];"))).data[0].params == [7]


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (f"{INCLUDE}qreg q[1];\nu2 q[0];", "4,0: 'u2' takes 2 parameters, but got 0"),
        (f"{INCLUDE}qreg q[1];creg c[1];\nif(c==1) p q[0];", "4,9: 'p' takes 1 parameter, but got 0"),
        ("gate g p { U p; }\nqreg q[1];\ng q[0];", "2,11: 'U' takes 3 parameters, but got 0"),
        ("gate g(a) p { U(a,0,0) p; }\nqreg q[1];\ng q[0];", "4,0: 'g' takes 1 parameter, but got 0"),
        ('include "mine.inc";\nqreg q[1];\n', "mine.inc:2,11: 'U' takes 3 parameters, but got 0"),
        ("qreg q[99999999999999999999];", "2,7: the number 99999999999999999999... is too large"),
        (f"qreg q[{'9' * 5000}];", "2,7: the number 99999999999999999999... is too large"),
        ("qreg q[1000000000];", "2,7: the number 1000000000... is too large"),
        ("OPENQASM 2.99999999999999999999;", "2,11: the number 99999999999999999999... is too large"),
        ("OPENQASM\n0099999999999999999999.0;", "3,2: the number 99999999999999999999... is too large"),
        ("qreg q[600000];creg c[9];qreg r[600000];", "its qregs declare 1200000 bits in all, and at most 1000000"),
        (f"{INCLUDE}qreg q[1];u0(0.5) q[0];", "the number of lengths of 'u0' must be an integer"),
        (
            f"gate g(a) p {{ U({'+'.join('a' * 10_002)},0,0) p; }}",
            "2,14: this statement has more than 10000 operations",
        ),
        (f"gate g(a) p {{ U({'sin(' * 10_001}a{')' * 10_001},0,0) p; }}", "2,14: this statement has more than 10000"),
        (f"gate g(a) p {{ CX p,p; U({'-' * 10_001}a,0,0) p; }}", "2,22: this statement has more than 10000 operations"),
        ('include "loop.inc";', "loop.inc:1,0: 'loop.inc' includes itself"),
        ('include "bytes.inc";', "bytes.inc:1,0: encountered a non-ASCII byte"),
        ('include "none.inc";', "2,8: unable to find 'none.inc' in the include search path"),
        (f'include "{"x" * 300}";', "2,8: unable to find"),
        ('include "twice.inc"; qreg q[1];\ninclude "wrong.inc";', "wrong.inc:3,2: 'nothing' is not defined"),
        ('include "twice.inc"; qreg q[1]; nothing q[0];', "2,32: 'nothing' is not defined"),
        ("qreg q[1];\ny q[0];", "3,0: cannot use non-builtin custom instruction 'y'"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(program, words, loaded, tmp_path):
    (tmp_path / "mine.inc").write_text("// one\ngate g p { U p; }\n", "utf-8")
    (tmp_path / "twice.inc").write_text("OPENQASM 2.0;\ngate twice a { U(0.1,0,0) a;\nU(0.1,0,0) a; }", "utf-8")
    (tmp_path / "wrong.inc").write_text("// \u03c0\n\n  nothing q[0];", "utf-8")
    (tmp_path / "loop.inc").write_text('include "loop.inc";\n', "utf-8")
    (tmp_path / "bytes.inc").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BasicAerError) as caught:
        loaded(HEADER + program)
    said = caught.value.message.replace(": program.qasm:", ": ")  # the name of the program's own file
    assert f"program.qasm cannot be read as OpenQASM 2: {words}" in said


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("gate g(a) p { U(1/a,0,0) p; }\nqreg q[1];\ng(0) q[0];", "by zero"),
        ("gate g(a) p { U(asin(a),0,0) p; }\nqreg q[1];creg c[1];if(c==0) g(2) q[0];", "math domain error"),
        ("gate g(a) p { U(1/a,0,0) p; }\ngate f(a) p { g(a-1) p; }\nqreg q[1];f(1) q[0];", "by zero"),
    ],
)
def test_a_definition_that_has_no_numbers_is_said(program, words, loaded):
    """When it is loaded or when it is lowered: that depends on Qiskit's version."""
    with pytest.raises(BasicAerError) as caught:
        BasicAer.get_backend("qasm_simulator").plan(loaded(HEADER + program))
    assert re.search(f"(program.qasm cannot be read.*|is made of cannot be read): .*{words}", caught.value.message)


NESTED = (  # 2**29 calls of g0, all of them different
    "gate g0(a) q { U(a,0,0) q; }\n"
    + "".join(f"gate g{i}(a) q {{ g{i - 1}(a/2) q; g{i - 1}((a+1)/2) q; }}\n" for i in range(1, 30))
    + "qreg q[1]; creg c[1]; g29(1) q[0]; measure q->c;"
)


@pytest.mark.parametrize("method", ["run", "plan"])
def test_the_time_limit_counts_while_nested_gates_are_read(method, loaded, monkeypatch):
    clock = iter(range(10**9))
    monkeypatch.setattr("basicaer.compile.values.time.monotonic", lambda: next(clock))
    circuit = loaded(HEADER + NESTED)
    with pytest.raises(JobTimeLimitError, match="still being read at the time limit of 100 s"):
        getattr(BasicAer.get_backend("qasm_simulator"), method)(circuit, timeout=100)


def test_an_included_file_may_have_a_mark_in_front(loaded, tmp_path):
    (tmp_path / "marked.inc").write_text("OPENQASM 2.0;\ngate own p { U(pi,0,pi) p; }\n", "utf-8-sig")
    circuit = loaded(f'{HEADER}include "marked.inc"; qreg q[1]; own q[0];')
    assert np.allclose(unitary(circuit), [[0, 1], [1, 0]])


def test_a_long_chain_of_files_is_refused(loaded, tmp_path):
    for i in range(990):
        (tmp_path / f"{i}.inc").write_text(f'include "{i + 1}.inc";', "utf-8")
    (tmp_path / "990.inc").write_text("", "utf-8")
    with pytest.raises(BasicAerError, match="2: its parts are nested too deeply; write some of them out"):
        loaded(f'{HEADER}include "0.inc";')


def test_long_statements_of_few_operations_are_read(loaded):
    qubits = ",".join(f"q[{i}]" for i in range(20_000))
    assert loaded(f"{HEADER}qreg q[20000]; barrier {qubits};").data[0].operation.num_qubits == 20_000


def test_a_name_that_is_no_text_can_still_be_drawn(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib, which draws, is not installed")
    path = tmp_path / "bytes\udcff.qasm"
    path.write_text(HEADER + "qreg q[1]; creg c[1]; measure q->c;", "utf-8")
    done = CliRunner().invoke(main, ["run", str(path), "--plot", str(tmp_path / "counts.png")])
    assert done.exit_code == 0, done.output
    assert load_circuit(path).name == "bytes?"


def test_waiting_for_long_is_as_quick_as_for_short(loaded):
    assert np.allclose(unitary(loaded(f"{HEADER}qreg q[1]; u0(1000000000) q[0];")), np.eye(2))


def test_a_panic_of_the_parser_is_said(loaded, monkeypatch):
    panic = type("PanicException", (BaseException,), {})

    def panics(*_, **__):
        raise panic("index out of bounds")

    monkeypatch.setattr("qiskit.qasm2.loads", panics)
    with pytest.raises(BasicAerError, match="cannot be read as OpenQASM 2: PanicException: index out of bounds"):
        loaded(HEADER)
    monkeypatch.setattr("qiskit_qasm3_import.converter.ConvertVisitor.convert", panics)
    with pytest.raises(BasicAerError, match="cannot be read as OpenQASM 3: PanicException: index out of bounds"):
        loaded("OPENQASM 3.0;\n")


@pytest.mark.parametrize("name", ["zero byte", "surrogate", "undecodable", "300 letters", "text"])
def test_files_of_odd_names(name, tmp_path):
    with pytest.raises(BasicAerError, match="Cannot read "):
        load_circuit(tmp_path / ODD_VALUES[name]())


# Mutations of valid programs.

OPENQASM_2 = (
    HEADER
    + INCLUDE
    + "gate own(a,b) x,y { U(a,b/2,-a) x; CX x,y; barrier x,y; rz(sin(a)^2) y; }\nopaque dark(t) z;\nqreg q[3];\n"
    + "creg c[3];\nown(0.5,pi) q[0],q[1];\nu2(0,1) q[2];\nh q;\nif(c==1) cx q[0],q[1];\nreset q[2];\nu0(1) q[0];\n"
    + "cswap q[0],q[1],q[2];\nmeasure q -> c;\n",
    HEADER
    + "gate swap a,b { CX a,b; CX b,a; CX a,b; }\ngate h(t) a { U(t,0,pi) a; }\nqreg q[2];\ncreg c[2];\nh(0.3) q[1];\n"
    + "swap q[0],q[1];\ncp(ln(2)) q[0],q[1];\nif(c==3) measure q[0] -> c[1];\n",
)
OPENQASM_3 = (
    """OPENQASM 3.0;
include "stdgates.inc";
gate own(a) x { U(a,0,pi) x; }
qubit[2] q;
bit[2] c;
own(0.5) q[0];
if (c[0]) { x q[1]; }
for int i in [0:2] { rx(0.1*i) q[0]; }
c = measure q;
""",
    """OPENQASM 3.0;
include "stdgates.inc";
const int n = 3;
def read(qubit q, int k) -> bit { bit b; rx(pi / k) q; b = measure q; return b; }
array[int[8], 2] a = {1, 2};
qubit[n] q;
bit[n] c;
c[0] = read(q[a[0]], a[1]);
for int i in [0:n - 1] { if (c[0] && i > 0) { x q[i]; } else if (i == 2) break; }
while (popcount(c) == 1) { c = measure q; c <<= 1; }
switch (int(c)) { case 1, 2 { a[0] = 2; } default { c[1] = ~c[2] ^ c[0]; } }
""",
)
EXTRA = '( ) { } ; , 0 -1 1e400 99999999999 q c U p gate opaque if " ^ // qreg pi [ ] -> sin u2 include 1/0 == measure'
EXTRA = [*EXTRA.split(), "\n", "\0", "\u03c0", "\ud7ff"]


def mutated(program, rng):
    groups = r"\([^()]*\)|" if rng.integers(2) else ""  # as one token
    tokens = re.findall(groups + r"\w+|\s+|\"[^\"]*\"|.", program)
    start = 4  # the version stays
    for _ in range((1, 1, 2, 4)[rng.integers(4)]):
        place, extra = rng.integers(start, len(tokens)), EXTRA[rng.integers(len(EXTRA))]
        match rng.integers(5):
            case 0:
                del tokens[place]
            case 1 if groups:
                place = rng.choice([i for i, token in enumerate(tokens) if token[0] == "("] or [place])
                del tokens[place]
            case 1 | 4:
                tokens[place] = extra
            case 2:
                tokens.insert(place, extra)
            case _:
                tokens[place] = tokens[rng.integers(start, len(tokens))]
    return "".join(tokens)


def run_mutations(load, programs, count, seed):
    rng = np.random.default_rng(seed)
    for number in range(count):
        program = mutated(programs[number % len(programs)], rng)
        try:
            circuit = load(program)
            if circuit.num_qubits < 10:
                BasicAer.get_backend("qasm_simulator").plan(circuit)
        except BasicAerError as error:
            message = error.message
        else:
            continue
        assert "\n" not in message, program
        assert len(message) < 1000, program


@pytest.mark.filterwarnings("ignore:Circuit")
def test_mutated_programs_load_or_are_refused(loaded):
    run_mutations(loaded, OPENQASM_2, 300, seed=1)
    run_mutations(loaded, OPENQASM_3, 30, seed=2)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Circuit")
def test_many_mutated_programs_load_or_are_refused(loaded):
    run_mutations(loaded, OPENQASM_2, 5000, seed=3)
    run_mutations(loaded, OPENQASM_3, 300, seed=4)
