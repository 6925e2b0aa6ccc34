"""BLAS is held to one thread while states are worked on, and only then, however many jobs overlap."""

import threading

import pytest

import reference
from basicaer.devices.cpu import blas
from basicaer.devices.cpu import state as numpy_state
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.engine.monitor import Monitor
from basicaer.engine.program import Form, Gate, Segment
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment


class Library:
    """A BLAS as threadpoolctl 3.8 controls it: by the first Python thread that sets it, until control is given up."""

    threading_layer = "pthreads"

    def __init__(self):
        self.threads = {None: 8}
        self.controlled_by = None

    def whose(self):
        return threading.get_ident() if self.threading_layer == "openmp" else None

    def get_num_threads(self):
        return self.threads.get(self.whose(), 8)

    def set_num_threads(self, threads):
        if self.controlled_by in {None, threading.get_ident()}:
            self.controlled_by = threading.get_ident()
            self.threads[self.whose()] = threads

    def clear_controlling_thread(self, *, force):
        assert force
        self.controlled_by = None


class OpenMPLibrary(Library):
    """One in which each thread has a setting of its own."""

    threading_layer = "openmp"


@pytest.fixture
def library(monkeypatch, request):
    library = getattr(request, "param", Library)()
    blas.has_small_kernels()  # of the real one, which is remembered
    monkeypatch.setattr(blas, "_libraries", lambda: (library,))
    return library


def test_overlapping_users_leave_the_process_as_they_found_it(library):
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
        assert library.get_num_threads() == 1
        leave.set()
        thread.join(30)
        assert library.get_num_threads() == 1, "one is still inside"
    assert library.get_num_threads() == 8


def test_an_error_inside_leaves_it_too(library):
    with pytest.raises(ZeroDivisionError), blas.single_threaded_blas:
        raise ZeroDivisionError
    assert library.get_num_threads() == 8


@pytest.mark.parametrize(("n", "planned", "expected"), [(12, False, 1), (12, True, 1), (4, False, 8)])
def test_large_states_are_worked_on_with_one_thread(library, n, planned, expected):
    seen = []

    class Looks(Monitor):
        def poll(self):
            seen.append(library.get_num_threads())

    gate = Gate("test", "GG", (0, 1), Form.MATRIX, reference.random_unitary(4))
    device, segment = NumpyDevice(), Segment((gate,))
    plan = plan_segment(segment, n, device.costs(n, Precision.DOUBLE)) if planned else None
    device.new_state(n, Precision.DOUBLE, Looks()).run(segment, plan)
    assert set(seen) == {expected}
    assert library.get_num_threads() == 8


@pytest.mark.parametrize("library", [Library, OpenMPLibrary], indirect=True)
def test_every_thread_works_with_one_and_finds_its_setting_again(library):
    seen = []

    def work():
        with blas.single_threaded_blas:
            seen.append(library.get_num_threads())
        seen.append(library.get_num_threads())

    work()
    for _ in range(2):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(30)
    assert seen == [1, 8] * 3


def test_the_real_setting_is_restored_whichever_thread_set_it():
    """With the real threadpoolctl, whose versions from 3.8 on listen to one thread only."""
    before = [library.get_num_threads() for library in blas._libraries()]
    assert before, "NumPy has a BLAS"
    seen = []

    def work():
        with blas.single_threaded_blas:
            seen.append([library.get_num_threads() for library in blas._libraries()])

    work()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert seen == [[1] * len(before)] * 2
    assert [library.get_num_threads() for library in blas._libraries()] == before


def test_sums_over_large_states_take_one_thread_too(library, monkeypatch):
    seen = []
    monkeypatch.setattr(numpy_state, "weight", lambda _amplitudes: seen.append(library.get_num_threads()) or 1.0)
    state = NumpyDevice().new_state(12, Precision.DOUBLE)
    state.block_weights(12)
    state.weights(3)
    assert set(seen) == {1}
    assert library.get_num_threads() == 8


@pytest.mark.parametrize(
    ("architecture", "expected"), [("SkylakeX", True), ("Cooperlake", True), ("Haswell", False), (None, False)]
)
def test_small_kernels_are_those_for_avx_512(library, architecture, expected):
    if architecture:
        library.architecture = architecture
    assert blas.has_small_kernels.__wrapped__() == expected
