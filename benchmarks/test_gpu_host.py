"""What the host does before kernels run on a GPU: with the emulated GPU, and with kernels that do nothing.

The circuits have new angles each time; their structure has been seen. Timed is `run` of a state or batch: binding the
plan to the numbers, and sending them to the (emulated) card.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from families import FAMILIES
from harness.goals import at_most
from harness.timing import stopwatch

from basicaer.compile.lower import lower
from basicaer.devices.gpu import card
from basicaer.devices.gpu.device import CupyDevice
from basicaer.engine.device import SegmentBatch
from basicaer.engine.program import Form, Segment
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment

if TYPE_CHECKING:
    from numpy.typing import NDArray

GOALS = {
    ("ansatz_cx_chain", 20, 1): at_most(1, "ms for a circuit of 20 qubits with other angles"),
    ("tfim", 20, 1): at_most(1, "ms for a circuit of 20 qubits with other angles"),
    ("ansatz_cx_chain", 10, 1024): at_most(20, "ms for 1024 sets of angles"),
}
ROUNDS = 9


def turned(name: str, angles: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Return the numbers of rotations by angles, which have the first axes."""
    c, s, phase = np.cos(angles / 2), np.sin(angles / 2), np.exp(-0.5j * angles)
    entries = {
        "ry": [c, -s, s, c],
        "rx": [c, -1j * s, -1j * s, c],
        "rz": [phase, phase.conj()],
        "rzz": [phase, phase.conj(), phase.conj(), phase],
    }[name]
    numbers = np.stack(entries, axis=-1) + 0j
    return numbers.reshape(*angles.shape, 2, 2) if name in {"ry", "rx"} else numbers


def with_angles(template: Segment, sets: int, seed: int) -> SegmentBatch:
    """Return segments of a structure with random angles of all rotations."""
    random = np.random.default_rng(seed)
    places: dict[str, list[int]] = {}
    for place, gate in enumerate(template.gates):
        if gate.form is not Form.PERMUTATION:
            places.setdefault(gate.name, []).append(place)
    groups = [(own, turned(name, random.uniform(0, 6, (sets, len(own))))) for name, own in places.items()]
    return SegmentBatch(template, groups, sets)


@pytest.mark.parametrize("what", GOALS, ids=lambda what: "-".join(map(str, what)))
def test_preparing_other_angles(benchmark, judge, size, monkeypatch, what):
    family, qubits, sets = what
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    from emulated_gpu import EmulatedCupy

    n, count = size(qubits, smallest=6), size(sets, smallest=1)
    device = CupyDevice(cupy=EmulatedCupy())
    (template,) = (part for part in lower(FAMILIES[family](n)).body if isinstance(part, Segment))
    plan = plan_segment(template, n, device.costs(n, Precision.DOUBLE))
    monkeypatch.setattr(card.Kernels, "launch", lambda *_, **__: None)
    seconds = []
    for seed in range(1 + size(ROUNDS, smallest=1)):
        segments = with_angles(template, count, seed)
        batch = device.new_batch(n, Precision.DOUBLE, count)
        seconds.append(stopwatch(lambda batch=batch, segments=segments: batch.run(segments, plan)))
    judge(GOALS[what], [1e3 * one for one in seconds[1:]])  # the first one is recorded
    benchmark.extra_info["first_ms"] = round(1e3 * seconds[0], 1)
    benchmark.extra_info["sets_per_s"] = round(count / statistics.median(seconds[1:]), 1)
    benchmark.pedantic(lambda: batch.run(segments, plan), rounds=1)
