"""Bundles of gates that run together in every plan: a plan has fewer bundles to choose among than gates."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from basicaer.plan.actions import polled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from basicaer.plan.actions import GateAction

__all__ = ["Bundles"]

_NONE = -1  # the number of no gate


class Bundles:
    """Gates that need the same wires local at the same time.

    A gate joins the bundle of an equal gate if it commutes with all gates between them. It joins the bundle before it
    if it acts only on wires that this bundle mixes anyway. A bundle is known by its leader, its first gate, whose
    action stands for all of it.

    Parameters
    ----------
    actions
        How each gate acts; equal actions are one object.
    numbers
        The gates to bundle, in program order.

    Attributes
    ----------
    leaders
        The first gate of each bundle, in program order.
    size
        ``size[leader]`` is the number of gates in its bundle.
    """

    def __init__(
        self,
        actions: Sequence[GateAction],
        numbers: Iterable[int],
        n_qubits: int,
        poll: Callable[[], None] = lambda: None,
    ) -> None:
        self.leaders = array("i")
        self.size = array("i", [1]) * len(actions)
        self._next = array("i", [_NONE]) * len(actions)  # the next gate of the same bundle
        self._last = array("i", range(len(actions)))  # _last[leader] is the last gate of its bundle
        newest: dict[int, int] = {}  # newest[id(action)] is the leader of the last bundle with this action
        layers = _Layers(n_qubits)
        for number in polled(numbers, poll):
            action = actions[number]
            latest = layers.latest(action)
            leader = newest.get(id(action), _NONE)
            if leader < latest:  # the gates between do not all commute with this one
                before = actions[latest]
                mixed = not action.wires_mask & ~before.g_mask and not before.permutes
                leader = latest if mixed else _NONE
            if leader == _NONE:
                self.leaders.append(number)
                newest[id(action)] = number
                layers.add(number, action)
            else:
                self._join(leader, number)

    def _join(self, leader: int, number: int) -> None:
        self._next[self._last[leader]] = number
        self._last[leader] = number
        self.size[leader] += 1

    def gates_of(self, leaders: Iterable[int]) -> tuple[int, ...]:
        """Return all gates of some bundles, in program order."""
        gates = []
        for leader in leaders:
            number = leader
            while number != _NONE:
                gates.append(number)
                number = self._next[number]
        gates.sort()
        return tuple(gates)


class _Layers:
    """The layer of each wire: its latest bundles, all of which commute with one another there."""

    def __init__(self, n_qubits: int) -> None:
        self._first = [_NONE] * n_qubits  # _first[q] is the leader of the first bundle of the layer on wire q
        self._kind = [""] * n_qubits  # how the bundles of that layer act on wire q: "z", "x" or "g"

    def latest(self, action: GateAction) -> int:
        """Return the latest leader that begins a layer on any wire of an action."""
        first, wires = self._first, action.wires
        if len(wires) == 1:  # as of most gates
            return first[wires[0]]
        return max([first[q] for q in wires], default=_NONE)

    def add(self, leader: int, action: GateAction) -> None:
        first, kind = self._first, self._kind
        for q in action.z:
            if kind[q] != "z":
                first[q], kind[q] = leader, "z"
        for q in action.x:
            if kind[q] != "x":
                first[q], kind[q] = leader, "x"
        for q in action.g:
            first[q], kind[q] = leader, "g"
