"""What the planner sees of a gate: on which wires it acts diagonally, as a function of Pauli X, or in any other way."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from basicaer.engine.bits import mask_of
from basicaer.engine.plan import Part, PlannedGate
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from basicaer.engine.program import Gate

__all__ = ["Item", "conflicts", "items_of", "structure"]

_MANY_CONTROLS = 3  # with fewer, a matrix is made for each of their values
_WIDEST_SPLIT = 6  # targets of a gate whose eigenvectors are worth finding


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


def conflicts(item: Item, z: int, x: int, g: int) -> bool:
    """Tell whether an item does not commute with others that act on wires `z`, `x` and `g` in these ways."""
    return bool(item.z_mask & (x | g) or item.x_mask & (z | g) or item.g_mask & (z | x | g))


def structure(gates: Iterable[Gate]) -> tuple[object, ...]:
    """Return what a plan depends on: everything of the gates but their numbers."""
    return tuple([(gate.kinds, gate.targets, gate.controls, gate.form, _is_swap(gate)) for gate in gates])


def _is_swap(gate: Gate) -> bool:
    """Tell whether a gate exchanges its two targets and does nothing else."""
    return (
        gate.form is Form.PERMUTATION
        and len(gate.targets) == 2
        and not gate.controls
        and gate.data.tolist() == [0, 2, 1, 3]
    )


def items_of(gates: Sequence[Gate], n_qubits: int) -> tuple[list[PlannedGate], list[Item], list[int]]:
    """Return the gates to plan, what the planner sees of each, and the wire that each qubit is on at the end."""
    wire_of = list(range(n_qubits))
    planned: list[PlannedGate] = []
    items: list[Item] = []
    for number, gate in enumerate(gates):
        targets = tuple([wire_of[q] for q in gate.targets])
        if _is_swap(gate):
            a, b = gate.targets
            wire_of[a], wire_of[b] = wire_of[b], wire_of[a]
            continue
        controls = tuple([wire_of[q] for q in gate.controls])
        many_controls = len(controls) >= _MANY_CONTROLS and gate.form is not Form.DIAGONAL
        if many_controls and len(targets) <= _WIDEST_SPLIT:
            basis, values = _item("G" * len(targets), targets), _item("Z" * len(targets), targets, controls)
            planned += [
                PlannedGate(number, Part.INTO_EIGENBASIS, targets, ()),
                PlannedGate(number, Part.EIGENVALUES, targets, controls),
                PlannedGate(number, Part.OUT_OF_EIGENBASIS, targets, ()),
            ]
            items += [basis, values, basis]
            continue
        planned.append(PlannedGate(number, Part.WHOLE, targets, controls))
        if many_controls:  # so wide that it is better to hold the controls in the tile too
            items.append(
                _item("G" * len(targets + controls), targets + controls, permutes=gate.form is Form.PERMUTATION)
            )
        else:
            items.append(_item(gate.kinds, targets, controls, permutes=gate.form is Form.PERMUTATION))
    return planned, items, wire_of


def _item(kinds: str, targets: tuple[int, ...], controls: tuple[int, ...] = (), *, permutes: bool = False) -> Item:
    z = controls + tuple([q for q, kind in zip(targets, kinds, strict=True) if kind == "Z"])
    x = tuple([q for q, kind in zip(targets, kinds, strict=True) if kind == "X"])
    g = tuple([q for q, kind in zip(targets, kinds, strict=True) if kind == "G"])
    return Item(z, x, g, mask_of(z), mask_of(x), mask_of(g), permutes)
