"""Every barrier in the kernels' machine code is needed: passing over any one is seen, as a race or a wrong result."""

import pytest

import machine_code
from basicaer.devices.gpu import adjoint, pauli_groups
from basicaer.devices.gpu.device import CupyDevice
from basicaer.devices.gpu.kernels import kernel_names
from basicaer.devices.gpu.shape import TileShape
from basicaer.errors import BasicAerError
from basicaer.options import Precision
from conftest import TOLERANCE
from emulated_gpu import EmulatedCupy
from everything_read import is_right
from machine_code.launching import ARCHITECTURES

pytestmark = pytest.mark.skipif(
    machine_code.why_unavailable() is not None, reason=f"no machine code here: {machine_code.why_unavailable()}"
)

N = 12
SHAPES = {Precision.DOUBLE: TileShape(11, 4, 3), Precision.SINGLE: TileShape(12, 5, 4)}  # four warps in a block
WITH_BARRIERS = {
    "run_pass",
    "multiply_wide",
    "sum_probabilities",
    "sum_pauli_products",
    "find_draws",
    "sum_transitions",
}


@pytest.fixture(params=ARCHITECTURES)
def run(request, precision, monkeypatch):
    """Run everything on machine code that passes over some barriers; return whether all is right, and those reached."""
    for module in (pauli_groups, adjoint):
        monkeypatch.setattr(module, "_MOST_BLOCKS", 1)  # which sums over several tiles

    def run(ignored):
        reached = {}

        def launched(kernel, *, ran, **_):
            for barrier in kernel.barriers:
                key = kernel.name, barrier
                reached[key] = reached.get(key, 0) + int(ran.counts["acting"][barrier])

        build = machine_code.MachineCode(request.param, ignored=ignored, launched=launched)
        device = CupyDevice(cupy=EmulatedCupy(build=build), shapes=SHAPES)
        try:
            return is_right(device, N, precision, 10 * TOLERANCE[precision]), reached
        except BasicAerError as error:
            return "race at" not in error.message, reached

    return run


def test_each_barrier_that_is_passed_over_is_seen(run, precision):
    right, reached = run({})
    assert right
    names = kernel_names(precision, SHAPES[precision].register_bits)
    assert {name for name, _ in reached} == {names[kernel] for kernel in WITH_BARRIERS}
    assert all(reached.values())
    assert [(name, barrier) for name, barrier in reached if run({name: barrier})[0]] == []
