"""Makes sure that nobody is timed on a wrong circuit: all are compared with our device on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.cpu.device import NumpyDevice
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from basicaer.engine.program import Segment
    from gpu.ours import Ours

_INFIDELITY = {Precision.DOUBLE: 1e-10, Precision.SINGLE: 1e-4}


def check(ours: Ours, entries: Iterable[Any], segment: Segment, n: int, precision: Precision) -> None:
    """Run all once from the same random state; raise if any ends in another one."""
    ours.start("random")
    ours.randomise()
    before = ours.vector.get()[: 2**n]
    expected = _on_cpu(segment, n, before)
    ours.run()
    _compare("basicaer", ours.amplitudes(), expected, precision)
    for entry in entries:
        if "random" not in entry.starts:
            continue
        ours.start("random")
        ours.randomise()
        entry.start("random")
        entry.run()
        vector = ours.vector.get()[: 2**n]
        order = [n - 1 - entry.wire_of[q] for q in reversed(range(n))]  # an array's axes: the highest bit first
        _compare(
            f"{entry.name}, {entry.setting}", vector.reshape((2,) * n).transpose(order).reshape(-1), expected, precision
        )


def _on_cpu(segment: Segment, n: int, before: NDArray[Any]) -> NDArray[Any]:
    device = NumpyDevice()
    state = device.new_state(n, Precision.DOUBLE)
    state.load(before.astype(complex))
    costs = device.costs(n, Precision.DOUBLE)
    state.run(segment, None if costs is None else plan_segment(segment, n, costs))
    return state.amplitudes()


def _compare(name: str, found: NDArray[Any], expected: NDArray[Any], precision: Precision) -> None:
    found = found.astype(complex)
    overlap = abs(np.vdot(expected, found)) / np.linalg.norm(expected) / np.linalg.norm(found)
    if not abs(1 - overlap**2) < _INFIDELITY[precision]:
        raise SystemExit(
            f"{name} ({precision}) was given or made a wrong circuit: its state differs by {1 - overlap**2:.1e}."
        )
