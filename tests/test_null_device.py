"""What does not depend on arithmetic, at a size that no machine holds, on the device that computes nothing."""

import numpy as np
import pytest
from qiskit import QuantumCircuit

from basicaer import BasicAer, BasicAerError
from basicaer.compile.lower import lower
from basicaer.devices.null import NullDevice
from basicaer.engine.execute import execute
from basicaer.engine.monitor import Monitor
from basicaer.engine.request import Request
from basicaer.engine.suspended import Suspension
from basicaer.errors import Cancelled
from basicaer.options import Precision
from basicaer.persistence import job_persister, persister
from basicaer.plan.planner import plan_segment
from basicaer.plan_view import making
from basicaer.simulators import experiments, running
from jobs import GUARD

N_QUBITS = 40


@pytest.fixture(autouse=True)
def _on_the_null_device(monkeypatch):
    for module in (experiments, running, persister, making):
        monkeypatch.setattr(module, "choose_device", lambda *_, **__: (NullDevice(), "a test wants it"))


def layers(*, measured_in_the_middle=False):
    circuit = QuantumCircuit(N_QUBITS, 2)
    for layer in range(4):
        circuit.ry(0.1 + layer, range(N_QUBITS))
        for q in range(N_QUBITS):
            circuit.cx(q, (q + 7 + 6 * layer) % N_QUBITS)
        if measured_in_the_middle and layer < 2:
            circuit.measure(layer, layer)
    return circuit


def test_a_job_of_40_qubits_ends_and_says_how_many_passes_it_made(qasm):
    circuit = layers()
    circuit.measure_all()
    job = qasm.run(circuit, shots=100)
    assert job.result(GUARD).get_counts() == {"0" * N_QUBITS + " 00": 100}
    progress = job.progress()
    assert progress.passes == progress.total_passes > 5
    metadata = job.result().results[0].metadata
    assert (metadata["device"], metadata["fusion"]) == ("null", {"enabled": True})
    assert metadata["parallel_state_update"] == NullDevice.threads > 1


def test_its_plan_is_shown(qasm):
    circuit = layers()
    circuit.measure_all()
    plan = qasm.plan(circuit)
    assert plan.n_qubits == N_QUBITS
    assert len(plan.passes) > 5


def test_a_run_of_40_qubits_is_cancelled_between_two_passes():
    class StopsInTheMiddle(Monitor):
        def advance(self, passes):
            super().advance(passes)
            if self.progress().passes >= 5:
                self.cancel()

    monitor = StopsInTheMiddle()
    monitor.start()
    request = Request(lower(layers()), Precision.DOUBLE, shots=1, seed=1)
    with pytest.raises(Cancelled):
        execute(request, NullDevice(), plan_segment, monitor)
    assert monitor.progress().passes == 5


@pytest.mark.parametrize("measured_in_the_middle", [False, True])
def test_a_job_of_40_qubits_is_saved_and_resumed(qasm, monkeypatch, tmp_path, measured_in_the_middle):
    circuit = layers(measured_in_the_middle=measured_in_the_middle)
    circuit.measure_all()
    want = qasm.run(circuit, shots=20, seed_simulator=1).result(GUARD).get_counts()
    pass_done, passes = Suspension.pass_done, []

    def stop_after_some(suspension, suspended, state):
        pass_done(suspension, suspended, state)
        passes.append(state)
        if len(passes) == 7:
            raise Cancelled

    monkeypatch.setattr(Suspension, "pass_done", stop_after_some)
    folder = tmp_path / "job"
    job = qasm.run(circuit, shots=20, seed_simulator=1, checkpoint_dir=folder, checkpoint_every=1e-9)
    job.wait_for_final_state(GUARD)
    monkeypatch.setattr(Suspension, "pass_done", pass_done)
    monkeypatch.setattr(job_persister, "check_layout", lambda *_: None)  # there are no amplitudes to be checked
    assert BasicAer.resume(folder).result(GUARD).get_counts() == want


def test_shots_of_a_measurement_in_the_middle_part_evenly(qasm):
    counts = qasm.run(layers(measured_in_the_middle=True), shots=4000).result(GUARD).get_counts()
    assert set(counts) == {"00", "01", "10", "11"}
    assert min(counts.values()) > 800


def test_all_amplitudes_are_refused(statevector):
    state = NullDevice().new_state(N_QUBITS, Precision.DOUBLE)
    assert state.read(np.array([0, 5])).tolist() == [1, 0]
    with pytest.raises(BasicAerError, match="The null device has no amplitudes"):
        state.read()
