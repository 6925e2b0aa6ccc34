"""Undoes the passes of a plan on a ket and on bras, and sums up what derivatives need, tile by tile.

A pass is undone on the same tiles as it was run on: what was done to a tile is undone in reverse order. Before a
product is undone, the *transition matrix* ``sum of |ket><bra|`` on its wires is added up, which takes as long as the
product itself. It is all that the derivatives by angles of its gates need, however many these are.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.cpu.binding import SMALL_PRODUCT, BoundProduct
from basicaer.devices.cpu.diagonal_sums import DiagonalSums
from basicaer.devices.cpu.diagonals import Diagonals
from basicaer.devices.cpu.tiles import Reorder
from basicaer.devices.transitions import ProductSums, SmallGate
from basicaer.engine.bits import deposit_bits, extract_bits, highest_position

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.cpu.binding import PassRecipe
    from basicaer.devices.cpu.set_numbers import SetNumbers
    from basicaer.devices.cpu.tiles import BoundPass, Buffers, TileOperation
    from basicaer.devices.numbers import PlanGates
    from basicaer.engine.device import Generators
    from basicaer.engine.plan import Plan

__all__ = ["UndonePass", "UndoneRecipe", "sums_of_passes", "without_idle_passes"]


class _Transition:
    """The transition matrices of a product, one for each value of its selectors, right after it.

    Complex numbers are multiplied as pairs of real ones, which BLAS multiplies at least as fast. Where columns are
    mixed, one product has all parts. Where rows are, the imaginary part takes another product, with bras times i.

    Parameters
    ----------
    only_real
        Whether the real part is enough.
    """

    def __init__(self, product: BoundProduct, gates: PlanGates, *, only_real: bool) -> None:
        self._product = product
        self._only_real = only_real
        first, second, third = product.shape[-3:]
        if product.transposed:
            self._last = first, second, third
        else:
            numbers = third if product.fusion.is_real else 2 * third
            parts = min(max(1, first * first * numbers // SMALL_PRODUCT), numbers)  # all are powers of 2
            self._last = first, second * parts, numbers // parts
        axes = product.axes
        # Axes of the matrices are: the set, those above the group, the parts, row and column. Some are summed.
        self._summed = (*(1 + place for place, size in enumerate(axes) if size == 1), 1 + len(axes))
        self._bit = {wire: bit for bit, wire in enumerate(product.wires)}
        self._gates = gates
        self._made: tuple[frozenset[int], ProductSums] | None = None

    def found(
        self, ket: NDArray[Any], bra: NDArray[Any], room: NDArray[Any], base: int
    ) -> tuple[int, NDArray[np.complex128]]:
        """Return which value the selectors outside of the tile have, and the matrices ``[s, selectors, row, column]``.

        Rows, columns and selectors are in the order that the tile has them in.
        """
        product = self._product
        found: NDArray[Any] = self._product_of(ket, bra)
        if product.transposed:
            pairs = found.reshape(*found.shape[:-2], found.shape[-2] // 2, 2, -1, 2)  # [..., row, part, column, part]
            found = pairs[..., 0, :, 0] + pairs[..., 1, :, 1] + 1j * (pairs[..., 1, :, 0] - pairs[..., 0, :, 1])
        elif not self._only_real:
            found = found + 1j * self._product_of(ket, np.multiply(bra, 1j, out=room))
        return extract_bits(base, product.places), found.reshape(len(ket), -1, *found.shape[-2:])

    def _product_of(self, ket: NDArray[Any], bra: NDArray[Any]) -> NDArray[np.float64]:
        """Return the matrix of sums of products of real numbers: of all parts, or of those of complex numbers."""
        product = self._product
        shape = len(ket), *product.shape[:-3], *self._last
        ours, theirs = (one.view(one.real.dtype).reshape(shape) for one in (ket, bra))
        if product.transposed:
            parts = np.matmul(ours.swapaxes(-1, -2), theirs)
        else:
            parts = np.matmul(ours.swapaxes(-3, -2), theirs.swapaxes(-3, -2).swapaxes(-1, -2))
        summed: NDArray[np.float64] = parts.sum(axis=self._summed, dtype=np.float64)
        return summed

    def sums(
        self, totals: Mapping[int, NDArray[np.complex128]], numbers: SetNumbers, generators: Generators
    ) -> dict[int, NDArray[np.complex128]]:
        """Return ``sums[g][b, s, a]`` of the product's gates from ``totals[outside][b, s, selectors, row, column]``."""
        product = self._product
        inside, size = 2**product.n_inside, len(product.rows)
        first = next(iter(totals.values()))
        matrices = np.zeros((*first.shape[:2], 2 ** len(product.places) * inside, size, size), complex)
        for outside, total in totals.items():
            values = outside * inside + product.selected.reshape(-1)[:, None, None]
            matrices[:, :, values, product.rows[:, None], product.rows] = total
        return self._small(numbers, generators).sums(matrices, numbers.of, generators)

    def _small(self, numbers: SetNumbers, wanted: Collection[int]) -> ProductSums:
        """Return how the gates' sums are made; it is kept, since the same gates vary again and again."""
        product, planned = self._product, self._gates.wires
        varying = frozenset(number for number in product.gates if numbers.varies(number))
        if self._made is not None and self._made[0] == varying:
            return self._made[1]
        gates = []
        for number, one in zip(product.gates, self._gates.numbers(product.gates), strict=True):
            targets, controls = (
                tuple([self._bit[wire] for wire in some])
                for some in (planned[number].targets, planned[number].controls)
            )
            data = None if number in varying else one.data
            gates.append(SmallGate(number, one.form, data, targets, controls, one.control_state))
        wires = highest_position(len(product.rows))
        own = [number for number in product.gates if number in wanted]
        made = ProductSums(gates, wires, len(product.wires) - wires, own)
        self._made = varying, made
        return made


class UndoneRecipe:
    """A pass that is undone, but for the numbers.

    Parameters
    ----------
    recipe
        The pass.
    zero
        The wires that are |0> before the pass, and those that are |0> after it.
    wanted
        Gates whose sums are wanted, by their numbers in the plan, and whether only the real part of these is.
    """

    def __init__(
        self,
        recipe: PassRecipe,
        zero: tuple[Collection[int], Collection[int]],
        gates: PlanGates,
        wanted: Mapping[int, bool],
    ) -> None:
        self._recipe = recipe
        self._steps: dict[int, _Transition | DiagonalSums] = {}  # each by its place
        for place, operation in enumerate(recipe.operations):
            match operation:
                case BoundProduct() if own_gates := wanted.keys() & operation.gates:
                    only_real = operation.fusion.is_real and all(wanted[gate] for gate in own_gates)
                    self._steps[place] = _Transition(operation, gates, only_real=only_real)
                case Diagonals() if own := [one for one in operation.gates if one.number in wanted]:
                    self._steps[place] = DiagonalSums(operation, own)
        self._moves = {
            place: operation.inverse()
            for place, operation in enumerate(recipe.operations)
            if isinstance(operation, Reorder)
        }
        # Rows are so short that they have no wires that are |0>, since what is there has never been written.
        places = recipe.places
        empty = [
            {p for p, wire in enumerate(wires) if wire in own}
            for wires, own in zip((recipe.before, recipe.after), zero, strict=True)
        ]
        low = next((p for p, place in enumerate(places) if p != place or p in empty[0] | empty[1]), len(places))
        self._row = 2**low
        index = np.arange(2 ** (len(places) - low))
        self._rows = deposit_bits(index, [place - low for place in places[low:]])
        self._written, self._read = (
            np.flatnonzero(extract_bits(index, [p - low for p in sorted(own)]) == 0) if own else None for own in empty
        )

    def bound(self, whole: BoundPass, numbers: SetNumbers, generators: Generators) -> UndonePass:
        """Return the pass with the numbers of its gates.

        Parameters
        ----------
        whole
            The pass as it was run.
        generators
            By the numbers that gates have in the plan.
        """
        operations = [
            (self._steps.get(place), self._moves.get(place) or operation.inverse())
            for place, operation in enumerate(whole.operations)
        ]
        operations.reverse()
        return UndonePass(
            whole.tile_size,
            self._row,
            self._rows,
            self._read,
            self._written,
            whole.bases,
            operations,
            numbers,
            generators,
        )


class UndonePass:
    """A pass that is undone, ready to run; see `BoundPass` for the attributes.

    Parameters
    ----------
    read, written
        The rows of a tile that may be other than zero after the pass, and before it; None means all.
    operations
        What is done to each tile; before each operation, some sums may be taken.
    """

    def __init__(  # noqa: PLR0917  # what a pass has
        self,
        tile_size: int,
        row: int,
        rows: NDArray[np.intp],
        read: NDArray[np.intp] | None,
        written: NDArray[np.intp] | None,
        bases: NDArray[np.intp],
        operations: Sequence[tuple[_Transition | DiagonalSums | None, TileOperation]],
        numbers: SetNumbers,
        generators: Generators,
    ) -> None:
        self.tile_size = tile_size
        self.bases = bases
        self.is_last = False  # whether nothing will be read of the bras afterwards
        self._row, self._rows, self._read, self._written = row, rows, read, written
        self._operations = operations
        self._numbers, self._generators = numbers, generators
        self._lock = threading.Lock()
        self._waiting: dict[int, dict[tuple[int, int], NDArray[np.complex128]]] = {}  # sums of tiles, by their numbers
        self._next = 0  # the tile whose sums are added next
        self._totals: dict[int, dict[int, NDArray[np.complex128]]] = {}  # _totals[step][part]

    def run(self, states: Sequence[NDArray[Any]], number: int, buffers: Buffers, poll: Callable[[], None]) -> Buffers:
        """Undo the pass on a tile of states: a ket and bras, each with one array for each set."""
        base = int(self.bases[number])
        shape = (len(states), *states[0].shape[:-1], self.tile_size)
        tiles, rooms = (one.reshape(shape) for one in buffers)
        rows = self._rows + base // self._row
        for state, tile in zip(states, tiles, strict=True):
            seen, filled = state.reshape(len(state), -1, self._row), tile.reshape(len(tile), -1, self._row)
            if self._read is None:
                np.take(seen, rows, axis=1, out=filled, mode="clip")
            else:
                tile[:] = 0
                filled[:, self._read] = seen[:, rows[self._read]]
        found: dict[tuple[int, int], NDArray[np.complex128]] = {}
        for step, (sums, operation) in enumerate(self._operations):
            poll()
            if sums is not None:
                parts, values = zip(
                    *[sums.found(tiles[0], bra, room, base) for bra, room in zip(tiles[1:], rooms[1:], strict=True)],
                    strict=True,
                )
                found[step, parts[0]] = np.array(values)
            swapped = [operation(both, base)[0] is both[1] for both in zip(tiles, rooms, strict=True)]
            if swapped[0]:
                tiles, rooms = rooms, tiles
        for place, (state, tile) in enumerate(zip(states, tiles, strict=True)):
            if place and self.is_last:
                break
            seen, filled = state.reshape(len(state), -1, self._row), tile.reshape(len(tile), -1, self._row)
            if self._written is None:
                seen[:, rows] = filled
            else:
                seen[:, rows[self._written]] = filled[:, self._written]
        self._add(number, found)
        return buffers

    def _add(self, number: int, found: dict[tuple[int, int], NDArray[np.complex128]]) -> None:
        """Add the sums of a tile, in the order of the tiles, so that no rounding depends on the number of threads."""
        with self._lock:
            self._waiting[number] = found
            while self._next in self._waiting:
                for (step, part), values in self._waiting.pop(self._next).items():
                    of_step = self._totals.setdefault(step, {})
                    if part in of_step:
                        of_step[part] += values
                    else:
                        of_step[part] = values
                self._next += 1

    def sums(self, poll: Callable[[], None]) -> dict[int, NDArray[np.complex128]]:
        """Return ``sums[g][b, s, a]`` of gates by their numbers in the plan, once all tiles are done."""
        found: dict[int, NDArray[np.complex128]] = {}
        for step, totals in self._totals.items():
            poll()
            own = self._operations[step][0]
            assert own is not None  # only these add to the totals  # noqa: S101
            found |= own.sums(totals, self._numbers, self._generators)
        return found

    @property
    def has_sums(self) -> bool:
        """Whether any sums are taken."""
        return any(sums is not None for sums, _ in self._operations)


def without_idle_passes(passes: Sequence[UndonePass], *, is_last: bool) -> list[UndonePass]:
    """Return the passes that have to run: all or, if nothing is read of the states afterwards, up to the last sums."""
    if not is_last:
        return list(passes)
    count = max((number for number, one in enumerate(passes, 1) if one.has_sums), default=0)
    left = list(passes[:count])
    if left:
        left[-1].is_last = True
    return left


def sums_of_passes(
    passes: Sequence[UndonePass], plan: Plan, poll: Callable[[], None]
) -> dict[int, NDArray[np.complex128]]:
    """Return the sums of gates by their numbers in the segment, once all passes have run; see `State.undo`."""
    return {plan.origins[number]: sums for one in passes for number, sums in one.sums(poll).items()}
