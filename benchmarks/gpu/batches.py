"""Many small circuits: as one batch, and one after another, both with bound plans; binding is timed separately."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from harness.results import rounded
from harness.timing import in_turn, stopwatch

from basicaer.devices.gpu.binding import bind, first_places
from basicaer.plan.planner import plan_segment

if TYPE_CHECKING:
    from harness.results import Record

    from basicaer.devices.gpu.device import CupyDevice
    from basicaer.engine.program import Segment
    from basicaer.options import Precision

BATCH_QUBITS, BATCH_STATES = 10, 1024
_MOST_ALONE = 32  # states that are run one after another


def batch_times(
    device: CupyDevice, segment: Segment, n: int, precision: Precision, *, states: int, rounds: int
) -> Record:
    """Return the seconds that a circuit takes in a batch, and alone, from |0...0> to an expectation value."""
    plan = plan_segment(segment, n, device.costs(n, precision))
    alone_states = min(_MOST_ALONE, states)

    def together() -> None:
        batch = device.new_batch(n, precision, states)
        batch.run([segment] * states, plan)
        batch.expectations([(1, 2)])
        batch.release()

    def alone() -> None:
        for _ in range(alone_states):
            state = device.new_state(n, precision)
            state.run(segment, plan)
            state.expectations([(1, 2)])
            state.release()

    shape = device.shapes[precision]
    wires = max(n, shape.register_bits)

    def binding() -> None:
        bind(plan, segment, shape, first_places(plan, wires), frozenset(range(wires)))

    runs = {"together": together, "alone": alone, "binding": binding}
    for run in runs.values():
        run()  # A first run allocates memory and compiles kernels.
    seconds = {name: statistics.median(taken) for name, taken in in_turn(runs, stopwatch, rounds=rounds).items()}
    return {
        "states": states,
        "seconds_in_batch": rounded(seconds["together"] / states),
        "seconds_alone": rounded(seconds["alone"] / alone_states),
        "seconds_to_bind": rounded(seconds["binding"]),
    }
