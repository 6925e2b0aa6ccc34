"""What the times that a plan predicts for a whole run are made of; `benchmarks/` measures how right they are."""

import pytest
from qiskit import QuantumCircuit

from basicaer import BasicAer
from basicaer.devices.registry import NumpyDevice
from basicaer.plan_view.model import GateKind, ShownGate, ShownStep, Stage
from basicaer.plan_view.prediction import run_times

BACKEND = BasicAer.get_backend("qasm_simulator")


def stage(*, tile, gates=10, seconds=1.0):
    steps = (ShownStep((ShownGate("h", GateKind.GENERAL, (0,), ()),) * gates, ()),)
    return Stage("", tile=tile, steps=steps, tiles=1, bytes=0, flops=0, seconds=seconds)


def times(*stages, n_gates=0, amplitudes=1, amplitude_bytes=16, threads=1, on_host=True):
    return run_times(
        stages, n_gates, amplitudes=amplitudes, amplitude_bytes=amplitude_bytes, threads=threads, on_host=on_host
    )


def test_a_run_takes_longer_than_its_passes_and_the_first_one_longer_than_the_rest():
    one = stage(tile=(0, 1))
    repeated, first = times(one, n_gates=10)
    assert 1 < repeated < first
    assert times(one, one, n_gates=20).repeated > 2


def test_gates_one_by_one_are_quicker_the_first_time_than_those_that_are_planned():
    planned, by_itself = times(stage(tile=(0, 1))), times(stage(tile=()))
    assert by_itself.first - by_itself.repeated < planned.first - planned.repeated
    assert times().first == times().repeated


def test_more_amplitudes_take_time_in_proportion_and_threads_share_their_reading():
    none, some, twice = (times(amplitudes=amplitudes).repeated for amplitudes in (0, 2**24, 2**25))
    assert twice - none == pytest.approx(2 * (some - none))
    assert times(amplitudes=2**24, amplitude_bytes=8).repeated < some
    in_turn, beside = (some - times(amplitudes=2**24, threads=threads).repeated for threads in (1, 2))
    assert in_turn == 0
    assert 0 < beside < some - none


def test_nothing_is_known_of_another_memory_than_the_hosts():
    assert times(amplitudes=2**24, on_host=False) == times(on_host=False)
    assert times(stage(tile=(0,)), on_host=False).repeated < times(stage(tile=(0,))).repeated


def ghz(n):
    circuit = QuantumCircuit(n)
    circuit.h(0)
    circuit.cx(range(n - 1), range(1, n))
    circuit.measure_all()
    return circuit


def test_a_plan_has_the_times_of_its_stages_and_its_state(monkeypatch):
    monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _: 2**40)
    plan = BACKEND.plan(ghz(24), device="CPU", max_parallel_threads=2)
    want = run_times(plan.stages, 24, amplitudes=2**24, amplitude_bytes=16, threads=2, on_host=True)
    assert (plan.seconds, plan.first_seconds) == want
    assert plan.gate_seconds == sum(stage.seconds for stage in plan.stages)
    single = BACKEND.plan(ghz(24), device="CPU", max_parallel_threads=2, precision="single")
    assert single.seconds - single.gate_seconds < plan.seconds - plan.gate_seconds
