"""Diagonal gates on a tile, merged into few products: one for all gates within the tile, and few for the others.

A gate that also acts on wires outside of the tile multiplies each tile by different numbers, because the number of a
tile says which values these wires have. All tables have a first axis for the sets of numbers; see `SetNumbers`.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.devices.cpu.fusion import acting_on
from basicaer.devices.cpu.gatewise import Gatewise, along_targets
from basicaer.devices.cpu.set_numbers import of_sets
from basicaer.devices.numbers import GateNumbers
from basicaer.engine.bits import extract_bits, has_bit, mask_of
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.cpu.set_numbers import SetNumbers

__all__ = ["BoundDiagonals", "Diagonals", "NumberedGate"]

_MOST_TABLE_WIRES = 8  # wires of a table into which gates are merged; wider gates are applied by themselves
_REACHING_TABLE_WIRES = 12  # wires of a table if some of them are outside of the tile
_CLUSTER_BITS = 10  # bits of a tile on which tables are multiplied together before the tile is multiplied by them
_ROW_BITS = 5  # lowest bits of a tile; products always have a number for each of their values, for long inner loops


class NumberedGate(NamedTuple):
    """A gate, with its number in the plan."""

    number: int
    gate: GateNumbers

    @property
    def wires(self) -> set[int]:
        """The wires that it acts on."""
        return {*self.gate.targets, *self.gate.controls}


class _Group:
    """Gates that are merged into one table, and the wires they act on."""

    def __init__(self) -> None:
        self.gates: list[NumberedGate] = []
        self.wires: set[int] = set()

    def add(self, gate: NumberedGate) -> None:
        self.gates.append(gate)
        self.wires |= gate.wires


def _grouped(gates: Iterable[NumberedGate], most: int, counting: Callable[[NumberedGate], set[int]]) -> list[_Group]:
    """Put each gate into the first group that then has at most `most` wires; `counting` says which wires count."""
    groups: list[_Group] = []
    counted: list[set[int]] = []
    for gate in gates:
        wires = counting(gate)
        place = next((i for i, have in enumerate(counted) if len(have | wires) <= most), len(groups))
        if place == len(groups):
            groups.append(_Group())
            counted.append(set())
        groups[place].add(gate)
        counted[place] |= wires
    return groups


def _all_wires(gate: NumberedGate) -> set[int]:
    return gate.wires


class _Table:
    """The product of gates on some wires: ``table[s, i]`` if ``wires[j]`` has the value of bit j of i, in set s."""

    def __init__(self, gates: Iterable[NumberedGate], wires: Sequence[int]) -> None:
        bit = {wire: j for j, wire in enumerate(wires)}
        self._size = 2 ** len(wires)
        # For each gate its number, the entries that it multiplies, and by which of its numbers; there may be hundreds.
        self._factors: list[tuple[int, NDArray[np.uint16] | slice, NDArray[np.uint8]]] = []
        for number, gate in gates:
            targets, controls = ([bit[wire] for wire in some] for some in (gate.targets, gate.controls))
            on, values = acting_on(len(wires), targets, controls, gate.control_state)
            entries = on.astype(np.uint16) if controls else slice(None)
            self._factors.append((number, entries, values.astype(np.uint8)))

    def bound(self, numbers: SetNumbers) -> NDArray[np.complexfloating]:
        varies = any(numbers.varies(number) for number, _, _ in self._factors)
        table = np.ones((numbers.size if varies else 1, self._size), complex)
        for number, entries, values in self._factors:
            table[:, entries] *= numbers.of(number)[:, values]
        return table


class _Shapes(NamedTuple):
    """Shapes of a tile and of a product on some of its bits, with few axes, so that the product broadcasts."""

    tile: tuple[int, ...]
    product: tuple[int, ...]

    def multiply(self, tiles: NDArray[Any], product: NDArray[Any]) -> None:
        """Multiply tiles by a product of phases in place."""
        shaped = tiles.reshape(len(tiles), *self.tile)
        np.multiply(shaped, product.reshape(len(product), *self.product), out=shaped)


class _Spread(NamedTuple):
    """A table, and the shape in which it has an axis for each of the bits of a larger product."""

    table: _Table
    shape: tuple[int, ...]


class _Static(NamedTuple):
    """Gates within the tile, whose product is made once."""

    parts: tuple[_Spread, ...]
    full: tuple[int, ...]  # shape of the product, with an axis of size 2 for each bit that it depends on
    shapes: _Shapes

    def bound(self, numbers: SetNumbers, dtype: np.dtype[Any]) -> NDArray[Any]:
        pieces = [part.table.bound(numbers).reshape(-1, *part.shape) for part in self.parts]
        product = reduce(np.multiply, pieces)
        return np.broadcast_to(product, (len(product), *self.full)).astype(dtype)


class _Cluster(NamedTuple):
    """Tables that are multiplied together for each tile, since they depend on wires outside of it.

    Attributes
    ----------
    places
        For each table the index bits of its wires outside of the tile.
    """

    parts: tuple[_Spread, ...]
    places: tuple[tuple[int, ...], ...]
    full: tuple[int, ...]
    shapes: _Shapes

    def bound(self, numbers: SetNumbers, dtype: np.dtype[Any]) -> list[NDArray[Any]]:
        """Return for each table ``table[v, s, ...]``, where v is the value of its wires outside of the tile."""
        found = []
        for part, places in zip(self.parts, self.places, strict=True):
            table = part.table.bound(numbers)
            by_value = table.reshape(len(table), 2 ** len(places), -1).swapaxes(0, 1)
            found.append(by_value.reshape(2 ** len(places), -1, *part.shape).astype(dtype))
        return found


class Diagonals:
    """Diagonal gates, and how they are merged.

    Parameters
    ----------
    gates
        Diagonal gates on wires, each with its number in the plan.
    order
        ``order[p]`` is the wire that bit p of a tile stands for.
    place
        ``place[w]`` is the index bit that wire w is.

    Attributes
    ----------
    gates
        The gates.
    bit
        ``bit[w]`` is the bit of a tile that stands for wire w.
    """

    def __init__(self, gates: Iterable[tuple[int, GateNumbers]], order: Sequence[int], place: Sequence[int]) -> None:
        self.order = tuple(order)
        self.bit = {wire: p for p, wire in enumerate(order)}
        self.place = tuple(place)
        inside = self.bit.keys()
        self.gates = numbered = [NumberedGate(*gate) for gate in gates]
        narrow = [gate for gate in numbered if len(gate.wires) <= _MOST_TABLE_WIRES]
        static = [gate for gate in narrow if gate.wires <= inside]
        reaching = [gate for gate in narrow if not gate.wires <= inside]
        self.static = self._merged(static) if static else None
        clusters = _grouped(reaching, _CLUSTER_BITS, lambda gate: gate.wires & inside)
        self.clusters = [self._cluster(cluster) for cluster in clusters]
        self.wide = [gate for gate in numbered if len(gate.wires) > _MOST_TABLE_WIRES]

    def bound(self, numbers: SetNumbers, dtype: np.dtype[Any]) -> BoundDiagonals:
        """Return the gates with their numbers."""
        return BoundDiagonals(
            self,
            None if self.static is None else self.static.bound(numbers, dtype),
            [cluster.bound(numbers, dtype) for cluster in self.clusters],
            [numbers.of(number) for number, _ in self.wide],
            dtype,
        )

    def _merged(self, gates: Sequence[NumberedGate]) -> _Static:
        groups = _grouped(gates, _MOST_TABLE_WIRES, _all_wires)
        bits = self._with_row({self.bit[wire] for group in groups for wire in group.wires})
        parts = []
        for group in groups:
            wires = self._ascending(group.wires)
            parts.append(_Spread(_Table(group.gates, wires), self._spread(wires, bits)))
        return _Static(tuple(parts), (2,) * len(bits), self._shapes(bits))

    def _cluster(self, cluster: _Group) -> _Cluster:
        bits = self._with_row({self.bit[wire] for wire in cluster.wires if wire in self.bit})
        parts, places = [], []
        for group in _grouped(cluster.gates, _REACHING_TABLE_WIRES, _all_wires):
            outside = sorted(wire for wire in group.wires if wire not in self.bit)
            inside = self._ascending(wire for wire in group.wires if wire in self.bit)
            parts.append(_Spread(_Table(group.gates, [*inside, *outside]), self._spread(inside, bits)))
            places.append(tuple(self.place[wire] for wire in outside))
        return _Cluster(tuple(parts), tuple(places), (2,) * len(bits), self._shapes(bits))

    def _with_row(self, bits: set[int]) -> list[int]:
        """Return bits of a tile, highest first, with the lowest ones added, so that inner loops are long."""
        return sorted(bits | set(range(min(_ROW_BITS, len(self.order)))), reverse=True)

    def _ascending(self, wires: Iterable[int]) -> list[int]:
        return sorted(wires, key=self.bit.__getitem__)

    def _spread(self, wires: Iterable[int], bits: Sequence[int]) -> tuple[int, ...]:
        """Return the shape in which a table on `wires`, ascending in the tile, has an axis for each of `bits`."""
        own = {self.bit[wire] for wire in wires}
        return tuple([2 if bit in own else 1 for bit in bits])

    def _shapes(self, bits: Sequence[int]) -> _Shapes:
        tile: list[int] = []
        product: list[int] = []
        previous = None
        for bit in reversed(range(len(self.order))):
            own = bit in bits
            if own != previous:
                tile.append(1)
                product.append(1)
            tile[-1] *= 2
            product[-1] *= 2 if own else 1
            previous = own
        return _Shapes(tuple(tile), tuple(product))


class BoundDiagonals:
    """Diagonal gates, ready to be applied to tiles."""

    def __init__(
        self,
        recipe: Diagonals,
        static: NDArray[Any] | None,
        clusters: Sequence[Sequence[NDArray[Any]]],
        wide: Sequence[NDArray[Any]],
        dtype: np.dtype[Any],
    ) -> None:
        self._recipe = recipe
        self._static = static
        self._clusters = clusters
        self._wide = wide
        self._dtype = dtype
        self._gatewise = Gatewise(len(recipe.order), dtype) if wide else None

    def inverse(self) -> BoundDiagonals:
        """Return what undoes the gates."""
        return BoundDiagonals(
            self._recipe,
            None if self._static is None else self._static.conj(),
            [[table.conj() for table in tables] for tables in self._clusters],
            [data.conj() for data in self._wide],
            self._dtype,
        )

    def of_sets(self, sets: slice) -> BoundDiagonals:
        """Return the gates with the numbers of some sets."""
        return BoundDiagonals(
            self._recipe,
            None if self._static is None else of_sets(self._static, 0, sets),
            [[of_sets(table, 1, sets) for table in tables] for tables in self._clusters],
            [of_sets(data, 0, sets) for data in self._wide],
            self._dtype,
        )

    def apply(self, tiles: NDArray[Any], base: int) -> None:
        """Multiply tiles in place: ``tiles[s]`` is that of set s.

        Parameters
        ----------
        base
            The index of a tile's first amplitude in the state.
        """
        if self._static is not None and self._recipe.static is not None:
            self._recipe.static.shapes.multiply(tiles, self._static)
        for cluster, tables in zip(self._recipe.clusters, self._clusters, strict=True):
            pieces = [table[extract_bits(base, at)] for table, at in zip(tables, cluster.places, strict=True)]
            product = reduce(np.multiply, pieces)
            cluster.shapes.multiply(tiles, np.broadcast_to(product, (len(product), *cluster.full)))
        for (_, gate), data in zip(self._recipe.wide, self._wide, strict=True):
            for number, tile in enumerate(tiles):
                self._apply_wide(tile, base, gate._replace(data=data[number if len(data) > 1 else 0]))

    def _apply_wide(self, tile: NDArray[Any], base: int, gate: GateNumbers) -> None:
        """Apply a gate on many wires by itself, to the rows that its controls select."""
        assert self._gatewise is not None  # there are wide gates  # noqa: S101
        controls, state = [], []
        for j, wire in enumerate(gate.controls):
            value = has_bit(gate.control_state, j)
            if wire in self._recipe.bit:
                controls.append(self._recipe.bit[wire])
                state.append(value)
            elif has_bit(base, self._recipe.place[wire]) != value:
                return
        inside = [j for j, wire in enumerate(gate.targets) if wire in self._recipe.bit]
        outside = [j for j in range(len(gate.targets)) if j not in inside]
        data = along_targets(gate.data, len(gate.targets), len(gate.targets))  # axes: the last target first
        last = len(gate.targets) - 1
        index: list[int | slice] = [slice(None)] * len(gate.targets)
        for j in outside:
            index[last - j] = int(has_bit(base, self._recipe.place[gate.targets[j]]))
        targets = tuple(self._recipe.bit[gate.targets[j]] for j in inside)
        values = mask_of(j for j, on in enumerate(state) if on)
        part = GateNumbers(Form.DIAGONAL, data[tuple(index)].reshape(-1), targets, tuple(controls), values)
        self._gatewise.apply(tile, part, lambda: None)
