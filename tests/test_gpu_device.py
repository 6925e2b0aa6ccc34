"""The GPU device apart from arithmetic: memory, launches in flight, uploads, and the ways in which a GPU fails."""

import gc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import reference
from basicaer.devices.gpu import amplitudes, binding, kernel_cache
from basicaer.devices.gpu.device import CupyDevice
from basicaer.devices.gpu.shape import TileShape
from basicaer.devices.gpu.structs import MOST_WIDE_TARGETS
from basicaer.devices.memory import check_fits
from basicaer.engine.monitor import Monitor
from basicaer.engine.program import Form, Gate, Segment
from basicaer.errors import BasicAerError, Cancelled
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from conftest import TINY_SHAPES
from emulated_gpu.building import why_unavailable
from emulated_gpu.stand_in import EmulatedCupy

pytestmark = pytest.mark.skipif(why_unavailable() is not None, reason=f"kernels cannot run here: {why_unavailable()}")

N = 8


@pytest.fixture
def cupy():
    return EmulatedCupy()


@pytest.fixture
def device(cupy):
    return CupyDevice(cupy=cupy, shapes=TINY_SHAPES)


def segment(n=N, layers=4):
    """Gates for many passes over tiles of five qubits."""
    gates = []
    for layer in range(layers):
        for q in range(n):
            pair = q, (q + 1 + layer) % n
            gates.append(Gate("u", "GG", pair, Form.MATRIX, reference.random_unitary(4, n * layer + q)))
    return Segment(tuple(gates))


def run(device, segment, monitor=None, n=N):
    state = device.new_state(n, Precision.DOUBLE, monitor)
    plan = plan_segment(segment, n, device.costs(n, Precision.DOUBLE))
    state.run(segment, plan)
    return state


def expected(segment, n=N):
    vector = reference.zero(n)
    for gate in segment.gates:
        vector = reference.apply(vector, gate.data, gate.targets)
    return vector


def passes(cupy):
    return [launch for launch in cupy.gpu.launches if launch.kernel.startswith("run_pass")]


@pytest.mark.parametrize(("bytes_per_second", "most"), [(1e6, 2), (2 * 2**N * 16 / (0.5e-3 - 5e-6), 4), (1e12, 64)])
def test_as_many_passes_are_in_flight_as_take_two_milliseconds(cupy, device, bytes_per_second, most, monkeypatch):
    monkeypatch.setattr(amplitudes, "_BYTES_PER_SECOND", bytes_per_second)
    run(device, segment(layers=60))
    assert len(passes(cupy)) > 64
    assert cupy.gpu.most_launches_in_flight == most
    assert len({launch.stream for launch in passes(cupy)}) == 1
    assert passes(cupy)[0].stream not in {0, None}


@pytest.mark.parametrize("long_bytes", [0, 2**28])
def test_a_thread_sleeps_while_it_waits_for_long_passes(cupy, device, long_bytes, monkeypatch):
    monkeypatch.setattr(amplitudes, "_LONG_BYTES", long_bytes)
    made = []
    real = cupy.cuda.Event
    monkeypatch.setattr(cupy.cuda, "Event", lambda **how: made.append(how["block"]) or real(**how))
    run(device, segment())
    assert set(made) == {long_bytes == 0}
    # The first one is for the constants; the last one, if a thread sleeps, for the end of the run.
    assert len(made) == 1 + len(passes(cupy)) + (long_bytes == 0)


def test_the_probabilities_of_some_qubits_are_summed_on_the_card(cupy, device):
    state = device.new_state(N, Precision.DOUBLE)
    before = len(cupy.gpu.copies)
    assert state.probabilities((5, 2)).tolist() == [1, 0, 0, 0]
    down = [copy.bytes for copy in cupy.gpu.copies[before:] if copy.kind == "device to host"]
    assert len(down) == 1
    assert down[0] < 16 * 2**N


def test_jobs_of_a_thread_share_a_stream_and_so_its_memory(cupy, device):
    for _ in range(3):
        run(device, segment()).release()
    run(device, segment()).copy().release()
    assert len({launch.stream for launch in cupy.gpu.launches}) == 1
    with ThreadPoolExecutor(1) as other:
        other.submit(run, device, segment()).result().release()
    assert len({launch.stream for launch in cupy.gpu.launches}) == 2


def test_all_that_passes_read_is_uploaded_in_one_copy(cupy, device):
    state = device.new_state(N, Precision.DOUBLE)
    plan = plan_segment(segment(), N, device.costs(N, Precision.DOUBLE))
    before = len(cupy.gpu.copies)
    state.run(segment(), plan)
    assert [copy.kind for copy in cupy.gpu.copies[before:]] == ["host to device"]


def test_a_plan_is_bound_once_for_the_same_segment_and_layout(device, monkeypatch):
    bound = []
    real = amplitudes.bind
    monkeypatch.setattr(amplitudes, "bind", lambda *given, **keys: bound.append(1) or real(*given, **keys))
    same = segment()
    for _ in range(3):
        assert np.allclose(run(device, same).amplitudes(), expected(same), atol=1e-12)
    assert len(bound) == 1


def test_memory_goes_back_when_a_run_ends_or_is_cancelled(cupy, device):
    class Stops(Monitor):
        polls = 0

        def poll(self):
            self.polls += 1
            if self.polls > 5:  # three before the first launch
                self.cancel()
            super().poll()

    run(device, segment()).release()
    gc.collect()
    assert cupy.gpu.live_bytes == 0
    launched = len(cupy.gpu.launches)
    with pytest.raises(Cancelled):
        run(device, segment(), Stops())
    gc.collect()
    assert cupy.gpu.live_bytes == 0
    assert len(cupy.gpu.launches) == launched + 3  # the begin of the state, the constants, and a pass


@pytest.mark.slow
def test_every_allocation_that_fails_is_one_sentence_and_the_next_job_works(cupy, device):
    failed = 0
    while True:
        cupy.gpu.fail_allocation(failed + 1)
        said = ""
        try:
            state = run(device, segment())
            state.block_weights(4)
            state.indices_of_draws(4, np.array([0]), np.array([0.0]))
        except BasicAerError as error:
            said = str(error.message)
        if not said:
            break
        failed += 1
        assert said.startswith("GPU 0 ran out of memory while ")
        assert "precision='single'" in said
        state = None
        gc.collect()
        assert cupy.gpu.live_bytes == 0
    assert failed > 8
    cupy.gpu.fail_allocation(10**9)
    assert np.allclose(run(device, segment()).amplitudes(), expected(segment()), atol=1e-12)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("k", [1, 3, 6])
def test_a_launch_that_fails_is_one_sentence_and_the_next_job_works(cupy, device, k, late):
    cupy.gpu.fail_launch(k, late=late)
    with pytest.raises(BasicAerError, match=r"GPU 0 failed while (making a state|running gates) \(cuda.*device='CPU'"):
        run(device, segment())
    gc.collect()
    assert cupy.gpu.live_bytes == 0
    assert np.allclose(run(device, segment()).amplitudes(), expected(segment()), atol=1e-12)


@pytest.mark.parametrize("missing", ["no_driver", "no_device"])
def test_a_gpu_that_is_gone_is_one_sentence(cupy, missing):
    setattr(cupy.gpu, missing, True)
    with pytest.raises(BasicAerError, match=r"GPU 0 failed while being looked at \(cuda"):
        CupyDevice(cupy=cupy)


def test_kernels_that_do_not_compile_are_one_sentence(cupy, device, monkeypatch):
    monkeypatch.setattr(kernel_cache, "kernel_source", lambda: "this is no CUDA")
    with pytest.raises(BasicAerError, match=r"GPU 0 cannot compile the kernels .*device='CPU' works without"):
        device.new_state(2, Precision.DOUBLE)


def test_kernels_are_compiled_once_for_each_precision(cupy, device, monkeypatch):
    compiled = []
    real = cupy.RawModule
    monkeypatch.setattr(cupy, "RawModule", lambda **keys: compiled.append(keys["name_expressions"]) or real(**keys))
    for precision in (Precision.DOUBLE, Precision.SINGLE, Precision.DOUBLE):
        device.new_state(3, precision)
    assert len(compiled) == 2
    assert f"run_pass<double, {TINY_SHAPES[Precision.DOUBLE].register_bits}>" in compiled[0]
    assert f"run_pass<float, {TINY_SHAPES[Precision.SINGLE].register_bits}>" in compiled[1]


def test_a_state_that_does_not_fit_is_refused_before_it_is_made(cupy, device):
    cupy.gpu.total_bytes = 2**30
    with pytest.raises(
        BasicAerError, match=r"needs 16.1 GiB for 30 qubits .* on the GPU, where .* are free; 25 qubits"
    ):
        check_fits(device, "Circuit 'big'", 30, Precision.DOUBLE)


@pytest.mark.parametrize(("form", "most"), [(Form.MATRIX, 7), (Form.PERMUTATION, MOST_WIDE_TARGETS)])
def test_a_gate_wider_than_a_block_can_hold_is_refused(device, form, most, monkeypatch):
    """The limit is lowered for the matrix, which would have 2**26 entries; a reversal costs nothing in a tile."""
    monkeypatch.setattr(binding, "MOST_WIDE_TARGETS", most)
    n = most + 1
    numbers = np.zeros((2**n, 2**n), complex) if form is Form.MATRIX else np.arange(2**n)[::-1]
    wide = Gate("u", "G" * n, tuple(range(n)), form, numbers)
    with pytest.raises(BasicAerError, match=f"A gate on {n} qubits is wider than the {most} that the GPU takes"):
        run(device, Segment((wide,)), n=n)


def test_a_gate_for_which_an_old_card_lacks_shared_memory_is_refused(cupy):
    cupy.gpu.properties["sharedMemPerBlockOptin"] = 48 << 10
    reverse = Gate("u", "G" * 12, tuple(range(12)), Form.PERMUTATION, np.arange(2**12)[::-1])
    with pytest.raises(BasicAerError, match=r"multiply_wide needs 64 KiB .* a block of this GPU has 48 KiB"):
        run(CupyDevice(cupy=cupy, shapes=TINY_SHAPES), Segment((reverse,)), n=12)


LANES = {"8.0", "9.0"}  # compute capabilities whose tensor cores have double precision at twice the rate
CARDS = {  # shared memory of a block, of a multiprocessor, and what a block loses, in KiB, as NVIDIA's tables give them
    "5.2": (48, 96, 0, TileShape(11, 4, 3), TileShape(12, 5, 4)),
    "6.0": (48, 64, 0, TileShape(11, 4, 3), TileShape(12, 5, 4)),
    "7.0": (96, 96, 0, TileShape(11, 4, 3), TileShape(12, 5, 4)),
    "7.5": (64, 64, 0, TileShape(11, 4, 3), TileShape(12, 5, 4)),
    "8.0": (163, 164, 1, TileShape(12, 4, 3), TileShape(13, 5, 4)),
    "8.6": (99, 100, 1, TileShape(11, 4, 3), TileShape(12, 5, 4)),
    "9.0": (227, 228, 1, TileShape(12, 4, 3), TileShape(13, 5, 4)),
    "12.0": (99, 100, 1, TileShape(11, 4, 3), TileShape(12, 5, 4)),
}


@pytest.mark.parametrize("capability", CARDS)
def test_tiles_are_as_large_as_lets_two_share_a_multiprocessor(capability):
    """And warps multiply matrices where the kernels have code for it."""
    *sizes, double, single = CARDS[capability]
    reports = ("sharedMemPerBlockOptin", "sharedMemPerMultiprocessor", "reservedSharedMemPerBlock")
    cupy = EmulatedCupy()
    cupy.gpu.properties |= {name: 1024 * size for name, size in zip(reports, sizes, strict=True)}
    cupy.gpu.properties |= dict(zip(("major", "minor"), map(int, capability.split(".")), strict=True))
    double = double._replace(uses_lanes=capability in LANES)
    assert CupyDevice(cupy=cupy).shapes == {Precision.DOUBLE: double, Precision.SINGLE: single}


@pytest.mark.parametrize("version", ["14.0.1", "14.2.0"])
def test_a_card_of_amd_is_asked_for_no_more_than_rocm_has(version):
    """A block may have all of its 64 KiB of shared memory, without being told so, and CuPy compiles the kernels."""
    cupy = EmulatedCupy(hip=True, version=version)
    device = CupyDevice(cupy=cupy)
    assert device.shapes == {Precision.DOUBLE: TileShape(11, 4, 3), Precision.SINGLE: TileShape(12, 5, 4)}
    add_one = Gate("u", "G" * 12, tuple(range(12)), Form.PERMUTATION, np.roll(np.arange(2**12), -1))
    state = run(device, Segment((add_one,)), n=12)
    assert cupy.gpu.launches[-1].shared_bytes == 2**16
    assert np.array_equal(state.amplitudes(), np.arange(2**12) == 1)
    assert cupy.gpu.compilations == 0


@pytest.mark.parametrize(
    ("hip", "properties", "sizes"),
    [
        (False, {}, (227, 228, 1)),
        (True, {}, (64, 64, 0)),
        (True, {"sharedMemPerBlockOptin": 0, "sharedMemPerMultiprocessor": 0}, (64, 64, 0)),
    ],
    ids=["CUDA", "ROCm", "ROCm with CUDA's names"],
)
def test_shared_memory_is_known_by_the_names_of_cuda_and_of_rocm(hip, properties, sizes):
    cupy = EmulatedCupy(hip=hip)
    cupy.gpu.properties |= properties
    assert CupyDevice(cupy=cupy).card.shared_memory() == tuple(1024 * size for size in sizes)
