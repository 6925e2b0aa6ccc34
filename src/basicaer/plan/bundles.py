"""Gates that run together in every plan: taken as one, they leave less to choose among."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from basicaer.plan.items import polled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from basicaer.plan.items import Item

__all__ = ["Bundles"]

_NONE = -1


class Bundles:
    """Gates that need the same wires local at the same time.

    These are equal gates with none between them with which they do not commute, and what directly follows a gate on
    wires that it mixes anyway. A bundle goes by the number of its first gate, and that gate's item stands for it.

    Attributes
    ----------
    first
        The first gates, in program order.
    size
        ``size[i]`` is how many gates there are in the bundle of gate i, where i is a first gate.
    """

    def __init__(
        self, items: Sequence[Item], numbers: Iterable[int], n_qubits: int, poll: Callable[[], None] = lambda: None
    ) -> None:
        self.first = array("i")
        self.size = array("i", [1]) * len(items)
        self._next = array("i", [_NONE]) * len(items)  # the next gate of the same bundle
        last = array("i", range(len(items)))  # last[i] = the last gate of the bundle of gate i
        newest: dict[int, int] = {}  # the first gate of the last bundle for an item, by id: equal items are one object
        layer = [_NONE] * n_qubits  # layer[q] = the first of the latest gates on wire q that all commute there
        kind = [""] * n_qubits  # of that layer
        for number in polled(numbers, poll):
            item = items[number]
            z, x, g, z_mask, x_mask, g_mask, _ = item
            layers = [layer[q] for q in z + x + g]
            latest = max(layers) if layers else _NONE
            first = newest.get(id(item), _NONE)
            if first < latest:
                before = items[latest]
                follows = not (z_mask | x_mask | g_mask) & ~before.g_mask and not before.permutes
                first = latest if follows else _NONE
            if first != _NONE:
                self._next[last[first]] = number
                last[first] = number
                self.size[first] += 1
                continue
            self.first.append(number)
            newest[id(item)] = number
            for q in z:
                if kind[q] != "z":
                    layer[q], kind[q] = number, "z"
            for q in x:
                if kind[q] != "x":
                    layer[q], kind[q] = number, "x"
            for q in g:
                layer[q], kind[q] = number, "g"

    def gates_of(self, firsts: Iterable[int]) -> tuple[int, ...]:
        """Return all gates of some bundles, in program order."""
        gates = []
        for first in firsts:
            number = first
            while number != _NONE:
                gates.append(number)
                number = self._next[number]
        gates.sort()
        return tuple(gates)
