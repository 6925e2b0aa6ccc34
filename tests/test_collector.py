"""The garbage collector rests while many objects are made, and only then."""

import gc
import os
import subprocess
import sys
import threading

import pytest
from qiskit import QuantumCircuit

from basicaer import BasicAer
from basicaer.engine import collector
from basicaer.engine.collector import collector_paused
from jobs import GUARD

MANY = collector._MANY


@pytest.fixture(autouse=True)
def enabled():
    gc.enable()
    yield
    gc.enable()


def test_it_is_paused_for_many_objects_only():
    with collector_paused(MANY - 1):
        assert gc.isenabled()
    with collector_paused(MANY):
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_goes_on_after_the_last_of_several_pauses():
    within, leave = threading.Event(), threading.Event()

    def pause():
        with collector_paused(MANY):
            within.set()
            leave.wait(GUARD)

    thread = threading.Thread(target=pause)
    thread.start()
    within.wait(GUARD)
    with collector_paused(MANY):
        pass
    assert not gc.isenabled()
    leave.set()
    thread.join(GUARD)
    assert gc.isenabled()


def test_it_goes_on_after_an_error():
    with pytest.raises(ZeroDivisionError), collector_paused(MANY):
        _ = 1 / 0
    assert gc.isenabled()


def test_a_program_without_it_stays_without_it():
    gc.disable()
    with collector_paused(MANY):
        assert not gc.isenabled()
    assert not gc.isenabled()


PAUSED = f"""
import gc
from basicaer.engine.collector import collector_paused

FROZEN = 3
if FROZEN:
    gc.collect()
    gc.freeze()
before = gc.get_freeze_count()
with collector_paused({MANY}):
    made = [[number] for number in range({MANY})]
assert not FROZEN or gc.get_freeze_count() == before
old = set(map(id, gc.get_objects(generation=2)))
print(all(id(one) in old for one in made))
"""


@pytest.mark.parametrize(("frozen", "are_old"), [(False, True), (True, False)])
def test_what_was_made_in_a_pause_is_old_unless_the_program_has_frozen_objects(frozen, are_old):
    """In a process of its own, since the tests have frozen what was there before them."""
    script = PAUSED.replace("FROZEN = 3", f"FROZEN = {frozen}")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (str(are_old), "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_it_goes_on_in_a_process_that_is_forked_in_a_pause():
    with collector_paused(MANY):
        child = os.fork()
        if not child:
            is_enabled = gc.isenabled()
            with collector_paused(MANY):
                is_paused = not gc.isenabled()
            os._exit(0 if is_enabled and is_paused and gc.isenabled() else 1)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def long_circuit():
    circuit = QuantumCircuit(10)
    for number in range(MANY):
        circuit.rz(0.001 * number, number % 7)
        circuit.cx(number % 10, (number + 1 + number % 9) % 10)
    circuit.measure_all()
    return circuit


def many_circuits():
    circuits = []
    for number in range(1000):
        circuit = QuantumCircuit(2, 1)
        circuit.rx(0.001 * number, 0)
        circuit.measure(0, 0)
        circuits.append(circuit)
    return circuits


@pytest.mark.parametrize(("prepared", "most"), [(long_circuit, 20), (many_circuits, 36)])  # 100 and 45 without pauses
def test_few_collections_come_while_a_job_is_prepared(prepared, most):
    circuits, moments = prepared(), []
    backend = BasicAer.get_backend("qasm_simulator")
    backend.run(many_circuits()[:1]).result()  # imports what is needed
    gc.collect()
    callback = moments.append
    gc.callbacks.append(lambda moment, _info: callback(moment))
    try:
        backend.run(circuits).result()
    finally:
        gc.callbacks.pop()
    assert gc.isenabled()
    assert moments.count("start") < most
