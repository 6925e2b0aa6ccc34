"""BLAS is held to one thread while states are worked on, and only then, however many jobs overlap."""

import threading

import pytest

import reference
from basicaer.devices import blas
from basicaer.devices.numpy_device import NumpyDevice
from basicaer.engine.checkpoint import Checkpoint
from basicaer.engine.program import Form, Gate, Segment
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment


@pytest.fixture
def threads(monkeypatch):
    """The number of threads that a stand-in for the process's BLAS is set to; 8 to begin with."""
    setting = {"now": 8}

    class Limit:
        def __init__(self, limits, user_api):
            assert user_api == "blas"
            self.before, setting["now"] = setting["now"], limits

        def restore_original_limits(self):
            setting["now"] = self.before

    class Controller:
        limit = Limit

    monkeypatch.setattr(blas, "_controller", Controller)
    return setting


def test_overlapping_users_leave_the_process_as_they_found_it(threads):
    """In, in, out, out, in the order that makes uncounted limits restore the wrong number."""
    inside, leave = threading.Event(), threading.Event()

    def first():
        with blas.single_threaded_blas:
            inside.set()
            leave.wait(30)

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(30)
    with blas.single_threaded_blas:
        assert threads["now"] == 1
        leave.set()
        thread.join(30)
        assert threads["now"] == 1, "one is still inside"
    assert threads["now"] == 8


def test_an_error_inside_leaves_it_too(threads):
    with pytest.raises(ZeroDivisionError), blas.single_threaded_blas:
        raise ZeroDivisionError
    assert threads["now"] == 8


@pytest.mark.parametrize(("n", "planned", "expected"), [(12, False, 1), (12, True, 1), (4, False, 8)])
def test_large_states_are_worked_on_with_one_thread(threads, n, planned, expected):
    seen = []

    class Looks(Checkpoint):
        def poll(self):
            seen.append(threads["now"])

    gate = Gate("test", "GG", (0, 1), Form.MATRIX, reference.random_unitary(4))
    device, segment = NumpyDevice(), Segment((gate,))
    plan = plan_segment(segment, n, device.costs(n, Precision.DOUBLE)) if planned else None
    device.new_state(n, Precision.DOUBLE).run(segment, plan, Looks())
    assert set(seen) == {expected}
    assert threads["now"] == 8


def test_the_real_setting_is_restored():
    before = {library["filepath"]: library["num_threads"] for library in blas._controller().info()}
    with blas.single_threaded_blas:
        inside = [library["num_threads"] for library in blas._controller().info() if library["user_api"] == "blas"]
        assert inside == [1] * len(inside)
    assert {library["filepath"]: library["num_threads"] for library in blas._controller().info()} == before
