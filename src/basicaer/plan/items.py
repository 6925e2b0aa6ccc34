"""What the planner sees of a gate: on which wires it acts diagonally, as a function of Pauli X, or in any other way."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from basicaer.engine.bits import mask_of
from basicaer.engine.plan import Part, PlannedGate
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from basicaer.engine.program import Gate

__all__ = ["Item", "Pieces", "Structure", "conflicts", "pieces_of", "polled", "structure"]

_T = TypeVar("_T")

_MANY_CONTROLS = 3  # with fewer, a matrix is made for each of their values
_WIDEST_SPLIT = 6  # targets of a gate whose eigenvectors are worth finding
_BETWEEN_POLLS = 2**11  # gates, each of which takes microseconds


class Item(NamedTuple):
    """One gate, as wires by the way in which it acts there; as tuples to walk over and as bit masks to compare.

    Two items commute if on every wire that they share both are diagonal or both are functions of X.
    """

    z: tuple[int, ...]
    x: tuple[int, ...]
    g: tuple[int, ...]
    z_mask: int
    x_mask: int
    g_mask: int
    permutes: bool  # whether it only permutes basis states

    @property
    def pairs(self) -> int:
        """The wires on which it brings amplitudes together: these must be within the tile."""
        return self.x_mask | self.g_mask

    @property
    def wires(self) -> int:
        """All wires it acts on."""
        return self.z_mask | self.x_mask | self.g_mask


Placement = tuple[str, tuple[int, ...], tuple[int, ...], Form, bool]  # kinds, targets, controls, form, is it a swap?


class Structure(NamedTuple):
    """Gates without their numbers: `placements`, all different, and which of these each gate is, as packed integers."""

    placements: tuple[Placement, ...]
    packed: bytes

    @property
    def each(self) -> memoryview[int]:
        """``placements[each[i]]`` is that of gate i."""
        return memoryview(self.packed).cast("I")


def polled(things: Iterable[_T], poll: Callable[[], None]) -> Iterator[_T]:
    """Yield things, polling before the first and then so often that no one has to wait."""
    for number, thing in enumerate(things):
        if number % _BETWEEN_POLLS == 0:
            poll()
        yield thing


def conflicts(item: Item, z: int, x: int, g: int) -> bool:
    """Tell whether an item does not commute with others that act on wires `z`, `x` and `g` in these ways."""
    return bool(item.z_mask & (x | g) or item.x_mask & (z | g) or item.g_mask & (z | x | g))


def structure(gates: Iterable[Gate], poll: Callable[[], None] = lambda: None) -> Structure:
    """Return what a plan depends on: everything of the gates but their numbers."""
    numbers: dict[Placement, int] = {}
    which = array("I")
    for gate in polled(gates, poll):
        placement = (gate.kinds, gate.targets, gate.controls, gate.form, _is_swap(gate))
        which.append(numbers.setdefault(placement, len(numbers)))
    return Structure(tuple(numbers), which.tobytes())


def _is_swap(gate: Gate) -> bool:
    """Tell whether a gate exchanges its two targets and does nothing else."""
    return (
        len(gate.targets) == 2
        and gate.form is Form.PERMUTATION
        and not gate.controls
        and gate.data.tolist() == [0, 2, 1, 3]
    )


class Pieces(NamedTuple):
    """What there is to plan. What is equal is one object, since there may be millions of each.

    Attributes
    ----------
    planned
        The gates to plan: those of the segment without its swaps, some of them split.
    origins
        ``origins[i]`` is the number in the segment of the gate that ``planned[i]`` is, or is a part of.
    items
        What the planner sees of each.
    wire_of
        The wire that each qubit is on at the end.
    """

    planned: list[PlannedGate]
    origins: array[int]
    items: list[Item]
    wire_of: list[int]


def pieces_of(gates: Structure, n_qubits: int, poll: Callable[[], None] = lambda: None) -> Pieces:
    """Return what there is to plan."""
    wire_of = list(range(n_qubits))
    planned: list[PlannedGate] = []
    origins = array("I")
    items: list[Item] = []
    here: dict[int, list[tuple[PlannedGate, Item]]] = {}  # by placement on qubits, where they are until the next swap
    shared: dict[Any, Any] = {}  # gates and items, each the one that all equal ones are
    for number, which in enumerate(polled(gates.each, poll)):
        pieces = here.get(which)
        if pieces is None:
            kinds, targets, controls, form, is_swap = gates.placements[which]
            on_wires = tuple([wire_of[q] for q in targets])
            if is_swap:
                wire_of[targets[0]], wire_of[targets[1]] = reversed(on_wires)
                here = {}
                continue
            made = _pieces(kinds, on_wires, tuple([wire_of[q] for q in controls]), form)
            pieces = [(shared.setdefault(gate, gate), shared.setdefault(item, item)) for gate, item in made]
            here[which] = pieces
        for gate, item in pieces:
            planned.append(gate)
            origins.append(number)
            items.append(item)
    return Pieces(planned, origins, items, wire_of)


def _pieces(
    kinds: str, targets: tuple[int, ...], controls: tuple[int, ...], form: Form
) -> list[tuple[PlannedGate, Item]]:
    """Return a gate on wires: whole, or in three parts where it has so many controls that it is split."""
    many_controls = len(controls) >= _MANY_CONTROLS and form is not Form.DIAGONAL
    if many_controls and len(targets) <= _WIDEST_SPLIT:
        basis, values = _item("G" * len(targets), targets), _item("Z" * len(targets), targets, controls)
        return [
            (PlannedGate(Part.INTO_EIGENBASIS, targets, (), targets), basis),
            (PlannedGate(Part.EIGENVALUES, targets, controls, ()), values),
            (PlannedGate(Part.OUT_OF_EIGENBASIS, targets, (), targets), basis),
        ]
    gate = PlannedGate.whole(kinds, targets, controls)
    if many_controls:  # so wide that it is better to hold the controls in the tile too
        return [(gate, _item("G" * len(targets + controls), targets + controls, permutes=form is Form.PERMUTATION))]
    return [(gate, _item(kinds, targets, controls, permutes=form is Form.PERMUTATION))]


def _item(kinds: str, targets: tuple[int, ...], controls: tuple[int, ...] = (), *, permutes: bool = False) -> Item:
    on: dict[str, list[int]] = {"Z": [*controls], "X": [], "G": []}
    for wire, kind in zip(targets, kinds, strict=True):
        on[kind].append(wire)
    z, x, g = tuple(sorted(on["Z"])), tuple(on["X"]), tuple(on["G"])
    return Item(z, x, g, mask_of(z), mask_of(x), mask_of(g), permutes)
