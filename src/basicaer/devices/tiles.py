"""A plan bound to numbers and to a layout: for each pass, where its tiles lie and what is done to each.

Within a tile, a product is one `numpy.matmul` wherever its wires stand side by side in the tile's index and not at its
low end: the array is then seen as batches of 2**k rows of at least `_ROW` amplitudes. Where they do not, one
`numpy.take` reorders the tile first, so that as many of the following products as possible find theirs side by side.
Gates that permute basis states go into that same `take`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from basicaer.devices.fusion import numbers_of, product_matrices
from basicaer.devices.permutations import source_indices
from basicaer.devices.phases import Phases
from basicaer.engine.bits import deposit_bits, extract_bits
from basicaer.engine.plan import Part, Product
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.gatewise import GateNumbers
    from basicaer.engine.plan import Pass, Plan
    from basicaer.engine.program import Segment

    Buffers = tuple[NDArray[Any], NDArray[Any]]  # the tile, and room for another

__all__ = ["BoundPass", "bind", "bind_reordering", "first_places"]

_ROW_BITS = 5  # a product's rows have at least 2**5 amplitudes: down to there the matrix product keeps its speed


class _Work(Protocol):
    """One piece of work on a tile."""

    def __call__(self, buffers: Buffers, base: int, /) -> Buffers:
        """Do it to the first buffer; return the buffers with the outcome first.

        `base` is the index of the tile's first amplitude in the state.
        """


class _Take(NamedTuple):
    """Reorders a tile: ``new[i] = old[source[i]]``."""

    source: NDArray[np.intp]

    def __call__(self, buffers: Buffers, _base: int) -> Buffers:
        tile, room = buffers
        np.take(tile, self.source, out=room, mode="clip")
        return room, tile


class _Multiply(NamedTuple):
    """Multiplies a tile by the matrix that wires outside of it select.

    Attributes
    ----------
    matrices
        ``matrices[s]`` is for the value s of the outside selectors; its axes broadcast with `shape`.
    places
        Where the outside selectors stand in an amplitude's index.
    shape
        The tile as batches of rows; in real numbers where the matrices are real.
    """

    matrices: NDArray[Any]
    places: tuple[int, ...]
    shape: tuple[int, ...]

    def __call__(self, buffers: Buffers, base: int) -> Buffers:
        tile, room = buffers
        matrix = self.matrices[extract_bits(base, self.places)]
        seen, out = tile.view(matrix.dtype).reshape(self.shape), room.view(matrix.dtype).reshape(self.shape)
        np.matmul(matrix, seen, out=out)
        return room, tile


class _Phase(NamedTuple):
    """Multiplies a tile by the factors of diagonal gates."""

    phases: Phases

    def __call__(self, buffers: Buffers, base: int) -> Buffers:
        self.phases.apply(buffers[0], base)
        return buffers


class BoundPass(NamedTuple):
    """One pass, ready to run.

    Attributes
    ----------
    row
        Amplitudes that lie side by side in the state and in the tile.
    rows
        ``rows[r]`` is the row of the state, counted from the tile's first, that is row r of a tile.
    occupied
        The rows of a tile that may hold anything but zeros; None for all.
    bases
        The index of the first amplitude of each tile that may hold anything but zeros.
    work
        What is done to each tile.
    """

    tile_size: int
    row: int
    rows: NDArray[np.intp]
    occupied: NDArray[np.intp] | None
    bases: NDArray[np.intp]
    work: tuple[_Work, ...]

    def run(self, vector: NDArray[Any], number: int, buffers: Buffers, poll: Callable[[], None]) -> Buffers:
        """Read tile `number` from the state, work on it, polling between steps, and write it back; return buffers.

        What a poll that raises leaves behind is of no use to anybody.
        """
        base = int(self.bases[number])
        tile = buffers[0]
        seen, rows = vector.reshape(-1, self.row), self.rows + base // self.row
        if self.occupied is None:
            np.take(seen, rows, axis=0, out=tile.reshape(-1, self.row), mode="clip")
        else:
            tile[:] = 0
            tile.reshape(-1, self.row)[self.occupied] = seen[rows[self.occupied]]
        for work in self.work:
            poll()
            buffers = work(buffers, base)
        seen[rows] = buffers[0].reshape(-1, self.row)
        return buffers


class Bound(NamedTuple):
    """A plan's passes, ready to run, and where each wire stands in an amplitude's index afterwards."""

    passes: tuple[BoundPass, ...]
    place: tuple[int, ...]
    zero: frozenset[int]  # wires that are still |0>


def first_places(plan: Plan) -> tuple[int, ...]:
    """Return where each wire should stand when the first pass begins, all of them being |0>."""
    first = plan.passes[0]
    order = _arranged(list(first.tile), _products(first))
    for later in plan.passes[1:]:
        order += [wire for wire in later.tile if wire not in order]
    order += [wire for wire in range(plan.n_qubits) if wire not in order]
    return _inverse(order)


def bind(plan: Plan, segment: Segment, place: Sequence[int], zero: frozenset[int], dtype: np.dtype[Any]) -> Bound:
    """Bind a plan.

    Parameters
    ----------
    place
        ``place[w]`` is where wire w stands in an amplitude's index.
    zero
        Wires that are |0>.
    """
    numbers = [numbers_of(planned, segment.gates[planned.gate]) for planned in plan.gates]
    place = list(place)
    passes = []
    for number, current in enumerate(plan.passes):
        following = plan.passes[number + 1] if number + 1 < len(plan.passes) else None
        binding = _Binding(current.tile, place, dtype)
        for at, step in enumerate(current.steps):
            if isinstance(step, Product):
                binding.multiply(step, numbers, _products(current, at))
            else:
                for gate in step.gates:
                    binding.monomial(numbers[gate])
        binding.write_back(following)
        passes.append(binding.bound(zero))
        binding.move(place)
        zero -= _paired(plan, segment, current)
    return Bound(tuple(passes), tuple(place), zero)


def bind_reordering(places: Sequence[int], place: list[int], home: Sequence[int], dtype: np.dtype[Any]) -> BoundPass:
    """Return the pass that brings the wires at `places` to where `home` says, and update `place`.

    A wire whose home is not among the places goes to any of them.
    """
    wire_at = _inverse(place)
    binding = _Binding([wire_at[p] for p in places], place, dtype)
    binding.go_home(home)
    bound = binding.bound(frozenset())
    binding.move(place)
    return bound


def _inverse(permutation: Sequence[int]) -> tuple[int, ...]:
    inverse = [0] * len(permutation)
    for i, image in enumerate(permutation):
        inverse[image] = i
    return tuple(inverse)


def _products(current: Pass, first: int = 0) -> list[Product]:
    """Return the products of a pass from step `first` on."""
    return [step for step in current.steps[first:] if isinstance(step, Product)]


def _paired(plan: Plan, segment: Segment, current: Pass) -> set[int]:
    """Return the wires that the gates of a pass may take out of |0>."""
    paired: set[int] = set()
    for step in current.steps:
        for number in step.gates:
            planned = plan.gates[number]
            if planned.part is Part.WHOLE:
                kinds = segment.gates[planned.gate].kinds
                paired.update(wire for wire, kind in zip(planned.targets, kinds, strict=True) if kind != "Z")
            elif planned.part is not Part.EIGENVALUES:
                paired.update(planned.targets)
    return paired


class _Binding:
    """The work of one pass in the making, and the order that the tile's bits have by then."""

    def __init__(self, tile: Iterable[int], place: Sequence[int], dtype: np.dtype[Any]) -> None:
        self._place = place
        self._dtype = dtype
        self._order = sorted(tile, key=place.__getitem__)  # _order[p] = the wire that bit p of a tile stands for
        self._places = [place[wire] for wire in self._order]  # of the tile's bits when it is read and written
        self._permuting: list[GateNumbers] = []  # gates on wires that wait for the next `take`
        self._diagonal: list[GateNumbers] = []  # ... for the next product of phases; all after those that permute
        self._work: list[_Work] = []

    def monomial(self, gate: GateNumbers) -> None:
        """Add a gate that permutes basis states or multiplies them by phases."""
        if gate.form is Form.DIAGONAL:
            self._diagonal.append(gate)
        else:
            if any(not set(gate.targets).isdisjoint(phase.targets + phase.controls) for phase in self._diagonal):
                self._flush_phases()
            self._permuting.append(gate)

    def multiply(self, product: Product, numbers: Sequence[GateNumbers], products: Sequence[Product]) -> None:
        """Add a product, the first of those that are still to come."""
        self._flush_phases()
        if self._permuting or not self._is_ready_for(product):
            self._take(_arranged(self._order, products))
        order = self._order
        lowest = min(order.index(wire) for wire in product.wires)
        k = len(product.wires)
        inside = [wire for wire in product.selectors if wire in order]
        outside = [wire for wire in product.selectors if wire not in order]
        inside.sort(key=order.index)
        wires = order[lowest : lowest + k]
        matrices: NDArray[Any] = product_matrices([numbers[gate] for gate in product.gates], wires, [*inside, *outside])
        columns = 2**lowest
        if not matrices.imag.any():
            matrices = matrices.real
            columns *= 2
        dtype = self._dtype if np.iscomplexobj(matrices) else self._dtype.type(0).real.dtype
        # One axis of the tile for each selector in it, and one for each run of other bits above the product's.
        tile_axes: list[int] = []
        matrix_axes: list[int] = []
        run = False
        for wire in reversed(order[lowest + k :]):
            if wire in inside or not run:
                tile_axes.append(1)
                matrix_axes.append(1)
            tile_axes[-1] *= 2
            matrix_axes[-1] *= 2 if wire in inside else 1
            run = wire not in inside
        shape = (*tile_axes, 2**k, columns)
        matrices = matrices.reshape(2 ** len(outside), *matrix_axes, 2**k, 2**k).astype(dtype)
        self._work.append(_Multiply(matrices, tuple(self._place[wire] for wire in outside), shape))

    def write_back(self, following: Pass | None) -> None:
        """Put the wires where the next pass reads them in long rows, or at their own places if it is the last."""
        if following is None:
            self.go_home(range(len(self._place)))
            return
        shared = [wire for wire in self._order if wire in following.tile]
        first = _products(following)[:1]
        shared.sort(key=lambda wire: bool(first) and wire in first[0].wires)
        self._finish([*shared, *(wire for wire in self._order if wire not in following.tile)])

    def go_home(self, home: Sequence[int]) -> None:
        """Put each wire at its home where that is one of the tile's places, and the others anywhere."""
        slot = {place: p for p, place in enumerate(self._places)}
        order: list[int | None] = [None] * len(self._order)
        for wire in self._order:
            if home[wire] in slot:
                order[slot[home[wire]]] = wire
        homeless = iter([wire for wire in self._order if home[wire] not in slot])
        self._finish([next(homeless) if wire is None else wire for wire in order])

    def bound(self, zero: frozenset[int]) -> BoundPass:
        """Return the pass, for a state in which the wires `zero` are |0>."""
        size = len(self._places)
        low = next((p for p, place in enumerate(self._places) if p != place), size)
        rows = deposit_bits(np.arange(2 ** (size - low)), [place - low for place in self._places[low:]])
        wire_at = _inverse(self._place)
        empty = [p - low for p, place in enumerate(self._places) if p >= low and wire_at[place] in zero]
        occupied = None
        if empty:
            number = np.arange(len(rows))
            occupied = np.flatnonzero(extract_bits(number, empty) == 0)
        places = set(self._places)
        others = [p for p, wire in enumerate(wire_at) if p not in places and wire not in zero]
        bases = deposit_bits(np.arange(2 ** len(others)), others)
        return BoundPass(2**size, 2**low, rows, occupied, bases, tuple(self._work))

    def move(self, place: list[int]) -> None:
        """Note where the tile's wires are once it has been written back."""
        for p, wire in zip(self._places, self._order, strict=True):
            place[wire] = p

    def _is_ready_for(self, product: Product) -> bool:
        positions = sorted(self._order.index(wire) for wire in product.wires)
        lowest, highest = positions[0], positions[-1]
        side_by_side = highest - lowest == len(positions) - 1
        high_enough = lowest >= min(_ROW_BITS, len(self._order) - len(positions))
        selectors = [self._order.index(wire) for wire in product.selectors if wire in self._order]
        return side_by_side and high_enough and all(p > highest for p in selectors)

    def _take(self, order: list[int]) -> None:
        bit = {wire: p for p, wire in enumerate(self._order)}
        gates = [
            gate._replace(
                targets=tuple(bit[wire] for wire in gate.targets), controls=tuple(bit[wire] for wire in gate.controls)
            )
            for gate in self._permuting
        ]
        self._work.append(_Take(source_indices([bit[wire] for wire in order], gates)))
        self._order = order
        self._permuting = []

    def _flush_phases(self) -> None:
        """Multiply by the phases that wait; what permutes before them comes first."""
        if not self._diagonal:
            return
        touched = {wire for gate in self._permuting for wire in gate.targets}
        if any(not touched.isdisjoint(gate.targets + gate.controls) for gate in self._diagonal):
            self._take(list(self._order))
        self._work.append(_Phase(Phases(self._diagonal, self._order, self._place, self._dtype)))
        self._diagonal = []

    def _finish(self, order: list[int]) -> None:
        self._flush_phases()
        if self._permuting or order != self._order:
            self._take(order)


def _arranged(order: Sequence[int], products: Sequence[Product]) -> list[int]:
    """Return an order of a tile's wires, lowest first, in which as many products as possible are side by side.

    The wires are laid down from the top in cells; within a cell any order will do. A product that shares wires with
    those before it can be side by side if it shares the ones at the lower end, and then brings its other wires there.
    """
    room = max(len(order) - _ROW_BITS, len(products[0].wires) if products else 0)
    cells: list[list[int]] = []  # highest first
    laid: set[int] = set()
    for number, product in enumerate(products):
        wires = set(product.wires)
        selectors = [wire for wire in product.selectors if wire in order]
        if number and selectors:
            break
        new = wires - laid
        if number and len(laid) + len(new) > room:
            break
        attempt = _with_suffix(cells, wires & laid)
        if attempt is None:
            break
        cells = attempt
        if not number and selectors:
            cells.append(selectors)
            laid.update(selectors)
        if new:
            cells.append([wire for wire in order if wire in new])
        laid |= wires
    top = [wire for cell in cells for wire in cell]
    return [*(wire for wire in order if wire not in laid), *reversed(top)]


def _with_suffix(cells: list[list[int]], wires: set[int]) -> list[list[int]] | None:
    """Reorder within cells so that `wires` stand at the lower end; None if they cannot."""
    left = set(wires)
    result: list[list[int]] = []
    for cell in reversed(cells):
        here = [wire for wire in cell if wire in left]
        left.difference_update(here)
        rest = [wire for wire in cell if wire not in wires]
        if here:
            result.append(here)
        if rest:
            result.append(rest)
        if rest:
            break
    if left:
        return None
    return [*cells[: len(cells) - _cells_used(cells, result)], *reversed(result)]


def _cells_used(cells: list[list[int]], result: list[list[int]]) -> int:
    """Return how many cells from the end hold the wires of `result`."""
    count, used = sum(map(len, result)), 0
    while count:
        used += 1
        count -= len(cells[-used])
    return used
