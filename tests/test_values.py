"""Parameters are looked up while a circuit is lowered: in whatever gate and body, for each set, and nothing changes."""

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit, qasm3
from qiskit.circuit import AnnotatedOperation, Gate, Parameter, ParameterVector, PowerModifier
from qiskit.circuit.library import (
    CRYGate,
    HGate,
    PauliEvolutionGate,
    RGate,
    RXGate,
    RXXGate,
    RYGate,
    RZGate,
    SXGate,
    TGate,
    XGate,
    YGate,
    iSwapGate,
    n_local,
)
from qiskit.quantum_info import SparsePauliOp, Statevector

from basicaer import BasicAer, BasicAerError, EstimatorV2, SamplerV2
from basicaer.compile.instructions import _length
from basicaer.compile.lower import lower
from basicaer.compile.sweep import lower_sweep
from basicaer.compile.values import Values
from basicaer.engine.program import For
from basicaer.errors import JobTimeLimitError
from qobjs import instruction, one

P, Q = Parameter("p"), Parameter("q")


def own_gate(parameter, name="own"):
    inner = QuantumCircuit(1, name=name)
    inner.rx(parameter, 0)
    inner.p(2 * parameter, 0)
    return inner.to_gate()


def nested_gate(parameter):
    inner = QuantumCircuit(2, name="nested", global_phase=parameter)
    inner.append(own_gate(parameter), [1])
    inner.crx(parameter / 3, 1, 0)
    return inner.to_gate()


class NeedsNumbers(Gate):
    """A gate of somebody's own whose definition is made of numbers."""

    def __init__(self, angle):
        super().__init__("needs_numbers", 1, [angle])

    def _define(self):
        angle = math.cos(float(self.params[0]))
        self.definition = QuantumCircuit(1)
        self.definition.ry(angle, 0)


class HasMatrix(Gate):
    """A gate of somebody's own that has a matrix only."""

    def __init__(self, angle):
        super().__init__("has_matrix", 1, [angle])

    def __array__(self, dtype=None, copy=None):  # what Qiskit asks for
        return RXGate(float(self.params[0])).to_matrix()


def ansatz(parameter):
    made = n_local(2, "ry", "cz", reps=1)
    return made.assign_parameters({one: parameter * (i + 1) for i, one in enumerate(made.parameters)}).to_gate()


GATES = {  # by a number or a parameter: the gate of two qubits, or of one
    "standard": RXGate,
    "own": own_gate,
    "nested": nested_gate,
    "controlled": lambda p: own_gate(p).control(1),
    "annotated control": lambda p: own_gate(p).control(1, ctrl_state=0, annotated=True),
    "inverse": lambda p: own_gate(p).inverse(annotated=True),
    "power": lambda p: own_gate(p).power(3, annotated=True),
    "high power": lambda p: own_gate(p).power(101, annotated=True),
    "fractional power": lambda p: own_gate(p).power(0.5, annotated=True),
    "needs numbers": NeedsNumbers,
    "controlled, needs numbers": lambda p: NeedsNumbers(p).control(1, annotated=True),
    "matrix": HasMatrix,
    "evolution": lambda p: PauliEvolutionGate(SparsePauliOp(["XY", "IZ"], [0.3, -1.1]), time=p),
    "library": ansatz,
}
every_gate = pytest.mark.parametrize("gate_of", GATES.values(), ids=GATES)


def put(circuit, gate):
    circuit.append(gate, range(gate.num_qubits))


def in_if(circuit, gate):
    with circuit.if_test((circuit.clbits[0], 0)):
        put(circuit, gate)


def in_else(circuit, gate):
    with circuit.if_test((circuit.clbits[0], 1)) as otherwise:
        circuit.x(0)
    with otherwise:
        put(circuit, gate)


def in_switch(circuit, gate):
    with circuit.switch(circuit.clbits[0]) as case:
        with case(0):
            put(circuit, gate)
        with case(1):
            circuit.x(0)


def in_for(circuit, gate):
    with circuit.for_loop(range(1)):
        put(circuit, gate)


def in_for_with_parameter(circuit, gate):
    with circuit.for_loop((0,), Parameter("i")) as i:
        circuit.rz(i, 0)
        in_if(circuit, gate)


def in_while(circuit, gate):
    with circuit.while_loop((circuit.clbits[0], 0)):
        put(circuit, gate)
        circuit.x(2)
        circuit.measure(2, 0)


def in_box(circuit, gate):
    with circuit.box():
        put(circuit, gate)


BODIES = {
    "nothing": put,
    "if": in_if,
    "else": in_else,
    "switch": in_switch,
    "for": in_for,
    "for with parameter": in_for_with_parameter,
    "while": in_while,
    "box": in_box,
}
every_body = pytest.mark.parametrize("inside", BODIES.values(), ids=BODIES)


def circuit_with(gate, inside):
    circuit = QuantumCircuit(3, 1, name="with a gate")
    circuit.h([0, 1])
    inside(circuit, gate)
    return circuit


def as_run(gate):
    """The gate, or the product formula that a Pauli evolution stands for."""
    return gate.definition.to_gate() if isinstance(gate, PauliEvolutionGate) else gate


def state_with(gate, *, flipped):
    """The state as Qiskit makes it of a straight circuit in which the parameter never was."""
    circuit = QuantumCircuit(3)
    circuit.h([0, 1])
    put(circuit, as_run(gate))
    if flipped:
        circuit.x(2)
    return Statevector(circuit).data


def told(circuit):
    """All that is in a circuit, its bodies and the definitions of its gates, as text."""
    lines = [str(circuit.global_phase)]
    for item in circuit.data:
        operation = item.operation
        lines.append(f"{item.name} {[str(param) for param in getattr(operation, 'params', ())]}")
        for block in getattr(operation, "blocks", ()):
            lines += told(block)
        operation = getattr(operation, "base_op", operation)
        if isinstance(operation, NeedsNumbers | HasMatrix | PauliEvolutionGate):
            continue
        if getattr(operation, "definition", None) is not None and not item.is_standard_gate():
            lines += told(operation.definition)
    return lines


@every_gate
@every_body
def test_each_set_has_its_own_values_and_the_circuit_stays_as_it_is(statevector, gate_of, inside):
    circuit = circuit_with(gate_of(P), inside)
    before = told(circuit)
    statevector.plan(circuit)
    numbers = [0.3, 2.0, -1.1]
    result = statevector.run(circuit, parameter_binds=[{P: numbers}]).result()
    for i, number in enumerate(numbers):
        want = state_with(gate_of(number), flipped=inside is in_while)
        assert np.allclose(result.get_statevector(i), want, rtol=0, atol=1e-12)
    assert told(circuit) == before
    again = statevector.run(circuit, parameter_binds=[{P: numbers[:1]}]).result()
    assert np.allclose(again.get_statevector(), result.get_statevector(0), rtol=0, atol=1e-12)


@every_gate
def test_a_sampler_gives_each_set_its_own_values(gate_of):
    circuit = circuit_with(gate_of(P), in_if)
    circuit.measure_all()
    numbers = np.array([0.3, 2.0])
    shots = 4000
    data = SamplerV2(seed=3).run([(circuit, numbers)], shots=shots).result()[0].data
    for i, number in enumerate(numbers.tolist()):
        want = np.abs(state_with(gate_of(number), flipped=False)) ** 2
        seen = np.bincount([int(key, 2) for key in data.meas[i].get_bitstrings()], minlength=8) / shots
        assert np.abs(seen - want).max() < 6 * math.sqrt(0.25 / shots)


@every_gate
@pytest.mark.parametrize("values", [range(-1, 4), (5, 2, 5)], ids=["range", "numbers"])
@pytest.mark.parametrize(
    "of", [lambda i: i, lambda i: 0.3 * i + Q, lambda i: (0.2 * i).sin(), lambda i: (i + 0.1).sign() * i]
)
def test_a_loop_goes_through_the_values_of_its_parameter(statevector, gate_of, values, of):
    loop = QuantumCircuit(2, 1)
    i = Parameter("i")
    with loop.for_loop(values, i), loop.if_test((loop.clbits[0], 0)):
        put(loop, gate_of(of(i)))
    bound = of(i).parameters - {i}
    written = QuantumCircuit(2)
    for value in values:
        number = float(of(i).bind({i: value} | dict.fromkeys(bound, 0.7)))
        put(written, as_run(gate_of(number)))
    binds = [dict.fromkeys(bound, 0.7)] if bound else None
    state = statevector.run(loop, parameter_binds=binds).result().get_statevector()
    assert np.allclose(state, Statevector(written).data, rtol=0, atol=1e-12)


def test_loops_in_loops(statevector):
    i, j = Parameter("i"), Parameter("j")
    loop, written = QuantumCircuit(2), QuantumCircuit(2)
    with loop.for_loop(range(3), i):
        loop.h(0)
        with loop.for_loop((2, 3), j):
            loop.rx(i * j + Q, 0)
            loop.crz(i + 2 * j - Q, 0, 1)
            loop.ry(j, 1)
        loop.rz(i, 0)
    for a in range(3):
        written.h(0)
        for b in (2, 3):
            written.rx(a * b + 0.4, 0)
            written.crz(a + 2 * b - 0.4, 0, 1)
            written.ry(b, 1)
        written.rz(a, 0)
    state = statevector.run(loop, parameter_binds=[{Q: 0.4}]).result().get_statevector()
    assert np.allclose(state, Statevector(written).data, rtol=0, atol=1e-12)


def test_an_inner_loop_with_the_same_parameter_has_its_own_values(statevector):
    loop, written = QuantumCircuit(1), QuantumCircuit(1)
    inner = QuantumCircuit(1)
    inner.rx(P, 0)
    outer = QuantumCircuit(1)
    outer.for_loop((5, 7), P, inner, [0], [])
    outer.ry(P, 0)
    loop.for_loop((1, 2), P, outer, [0], [])
    for a in (1, 2):
        written.rx(5, 0)
        written.rx(7, 0)
        written.ry(a, 0)
    assert np.allclose(statevector.run(loop).result().get_statevector(), Statevector(written).data, rtol=0, atol=1e-12)


def test_a_loop_stays_a_loop_however_long(qasm):
    i = Parameter("i")
    circuit = QuantumCircuit(1, 1)
    with circuit.for_loop(range(10**15), i):
        circuit.rx(0.1 * i, 0)
        circuit.measure(0, 0)
        with circuit.if_test((circuit.clbits[0], 0)):
            circuit.break_loop()
    (loop,) = (operation for operation in lower(circuit).body if isinstance(operation, For))
    assert (len(loop.bodies), loop.iterations) == (1, 10**15)
    assert qasm.run(circuit, shots=3).result().get_counts() == {"0": 3}


def test_a_loop_of_openqasm_3_is_lowered_once():
    circuit = qasm3.loads(
        'OPENQASM 3.0; include "stdgates.inc"; qubit q; for int i in [0:1000000000] { h q; } '
        "for uint j in [1:1000000000] { rx(j) q; }"
    )
    loops = [operation for operation in lower(circuit).body if isinstance(operation, For)]
    assert [len(loop.bodies) for loop in loops] == [1, 1]
    assert [loop.iterations for loop in loops] == [10**9 + 1, 10**9]
    segments = [loop.bodies[0][0] for loop in loops]
    assert [segment.open for segment in segments] == [False, True]
    assert [len(segment.gates) for segment in segments] == [1, 1]


@pytest.mark.parametrize(
    ("iterations", "gate_of"),
    [
        pytest.param(10**9, NeedsNumbers, id="iterations written out"),
        pytest.param(10**6, lambda i: RXGate((0.1 * i).sin()), id="numbers of a table"),
    ],
)
def test_what_is_made_for_each_iteration_is_made_between_polls(iterations, gate_of):
    i = Parameter("i")
    circuit = QuantumCircuit(1)
    with circuit.for_loop(range(iterations), i):
        circuit.append(gate_of(i), [0])
    polls = []

    def poll():
        polls.append(None)
        if len(polls) == 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lower(circuit, values=Values({}, poll))


def test_a_table_for_too_long_a_loop_is_refused():
    i = Parameter("i")
    circuit = QuantumCircuit(1)
    with circuit.for_loop(range(10**9), i):
        circuit.rx(i.sin(), 0)
    with pytest.raises(BasicAerError, match=r"'sin\(i\)'.*for_loop\) takes 1000000000 values.*use shorter"):
        lower(circuit)


def test_a_range_that_has_no_length_is_refused():
    with pytest.raises(BasicAerError, match=r"A for_loop \(here\) has 2\*\*63 iterations or more"):
        _length(range(10**19), "here")


@pytest.mark.parametrize("method", ["run", "plan"])
def test_the_time_limit_counts_while_circuits_are_read(method, statevector, monkeypatch):
    i = Parameter("i")
    circuit = QuantumCircuit(1)
    with circuit.for_loop(range(10**9), i):
        circuit.append(NeedsNumbers(i), [0])
    clock = iter(range(10**9))
    monkeypatch.setattr("basicaer.compile.values.time.monotonic", lambda: next(clock))
    with pytest.raises(JobTimeLimitError, match=r"still being read at the time limit of 100 s; give a longer timeout="):
        getattr(statevector, method)(circuit, timeout=100)


def test_the_time_limit_counts_while_a_qobj_is_read(qasm, monkeypatch):
    clock = iter(range(10**9))
    monkeypatch.setattr("basicaer.compile.values.time.monotonic", lambda: next(clock))
    with pytest.raises(JobTimeLimitError, match=r"still being read at the time limit of 100 s"):
        qasm.run(one(*[instruction("x", 0)] * 200), timeout=100)


def test_a_short_time_limit_is_the_jobs_own(statevector, monkeypatch):
    monkeypatch.setattr("basicaer.compile.values.time.monotonic", iter((0.0, *[0.09] * 99)).__next__)
    circuit = QuantumCircuit(1)
    circuit.append(own_gate(0.3), [0])
    assert statevector.run(circuit, timeout=0.05).result().success


def test_a_parameter_of_a_loop_is_no_parameter_of_the_circuit():
    body = QuantumCircuit(1)
    body.rx(P, 0)
    circuit = QuantumCircuit(1)
    circuit.for_loop(range(3), Q, body, [0], [])
    with pytest.raises(BasicAerError, match=r"Parameters without a value in circuit .*: 'p'"):
        lower(circuit)


@pytest.mark.parametrize(
    ("expression", "value"),
    [(P.log(), -1.0), (1 / P, 0.0), (P.exp(), 1e4), (P * 1e308 * 10, 1.0), (P.arccos(), 3.0)],
    ids=["log", "division", "overflow of exp", "overflow", "arccos"],
)
@every_body
def test_an_expression_that_is_no_number_is_named_with_its_place(statevector, expression, value, inside):
    circuit = circuit_with(own_gate(expression), inside)
    with pytest.raises(
        BasicAerError, match=r"\(circuit 'with a gate', in .*must be a finite real number, and is none at p ="
    ):
        statevector.run(circuit, parameter_binds=[{P: [value]}])


@pytest.mark.parametrize(
    ("expression", "numbers"),
    [
        pytest.param((P - 2).arccos(), [2.1, 2.3], id="arccos"),
        pytest.param(1 / (P - 0.6180339887), [1.0, 2.0], id="pole"),
        pytest.param((P - 0.5).sign() + P, [0.2, 1.0], id="sign"),
    ],
)
def test_values_that_nobody_gave_need_no_number(statevector, expression, numbers):
    circuit = QuantumCircuit(1)
    circuit.ry(expression, 0)
    angles = [float(expression.bind({P: number})) for number in numbers]
    result = statevector.run(circuit, parameter_binds=[{P: numbers}]).result()
    for i, angle in enumerate(angles):
        assert np.allclose(result.get_statevector(i), [math.cos(angle / 2), math.sin(angle / 2)], rtol=0, atol=1e-12)
    values = EstimatorV2().run([(circuit, "Z", np.array(numbers)[:, None])]).result()[0].data.evs
    assert np.allclose(values, np.cos(angles), rtol=0, atol=1e-12)


NO_SUMS = {  # though their derivatives are constants, in this or that version of Qiskit
    "arctan of tan": lambda p: (1.0 * p).tan().arctan(),
    "arcsin of sin": lambda p: p.sin().arcsin(),
    "sign": lambda p: (p + 0.1).sign(),
    "modulus": lambda p: (p + 0.1).abs(),
}


@pytest.mark.parametrize("of", NO_SUMS.values(), ids=NO_SUMS)
@pytest.mark.parametrize("zero_at", [0, 3, 6])
def test_what_is_no_sum_of_multiples_is_not_taken_for_one(statevector, of, zero_at):
    numbers = [1, 2, 3, 4, 5, 7]
    numbers.insert(zero_at, 0)
    angles = [float(of(P).bind({P: number})) for number in numbers]
    circuit, loop = QuantumCircuit(1), QuantumCircuit(1)
    circuit.ry(of(P), 0)
    result = statevector.run(circuit, parameter_binds=[{P: numbers}]).result()
    for i, angle in enumerate(angles):
        assert np.allclose(result.get_statevector(i), [math.cos(angle / 2), math.sin(angle / 2)], rtol=0, atol=1e-12)
    with loop.for_loop(numbers, Q):
        loop.ry(of(Q), 0)
        loop.h(0)
    written = QuantumCircuit(1)
    for angle in angles:
        written.ry(angle, 0)
        written.h(0)
    assert np.allclose(statevector.run(loop).result().get_statevector(), Statevector(written).data, rtol=0, atol=1e-12)


def test_values_that_nobody_gave_need_not_be_small(statevector):
    circuit = QuantumCircuit(1)
    circuit.u(P * 1.7e308, P * 1.7e308, 0, 0)
    result = statevector.run(circuit, parameter_binds=[{P: [0.0, 1e-308]}]).result()
    assert result.success


def test_sets_of_a_difference_of_parameters_are_lowered_together():
    circuit = QuantumCircuit(1)
    circuit.rz(P - Q, 0)
    assert lower_sweep(circuit, np.random.default_rng(1).normal(size=(9, 2))).template is not None


def test_sets_of_a_gate_that_does_not_depend_on_its_parameter_are_lowered_together():
    """Its numbers are the same in all sets; those of the same gate with an expression that may be 0 are not."""
    circuit = QuantumCircuit(1)
    circuit.r(0.0, P, 0)
    circuit.rx(Q, 0)
    assert lower_sweep(circuit, np.ones((2, 2))).template is not None
    values = np.array([[0.5, 0.3], [-0.5, 0.3]])
    circuit.append(RGate(P.abs() - P, Q), [0])
    for row, program in zip(values, map(lower_sweep(circuit, values).program, range(2)), strict=True):
        gate = program.body[0].gates[-1]
        assert np.allclose(gate.data, RGate(abs(row[0]) - row[0], row[1]).to_matrix(), rtol=0, atol=1e-15)


@pytest.mark.parametrize(("sets", "least"), [(3, 40), (30, 40), (300, 40)])
def test_an_angle_of_many_parameters_is_worked_out_between_polls(sets, least):
    many = ParameterVector("p", 40)
    circuit = QuantumCircuit(1)
    circuit.rx(sum(0.1 * one for one in many), 0)
    polls = []
    sweep = lower_sweep(circuit, np.ones((sets, 40)), poll=lambda: polls.append(None))
    assert sweep.template is not None
    assert least <= len(polls) < least + 20
    assert np.allclose(sweep.segments_at(0).data[0], RXGate(4.0).to_matrix(), rtol=0, atol=1e-12)


OUTSIDE = {  # one set of each kind of place has no number: the second, or the last
    "standard gate": lambda p: RYGate(p.log()),
    "own gate": lambda p: own_gate(p.log()),
    "several parameters": lambda p: RYGate((p + Q).log()),
}


def bound_by_run(circuit, values):
    columns = dict(zip(circuit.parameters, values.T.tolist(), strict=True))
    BasicAer.get_backend("statevector_simulator").run(circuit, parameter_binds=[columns])


SWEEPS = {
    "parameter_binds": bound_by_run,
    "sampler": lambda circuit, values: SamplerV2().run([(circuit.measure_all(inplace=False), values)]),
    "estimator": lambda circuit, values: EstimatorV2().run([(circuit, "Z", values)]),
}


@pytest.mark.parametrize("sweep", SWEEPS.values(), ids=SWEEPS)
@pytest.mark.parametrize("gate_of", OUTSIDE.values(), ids=OUTSIDE)
@pytest.mark.parametrize(("numbers", "number"), [([0.5, -1.0], 1), ([0.5, 2.0, 1.0, 0.3, 3.0, 4.0, -1.0], 6)])
def test_a_set_that_gives_no_number_is_named(sweep, gate_of, numbers, number):
    circuit = QuantumCircuit(1, name="with a set")
    circuit.append(gate_of(P), [0])
    values = np.array([[value, 0.0][: circuit.num_parameters] for value in numbers])
    words = rf"Set {number} of the parameters: 'log\(.*\)' \(circuit 'with a set'.* and is none at p = -1\.0"
    with pytest.raises(BasicAerError, match=words):
        sweep(circuit, values)


@pytest.mark.parametrize("exponent", [10**9, 10**12 + 7, -(10**15) - 1, 10**30, 1e18])
@pytest.mark.parametrize(
    ("gate", "order"),
    [
        (HGate(), 2),
        (YGate(), 2),
        (SXGate(), 4),
        (TGate(), 8),
        (iSwapGate(), 4),
        (RXGate(math.pi * 2 / 3), 6),
        (RZGate(math.pi / 250), 1000),
        (RXXGate(math.pi / 250), 1000),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_powers_of_gates_of_finite_order_are_exact_however_high(unitary, gate, order, exponent):
    circuit = QuantumCircuit(gate.num_qubits)
    circuit.append(AnnotatedOperation(gate, [PowerModifier(exponent)]), range(gate.num_qubits))
    want = np.linalg.matrix_power(gate.to_matrix(), int(exponent) % order)
    assert np.allclose(unitary.run(circuit).result().get_unitary(), want, rtol=0, atol=1e-11)


@pytest.mark.parametrize("gate", [RXGate(0.3), RZGate(0.3), CRYGate(0.1)], ids=lambda gate: gate.name)
@pytest.mark.parametrize("exponent", [10**9 + 1, -(10**12), 1e15])
def test_powers_that_no_digits_are_left_for_are_refused(gate, exponent):
    circuit = QuantumCircuit(gate.num_qubits)
    circuit.append(AnnotatedOperation(gate, [PowerModifier(exponent)]), range(gate.num_qubits))
    with pytest.raises(BasicAerError, match=rf"of '{gate.name}' .* take a power of at most 1000000000\."):
        lower(circuit)


@pytest.mark.parametrize("exponent", [math.nan, math.inf, -math.inf])
def test_powers_that_are_no_numbers_are_refused(exponent):
    circuit = QuantumCircuit(1)
    circuit.append(AnnotatedOperation(HGate(), [PowerModifier(exponent)]), [0])
    with pytest.raises(BasicAerError, match=r"of 'h' .* must be a finite number\."):
        lower(circuit)


@pytest.mark.parametrize("exponent", [10**9, -(10**9), 10**18 + 1])
def test_high_powers_are_powers_of_matrices(exponent):
    for gate, want in ((XGate(), exponent % 2), (RXGate(math.pi * 2 / 3), None)):
        circuit = QuantumCircuit(1)
        circuit.append(gate.power(exponent, annotated=True), [0])
        (segment, *_) = lower(circuit).body
        assert len(segment.gates) == 1
        matrix = segment.gates[0].data
        if want is not None:
            assert matrix.tolist() == ([1, 0] if want else [0, 1])
        else:
            assert np.allclose(matrix.conj().T @ matrix, np.eye(2), rtol=0, atol=1e-12)


def test_a_high_power_of_a_wide_sequence_is_refused():
    inner = QuantumCircuit(8, name="wide")
    inner.h(range(8))
    circuit = QuantumCircuit(8)
    circuit.append(inner.to_gate().power(10**9, annotated=True), range(8))
    with pytest.raises(
        BasicAerError, match=r"power 1000000000 of 'wide' .* on 8 qubits; .* of at most 1000000 gates only"
    ):
        lower(circuit)


@pytest.mark.parametrize("power", [2, 65, 100, -70, 0])
def test_powers_are_as_qiskit_takes_them(statevector, power):
    gate = nested_gate(0.3)
    circuit = QuantumCircuit(3)
    circuit.h([0, 1, 2])
    circuit.append(gate.power(power, annotated=True).control(1, annotated=True), [2, 0, 1])
    written = QuantumCircuit(3)
    written.h([0, 1, 2])
    for _ in range(abs(power)):
        written.append((gate if power > 0 else gate.inverse()).control(1), [2, 0, 1])
    got = statevector.run(circuit).result().get_statevector()
    assert np.allclose(got, Statevector(written).data, rtol=0, atol=1e-11)
