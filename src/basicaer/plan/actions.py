"""How gates act on wires, which is all that the planner sees of them: diagonally, as a function of Pauli X, or else."""

from __future__ import annotations

from array import array
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from basicaer.engine.bits import mask_of
from basicaer.engine.plan import Part, PlannedGate
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from basicaer.engine.program import Gate

__all__ = ["GateAction", "Pieces", "Structure", "conflicts", "pieces_of", "polled", "structure"]

_T = TypeVar("_T")

_MANY_CONTROLS = 3  # a gate with fewer is not split: a product has a matrix for each value of the controls
_WIDEST_SPLIT = 6  # targets; a wider gate is not split, since its eigenvectors would take too long to find
_BETWEEN_POLLS = 2**11  # gates processed between two polls; each takes microseconds


class GateAction(NamedTuple):
    """How one gate acts: on the wires `z` diagonally, on `x` as a function of X, on `g` in a general way.

    Two actions commute if on every wire that they share both are diagonal or both are functions of X. The wires are
    given as tuples, to loop over, and as masks, to compare; `wires` and `wires_mask` are all of them. `permutes` is
    whether the gate only permutes basis states.
    """

    z: tuple[int, ...]
    x: tuple[int, ...]
    g: tuple[int, ...]
    z_mask: int
    x_mask: int
    g_mask: int
    permutes: bool
    wires: tuple[int, ...]
    wires_mask: int

    @property
    def pairs(self) -> int:
        """The mask of the wires on which it brings amplitudes together, which must be within the tile."""
        return self.x_mask | self.g_mask


# Target actions, targets, controls, form, and whether it is a swap.
Placement = tuple[str, tuple[int, ...], tuple[int, ...], Form, bool]


class Structure(NamedTuple):
    """Gates without their numbers: the different `placements`, and the place of each gate's among them, packed."""

    placements: tuple[Placement, ...]
    packed: bytes

    @property
    def each(self) -> memoryview[int]:
        """``placements[each[i]]`` is the placement of gate i."""
        return memoryview(self.packed).cast("I")


def polled(things: Iterable[_T], poll: Callable[[], None]) -> Iterator[_T]:
    """Yield things, polling before the first one and then every few milliseconds."""
    left = iter(things)
    while some := tuple(islice(left, _BETWEEN_POLLS)):
        poll()
        yield from some


def conflicts(action: GateAction, z: int, x: int, g: int) -> bool:
    """Tell whether an action does not commute with others that act on wires `z`, `x` and `g` in these ways."""
    return bool(action.z_mask & (x | g) or action.x_mask & (z | g) or action.g_mask & (z | x | g))


def structure(gates: Iterable[Gate], poll: Callable[[], None] = lambda: None) -> Structure:
    """Return everything of the gates but their numbers, which is all that a plan depends on."""
    numbers: dict[Placement, int] = {}
    which = array("I")
    for gate in polled(gates, poll):
        is_swap = len(gate.targets) == 2 and _is_swap(gate)
        placement = (gate.target_actions, gate.targets, gate.controls, gate.form, is_swap)
        which.append(numbers.setdefault(placement, len(numbers)))
    return Structure(tuple(numbers), which.tobytes())


def _is_swap(gate: Gate) -> bool:
    """Tell whether a gate on two targets exchanges them and does nothing else."""
    return gate.form is Form.PERMUTATION and not gate.controls and gate.data.tolist() == [0, 2, 1, 3]


class Pieces(NamedTuple):
    """The gates of a segment as they are planned. Equal ones are one object, and so are equal actions.

    Attributes
    ----------
    planned
        The gates to plan: those of the segment without its swaps, some of them split.
    origins
        ``origins[i]`` is the number in the segment of the gate that ``planned[i]`` is, or is a part of.
    actions
        How each of them acts.
    wire_of
        ``wire_of[q]`` is the wire that qubit q is on at the end.
    """

    planned: list[PlannedGate]
    origins: array[int]
    actions: list[GateAction]
    wire_of: list[int]


def pieces_of(
    gates: Structure, n_qubits: int, poll: Callable[[], None] = lambda: None, *, split: bool = True
) -> Pieces:
    """Return the gates of a segment as they are planned; those with many controls in parts if `split`."""
    wire_of = list(range(n_qubits))
    planned: list[PlannedGate] = []
    origins = array("I")
    actions: list[GateAction] = []
    # known[which] is what a gate of this placement becomes, as long as no swap moves its qubits to other wires.
    known: dict[int, list[tuple[PlannedGate, GateAction]]] = {}
    shared: dict[Any, Any] = {}  # shared[thing] is the one object for all gates, or actions, equal to it
    for number, which in enumerate(polled(gates.each, poll)):
        pieces = known.get(which)
        if pieces is None:
            on_targets, targets, controls, form, is_swap = gates.placements[which]
            on_wires = tuple([wire_of[q] for q in targets])
            if is_swap:
                wire_of[targets[0]], wire_of[targets[1]] = reversed(on_wires)
                known = {}
                continue
            on_controls = tuple([wire_of[q] for q in controls])
            made = (_pieces if split else _whole)(on_targets, on_wires, on_controls, form)
            pieces = [(shared.setdefault(gate, gate), shared.setdefault(action, action)) for gate, action in made]
            known[which] = pieces
        for gate, action in pieces:
            planned.append(gate)
            origins.append(number)
            actions.append(action)
    return Pieces(planned, origins, actions, wire_of)


def _pieces(
    on_targets: str, targets: tuple[int, ...], controls: tuple[int, ...], form: Form
) -> list[tuple[PlannedGate, GateAction]]:
    """Return a gate on wires: whole, or in three parts if it has so many controls that it is split."""
    many_controls = len(controls) >= _MANY_CONTROLS and form is not Form.DIAGONAL
    if many_controls and len(targets) <= _WIDEST_SPLIT:
        basis, values = _action("G" * len(targets), targets), _action("Z" * len(targets), targets, controls)
        return [
            (PlannedGate(Part.INTO_EIGENBASIS, targets, (), targets), basis),
            (PlannedGate(Part.EIGENVALUES, targets, controls, ()), values),
            (PlannedGate(Part.OUT_OF_EIGENBASIS, targets, (), targets), basis),
        ]
    if many_controls:  # the gate is so wide that the controls should be in the tile too
        gate = PlannedGate.whole(on_targets, targets, controls)
        return [(gate, _action("G" * len(targets + controls), targets + controls, permutes=form is Form.PERMUTATION))]
    return _whole(on_targets, targets, controls, form)


def _whole(
    on_targets: str, targets: tuple[int, ...], controls: tuple[int, ...], form: Form
) -> list[tuple[PlannedGate, GateAction]]:
    """Return a gate on wires as it is."""
    gate = PlannedGate.whole(on_targets, targets, controls)
    return [(gate, _action(on_targets, targets, controls, permutes=form is Form.PERMUTATION))]


def _action(
    on_targets: str, targets: tuple[int, ...], controls: tuple[int, ...] = (), *, permutes: bool = False
) -> GateAction:
    on: dict[str, list[int]] = {"Z": [*controls], "X": [], "G": []}
    for wire, action in zip(targets, on_targets, strict=True):
        on[action].append(wire)
    z, x, g = tuple(sorted(on["Z"])), tuple(on["X"]), tuple(on["G"])
    wires = z + x + g
    return GateAction(z, x, g, mask_of(z), mask_of(x), mask_of(g), permutes, wires, mask_of(wires))
