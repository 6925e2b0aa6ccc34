"""Every kernel compiles for every architecture and stays in its registers; `nox -s kernels` installs the compiler."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

import nvrtc
from basicaer.devices.gpu.kernels import COMPILE_OPTIONS, kernel_names, kernel_source
from basicaer.devices.gpu.shape import usual_shape
from basicaer.options import Precision

INSTALLED = [cuda for cuda in (12, 13) if nvrtc.library(cuda) is not None]
pytestmark = pytest.mark.skipif(not INSTALLED, reason="neither of the wheels nvidia-cuda-nvrtc(-cu12) is installed")


def architectures(cuda):
    """Return what to compile for: 75 is sm_75, compute capability 7.5. CUDA 13 has given up all that is older."""
    newest = [100, 103, 120, 121]
    if cuda == 13:
        return [75, 80, 86, 87, 89, 90, 110, *newest]
    return [50, 52, 60, 61, 70, 75, 80, 86, 87, 89, 90, *(newest if nvrtc.version(12) >= (12, 9) else [])]


TARGETS = [(cuda, architecture) for cuda in INSTALLED for architecture in architectures(cuda)]
OPTIONS = (*COMPILE_OPTIONS, *nvrtc.CUPYS_OPTIONS, "--ptxas-options=-v")
REGISTER_BITS = {precision: usual_shape(precision, 2**16, 2**17, 1024).register_bits for precision in Precision}

# How many registers a thread may take: on 7.5, where 1024 threads fill a multiprocessor, and on other architectures. A
# multiprocessor has 65536: if a thread takes 128, it holds two blocks of 256 threads, with 64 it holds four. The other
# bounds are what was found, and a few more.
MOST_REGISTERS = {
    "run_pass": (128, 128),
    "make_constants": (64, 48),
    "multiply_wide": (64, 56),
    "begin_states": (16, 20),
    "clear": (16, 16),
    "set_identity": (16, 20),
    "collapse": (20, 28),
    "prepare": (64, 48),
    "sum_probabilities": (48, 44),
    "sum_pauli_products": (128, 128),
    "add_parts": (64, 40),
    "apply_terms": (64, 64),
    "sum_transitions": (64, 64),
    "read_probabilities": (48, 44),
    "read_amplitudes": (24, 24),
    "write_amplitudes": (24, 24),
    "find_draws": (64, 44),
}


MOST_SPILLED = (
    64  # bytes that a thread of run_pass has in memory from 10.0 on, where the compiler finds no room for them
)


@pytest.fixture(scope="module")
def compiled():
    """Compile all kernels, two programs at a time; an item ``(cuda, architecture), precision`` is a future result."""
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        works = {
            ((cuda, architecture), precision): pool.submit(
                nvrtc.compile_program,
                kernel_source(),
                list(kernel_names(precision, REGISTER_BITS[precision]).values()),
                architecture,
                OPTIONS,
                cuda,
            )
            for cuda, architecture in TARGETS
            for precision in Precision
        }
        yield works
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("kernel", MOST_REGISTERS)
@pytest.mark.parametrize("precision", Precision, ids=str)
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: "CUDA {}, sm_{}".format(*target))
def test_all_that_a_thread_holds_is_in_registers(target, precision, kernel, compiled):
    program = compiled[target, precision].result()
    assert program.cubin.startswith(b"\x7fELF")
    usage = program.usage(kernel_names(precision, REGISTER_BITS[precision])[kernel])
    most_spilled = MOST_SPILLED if kernel == "run_pass" and target[1] >= 100 else 0
    assert max(usage[1:]) <= most_spilled, usage
    assert usage.registers <= MOST_REGISTERS[kernel][target[1] != 75]


TOO_MUCH = """
__global__ void looks_up(double* data, int at) {
  double own[64];
  for (int i = 0; i < 64; ++i) own[i] = data[i] * i;
  data[0] = own[at];
}
template <int MANY>
__global__ void __launch_bounds__(1024, 2) holds(double* data) {
  double own[MANY];
#pragma unroll
  for (int i = 0; i < MANY; ++i) own[i] = data[i * blockDim.x];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < MANY; ++i) data[i * blockDim.x + threadIdx.x] = own[MANY - 1 - i];
}
"""


@pytest.mark.parametrize("cuda", INSTALLED)
def test_what_does_not_fit_into_registers_is_seen(cuda):
    program = nvrtc.compile_program(TOO_MUCH, ["looks_up", "holds<4>", "holds<64>"], 90, OPTIONS, cuda)
    assert program.usage("looks_up").stack == 512
    assert program.usage("holds<4>")[1:] == (0, 0, 0)
    usage = program.usage("holds<64>")
    assert min(usage.stack, usage.spill_stores, usage.spill_loads) > 0
    assert usage.registers <= 32


@pytest.mark.parametrize("cuda", INSTALLED)
def test_errors_name_file_and_line(cuda):
    wrong = '#line 7 "pass.cu"\n__global__ void kernel(int* a) { *a = missing; }'
    with pytest.raises(nvrtc.CompileError, match=r'pass\.cu\(7\): error: identifier "missing" is undefined'):
        nvrtc.compile_program(wrong, ["kernel"], 90, cuda=cuda)


def test_every_kernel_has_its_bounds():
    assert set(kernel_names(Precision.DOUBLE, 4)) == set(MOST_REGISTERS)
