"""The program that compute-sanitizer watches on a card launches every kernel with every kind of operation."""

import pytest

import one_of_each
from basicaer.devices.gpu import encoding
from basicaer.devices.gpu.device import CupyDevice
from basicaer.devices.gpu.kernels import kernel_names
from basicaer.devices.gpu.structs import OperationKind
from basicaer.options import Precision
from conftest import new_emulated_cupy
from emulated_gpu import why_unavailable

pytestmark = pytest.mark.skipif(why_unavailable() is not None, reason=f"kernels cannot run here: {why_unavailable()}")


def test_every_kernel_and_operation_is_launched(precision, tolerance, monkeypatch):
    kinds, in_lanes = set(), []
    put, add_lanes = encoding.Encoder._put, encoding.Encoder.add_lanes

    def noted(self, kind, *arguments, **keys):
        kinds.add(kind)
        put(self, kind, *arguments, **keys)

    monkeypatch.setattr(encoding.Encoder, "_put", noted)
    monkeypatch.setattr(encoding.Encoder, "add_lanes", lambda *own: in_lanes.append(own) or add_lanes(*own))
    cupy = new_emulated_cupy()
    device = CupyDevice(cupy=cupy)
    assert one_of_each.launch_all(device, precision) == pytest.approx(1, abs=20 * tolerance)
    unneeded = (
        {OperationKind.SWAP} if precision is Precision.DOUBLE else set()
    )  # Pairs are any bits where there are few.
    assert kinds == set(OperationKind) - unneeded
    assert any(in_lanes) == device.shapes[precision].uses_lanes
    launched = {launch.kernel.partition("<")[0] for launch in cupy.gpu.launches}
    assert launched == set(kernel_names(Precision.DOUBLE, 4))
