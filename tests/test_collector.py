"""The garbage collector rests while many objects are made, and only then."""

import gc
import os
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
    return circuit


def test_few_collections_come_while_a_long_circuit_is_prepared():
    """Without pauses there would be more than a hundred."""
    circuit, moments = long_circuit(), []
    backend = BasicAer.get_backend("statevector_simulator")
    backend.run(QuantumCircuit(1)).result()  # imports what is needed
    callback = moments.append
    gc.collect()
    gc.callbacks.append(lambda moment, _info: callback(moment))
    try:
        backend.run(circuit).result()
    finally:
        gc.callbacks.pop()
    assert gc.isenabled()
    assert moments.count("start") < 20
