"""Every kernel compiles for AMD's cards and stays in its registers; `nox -s kernels` installs the compiler."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

import hip_compiler
from basicaer.devices.gpu.kernels import COMPILE_OPTIONS, kernel_names, kernel_source
from basicaer.devices.gpu.shape import usual_shape
from basicaer.options import Precision

pytestmark = pytest.mark.skipif(not hip_compiler.is_installed(), reason="the wheel ziglang is not installed")

LANES = {"gfx90a": 64, "gfx942": 64, "gfx1100": 32, "gfx1201": 32}  # MI200, MI300, Radeon RX 7900, Radeon RX 9070
REGISTER_BITS = {precision: usual_shape(precision, 2**16, 2**16, 0).register_bits for precision in Precision}

# How many registers a lane may take. A SIMD unit holds two waves of 256 registers, and this is what run_pass asks for.
# The bounds of the others are what was found, and a few more.
MOST_REGISTERS = {"run_pass": 256, "multiply_wide": 80, "sum_pauli_products": 112, "sum_transitions": 40}
MOST_REGISTERS_OF_OTHERS = 32


@pytest.fixture(scope="module")
def compiled():
    """Compile all kernels, two texts at a time; an item ``architecture, precision`` is a future result."""
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        yield {
            (architecture, precision): pool.submit(
                hip_compiler.compile_to_assembly,
                kernel_source(),
                list(kernel_names(precision, REGISTER_BITS[precision]).values()),
                architecture,
                COMPILE_OPTIONS,
            )
            for architecture in LANES
            for precision in Precision
        }
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("kernel", kernel_names(Precision.DOUBLE, 4))
@pytest.mark.parametrize("precision", Precision, ids=str)
@pytest.mark.parametrize("architecture", LANES)
def test_all_that_a_lane_holds_is_in_registers(architecture, precision, kernel, compiled):
    usage = compiled[architecture, precision].result().usage(kernel)
    assert usage.lanes == LANES[architecture]
    assert usage.spilled_registers == usage.memory == 0, usage
    assert usage.registers <= MOST_REGISTERS.get(kernel, MOST_REGISTERS_OF_OTHERS)


def test_a_precondition_that_does_not_hold_ends_the_launch(compiled):
    assembly = compiled["gfx90a", Precision.DOUBLE].result()
    assert "s_trap" in assembly.instructions("set_identity")
    assert "s_trap" not in assembly.instructions("begin_states")  # it has none


TOO_MUCH = """
template <int MANY>
__global__ void __launch_bounds__(256, 2) looks_up(double* data, int at) {
  double own[MANY];
#pragma unroll
  for (int i = 0; i < MANY; ++i) own[i] = data[i * blockDim.x + threadIdx.x];
  __syncthreads();
  data[threadIdx.x] = own[at];
}
template <int MANY>
__global__ void __launch_bounds__(256, 2) holds(double* data) {
  double own[MANY];
#pragma unroll
  for (int i = 0; i < MANY; ++i) own[i] = data[i * blockDim.x + threadIdx.x];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < MANY; ++i) data[i * blockDim.x + threadIdx.x] = own[MANY - 1 - i] * own[i];
}
"""


@pytest.mark.parametrize("architecture", ["gfx90a", "gfx1100"])
def test_what_does_not_fit_into_registers_is_seen(architecture):
    few = hip_compiler.compile_to_assembly(TOO_MUCH, ["holds<8>"], architecture).usage("holds")
    assert (few.spilled_registers, few.memory) == (0, 0)
    many = hip_compiler.compile_to_assembly(TOO_MUCH, ["holds<200>", "looks_up<64>"], architecture)
    assert many.usage("holds").spilled_registers > 0
    assert many.usage("looks_up").memory >= 512


def test_errors_name_file_and_line():
    with pytest.raises(
        hip_compiler.CompileError, match=r"pass\.cu:7:\d+: error: use of undeclared identifier 'missing'"
    ):
        hip_compiler.compile_to_assembly(
            '#line 7 "pass.cu"\n__global__ void kernel(int* a) { *a = missing; }\n', [], "gfx90a"
        )
