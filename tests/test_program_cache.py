"""Programs of circuits that were lowered lately are found again, and never taken for those of other circuits."""

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import CircuitInstruction, Gate, Instruction, Parameter, library
from qiskit.quantum_info import Statevector, random_unitary

from basicaer.compile import program_cache
from basicaer.compile.gates import GATES
from basicaer.compile.lower import lower
from basicaer.compile.program_cache import lower_cached
from basicaer.engine.lru_cache import LruCache
from basicaer.engine.program import Segment
from basicaer.errors import BasicAerError


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    for name in ("_programs", "_recipes"):
        monkeypatch.setattr(program_cache, name, LruCache(50_000, 50_000))
    monkeypatch.setattr(program_cache, "_FEW_INSTRUCTIONS", 0)


def circuit(angle=0.1, name="one"):
    made = QuantumCircuit(2, 2, name=name)
    made.ry(angle, 0)
    made.cx(0, 1)
    made.barrier()
    made.measure([0, 1], [0, 1])
    return made


def test_the_same_instructions_give_the_same_program():
    assert lower_cached(circuit()) is lower_cached(circuit())
    assert lower_cached(circuit()) is lower_cached(circuit().copy())
    other_bits = QuantumCircuit(QuantumRegister(2, "other"), ClassicalRegister(2, "bits"), name="one")
    other_bits.compose(circuit(), range(2), range(2), inplace=True)
    assert lower_cached(circuit()) is lower_cached(other_bits)


def test_names_make_no_difference_but_in_messages():
    program = lower_cached(circuit())
    named = lower_cached(circuit(name="two"))
    assert (program.name, named.name) == ("one", "two")
    assert named.body is program.body
    assert lower_cached(circuit()) is program


def changed(change):
    made = circuit()
    change(made)
    return made


@pytest.mark.parametrize(
    "other",
    [
        circuit(0.2),
        changed(lambda c: c.x(1)),
        changed(lambda c: c.measure(0, 1)),
        changed(lambda c: c.add_register(QuantumRegister(1, "more"))),
        changed(lambda c: setattr(c, "global_phase", 0.3)),
        circuit().reverse_bits(),
    ],
    ids=["angle", "gate", "bit", "qubits", "phase", "order"],
)
def test_any_difference_is_seen(other):
    program = lower_cached(circuit())
    assert lower_cached(other) is not program
    assert lower_cached(circuit(), keep_idle=True) is not program
    assert lower_cached(circuit()) is program


def test_what_instructions_alone_do_not_say_is_lowered_each_time():
    controlled, custom, unitary, conditional = (QuantumCircuit(3, 1) for _ in range(4))
    controlled.append(library.CXGate(ctrl_state=0), [0, 1])
    inner = QuantumCircuit(1, name="rx")  # a name that a standard gate has too
    inner.h(0)
    custom.append(inner.to_instruction(), [0])
    unitary.unitary(np.diag([1, 1j, 1, 1, -1, 1, 1, 1]), [0, 1, 2])
    with conditional.if_test((conditional.clbits[0], 0)):
        conditional.x(0)
    for made in (controlled, custom, unitary, conditional):
        assert lower_cached(made) is not lower_cached(made)
    assert not len(program_cache._programs)


def with_unitary(matrix):
    made = QuantumCircuit(2, name="one")
    made.unitary(np.asarray(matrix, order="F"), [1, 0])
    return made


def test_narrow_unitaries_are_told_apart_by_their_matrices():
    first, second = random_unitary(4, 1).data, random_unitary(4, 2).data
    assert lower_cached(with_unitary(first)) is lower_cached(with_unitary(first.copy()))
    assert lower_cached(with_unitary(first)) is not lower_cached(with_unitary(second))
    assert lower_cached(with_unitary(first)) is not lower_cached(with_unitary(first.T))


def test_open_controls_are_not_taken_for_closed_ones(statevector):
    for state in (0, 1):
        made = QuantumCircuit(2)
        made.h(0)
        made.append(library.CXGate(ctrl_state=state), [0, 1])
        assert np.allclose(statevector.run(made).result().get_statevector(), Statevector(made).data)


class HoldsMatrix(Gate):
    """A gate of somebody's own that hands out its own matrix."""

    def __init__(self, matrix):
        super().__init__("holds_matrix", 1, [])
        self.matrix = matrix

    def __array__(self, dtype=None, copy=None):
        return self.matrix


class SetState(Instruction):
    def __init__(self, amplitudes):
        super().__init__("set_statevector", 1, 0, [])
        self._params = [amplitudes]


FLIP = np.array([[0, 1], [1, 0]], complex)


@pytest.mark.parametrize(
    ("operation_of", "given", "other"),
    [
        pytest.param(library.UnitaryGate, FLIP, np.eye(2), id="unitary"),
        pytest.param(HoldsMatrix, FLIP, np.eye(2), id="own gate"),
        pytest.param(library.Initialize, np.array([0, 1], complex), [1, 0], id="initialize"),
        pytest.param(SetState, np.array([0, 1], complex), [1, 0], id="set_statevector"),
    ],
)
def test_arrays_may_be_changed_once_a_circuit_is_read(statevector, manual, operation_of, given, other):
    theirs = given.copy()
    made = QuantumCircuit(1)
    made.append(operation_of(theirs), [0])
    job = statevector.run(made, executor=manual)
    theirs[...] = other
    manual.run_all()
    assert abs(job.result().get_statevector()).tolist() == [0, 1]
    again = QuantumCircuit(1)
    again.append(operation_of(given.copy()), [0])
    assert abs(statevector.run(again).result().get_statevector()).tolist() == [0, 1]


@pytest.mark.parametrize("whole", [10**400, -(10**400), 2**60], ids=["huge", "below", "large"])
def test_whole_angles_that_no_float_has_say_the_same_whatever_ran_before(statevector, whole):
    def told():
        made = QuantumCircuit(1, name="with a whole angle")
        made.rz(whole, 0)
        try:
            return statevector.run(made).result().get_statevector().tolist()
        except BasicAerError as error:
            return error.message

    first = told()
    before = QuantumCircuit(1)
    before.rz(0.5, 0)
    lower_cached(before)
    assert told() == first


def test_a_gate_whose_parameters_were_taken_away_is_refused(statevector):
    gate = library.UnitaryGate(FLIP)
    gate.params = []
    made = QuantumCircuit(1)
    made.append(gate, [0])
    with pytest.raises(BasicAerError):
        statevector.run(made)


def test_what_cannot_be_lowered_is_refused_each_time():
    made = QuantumCircuit(1)
    made.rx(Parameter("a"), 0)
    for _ in range(2):
        with pytest.raises(BasicAerError, match="Parameters without a value"):
            lower_cached(made)
    assert not len(program_cache._programs)


def test_so_many_instructions_are_kept(monkeypatch):
    monkeypatch.setattr(program_cache, "_programs", LruCache(50_000, 15))
    programs = [lower_cached(circuit(angle)) for angle in range(5)]
    assert len(program_cache._programs) == 15 // len(circuit().data)
    assert lower_cached(circuit(4)) is programs[4]
    assert lower_cached(circuit(1)) is not programs[1]


def test_a_new_circuit_looks_at_no_other(monkeypatch):
    """What it costs must not grow with how many came before."""

    class Counting(tuple):  # noqa: SLOT001  # it counts on the class
        looked = 0

        def __hash__(self):
            Counting.looked += 1
            return super().__hash__()

        __eq__ = tuple.__eq__

    real = program_cache.key_of
    monkeypatch.setattr(program_cache, "key_of", lambda *args, **keys: Counting(real(*args, **keys)))
    for angle in range(20):
        lower_cached(circuit(angle))
    before = Counting.looked
    lower_cached(circuit(20))
    assert Counting.looked - before <= 4


def takes_angles(record):
    """Whether a record is of a gate that Qiskit keeps as a standard gate and that takes angles."""
    if record.gate_class is None or record.controls is None or not record.parameters or not record.target_actions:
        return False
    made = QuantumCircuit(5)
    gate = record.gate_class(*[0.1] * record.parameters)
    made.append(gate, range(gate.num_qubits))
    return made.data[0].is_standard_gate()


TAKING_ANGLES = list(filter(takes_angles, GATES))


def every_gate_with(angle, name):
    """Every standard gate that takes angles, some of them twice, between gates that take none."""
    made = QuantumCircuit(5, 5, name=name, global_phase=0.4)
    for i, record in enumerate([*TAKING_ANGLES, *TAKING_ANGLES[::3]]):
        gate = record.gate_class(*[angle * (i + j + 1) for j in range(record.parameters)])
        made.append(gate, [(i + q) % 5 for q in range(gate.num_qubits)])
        made.cx(i % 5, (i + 1) % 5)
    made.barrier()
    made.measure(range(5), range(5))
    return made


def test_other_angles_make_the_program_that_lowering_makes(monkeypatch):
    assert len(TAKING_ANGLES) > 15
    lower_cached(every_gate_with(0.1, "first"))
    want = program_cache.lower(every_gate_with(-0.37, "second"))
    monkeypatch.setattr(program_cache, "lower", lambda *_args, **_keys: pytest.fail("it was lowered again"))
    made = lower_cached(every_gate_with(-0.37, "second"))
    assert (made.name, made.qubits, made.final, made.bits) == (want.name, want.qubits, want.final, want.bits)
    for one, other in zip(made.body, want.body, strict=True):
        if isinstance(one, Segment):
            for gate, wanted in zip(one.gates, other.gates, strict=True):
                assert np.allclose(gate.data, wanted.data, rtol=0, atol=1e-15)
                assert gate._replace(data=None) == wanted._replace(data=None)
        else:
            assert one == other


@pytest.mark.parametrize("angle", [float("nan"), 1e400, 1j], ids=str)
def test_other_angles_are_checked_as_ever(qasm, angle):
    qasm.run(circuit(0.1))
    made = circuit(0.2)
    made.data[0] = CircuitInstruction(library.RYGate(0.3), made.data[0].qubits)
    odd = made.data[0].operation.to_mutable()
    odd._params = [angle]
    made.data[0] = CircuitInstruction(odd, made.data[0].qubits)
    with pytest.raises(BasicAerError, match=r"parameters \[.*not all finite|must be a finite real number"):
        qasm.run(made)


def test_a_phase_that_is_a_gate_has_no_place_among_the_gates(statevector):
    for angle in (0.1, 0.5):
        made = QuantumCircuit(1)
        made.append(library.GlobalPhaseGate(angle), [])
        made.rx(angle, 0)
        assert np.allclose(statevector.run(made).result().get_statevector(), Statevector(made).data)


def test_few_instructions_are_not_kept_with_each_of_their_angles(monkeypatch):
    monkeypatch.setattr(program_cache, "_FEW_INSTRUCTIONS", 16)
    programs = [lower_cached(circuit(angle)) for angle in (0.1, 0.2, 0.3)]
    assert not len(program_cache._programs)
    assert [gates_of(program) for program in programs] == [gates_of(lower(circuit(angle))) for angle in (0.1, 0.2, 0.3)]


def gates_of(program):
    return [[(*gate[:4], gate.data.tolist()) for gate in segment.gates] for segment in program.body]
