"""Diagonal gates on a tile, merged into few products: one for all gates within the tile, and few for the others.

A gate that also acts on wires outside of the tile multiplies each tile by different numbers, because the number of a
tile says which values these wires have.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.devices.cpu.gatewise import Gatewise, along_targets
from basicaer.devices.numbers import GateNumbers
from basicaer.engine.bits import extract_bits, has_bit, mask_of
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["Phases"]

_MOST_TABLE_WIRES = 8  # wires of a table into which gates are merged; wider gates are applied by themselves
_REACHING_TABLE_WIRES = 12  # wires of a table if some of them are outside of the tile
_CLUSTER_BITS = 10  # bits of a tile on which tables are multiplied together before the tile is multiplied by them
_ROW_BITS = 5  # lowest bits of a tile; products always have a number for each of their values, for long inner loops


class _Group:
    """Gates that are merged into one table, and the wires they act on."""

    def __init__(self) -> None:
        self.gates: list[GateNumbers] = []
        self.wires: set[int] = set()

    def add(self, gate: GateNumbers) -> None:
        self.gates.append(gate)
        self.wires.update(gate.targets, gate.controls)


def _grouped(gates: Sequence[GateNumbers], most: int, wires_of: Callable[[GateNumbers], set[int]]) -> list[_Group]:
    """Put each gate into the first group that then has at most `most` wires; `wires_of` says which wires count."""
    groups: list[_Group] = []
    counted: list[set[int]] = []
    for gate in gates:
        wires = wires_of(gate)
        place = next((i for i, have in enumerate(counted) if len(have | wires) <= most), len(groups))
        if place == len(groups):
            groups.append(_Group())
            counted.append(set())
        groups[place].add(gate)
        counted[place] |= wires
    return groups


def _table(gates: Sequence[GateNumbers], wires: Sequence[int]) -> NDArray[np.complexfloating]:
    """Return ``table[i]``, the product of the gates' factors if ``wires[j]`` has the value of bit j of i."""
    place = {wire: j for j, wire in enumerate(wires)}
    table = np.ones(2 ** len(wires), complex)
    gatewise = Gatewise(len(wires), table.dtype)
    for gate in gates:
        targets = tuple([place[wire] for wire in gate.targets])
        controls = tuple([place[wire] for wire in gate.controls])
        gatewise.apply(table, gate._replace(targets=targets, controls=controls), lambda: None)
    return table


def _all_wires(gate: GateNumbers) -> set[int]:
    return {*gate.targets, *gate.controls}


class _Reaching(NamedTuple):
    """A table whose first axis is the value of wires outside of the tile, and whose other axes are bits of the tile."""

    places: tuple[int, ...]  # index bits of the wires outside of the tile
    table: NDArray[Any]


class _Cluster(NamedTuple):
    """Tables that are multiplied together for each tile, and the shapes in which their product multiplies the tile."""

    tables: tuple[_Reaching, ...]
    full: tuple[int, ...]  # shape of the product, with an axis of size 2 for each bit that it depends on
    shapes: _Shapes


class _Shapes(NamedTuple):
    """Shapes of a tile and of a product on some of its bits, with few axes, so that the product broadcasts."""

    tile: tuple[int, ...]
    product: tuple[int, ...]


def _multiply(tile: NDArray[Any], product: NDArray[Any], shapes: _Shapes) -> None:
    """Multiply a tile by a product of phases in place."""
    shaped = tile.reshape(shapes.tile)
    np.multiply(shaped, product, out=shaped)


class Phases:
    """Diagonal gates, ready to be applied to tiles.

    Parameters
    ----------
    gates
        Diagonal gates on wires.
    order
        ``order[p]`` is the wire that bit p of a tile stands for.
    place
        ``place[w]`` is the index bit that wire w is.
    """

    def __init__(
        self, gates: Sequence[GateNumbers], order: Sequence[int], place: Sequence[int], dtype: np.dtype[Any]
    ) -> None:
        self._order = order
        self._bit = {wire: p for p, wire in enumerate(order)}
        self._place = tuple(place)
        self._dtype = dtype
        inside = self._bit.keys()
        narrow = [gate for gate in gates if len(_all_wires(gate)) <= _MOST_TABLE_WIRES]
        static = [gate for gate in narrow if _all_wires(gate) <= inside]
        reaching = [gate for gate in narrow if not _all_wires(gate) <= inside]
        self._static = self._merged(static) if static else None
        clusters = _grouped(reaching, _CLUSTER_BITS, lambda gate: _all_wires(gate) & inside)
        self._clusters = [self._cluster(cluster) for cluster in clusters]
        self._wide = [gate for gate in gates if len(_all_wires(gate)) > _MOST_TABLE_WIRES]
        self._gatewise = Gatewise(len(order), dtype) if self._wide else None

    def apply(self, tile: NDArray[Any], base: int) -> None:
        """Multiply a tile in place; `base` is the index of its first amplitude in the state."""
        if self._static is not None:
            _multiply(tile, *self._static)
        for cluster in self._clusters:
            pieces = [table[extract_bits(base, places)] for places, table in cluster.tables]
            product = np.broadcast_to(reduce(np.multiply, pieces), cluster.full).reshape(cluster.shapes.product)
            _multiply(tile, product, cluster.shapes)
        for gate in self._wide:
            self._apply_wide(tile, base, gate)

    def _merged(self, gates: Sequence[GateNumbers]) -> tuple[NDArray[Any], _Shapes]:
        """Return the product of gates within the tile."""
        groups = _grouped(gates, _MOST_TABLE_WIRES, _all_wires)
        bits = self._with_row({self._bit[wire] for group in groups for wire in group.wires})
        factors = np.ones([2] * len(bits), complex)
        for group in groups:
            factors *= self._spread(_table(group.gates, wires := self._descending(group.wires)[::-1]), wires, bits)
        shapes = self._shapes(bits)
        return factors.reshape(shapes.product).astype(self._dtype, copy=False), shapes

    def _cluster(self, cluster: _Group) -> _Cluster:
        bits = self._with_row({self._bit[wire] for wire in cluster.wires if wire in self._bit})
        tables = []
        for group in _grouped(cluster.gates, _REACHING_TABLE_WIRES, _all_wires):
            outside = sorted(wire for wire in group.wires if wire not in self._bit)
            inside = self._descending(wire for wire in group.wires if wire in self._bit)[::-1]
            table = _table(group.gates, [*inside, *outside]).reshape(2 ** len(outside), -1)
            spread = np.stack([self._spread(row, inside, bits) for row in table])
            tables.append(_Reaching(tuple(self._place[wire] for wire in outside), spread.astype(self._dtype)))
        return _Cluster(tuple(tables), (2,) * len(bits), self._shapes(bits))

    def _with_row(self, bits: set[int]) -> list[int]:
        """Return bits of a tile, highest first, with the lowest ones added, so that inner loops are long."""
        return sorted(bits | set(range(min(_ROW_BITS, len(self._order)))), reverse=True)

    def _descending(self, wires: Any) -> list[int]:
        return sorted(wires, key=self._bit.__getitem__, reverse=True)

    def _spread(self, table: NDArray[Any], wires: Sequence[int], bits: Sequence[int]) -> NDArray[Any]:
        """Return a table on `wires`, ascending in the tile, in a shape with an axis for each of `bits`."""
        own = {self._bit[wire] for wire in wires}
        return table.reshape([2 if bit in own else 1 for bit in bits])

    def _shapes(self, bits: Sequence[int]) -> _Shapes:
        tile: list[int] = []
        product: list[int] = []
        previous = None
        for bit in reversed(range(len(self._order))):
            own = bit in bits
            if own != previous:
                tile.append(1)
                product.append(1)
            tile[-1] *= 2
            product[-1] *= 2 if own else 1
            previous = own
        return _Shapes(tuple(tile), tuple(product))

    def _apply_wide(self, tile: NDArray[Any], base: int, gate: GateNumbers) -> None:
        """Apply a gate on many wires by itself, to the rows that its controls select."""
        assert self._gatewise is not None  # there are wide gates  # noqa: S101
        controls, state = [], []
        for j, wire in enumerate(gate.controls):
            value = has_bit(gate.control_state, j)
            if wire in self._bit:
                controls.append(self._bit[wire])
                state.append(value)
            elif has_bit(base, self._place[wire]) != value:
                return
        inside = [j for j, wire in enumerate(gate.targets) if wire in self._bit]
        outside = [j for j in range(len(gate.targets)) if j not in inside]
        data = along_targets(gate.data, len(gate.targets), len(gate.targets))  # axes: the last target first
        last = len(gate.targets) - 1
        index: list[int | slice] = [slice(None)] * len(gate.targets)
        for j in outside:
            index[last - j] = int(has_bit(base, self._place[gate.targets[j]]))
        targets = tuple(self._bit[gate.targets[j]] for j in inside)
        values = mask_of(j for j, on in enumerate(state) if on)
        part = GateNumbers(Form.DIAGONAL, data[tuple(index)].reshape(-1), targets, tuple(controls), values)
        self._gatewise.apply(tile, part, lambda: None)
