"""A circuit on our device.

Timed: `state.run`, with a plan that has been made and bound before. Not timed: allocation of the state. Planning and
binding are timed separately, and so is the first run, which includes both.
"""
# ruff: noqa: SLF001  # A random state is made on the card, because `load` would copy gigabytes to it.

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from harness.timing import OURS

from basicaer.devices.gpu.binding import bind, first_places
from basicaer.devices.gpu.launches import ClearLaunch, PassLaunch
from basicaer.plan.planner import plan_segment

if TYPE_CHECKING:
    from basicaer.devices.gpu.device import CupyDevice
    from basicaer.devices.gpu.launches import Launches
    from basicaer.engine.program import Segment
    from basicaer.options import Precision
    from gpu.card import Card

STARTS = ("zero", "random")


class Ours:
    """A planned segment on `n` qubits, and a state to run it on."""

    name = OURS
    setting = ""
    starts = STARTS

    def __init__(self, card: Card, device: CupyDevice, segment: Segment, n: int, precision: Precision) -> None:
        self._card, self._device, self._segment = card, device, segment
        self._n, self._precision = n, precision
        started = time.perf_counter()
        self._plan = plan_segment(segment, n, device.costs(n, precision))
        self.plan_seconds = time.perf_counter() - started
        self._state: Any = None
        self._is_random = False

    @property
    def vector(self) -> Any:
        """The array of amplitudes on the card, in the order in which the device holds them."""
        return self._state._vector

    @property
    def is_released(self) -> bool:
        """Whether there is no state."""
        return self._state is None

    def start(self, how: str) -> None:
        """Make the state to run on: |0...0> or a random one, which may be the result of running on a random state."""
        if how == "zero" or self._state is None:
            self.release()
            self._state = self._device.new_state(self._n, self._precision)
            self._is_random = False
        if how == "random":
            if not self._is_random:
                self.randomise()
            self._state._forget_layout()
            self._state._zero -= set(range(self._n))

    def randomise(self) -> None:
        """Make the same random state as before."""
        self._card.randomise(self.vector)
        self._is_random = True

    def run(self) -> None:
        """Run the circuit to its end."""
        self._state.run(self._segment, self._plan)

    def amplitudes(self) -> Any:
        """Return all amplitudes in the order of their indices, and give up the state."""
        amplitudes = self._state.amplitudes()
        self._state = None
        return amplitudes

    def release(self) -> None:
        """Return the state's memory to the pool."""
        if self._state is not None:
            self._state.release()
        self._state = None

    def bound(self, how: str) -> tuple[Launches, float]:
        """Return the launches, and the seconds that it takes to bind the plan to gates and to the places of wires."""
        shape = self._device.shapes[self._precision]
        wires = max(self._n, shape.register_bits)
        place = first_places(self._plan, wires) if how == "zero" else tuple(range(wires))
        zero = frozenset(range(wires) if how == "zero" else range(self._n, wires))
        started = time.perf_counter()
        bound = bind(self._plan, self._segment, shape, place, zero)
        return bound, time.perf_counter() - started

    def work(self, how: str) -> dict[str, float]:
        """Return what a run consists of: launches, exchanges, operations, and the bytes that it reads and writes."""
        bound, seconds = self.bound(how)
        wires = max(self._n, self._device.shapes[self._precision].register_bits)
        amplitudes = sum(_moved(launch, bound, wires) for launch in bound.launches)
        return {
            "bind_seconds": seconds,
            "passes": sum(isinstance(launch, PassLaunch) for launch in bound.launches),
            "launches": len(bound.launches),
            "exchanges": int((bound.stages["exchange"] != 0).sum()) if len(bound.stages) else 0,
            "operations": len(bound.operations),
            "bytes": amplitudes * self._precision.amplitude_bytes,
        }


def _moved(launch: Any, bound: Launches, wires: int) -> int:
    """Return how many amplitudes a launch reads plus how many it writes."""
    match launch:
        case PassLaunch(number, thread_bits, block_bits):
            record = bound.passes[number]
            bits = thread_bits + block_bits + int(record["register_bits"])
            # Amplitudes that are known to be 0 are written but not read.
            zero_in_tile = int(record["zero"]).bit_count() - (wires - bits)
            return int(2**bits + 2 ** (bits - zero_in_tile))
        case ClearLaunch(where):
            return int(2**wires - 2 ** (wires - where.bit_count()))
        case wide:
            return int(2 * 2 ** (wide.targets + wide.rest_bits))
