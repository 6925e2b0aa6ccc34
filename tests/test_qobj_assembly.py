"""Circuits as a Qobj: what runs alike, and what has no such form."""

import cmath

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import AnnotatedOperation, ControlModifier, Gate, Instruction, Operation, library
from qiskit.circuit.classical import expr
from qiskit.quantum_info import Clifford, Operator, SparsePauliOp, Statevector

import reference
from basicaer import BasicAerError
from basicaer.compile.bound_circuits import bound_circuits
from basicaer.compile.gates import GATES
from basicaer.qobj import (
    validate,
)
from basicaer.qobj.assembly import assemble
from qobjs import ANGLES, ATOL, SHOTS, as_json, counts, instruction, measure, one

# Circuits -> Qobj -> run.


def assert_runs_alike(backend, circuit, **options):
    """Run a circuit, its Qobj and the Qobj's JSON, and compare everything that comes back."""
    job = backend.run(circuit, **options)
    (want,) = job.result().results
    for qobj in (job.qobj(), as_json(job.qobj())):
        validate(qobj)
        (got,) = backend.run(qobj).result().results
        assert got.seed_simulator == want.seed_simulator or backend.name == "unitary_simulator"
        assert got.data.to_dict().keys() == want.data.to_dict().keys()
        for key, value in want.data.to_dict().items():
            if key in {"counts", "memory"}:
                assert getattr(got.data, key) == value
            else:
                assert np.allclose(getattr(got.data, key), value, rtol=0, atol=ATOL), key
    return job.qobj()


def with_general_start(gate, n):
    """A gate on qubits in reverse order, of a state in which every amplitude differs."""
    circuit = QuantumCircuit(n)
    for qubit in range(n):
        circuit.u(0.4 + qubit, 0.3 * qubit, 0.7, qubit)
    for qubit in range(1, n):
        circuit.cx(qubit - 1, qubit)
    circuit.append(gate, range(gate.num_qubits)[::-1])
    return circuit


def gates_of(record):
    """A gate of the table with every state of its controls, of which it has three if it may have any number."""
    angles = ANGLES[: record.parameters]
    free = [3] if record.controls is None else []
    if record.controls == 0:
        return [record.gate_class(*angles)]
    return [record.gate_class(*angles, *free, ctrl_state=state) for state in range(2 ** (record.controls or 3))]


@pytest.mark.parametrize("record", [r for r in GATES if r.gate_class is not None], ids=lambda record: record.name)
def test_every_gate_of_the_table_survives_the_way_through_a_qobj(record, statevector, unitary):
    for gate in gates_of(record):
        circuit = with_general_start(gate, max(gate.num_qubits, 1))
        assert_runs_alike(statevector, circuit)
        assert_runs_alike(unitary, circuit)


@pytest.mark.parametrize("record", GATES, ids=lambda record: record.name)
def test_a_gates_name_in_a_qobj_means_qiskits_gate(record, unitary):
    angles = list(ANGLES[: record.parameters])
    meant = {"u0": library.IGate, "U": library.UGate, "CX": library.CXGate}.get(record.name, record.gate_class)
    gate = meant(*angles, *([3] if record.controls is None else [])) if record.name != "u0" else meant()
    n = max(gate.num_qubits, 1)
    item = instruction(record.name, *range(gate.num_qubits), params=angles)
    got = unitary.run(one(item, n_qubits=n, memory_slots=0)).result().get_unitary()
    want = Operator(gate).data if gate.num_qubits else Operator(gate).data * np.eye(2)
    assert np.allclose(got, want, atol=ATOL)


def definition_in_definition():
    inner = QuantumCircuit(2, name="inner", global_phase=0.3)
    inner.append(library.iSwapGate(), [1, 0])
    outer = QuantumCircuit(3, name="outer", global_phase=-1.0)
    outer.append(inner.to_gate(), [2, 0])
    outer.append(inner.to_gate().control(1, ctrl_state=0), [0, 1, 2])
    return outer.to_gate()


def renamed(gate, name):
    gate = gate.to_mutable() if hasattr(gate, "to_mutable") else gate
    gate.name = name
    return gate


class MatrixOnly(Gate):
    """A gate that has a matrix and no definition."""

    def __init__(self):
        super().__init__("matrix_only", 2, [])

    def __array__(self, dtype=None, copy=None):
        return reference.random_unitary(4, seed=3)


WHOLE = {
    "unitary": lambda: library.UnitaryGate(reference.random_unitary(8)),
    "controlled unitary": lambda: library.UnitaryGate(reference.random_unitary(2)).control(2, ctrl_state=1),
    "diagonal": lambda: library.DiagonalGate([cmath.exp(1j * angle) for angle in range(8)]),
    "pauli": lambda: library.PauliGate("XYZI"),
    "permutation": lambda: library.PermutationGate([2, 0, 3, 1]),
    "wide permutation": lambda: library.PermutationGate([3, 1, 0, 6, 7, 2, 5, 4]),
    "clifford": lambda: Clifford(library.iSwapGate()),
    "annotated": lambda: library.SXGate().control(2, ctrl_state=2, annotated=True),
    "definition": definition_in_definition,
    "matrix only": MatrixOnly,
    "evolution": lambda: library.PauliEvolutionGate(SparsePauliOp(["XYZ", "ZII"], [0.5, -1.1]), 0.3),
    "rotations": lambda: library.UCRYGate(list(ANGLES)),
    "state preparation": lambda: library.StatePreparation(reference.random_state(2)).inverse(),
    "multiplexer": lambda: library.UCGate([reference.random_unitary(2, seed) for seed in range(4)]),
    "global phase": lambda: library.GlobalPhaseGate(0.7),
    "renamed": lambda: renamed(library.MCXGate(3, ctrl_state=5), "measure"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_no_gate_of_the_table_survives_the_way_through_a_qobj(name, statevector, unitary):
    circuit = with_general_start(WHOLE[name](), max(WHOLE[name]().num_qubits, 1))
    circuit.global_phase = 0.6
    assert_runs_alike(statevector, circuit)
    assert_runs_alike(unitary, circuit)
    if name not in {"clifford", "evolution"}:  # to Qiskit, the one has no phase, and the other is no product formula
        assert np.allclose(statevector.run(circuit).result().get_statevector(), Statevector(circuit), atol=ATOL)


@pytest.mark.parametrize(
    "state", [[0, 1j, 0, 0], "r-", 2, reference.random_state(2)], ids=["one", "label", "int", "any"]
)
def test_initialize_survives_the_way_through_a_qobj(state, statevector):
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.initialize(state, [2, 0])
    assert_runs_alike(statevector, circuit, seed_simulator=3)
    assert_runs_alike(statevector, circuit, seed_simulator=4)


def test_resets_barriers_delays_and_measurements_in_the_middle_survive(qasm, statevector):
    circuit = QuantumCircuit(3, 4, global_phase=1.0)
    circuit.h([0, 1])
    circuit.measure(0, 2)
    circuit.barrier()
    circuit.delay(10, 1)
    circuit.cx(0, 2)
    circuit.reset(0)
    circuit.rx(0.4, 0)
    circuit.measure([0, 1, 2], [0, 1, 3])
    for backend in (qasm, statevector):
        assert_runs_alike(backend, circuit, shots=SHOTS, memory=True, seed_simulator=11)


def test_several_circuits_in_one_qobj_keep_their_own_sizes_and_seeds(qasm, statevector):
    wide, narrow = QuantumCircuit(4, 3, name="wide"), QuantumCircuit(1, 1, name="narrow")
    for circuit in (wide, narrow):
        circuit.h(range(circuit.num_qubits))
        circuit.measure(range(circuit.num_clbits), range(circuit.num_clbits))
    job = qasm.run([wide, narrow, wide], shots=SHOTS, seed_simulator=1)
    again = qasm.run(as_json(job.qobj())).result()
    for position in range(3):
        assert again.get_counts(position) == job.result().get_counts(position)
        assert again.results[position].header == job.result().results[position].header
    assert {len(key) for key in again.get_counts("narrow")} == {1}
    states = statevector.run(statevector.run([wide, narrow]).qobj()).result()
    assert [len(states.get_statevector(position)) for position in range(2)] == [2**4, 2]


# Conditions of circuits.


def scattered():
    """Two bits of a register of three that do not stand together, and random outcomes in them."""
    bits, other = ClassicalRegister(3, "bits"), ClassicalRegister(2, "other")
    circuit = QuantumCircuit(QuantumRegister(4, "q"), bits, other)
    pair = ClassicalRegister(bits=[other[1], bits[0]], name="pair")
    circuit.add_register(pair)
    circuit.h([0, 1])
    circuit.measure(0, other[1])
    circuit.measure(1, bits[0])
    return circuit, bits, other, pair


@pytest.mark.parametrize("value", range(6))
def test_an_if_on_a_register_survives_also_with_a_value_that_is_too_large(qasm, statevector, value):
    circuit, bits, _, pair = scattered()
    with circuit.if_test((pair, value)):
        circuit.x(2)
        circuit.h(3)
    circuit.measure(2, bits[1])
    circuit.measure(3, bits[2])
    assert_runs_alike(qasm, circuit, shots=SHOTS, memory=True, seed_simulator=2)
    assert_runs_alike(statevector, circuit, shots=5, seed_simulator=2)
    flipped = {key for key in counts(qasm, qasm.run(circuit, shots=SHOTS).qobj())[0] if key & 2}
    assert all((key >> 4 & 1) + 2 * (key & 1) == value for key in flipped)
    assert bool(flipped) == (value < 4)


@pytest.mark.parametrize("value", [0, 1, 2, False, True])
def test_an_if_on_a_bit_survives_whatever_stands_for_true(statevector, value):
    for angle in (0, np.pi):
        circuit = QuantumCircuit(2, 2)
        circuit.rx(angle, 0)
        circuit.measure(0, 1)
        with circuit.if_test((circuit.clbits[1], value)):
            circuit.x(1)
        assert_runs_alike(statevector, circuit)


def test_an_if_becomes_a_bfunc_past_the_memory_and_conditional_instructions(qasm):
    circuit, bits, other, pair = scattered()
    with circuit.if_test((pair, 1)):
        circuit.x(2)
        circuit.measure(2, bits[1])
    with circuit.if_test((other[0], 0)):
        circuit.y(3)
    qobj = assert_runs_alike(qasm, circuit, shots=SHOTS, seed_simulator=9).to_dict()
    (got,) = qobj["experiments"]
    first, second = circuit.num_clbits, circuit.num_clbits + 1
    bit_numbers = {bit: number for number, bit in enumerate(circuit.clbits)}
    low, high = bit_numbers[pair[0]], bit_numbers[pair[1]]
    assert got["instructions"][2:] == [
        measure(0, low, register=[low]),
        measure(1, high, register=[high]),
        {"name": "bfunc", "mask": hex(2**low + 2**high), "relation": "==", "val": hex(2**low), "register": first},
        instruction("x", 2, params=[], conditional=first),
        measure(2, bit_numbers[bits[1]], register=[bit_numbers[bits[1]]], conditional=first),
        {"name": "bfunc", "mask": hex(2 ** bit_numbers[other[0]]), "relation": "==", "val": "0x0", "register": second},
        instruction("y", 3, params=[], conditional=second),
    ]


def test_measurements_carry_a_register_only_where_a_condition_looks_at_it(qasm):
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    (item,) = qasm.run(circuit).qobj().to_dict()["experiments"][0]["instructions"]
    assert item == measure(0, 0)


def teleported(body):
    """A circuit with an `if` whose body acts on qubits that have been used, on a bit that is 1 and one that is 0."""
    circuit = QuantumCircuit(3, 3)
    circuit.x([0, 1])
    circuit.h(2)
    circuit.measure([0, 2], [0, 2])
    for bit in (0, 1):
        with circuit.if_test((circuit.clbits[bit], 1)):
            body(circuit)
    return circuit


@pytest.mark.parametrize(
    "body",
    [
        lambda circuit: circuit.reset([0, 1]),
        lambda circuit: circuit.initialize([0, 1j], 2),
        lambda circuit: circuit.initialize("+0", [1, 2]),
        lambda circuit: circuit.measure(1, 1),
        lambda circuit: circuit.append(library.GlobalPhaseGate(0.4), []),
        lambda circuit: circuit.append(definition_in_definition(), [0, 1, 2]),
        lambda circuit: circuit.append(library.UnitaryGate(reference.random_unitary(4)), [0, 2]),
        lambda circuit: circuit.barrier(),
        lambda circuit: None,
    ],
    ids=["reset", "initialize", "label", "measure", "phase", "definition", "unitary", "barrier", "nothing"],
)
def test_every_kind_of_body_of_an_if_survives(statevector, qasm, body):
    for seed in range(3):
        assert_runs_alike(statevector, teleported(body), seed_simulator=seed)
    assert_runs_alike(qasm, teleported(body), shots=SHOTS, seed_simulator=0)


def test_an_if_inside_a_definition_sees_what_was_measured_outside(statevector):
    definition = QuantumCircuit(1, 1)
    with definition.if_test((definition.clbits[0], 1)):
        definition.x(0)
    conditional = Instruction("conditional_x", 1, 1, [])
    conditional.definition = definition
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    circuit.measure(0, 1)
    circuit.append(conditional, [1], [1])
    assert_runs_alike(statevector, circuit)
    assert np.allclose(statevector.run(circuit).result().get_statevector(), Statevector.from_label("11"))


def put_else(circuit):
    with circuit.if_test((circuit.clbits[0], 1)) as otherwise:
        circuit.x(0)
    with otherwise:
        circuit.y(0)


def put_nested_if(circuit):
    with circuit.if_test((circuit.clbits[0], 1)), circuit.if_test((circuit.clbits[1], 1)):
        circuit.x(0)


def put_for(circuit):
    with circuit.for_loop(range(2)):
        circuit.x(0)


def put_while(circuit):
    with circuit.while_loop((circuit.clbits[0], 1)):
        circuit.x(0)
        circuit.measure(0, 0)


def put_switch(circuit):
    with circuit.switch(circuit.cregs[0]) as case, case(1):
        circuit.x(0)


def put_expression(circuit):
    with circuit.if_test(expr.logic_not(circuit.clbits[0])):
        circuit.x(0)


def put_store(circuit):
    circuit.store(circuit.clbits[0], expr.logic_not(circuit.clbits[1]))


def put_loop_in_if(circuit):
    with circuit.if_test((circuit.clbits[0], 1)), circuit.for_loop(range(2)):
        circuit.x(0)


@pytest.mark.parametrize(
    "put", [put_else, put_nested_if, put_for, put_while, put_switch, put_expression, put_store, put_loop_in_if]
)
def test_other_control_flow_has_no_qobj_and_runs_all_the_same(qasm, put):
    circuit = QuantumCircuit(2, 2, name="of no form")
    circuit.x(0)
    circuit.measure(0, 0)
    put(circuit)
    circuit.measure(0, 1)
    job = qasm.run(circuit, shots=SHOTS)
    with pytest.raises(BasicAerError, match="Circuit 'of no form' cannot be expressed as a Qobj: "):
        job.qobj()
    assert sum(job.result().get_counts().values()) == SHOTS


def test_what_has_neither_name_definition_nor_matrix_has_no_qobj(statevector):
    circuit = QuantumCircuit(2, name="of no form")
    set_state = Instruction("set_statevector", 2, 0, [reference.random_state(2)])
    circuit.append(set_state, [0, 1])
    with pytest.raises(BasicAerError, match=r"'of no form' cannot be expressed as a Qobj: .*'set_statevector'"):
        statevector.run(circuit).qobj()


class Mystery(Operation):
    """Neither a gate nor an instruction, and nothing that Qiskit knows how to make."""

    name, num_qubits, num_clbits = "warp", 2, 0


@pytest.mark.parametrize(
    "operation",
    [
        Gate("warp", 2, []),
        Instruction("warp", 2, 0, []),
        Mystery(),
        AnnotatedOperation(Gate("warp", 1, []), ControlModifier(1)),
    ],
    ids=type,
)
def test_what_cannot_be_run_either_has_no_qobj(operation):
    circuit = QuantumCircuit(2, name="of no form")
    circuit.append(operation, [0, 1])
    with pytest.raises(BasicAerError, match=rf"'of no form' cannot be expressed as a Qobj: .*'{operation.name}'"):
        assemble(bound_circuits([circuit], None))


def test_a_circuit_without_qubits_has_no_qobj(statevector):
    job = statevector.run(QuantumCircuit(name="of no form"))
    with pytest.raises(BasicAerError, match="'of no form' cannot be expressed as a Qobj: it has no qubits"):
        job.qobj()
