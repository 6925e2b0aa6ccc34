"""Many small circuits: as one batch, against one after another. Bound in both cases; binding is timed apart."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

from basicaer.devices.gpu.amplitudes import DTYPES
from basicaer.devices.gpu.binding import bind, first_places
from basicaer.plan.planner import plan_segment
from gpu.results import rounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from basicaer.devices.gpu.device import CupyDevice
    from basicaer.engine.program import Segment
    from basicaer.options import Precision
    from gpu.results import Record

BATCH_QUBITS, BATCH_STATES = 10, 1024
_ALONE = 32  # states that are run one after another, at most


def batch_times(
    device: CupyDevice, segment: Segment, n: int, precision: Precision, *, states: int, rounds: int
) -> Record:
    """Return the seconds that a circuit takes in a batch, and by itself, from |0...0> to an expectation value."""
    plan = plan_segment(segment, n, device.costs(n, precision))

    alone_states = min(_ALONE, states)

    def together() -> None:
        batch = device.new_batch(n, precision, states)
        batch.run([segment] * states, plan)
        batch.expectations(1, [2])
        batch.release()

    def alone() -> None:
        for _ in range(alone_states):
            state = device.new_state(n, precision)
            state.run(segment, plan)
            state.expectations(1, [2])
            state.release()

    shape = device.shapes[precision]
    wires = max(n, shape.register_bits)

    def binding() -> None:
        bind(plan, segment, shape, first_places(plan, wires), frozenset(range(wires)), dtype=DTYPES[precision])

    return {
        "states": states,
        "seconds_in_batch": rounded(_median(together, rounds) / states),
        "seconds_alone": rounded(_median(alone, rounds) / alone_states),
        "seconds_to_bind": rounded(_median(binding, rounds)),
    }


def batch_lines(records: Iterable[Record]) -> list[str]:
    """Return a line for each point."""
    return [
        f"{r['states']} states, {r['family']} {r['n']} {r['precision']}: "
        f"{1e6 * r['seconds_in_batch']:.3g} us each together, {1e6 * r['seconds_alone']:.3g} us alone; "
        f"binding new numbers takes {1e6 * r['seconds_to_bind']:.3g} us"
        for r in records
    ]


def _median(work: Callable[[], None], rounds: int) -> float:
    work()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)
