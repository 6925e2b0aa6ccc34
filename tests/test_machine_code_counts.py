"""How many instructions the machine code of a circuit family's passes issues, bounded from above.

A change of the kernels or of the planner that adds instructions fails here, and one that saves some should lower the
table. A failure says what was counted: write this number into the table if the change is worth it. All numbers change
with the version of the compiler, which pyproject.toml pins.
"""

import numpy as np
import pytest

import machine_code
from basicaer.devices.gpu.device import CupyDevice
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from emulated_gpu import EmulatedCupy
from gpu_traffic import SHAPES, segment_of

pytestmark = pytest.mark.skipif(
    machine_code.why_unavailable() is not None, reason=f"no machine code here: {machine_code.why_unavailable()}"
)

N = 16
DOUBLE, SINGLE = Precision.DOUBLE, Precision.SINGLE
MOST = {  # of a warp, on compute capability 9.0
    ("qft", DOUBLE): 6398,
    ("qft", SINGLE): 8822,
    ("ghz", DOUBLE): 1340,
    ("ghz", SINGLE): 1986,
    ("tfim", DOUBLE): 19446,
    ("tfim", SINGLE): 30305,
    ("volume", DOUBLE): 26464,
    ("volume", SINGLE): 54202,
    ("ansatz_cx_chain", DOUBLE): 32328,
    ("ansatz_cx_chain", SINGLE): 45106,
    ("grover", DOUBLE): 20013,
    ("grover", SINGLE): 32779,
}


def instructions(family, precision):
    """Return how many instructions a warp issues in all passes together, from any state, rounded up."""
    found = []

    def launched(kernel, *, grid, threads, ran, **_):
        if kernel.name.startswith("run_pass"):
            found.append(int(ran.counts["issued"].sum()) / (grid[0] * -(-threads // 32)))

    device = CupyDevice(cupy=EmulatedCupy(build=machine_code.MachineCode(90, launched=launched)), shapes=SHAPES)
    segment = segment_of(family, N)
    state = device.new_state(N, precision)
    state.load(np.full(2**N, 2 ** (-N / 2)))
    state.run(segment, plan_segment(segment, N, device.costs(N, precision)))
    return -int(-sum(found) // 1)


@pytest.mark.parametrize(("family", "precision"), MOST)
def test_no_family_issues_more_instructions(family, precision):
    assert instructions(family, precision) <= MOST[family, precision]
