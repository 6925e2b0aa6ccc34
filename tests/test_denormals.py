"""Denormal numbers are zero while tiles in single precision are worked on, and nowhere else."""

import threading

import numpy as np
import pytest
from qiskit import QuantumCircuit

from basicaer import BasicAer
from basicaer.devices.cpu import denormals
from basicaer.devices.cpu.denormals import without_denormals
from basicaer.devices.cpu.tiles import BoundPass
from basicaer.handles.base import ProgressCallback

SMALL = np.full(8, 1e-20, np.float32)
pytestmark = pytest.mark.skipif(denormals._switch() is None, reason="this system has no such switch")


def are_zero():
    """Tell whether numbers of 1e-40 are taken for zero in this thread."""
    return not (SMALL * SMALL).any()


def test_they_are_zero_inside_and_only_in_single_precision():
    assert not are_zero()
    with without_denormals(np.dtype(np.complex64)):
        assert are_zero()
        with without_denormals(np.dtype(np.complex64)):
            assert are_zero()
        assert are_zero()
    assert not are_zero()
    with without_denormals(np.dtype(np.complex128)):
        assert not are_zero()


def test_the_setting_is_put_back_after_an_error():
    with pytest.raises(RuntimeError, match="stopped"), without_denormals(np.dtype(np.complex64)):
        raise RuntimeError("stopped")
    assert not are_zero()


def test_a_system_without_a_switch_does_without(monkeypatch):
    monkeypatch.setattr(denormals, "_switch", lambda: None)
    with without_denormals(np.dtype(np.complex64)):
        assert not are_zero()


@pytest.mark.parametrize(("precision", "flushed"), [("single", True), ("double", False)])
@pytest.mark.parametrize("sets", [1, 6])
def test_tiles_are_worked_on_without_them_and_the_users_code_is_not(precision, flushed, sets, monkeypatch):
    """A callback comes at every poll here, also in the middle of a pass."""
    seen, outside = [], []
    monkeypatch.setattr(ProgressCallback, "interval", 0.0)
    run = BoundPass.run

    def noting(one, states, number, buffers, poll):
        seen.append((threading.get_ident(), are_zero()))
        return run(one, states, number, buffers, poll)

    monkeypatch.setattr(BoundPass, "run", noting)
    circuits = []
    for number in range(sets):
        circuit = QuantumCircuit(18 if sets == 1 else 10)
        for q in range(circuit.num_qubits):
            circuit.ry(0.1 + number + q, q)
            circuit.rz(0.2, q)
        circuit.measure_all()
        circuits.append(circuit)
    backend = BasicAer.get_backend("qasm_simulator", precision=precision, max_parallel_threads=2)
    job = backend.run(circuits, callback=lambda *_: outside.append(are_zero()))
    job.result()
    assert {zero for _, zero in seen} == {flushed}
    assert not any(outside)
    assert not are_zero()


def test_small_amplitudes_are_lost_that_no_result_depends_on(precision):
    circuit = QuantumCircuit(12)
    for _ in range(8):
        circuit.ry(2e-5, range(12))
    backend = BasicAer.get_backend("statevector_simulator", chop_threshold=0)
    state = backend.run(circuit, precision=precision).result().get_statevector()
    amplitudes = np.asarray(state)
    assert amplitudes[0] == pytest.approx(1, abs=1e-5)
    assert (amplitudes[-1] == 0) == (precision == "single")  # (8e-5)**12 is 7e-50
