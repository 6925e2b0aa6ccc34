"""Circuits that Qiskit's transpiler has been given: none is widened where that would cost a state, and all run."""

import io
from math import sqrt

import numpy as np
import pytest
from qiskit import QuantumCircuit, qpy, transpile
from qiskit.quantum_info import Operator, Statevector
from qiskit.transpiler import generate_preset_pass_manager

from basicaer import BasicAer
from basicaer.simulators import QasmSimulator
from jobs import GUARD

LEVELS = (0, 1, 2, 3)
SIZES = {"qasm_simulator": QasmSimulator._num_qubits, "statevector_simulator": None, "unitary_simulator": None}
WIDTHS = (3, 40, 70, 2000)

every_backend = pytest.mark.parametrize("name", SIZES)
every_level = pytest.mark.parametrize("level", LEVELS)
with_and_without_layout = pytest.mark.parametrize("layout", [False, True], ids=["as it is", "layout"])


def few_gates(width, *, measured):
    """Three qubits of a circuit as wide as is wanted: the highest is 1 exactly where the middle one is not."""
    circuit = QuantumCircuit(width, 3 if measured else 0)
    low, middle, high = 0, width // 2, width - 1
    circuit.h(low)
    circuit.cx(low, middle)
    circuit.mcx([low, middle], high)
    circuit.x(high)
    if measured:
        circuit.measure([low, middle, high], [0, 1, 2])
    return circuit


def reversed_layout(circuit, *, layout):
    """The argument that places the circuit's qubits in reverse order, or none."""
    return {"initial_layout": list(range(circuit.num_qubits))[::-1]} if layout else {}


def by_transpile(circuit, backend, level, arguments):
    return transpile(circuit, backend, optimization_level=level, seed_transpiler=7, **arguments)


def by_pass_manager(circuit, backend, level, arguments):
    return generate_preset_pass_manager(level, backend=backend, seed_transpiler=7, **arguments).run(circuit)


def by_pass_manager_for_the_target(circuit, backend, level, arguments):
    return generate_preset_pass_manager(level, target=backend.target, seed_transpiler=7, **arguments).run(circuit)


every_way = pytest.mark.parametrize("way", [by_transpile, by_pass_manager, by_pass_manager_for_the_target])


def after_qpy(circuit):
    file = io.BytesIO()
    qpy.dump(circuit, file)
    file.seek(0)
    [read] = qpy.load(file)
    return read


@every_backend
def test_only_the_counting_simulator_has_a_size(name):
    """Others return something of all qubits, where each that a layout adds would double it."""
    backend = BasicAer.get_backend(name)
    assert backend.num_qubits == backend.target.num_qubits == SIZES[name]
    assert backend.coupling_map is None


@every_way
@every_level
@with_and_without_layout
@pytest.mark.parametrize("width", WIDTHS)
def test_counts_are_right_at_any_width_and_level(width, layout, level, way, qasm):
    circuit = few_gates(width, measured=True)
    ready = way(circuit, qasm, level, reversed_layout(circuit, layout=layout))
    assert ready.num_qubits == (SIZES[qasm.name] if layout else width)
    for one in (ready, after_qpy(ready)):
        counts = qasm.run(one, shots=1000, seed_simulator=3).result(GUARD).get_counts()
        assert counts.keys() == {"100", "011"}
        assert abs(counts["100"] - 500) < 5 * sqrt(250)


@every_way
@every_level
@with_and_without_layout
def test_states_are_right_and_of_the_circuits_own_qubits(layout, level, way, statevector):
    circuit = few_gates(3, measured=False)
    ready = way(circuit, statevector, level, reversed_layout(circuit, layout=layout))
    assert ready.num_qubits == 3
    if layout:
        assert ready.layout.final_index_layout() == [2, 1, 0]
    want = Statevector(circuit.reverse_bits() if layout else circuit)
    for one in (ready, after_qpy(ready)):
        assert np.allclose(statevector.run(one).result(GUARD).get_statevector(), want, rtol=0, atol=1e-12)


@every_way
@every_level
@with_and_without_layout
def test_matrices_are_right_and_of_the_circuits_own_qubits(layout, level, way, unitary):
    circuit = few_gates(3, measured=False)
    ready = way(circuit, unitary, level, reversed_layout(circuit, layout=layout))
    assert ready.num_qubits == 3
    want = Operator(circuit.reverse_bits() if layout else circuit)
    for one in (ready, after_qpy(ready)):
        assert np.allclose(unitary.run(one).result(GUARD).get_unitary(), want, rtol=0, atol=1e-12)


@every_level
@with_and_without_layout
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["statevector_simulator", "unitary_simulator"])
def test_wide_circuits_keep_their_width_where_there_is_no_size(name, width, layout, level):
    circuit = few_gates(width, measured=False)
    backend = BasicAer.get_backend(name)
    ready = by_transpile(circuit, backend, level, reversed_layout(circuit, layout=layout))
    assert ready.num_qubits == after_qpy(ready).num_qubits == width


@every_level
def test_measurements_after_a_layout_have_a_bit_for_each_qubit_of_the_state(level, statevector):
    ready = by_transpile(few_gates(3, measured=False), statevector, level, {"initial_layout": [2, 0, 1]})
    ready.measure_all()
    assert statevector.run(ready, shots=99).result(GUARD).get_counts().keys() <= {"010", "101"}


def test_a_circuit_that_nobody_transpiled_may_be_wider_than_the_size(qasm):
    circuit = few_gates(SIZES[qasm.name] + 1, measured=True)
    assert qasm.run(circuit).result(GUARD).get_counts().keys() == {"100", "011"}
