"""How far a job is: what its monitor is told, what it tells, and that every phase can be stopped."""

import numpy as np
import pytest
from qiskit import QuantumCircuit

from basicaer import jobs
from basicaer.compile.lower import lower
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.engine import monitor as monitor_module
from basicaer.engine.execute import execute
from basicaer.engine.monitor import Monitor
from basicaer.engine.progress import Progress
from basicaer.engine.request import Outcome, Request
from basicaer.errors import Cancelled
from basicaer.library import save_probabilities
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from basicaer.result import chopped, counts_of, memory_of, on_all_qubits
from jobs import GUARD, bell


class Noted(Monitor):
    """Keeps the phases that were entered and how far the passes were then; may stop in one of them."""

    def __init__(self, stop_in=None, after=0):
        super().__init__()
        self.seen = []
        self.stop_in, self.after = stop_in, after

    def enter(self, phase):
        super().enter(phase)
        self.seen.append((phase, round(self.progress().passes, 6)))

    def poll(self):
        if self.seen and self.seen[-1][0] == self.stop_in:
            self.after -= 1
            if self.after < 0:
                self.cancel()
        super().poll()


def layers(n):
    circuit = QuantumCircuit(n)
    for layer in range(6):
        for q in range(n):
            circuit.ry(0.1 * q + layer, q)
            circuit.cx(q, (q + 1 + layer % (n - 1)) % n)
    circuit.measure_all()
    return circuit


def run(circuit, monitor, shots=100, tile_qubits=4):
    monitor.start()
    request = Request(lower(circuit), Precision.DOUBLE, shots, seed=1)
    return execute(request, NumpyDevice(2, tile_qubits=tile_qubits), plan_segment, monitor)


def test_phases_and_passes_of_a_run():
    monitor = Noted()
    run(layers(9), monitor)
    assert [phase for phase, _ in monitor.seen] == ["planning", "planning", "gates", "sampling"]
    progress = monitor.progress()
    assert progress.total_passes > 4
    assert progress.passes == pytest.approx(progress.total_passes)
    assert monitor.seen[2][1] == 0
    assert monitor.seen[3][1] == pytest.approx(progress.total_passes)
    assert (progress.shots, progress.total_shots) == (100, 100)


def interrupted(n, gates_between, seed):
    """A circuit whose segments are cut by saves: some so short that the CPU runs their gates one by one."""
    random = np.random.default_rng(seed)
    circuit = QuantumCircuit(n)
    circuit.h(range(0, n, int(random.integers(1, 3))))
    for number, gates in enumerate(gates_between):
        save_probabilities(circuit, [int(random.integers(n))], f"after {number}")
        for _ in range(gates):
            a, b = random.choice(n, 2, replace=False).tolist()
            match random.integers(4):
                case 0:
                    circuit.swap(a, b)
                case 1:
                    circuit.cz(a, b)
                case _:
                    circuit.ry(0.3, a)
    circuit.h(range(n))
    return circuit


@pytest.mark.parametrize("gates_between", [[1] * 10, [0, 1, 2, 3, 4, 1], [2, 40, 2, 1]])
@pytest.mark.parametrize("seed", range(4))
def test_all_passes_that_are_announced_are_made(device, gates_between, seed):
    monitor = Noted()
    monitor.start()
    request = Request(lower(interrupted(12, gates_between, seed)), Precision.DOUBLE, shots=1, seed=1, keep_state=True)
    execute(request, device, plan_segment, monitor)
    progress = monitor.progress()
    assert monitor._passes == pytest.approx(progress.total_passes)


def test_with_control_flow_the_number_of_passes_is_open():
    circuit = QuantumCircuit(5, 1)
    circuit.h(range(5))
    circuit.measure(0, 0)
    circuit.h(range(5))
    monitor = Noted()
    run(circuit, monitor)
    assert monitor.progress().total_passes is None
    assert monitor.progress().remaining is None


@pytest.mark.parametrize("phase", ["planning", "gates", "sampling"])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_every_phase_can_be_stopped(phase, after):
    plan_segment.__globals__["_plans"].clear()  # so that there is something to plan
    monitor = Noted(phase, after)
    with pytest.raises(Cancelled):
        run(layers(17), monitor, tile_qubits=12)  # of which the probabilities are not summed up at once
    assert monitor.seen[-1][0] == phase


VECTOR = np.ones(4, complex)
OUTCOME = Outcome([0, 1], [3, 4], np.array([0, 1, 1]), None)
FORMS = {
    counts_of: (OUTCOME, 3),
    memory_of: (OUTCOME, 3),
    chopped: (VECTOR, 0.1),
    on_all_qubits: (VECTOR, (0, 2), 3),
}


@pytest.mark.parametrize("form", FORMS)
def test_results_can_be_stopped_while_they_are_put_into_form(form):
    def stop():
        raise Cancelled

    with pytest.raises(Cancelled):
        form(*FORMS[form], stop)


def test_what_remains_is_predicted_from_what_has_passed(clock):
    monitor = Monitor()
    assert monitor.progress() == Progress()
    monitor.expect_experiments(2)
    monitor.start()
    clock.now += 1
    monitor.enter("gates")
    monitor.expect(10, 100)
    assert monitor.progress().remaining is None  # nothing is known yet
    clock.now += 4
    monitor.advance(2)
    progress = monitor.progress()
    assert (progress.elapsed, progress.remaining) == (5.0, 16.0)
    assert progress.fraction == pytest.approx(0.1)
    monitor.finish_experiment(0, {})
    monitor.expect(None, 100)
    monitor.finish_shots(50)
    assert monitor.progress().fraction == pytest.approx(0.75)
    monitor.finish_shots(50)
    assert 0.99 <= monitor.progress().fraction < 1  # its result is still to be made
    assert Progress("ended").fraction == 1


def test_a_link_is_asked_now_and_then_and_may_stop_the_work(clock):
    class Link:
        interval = 0.5
        told, stop = [], False

        def exchange(self, progress):
            self.told.append(progress.phase)
            return self.stop

    link = Link()
    monitor = Monitor(link=link)
    monitor.start()
    assert len(link.told) == 1
    monitor.poll()
    clock.now += 0.4
    monitor.poll()
    assert len(link.told) == 1
    clock.now += 0.2
    monitor.poll()
    assert len(link.told) == 2
    link.stop = True
    monitor.poll()
    clock.now += 0.5
    with pytest.raises(Cancelled):
        monitor.poll()


def test_the_progress_of_a_job(qasm, held, one_thread):
    job = qasm.run([bell("a"), bell("b")], executor=one_thread)
    job.result(GUARD)
    progress = job.progress()
    assert (progress.phase, progress.experiment, progress.experiments, progress.fraction) == ("ended", 2, 2, 1.0)
    assert job in jobs()
    assert monitor_module.current_monitor.get() is None


def test_a_circuit_that_goes_on_counts_what_it_had_done_but_not_in_its_speed(clock):
    monitor = Monitor()
    monitor.start()
    monitor.expect(20, 0)
    monitor.enter("gates")
    monitor.begin_at(10)
    assert (monitor.progress().passes, monitor.progress().remaining) == (10, None)
    clock.now += 6
    monitor.advance(2)
    assert (monitor.progress().passes, monitor.progress().remaining) == (12, pytest.approx(24.0))
    monitor.expect(20, 0)  # it begins again, as where the device has changed
    assert monitor.progress().passes == 0
