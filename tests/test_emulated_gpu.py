"""The emulated GPU itself: that it runs kernels, notices what is wrong with them, and counts right."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from emulated_gpu import Copy, EmulatedCupy, why_unavailable
from emulated_gpu.errors import CompileException, CUDADriverError, CUDARuntimeError, OutOfMemoryError

pytestmark = pytest.mark.skipif(why_unavailable() is not None, reason=why_unavailable() or "")

BARRIERS = """
template <bool WITH_BARRIER>
__global__ void reverse(double* data) {
  SHARED_MEMORY(double, tile);
  data += blockIdx.x * blockDim.x;
  tile[threadIdx.x] = data[threadIdx.x];
  if (WITH_BARRIER) __syncthreads();
  data[threadIdx.x] = tile[blockDim.x - 1 - threadIdx.x];
}
__global__ void leave_early(double* data) {
  if (threadIdx.x < 3) return;
  __syncthreads();
}
__global__ void part_ways(double* data) {
  if (threadIdx.x < 3) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}
__global__ void give_up(double* data) {
  __syncthreads();
  if (blockIdx.x == 1 && threadIdx.x == 5) __trap();
  __syncthreads();
}
__global__ void read_unwritten(double* data) {
  SHARED_MEMORY(double, tile);
  if (blockIdx.x == 0) data[threadIdx.x] = tile[threadIdx.x];
  tile[threadIdx.x] = 1;  // of no use to another block
}
__global__ void name_threads(double* data) {
  data[0] = threadIdx.x;
  __syncthreads();
  data[1] = threadIdx.x;
}
__global__ void name_block(double* data) { data[0] = blockIdx.x + 10 * blockIdx.y; }
"""
NAMES = [
    "reverse<true>",
    "reverse<false>",
    "leave_early",
    "part_ways",
    "give_up",
    "read_unwritten",
    "name_threads",
    "name_block",
]


@pytest.fixture
def cupy():
    return EmulatedCupy()


def kernel(cupy, name):
    return cupy.RawModule(code=BARRIERS, name_expressions=NAMES).get_function(name)


def reversed_by(cupy, name, blocks=5, threads=32):
    data = cupy.empty(blocks * threads, np.float64)
    data.set(np.arange(blocks * threads, dtype=float))
    kernel(cupy, name)((blocks,), (threads,), (data,), shared_mem=threads * 8)
    want = np.arange(blocks * threads, dtype=float).reshape(blocks, threads)[:, ::-1]
    return (data.get().reshape(blocks, threads) == want).all()


def test_threads_wait_for_each_other_at_a_barrier(cupy):
    assert reversed_by(cupy, "reverse<true>")
    assert reversed_by(cupy, "reverse<true>", blocks=1, threads=1)
    assert reversed_by(cupy, "reverse<true>", blocks=2, threads=1024)
    assert reversed_by(cupy, "reverse<true>")


def test_a_missing_barrier_makes_the_result_wrong(cupy):
    assert not reversed_by(cupy, "reverse<false>")


@pytest.mark.parametrize(("name", "reason"), [("leave_early", "13 of 16"), ("part_ways", "of 16 threads")])
def test_a_barrier_that_not_all_threads_reach_is_a_launch_failure(cupy, name, reason):
    kernel(cupy, name)((2,), (16,), (cupy.empty(1, np.float64),))
    with pytest.raises(CUDARuntimeError, match=f"cudaErrorLaunchFailure.*{reason}"):
        cupy.cuda.get_current_stream().synchronize()
    assert reversed_by(cupy, "reverse<true>")


def test_a_trap_is_a_launch_failure_and_the_next_launch_works(cupy):
    arguments = (3,), (16,), (cupy.empty(1, np.float64),)
    kernel(cupy, "give_up")(*arguments)
    with pytest.raises(CUDARuntimeError, match=r"__trap at kernels:23, block \(1, 0\), thread 5") as raised:
        cupy.cuda.Device(0).synchronize()
    assert raised.value.status == 719
    assert reversed_by(cupy, "reverse<true>")
    cupy.gpu.errors_are_late = False
    with pytest.raises(CUDARuntimeError, match="__trap"):
        kernel(cupy, "give_up")(*arguments)


def test_a_failure_that_sticks_fails_all_that_follows(cupy):
    cupy.gpu.errors_stick = True
    data = cupy.empty(1, np.float64)
    kernel(cupy, "give_up")((3,), (16,), (data,))
    for call in (data.get, data.get, lambda: cupy.empty(1, np.float64), cupy.cuda.Event):
        with pytest.raises(CUDARuntimeError, match="__trap"):
            call()
    cupy.gpu.recover()
    assert reversed_by(cupy, "reverse<true>")


def test_memory_that_nobody_wrote_is_nan(cupy):
    data = cupy.empty(16, np.float64)
    assert np.isnan(data.get()).all()
    data.set(np.zeros(16))
    kernel(cupy, "read_unwritten")((8,), (16,), (data,), shared_mem=128)
    assert np.isnan(data.get()).all()


def test_blocks_run_in_an_order_that_the_seed_decides(cupy):
    """The last block to write its number wins."""

    def winner(seed):
        cupy.gpu.seed = seed - len(cupy.gpu.launches)
        data = cupy.empty(1, np.float64)
        kernel(cupy, "name_block")((4, 3), (1,), (data,))
        return data.get()[0]

    winners = [winner(seed) for seed in range(200)]
    assert winners == [winner(seed) for seed in range(200)]
    assert set(winners) == {x + 10 * y for x in range(4) for y in range(3)}


def test_threads_run_in_an_order_drawn_anew_after_each_barrier(cupy):
    data = cupy.empty(2, np.float64)

    def last_threads():
        kernel(cupy, "name_threads")((1,), (4,), (data,))
        return tuple(data.get().tolist())

    assert {last_threads() for _ in range(300)} == {(first, second) for first in range(4) for second in range(4)}


def test_two_python_threads_launch_at_once(cupy):
    together = Barrier(2)

    def launch_many(_):
        with cupy.cuda.Stream(non_blocking=True) as stream:
            together.wait()
            correct = [reversed_by(cupy, "reverse<true>", blocks=20, threads=64) for _ in range(20)]
            return all(correct), {launch.stream for launch in cupy.gpu.launches} >= {stream.ptr}

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(launch_many, range(2))) == [(True, True)] * 2
    assert len(cupy.gpu.launches) == 40
    assert len({launch.stream for launch in cupy.gpu.launches}) == 2


# What is counted

ACCESSES = """
#define SITE __COUNTER__  // any numbers that differ will do
#define read(space, pointer, index) \\
  (cuda_on_cpu::count_access(cuda_on_cpu::Space::space, &(pointer)[index], sizeof *(pointer), false, 4096 * SITE), \\
   (pointer)[index])
#define write(space, pointer, index, value) \\
  (cuda_on_cpu::count_access(cuda_on_cpu::Space::space, &(pointer)[index], sizeof *(pointer), true, 4096 * SITE), \\
   (void)((pointer)[index] = (value)))
struct alignas(16) Pair { double x, y; };

template <class T>
__global__ void copy(T* data, unsigned stride) {
  write(global, data, threadIdx.x, read(global, data, threadIdx.x * stride));
}

template <class T>
__global__ void shared_write(T* data, unsigned stride) {
  SHARED_MEMORY(T, tile);
  write(shared, tile, threadIdx.x * stride, data[0]);
}
__global__ void in_branches(double* data, unsigned stride) {
  if (threadIdx.x % 2 == 0) read(global, data, threadIdx.x + 64);
  for (unsigned k = 0; k < threadIdx.x % 4; ++k) read(global, data, 4 * k);
  cuda_on_cpu::count_arithmetic(3);
  __syncthreads();
  __syncthreads();
}
__global__ void misaligned(double* data, unsigned stride) { read(global, reinterpret_cast<Pair*>(data + stride), 0); }
"""
TYPES = {4: "float", 8: "double", 16: "Pair"}


def counted(name, stride, threads=32, blocks=1):
    cupy = EmulatedCupy(counting=True)
    names = [f"{function}<{T}>" for function in ("copy", "shared_write") for T in TYPES.values()]
    module = cupy.RawModule(code=ACCESSES, name_expressions=[*names, "in_branches", "misaligned"])
    module.get_function(name)(
        (blocks,), (threads,), (cupy.empty(4096, np.float64), np.uint32(stride)), shared_mem=32768
    )
    cupy.cuda.get_current_stream().synchronize()
    return cupy.gpu.launches[-1].counts


@pytest.mark.parametrize("size", TYPES)
@pytest.mark.parametrize(("stride", "spread"), [(1, 1), (2, 2), (0, None), (64, None)])
def test_sectors_are_counted_once_per_access_of_a_warp(size, stride, spread):
    counts = counted(f"copy<{TYPES[size]}>", stride)
    together = 32 * size // 32  # sectors that 32 neighbours fill
    want = {0: 1, 64: 32}[stride] if spread is None else together * spread
    assert (counts.sectors_loaded, counts.bytes_loaded) == (want, 32 * size)
    assert (counts.sectors_stored, counts.bytes_stored) == (together, 32 * size)
    assert counts.accesses == 2


def test_warps_and_blocks_count_each_for_themselves():
    counts = counted("copy<double>", 0, threads=80, blocks=3)
    assert counts.accesses == 2 * 3 * 3
    assert counts.sectors_loaded == 3 * 3
    assert counts.sectors_stored == 3 * 80 * 8 // 32


# A word of size s and a stride of k words: lane l asks for word l k, which is in bank l k mod (128 / s).
@pytest.mark.parametrize(
    ("size", "stride", "degree"),
    [
        (4, 1, 1),
        (4, 2, 2),
        (4, 3, 1),
        (4, 8, 8),
        (4, 32, 32),
        (4, 0, 1),
        (8, 1, 1),
        (8, 8, 8),
        (8, 0, 1),
        (16, 1, 1),
        (16, 2, 2),
        (16, 8, 8),
    ],
)
def test_words_of_one_bank_are_wavefronts_of_their_own(size, stride, degree):
    counts = counted(f"shared_write<{TYPES[size]}>", stride)
    assert counts.shared_ideal_wavefronts == size // 4  # a whole warp of 4 bytes, half of 8, a quarter of 16
    assert counts.shared_wavefronts == degree * size // 4
    assert counts.worst_conflict_degree == degree
    assert counts.sectors_loaded == counts.sectors_stored == 0


def test_the_worst_access_and_not_the_mean_is_reported():
    """The second warp has one thread and so no conflict."""
    counts = counted("shared_write<float>", 8, threads=33)
    assert (counts.shared_wavefronts, counts.shared_ideal_wavefronts, counts.worst_conflict_degree) == (9, 2, 8)


def test_accesses_belong_together_by_site_and_pass():
    """16 lanes read 8 bytes of 8 sectors; then pass k of the loop reads one sector in all lanes that make it."""
    counts = counted("in_branches", 0)
    assert counts.accesses == 1 + 3
    assert counts.sectors_loaded == 8 + 3
    assert counts.bytes_loaded == 8 * (16 + 8 * 3 + 8 * 2 + 8)
    assert (counts.barriers, counts.multiply_adds) == (2, 3 * 32)


def test_a_misaligned_access_is_a_launch_failure():
    assert counted("misaligned", 2).accesses == 1
    with pytest.raises(CUDARuntimeError, match="misaligned"):
        counted("misaligned", 1)


# What CuPy refuses


def test_a_compile_error_has_the_compilers_words_and_line(cupy):
    module = cupy.RawModule(code="\n__global__ void wrong() { nonsense(); }", name_expressions=["wrong"])
    with pytest.raises(CompileException, match=r"kernels:2:\d+: error: .*nonsense"):
        module.get_function("wrong")


def test_a_name_that_was_not_given_is_not_found(cupy):
    with pytest.raises(CUDADriverError, match="CUDA_ERROR_NOT_FOUND"):
        kernel(cupy, "reverse<1>")


def test_options_define_macros(cupy):
    code = "__global__ void five(int* data) { data[0] = FIVE; }"
    data = cupy.empty(1, np.int32)
    module = cupy.RawModule(
        code=code, options=("-DFIVE=5", "--use_fast_math", "--std=c++17"), name_expressions=["five"]
    )
    module.get_function("five")((1,), (1,), (data,))
    assert data.get() == [5]


def test_more_than_48_kib_of_shared_memory_must_be_asked_for(cupy):
    data = cupy.empty(16, np.float64)
    reverse = kernel(cupy, "reverse<true>")
    reverse((1,), (16,), (data,), shared_mem=48 << 10)
    with pytest.raises(CUDADriverError, match="CUDA_ERROR_INVALID_VALUE"):
        reverse((1,), (16,), (data,), shared_mem=(48 << 10) + 1)
    reverse.max_dynamic_shared_size_bytes = 64 << 10
    reverse((1,), (16,), (data,), shared_mem=64 << 10)
    with pytest.raises(CUDADriverError, match="CUDA_ERROR_INVALID_VALUE"):
        reverse((1,), (16,), (data,), shared_mem=(64 << 10) + 1)
    with pytest.raises(CUDADriverError, match="CUDA_ERROR_INVALID_VALUE"):
        reverse.max_dynamic_shared_size_bytes = 228 << 10


@pytest.mark.parametrize(("grid", "block"), [((0,), (16,)), ((1, 65536), (16,)), ((1,), (1025,)), ((1,), (0,))])
def test_grids_and_blocks_that_no_card_has_are_refused(cupy, grid, block):
    with pytest.raises(CUDADriverError, match="CUDA_ERROR_INVALID_VALUE"):
        kernel(cupy, "reverse<true>")(grid, block, (cupy.empty(1, np.float64),))


@pytest.mark.parametrize("arguments", [(3,), (np.uint64(3),), (), (np.zeros(3),)], ids=str)
def test_arguments_must_be_what_the_kernel_takes(cupy, arguments):
    with pytest.raises(TypeError, match="argument"):
        kernel(cupy, "reverse<true>")((1,), (1,), arguments)


def test_scalars_must_have_the_kernels_size_and_kind(cupy):
    code = "__global__ void add(float* data, unsigned n, float x) { data[0] = n + x; }"
    add = cupy.RawModule(code=code, name_expressions=["add"]).get_function("add")
    data = cupy.empty(1, np.float32)
    add((1,), (1,), (data, np.uint32(2), np.float32(0.5)))
    assert data.get() == [2.5]
    for wrong in [(np.int32(2), np.float32(0.5)), (np.uint64(2), np.float32(0.5)), (np.uint32(2), np.float64(0.5))]:
        with pytest.raises(TypeError, match="the kernel takes"):
            add((1,), (1,), (data, *wrong))


def test_no_device_and_no_driver(cupy):
    cupy.gpu.no_device = True
    with pytest.raises(CUDARuntimeError, match="cudaErrorNoDevice"):
        cupy.cuda.runtime.getDeviceCount()
    cupy.gpu.no_driver = True
    assert cupy.cuda.runtime.driverGetVersion() == 0
    with pytest.raises(CUDARuntimeError, match="cudaErrorInsufficientDriver"):
        cupy.empty(1, np.float64)


# Memory


def test_arrays_are_sliced_viewed_and_copied(cupy):
    array = cupy.empty((12,), np.float32)
    array.set(np.arange(12, dtype=np.float32))
    part = array[4:]
    assert (part.data.ptr - array.data.ptr, part.nbytes, part.shape) == (16, 32, (8,))
    pairs = part.view(np.complex64)
    assert pairs.get().tolist() == [4 + 5j, 6 + 7j, 8 + 9j, 10 + 11j]
    pairs[1:2].set(np.array([1j], np.complex64))
    into = np.empty(12, np.float32)
    assert array.get(out=into) is into
    assert into.tolist() == [0, 1, 2, 3, 4, 5, 0, 1, 8, 9, 10, 11]
    assert [copy.kind for copy in cupy.gpu.copies] == [*["host to device", "device to host"] * 2]
    assert [copy.bytes for copy in cupy.gpu.copies] == [48, 32, 8, 48]
    with pytest.raises(TypeError, match="float64 array cannot be set to float32"):
        array.set(np.zeros(12))
    with pytest.raises(TypeError, match="Implicit conversion"):
        np.asarray(array)


def test_raw_copies_must_name_the_sides_rightly(cupy):
    runtime = cupy.cuda.runtime
    array, pinned = cupy.empty(4, np.float64), cupy.cuda.alloc_pinned_memory(32)
    host = np.frombuffer(pinned, np.float64, 4)
    host[:] = range(4)
    runtime.memcpyAsync(array.data.ptr, pinned.ptr, 32, runtime.memcpyHostToDevice, 0)
    assert array.get().tolist() == [0, 1, 2, 3]
    assert cupy.gpu.copies[0] == Copy("host to device", 32, 0)
    assert pinned.size() == 512
    runtime.memsetAsync(array[2:].data.ptr, 0, 16, 0)
    assert array.get().tolist() == [0, 1, 0, 0]
    for to, source, size, kind in [
        (array.data.ptr, pinned.ptr, 33, runtime.memcpyHostToDevice),
        (array.data.ptr, pinned.ptr, 32, runtime.memcpyDeviceToHost),
        (array.data.ptr, pinned.ptr, 32, runtime.memcpyDeviceToDevice),
    ]:
        with pytest.raises(CUDARuntimeError, match="cudaErrorInvalidValue"):
            runtime.memcpyAsync(to, source, size, kind, 0)


def test_memory_is_limited_and_pooled(cupy):
    cupy.gpu.total_bytes = 4096
    pool = cupy.get_default_memory_pool()
    array = cupy.empty(300, np.float64)
    assert (cupy.gpu.live_bytes, pool.used_bytes(), pool.total_bytes()) == (2400, 2560, 2560)
    with pytest.raises(OutOfMemoryError, match="Out of memory allocating 2,560 bytes"):
        cupy.empty(300, np.float64)
    part = array[:1]
    del array
    assert cupy.gpu.live_bytes == 2400  # the slice holds it
    del part
    assert (cupy.gpu.live_bytes, pool.free_bytes()) == (0, 2560)
    assert cupy.cuda.Device(0).mem_info == (1536, 4096)
    cupy.empty(512, np.float64)
    pool.free_all_blocks()
    assert cupy.cuda.Device(0).mem_info == (4096, 4096)


def test_an_allocation_can_be_made_to_fail(cupy):
    cupy.gpu.fail_allocation(2)
    cupy.empty(1, np.float64)
    with pytest.raises(OutOfMemoryError):
        cupy.empty(1, np.float64)
    cupy.empty(1, np.float64)


@pytest.mark.parametrize("late", [False, True])
def test_a_launch_can_be_made_to_fail(cupy, late):
    cupy.gpu.fail_launch(2, late=late)
    assert reversed_by(cupy, "reverse<true>")
    data = cupy.empty(1, np.float64)
    event = cupy.cuda.Event()

    def launch_and_wait():
        kernel(cupy, "name_block")((1,), (1,), (data,))
        event.record()
        assert late
        event.synchronize()

    with pytest.raises(CUDARuntimeError, match="cudaErrorLaunchFailure"):
        launch_and_wait()
    assert np.isnan(data.get()).all()
    assert reversed_by(cupy, "reverse<true>")


# Streams and events


def test_launches_in_flight_are_those_that_nobody_waited_for(cupy):
    data = cupy.empty(1, np.float64)
    with cupy.cuda.Stream(non_blocking=True) as stream:
        events = [cupy.cuda.Event(disable_timing=i == 3) for i in range(4)]
        for event in events:
            kernel(cupy, "name_block")((1,), (1,), (data,))
            event.record()
        assert cupy.gpu.launches_in_flight == 4
        events[1].synchronize()
        assert cupy.gpu.launches_in_flight == 2
        events[0].synchronize()
        assert cupy.gpu.launches_in_flight == 2
        assert cupy.cuda.get_elapsed_time(*events[:2]) >= 0
        with pytest.raises(CUDARuntimeError, match="cudaErrorNotReady"):
            cupy.cuda.get_elapsed_time(*events[1:3])
        stream.synchronize()
        with pytest.raises(CUDARuntimeError, match="cudaErrorInvalidResourceHandle"):
            cupy.cuda.get_elapsed_time(*events[2:])
    assert cupy.cuda.get_current_stream().ptr == 0
    assert cupy.gpu.most_launches_in_flight == 4
    assert cupy.gpu.launches_in_flight == 0
    assert (cupy.gpu.events_recorded, cupy.gpu.events_waited_for) == (4, 2)
    assert [launch.stream for launch in cupy.gpu.launches] == [stream.ptr] * 4


# Sanitizers

SANITIZED = """
import numpy as np
from emulated_gpu import EmulatedCupy
from test_emulated_gpu import kernel, reversed_by
cupy = EmulatedCupy(sanitize=True)
assert reversed_by(cupy, "reverse<true>")
kernel(cupy, "give_up")((3,), (16,), (cupy.empty(1, np.float64),))
cupy.gpu.recover()
assert reversed_by(cupy, "reverse<true>")
print("before", flush=True)
data = cupy.empty({elements}, np.float64)
kernel(cupy, "reverse<true>")((1,), (16,), (data,), shared_mem={shared_bytes})
print("after")
"""


@pytest.mark.slow
@pytest.mark.parametrize(("elements", "shared_bytes"), [(16, 128), (15, 128), (16, 127)])
def test_sanitized_kernels_end_the_process_at_an_address_that_is_not_theirs(elements, shared_bytes):
    runtime = subprocess.run(
        ["g++", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    environment = os.environ | {
        "LD_PRELOAD": runtime,
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTHONPATH": str(Path(__file__).parent),
    }
    script = SANITIZED.format(elements=elements, shared_bytes=shared_bytes)
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert "before" in done.stdout, done.stderr
    if elements == 16 and shared_bytes == 128:
        assert "after" in done.stdout, done.stderr
    else:
        assert "heap-buffer-overflow" in done.stderr
        assert done.returncode
