"""Compares the final states of our device and of all peers with our device on the CPU, before any of them is timed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.fidelity import require_same_state

from basicaer.devices.cpu.device import NumpyDevice
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from basicaer.engine.program import Segment
    from gpu.ours import Ours


def check(ours: Ours, entries: Iterable[Any], segment: Segment, n: int, precision: Precision) -> None:
    """Run everything from the same random state, and end the program if anything ends in a wrong state."""
    circuit = f"a circuit of {len(segment.gates)} gates on {n} qubits"
    ours.start("random")
    ours.randomise()
    before = ours.vector.get()[: 2**n]
    expected = _on_cpu(segment, n, before)
    ours.run()
    require_same_state("basicaer", ours.amplitudes(), expected, str(precision), circuit)
    for entry in entries:
        if "random" not in entry.starts:
            continue
        try:
            for _ in range(2):  # The second run is compared, because first ones are not timed.
                ours.start("random")
                ours.randomise()
                entry.start("random")
                entry.run()
        except RuntimeError:  # It cannot take part; its error is reported when it is to be timed.
            continue
        vector, place = entry.final()
        order = [n - 1 - place[q] for q in reversed(range(n))]  # The first axis is the most significant bit.
        found = vector.reshape((2,) * n).transpose(order).reshape(-1)
        require_same_state(f"{entry.name}, {entry.setting}", found, expected, str(precision), circuit)


def _on_cpu(segment: Segment, n: int, before: NDArray[Any]) -> NDArray[Any]:
    device = NumpyDevice()
    state = device.new_state(n, Precision.DOUBLE)
    state.load(before.astype(complex))
    costs = device.costs(n, Precision.DOUBLE)
    state.run(segment, None if costs is None else plan_segment(segment, n, costs))
    return state.amplitudes()
