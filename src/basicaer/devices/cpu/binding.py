"""A plan bound to numbers and to a layout: the passes, ready to run.

Within a tile, a product is one `numpy.matmul` wherever its bits stand side by side in the tile's index: the array is
then seen as batches of rows, or at the low end of columns. Where they do not, one `numpy.take` reorders the tile first.
Gates that permute basis states go into that same `take`.

At the low end, where the real and imaginary part of a number stand side by side too, a complex matrix is applied as a
real one of twice the size. OpenBLAS multiplies by that at least as fast and, where it has kernels for small real
matrices, at twice the speed: there it pays to bring each group to the low end, elsewhere to leave as many as can be
where they are.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.devices.cpu.arrangement import arranged, facing, is_ready
from basicaer.devices.cpu.blas import has_small_kernels
from basicaer.devices.cpu.fusion import product_matrices
from basicaer.devices.cpu.permutations import source_indices
from basicaer.devices.cpu.phases import Phases
from basicaer.devices.cpu.tiles import BoundPass, Multiply, Phase, Take
from basicaer.devices.numbers import numbers_of
from basicaer.engine.bits import deposit_bits, extract_bits
from basicaer.engine.plan import Product
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.cpu.tiles import Work
    from basicaer.devices.numbers import GateNumbers
    from basicaer.engine.plan import Monomials, Pass, Plan
    from basicaer.engine.program import Segment

__all__ = ["Bound", "bind", "bind_reordering", "first_places"]

_ELEMENTS = {8: np.dtype(np.float64), 16: np.dtype(np.complex128)}  # by size, to move bytes
_SHORTEST_ROW = 4  # elements: `take` moves shorter rows slower than single elements
_SMALL_PRODUCT = 2**19  # multiplications: up to 10**6 OpenBLAS has kernels that copy nothing, where it has them at all
_SMALL_PART = 2**6  # shorter parts are slower, whichever the kernel


class Wires(NamedTuple):
    """What is known of the wires: ``place[w]`` is where wire w stands in an amplitude's index, `zero` are still |0>."""

    place: tuple[int, ...]
    zero: frozenset[int]


class Bound(NamedTuple):
    """A plan's passes, ready to run, and the wires after each."""

    passes: tuple[BoundPass, ...]
    after: tuple[Wires, ...]


class _Numbers(NamedTuple):
    """A product's wires in the tile's order, and ``matrices[outside, inside, row, column]`` for its selectors."""

    wires: tuple[int, ...]
    inside: tuple[int, ...]
    outside: tuple[int, ...]
    matrices: NDArray[Any]

    @property
    def is_complex(self) -> bool:
        return np.iscomplexobj(self.matrices)


def first_places(plan: Plan) -> tuple[int, ...]:
    """Return where each wire should stand when the first pass begins, all of them being |0>."""
    first = plan.passes[0]
    products = [step for step in first.steps if isinstance(step, Product)]
    needed = [(step.wires, [wire for wire in step.selectors if wire in first.tile]) for step in products]
    order = arranged(first.tile, needed[:1] if has_small_kernels() else needed) if needed else list(first.tile)
    for later in plan.passes[1:]:
        order += [wire for wire in later.tile if wire not in order]
    order += [wire for wire in range(plan.n_qubits) if wire not in order]
    return _inverse(order)


def bind(  # noqa: PLR0917  # the first five are what a plan is bound to
    plan: Plan,
    segment: Segment,
    place: Sequence[int],
    zero: frozenset[int],
    dtype: np.dtype[Any],
    done: int = 0,
    poll: Callable[[], None] = lambda: None,
) -> Bound:
    """Bind a plan, polling before each pass.

    Parameters
    ----------
    place
        ``place[w]`` is where wire w stands in an amplitude's index.
    zero
        Wires that are |0>.
    done
        How many of its passes are done already, and are not bound.
    """
    place = list(place)
    passes, after = [], []
    for number, current in enumerate(plan.passes[done:], done):
        poll()
        following = plan.passes[number + 1] if number + 1 < len(plan.passes) else None
        binding = _Binding(current.tile, place, dtype)
        binding.add(current.steps, lambda gate: numbers_of(plan.gates[gate], segment.gates[plan.origins[gate]]))
        binding.write_back(following)
        passes.append(binding.bound(zero))
        binding.move(place)
        if zero:
            zero = zero.difference(*[plan.gates[gate].paired for step in current.steps for gate in step.gates])
        after.append(Wires(tuple(place), zero))
    return Bound(tuple(passes), tuple(after))


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


class _Binding:
    """The work of one pass in the making, and the order that the tile's bits have by then."""

    def __init__(self, tile: Iterable[int], place: Sequence[int], dtype: np.dtype[Any]) -> None:
        self._place = tuple(place)
        self._dtype = dtype
        self._real = dtype.type(0).real.dtype
        self._order = sorted(tile, key=place.__getitem__)
        self._places = [place[wire] for wire in self._order]  # of the tile's bits when it is read and written
        self._permuting: list[GateNumbers] = []  # gates on wires that wait for the next `take`
        self._diagonal: list[GateNumbers] = []  # ... for the next product of phases; all after those that permute
        self._multiplied: set[int] = set()  # wires that those act on
        self._work: list[Work] = []

    def add(self, steps: Sequence[Product | Monomials], numbers: Callable[[int], GateNumbers]) -> None:
        """Add the steps of a pass, whose gates have such numbers."""
        products = [self._numbers(step, numbers) for step in steps if isinstance(step, Product)]
        done = 0
        for step in steps:
            if isinstance(step, Product):
                self._multiply(products[done:])
                done += 1
            else:
                for gate in step.gates:
                    self._monomial(numbers(gate))

    def write_back(self, following: Pass | None) -> None:
        """Put the wires where the next pass reads them in long rows, or at their own places if it is the last."""
        if following is None:
            self.go_home(range(len(self._place)))
            return
        shared = [wire for wire in self._order if wire in following.tile]
        first = next((step.wires for step in following.steps if isinstance(step, Product)), ())
        shared.sort(key=lambda wire: wire in first)
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
        occupied = np.flatnonzero(extract_bits(np.arange(len(rows)), empty) == 0) if empty else None
        places = set(self._places)
        others = [p for p, wire in enumerate(wire_at) if p not in places and wire not in zero]
        bases = deposit_bits(np.arange(2 ** len(others)), others)
        return BoundPass(2**size, 2**low, rows, occupied, bases, tuple(self._work))

    def move(self, place: list[int]) -> None:
        """Note where the tile's wires are once it has been written back."""
        for p, wire in zip(self._places, self._order, strict=True):
            place[wire] = p

    def _numbers(self, product: Product, numbers: Callable[[int], GateNumbers]) -> _Numbers:
        inside = tuple(wire for wire in product.selectors if wire in self._order)
        outside = tuple(wire for wire in product.selectors if wire not in self._order)
        matrices: NDArray[Any] = product_matrices(map(numbers, product.gates), product.wires, inside + outside)
        if not matrices.imag.any():
            matrices = matrices.real
        size = 2 ** len(product.wires)
        return _Numbers(product.wires, inside, outside, matrices.reshape(-1, 2 ** len(inside), size, size))

    def _monomial(self, gate: GateNumbers) -> None:
        """Add a gate that permutes basis states or multiplies them by phases."""
        if gate.form is Form.DIAGONAL:
            self._diagonal.append(gate)
            self._multiplied.update(gate.targets, gate.controls)
        else:
            if not self._multiplied.isdisjoint(gate.targets):
                self._flush_phases()
            self._permuting.append(gate)

    def _multiply(self, products: Sequence[_Numbers]) -> None:
        """Add the first of the products that are still to come."""
        self._flush_phases()
        product, group = products[0], products[0].wires
        if self._permuting or not is_ready(self._order, group, product.inside):
            self._take(arranged(self._order, [(later.wires, later.inside) for later in _staying(products)]))
        before = self._order
        after = facing(before, group, (products[1].wires, products[1].inside) if len(products) > 1 else None)
        lowest = min(map(before.index, group))
        end = lowest + len(group)
        rows = _renumbered(group, after[lowest:end])
        columns = _renumbered(group, before[lowest:end])
        selected = _renumbered(product.inside, sorted(product.inside, key=before.index))[:, None, None]
        # One axis of the tile for each selector in it, and one for each run of other bits above the group.
        tile_axes, matrix_axes = self._axes_above(end, product.inside)
        transposed = lowest == 0
        if transposed:
            matrices = _on_real_numbers(product.matrices[:, selected, rows, columns[:, None]])
            others = 1
            if matrix_axes and matrix_axes[-1] == 1:  # bits between the group and any selector are rows
                others = tile_axes.pop()
                matrix_axes.pop()
        else:
            matrices = product.matrices[:, selected, rows[:, None], columns]
            others = 2**lowest * (1 if product.is_complex else 2)
        dtype = self._dtype if np.iscomplexobj(matrices) else self._real
        size = matrices.shape[-1]
        part = min(others, _part_of(size))
        last = (others // part, part, size) if transposed else (size, others // part, part)
        shaped = matrices.reshape(len(matrices), *matrix_axes, 1, *matrices.shape[-2:])
        places = tuple(self._place[wire] for wire in product.outside)
        self._work.append(Multiply(np.ascontiguousarray(shaped, dtype), places, (*tile_axes, *last), transposed))
        self._order = after

    def _axes_above(self, end: int, selectors: Sequence[int]) -> tuple[list[int], list[int]]:
        """Return how to split the bits from `end` on into axes, highest first: of a tile, and of its matrices."""
        tile: list[int] = []
        matrix: list[int] = []
        run = False
        for bit in reversed(self._order[end:]):
            if bit in selectors or not run:
                tile.append(1)
                matrix.append(1)
            tile[-1] *= 2
            matrix[-1] *= 2 if bit in selectors else 1
            run = bit not in selectors
        return tile, matrix

    def _take(self, order: list[int]) -> None:
        """Reorder the tile, applying the gates that wait for it."""
        bit = {wire: p for p, wire in enumerate(self._order)}
        used = [bit[wire] for gate in self._permuting for wire in gate.targets + gate.controls]
        moved = [p for p, wire in enumerate(order) if wire != self._order[p]] + used
        if not moved:  # the gates that wait act on no qubit
            self._permuting = []
            return
        fixed, end = min(moved), max(moved) + 1  # bits from `end` on say which part of the tile it is
        # What stays in place at the low end is moved together: as one larger element, or as a row of them.
        number = self._dtype
        size = number.itemsize * 2**fixed
        row = 1
        if size in _ELEMENTS:
            number = _ELEMENTS[size]
        elif 2**fixed >= _SHORTEST_ROW:
            row = 2**fixed
        else:
            fixed = max(f for f in range(fixed + 1) if number.itemsize * 2**f in _ELEMENTS)
            number = _ELEMENTS[number.itemsize * 2**fixed]
        gates = [
            gate._replace(
                targets=tuple(bit[wire] - fixed for wire in gate.targets),
                controls=tuple(bit[wire] - fixed for wire in gate.controls),
            )
            for gate in self._permuting
        ]
        source = source_indices([bit[wire] - fixed for wire in order[fixed:end]], gates)
        self._work.append(Take(source, number, row))
        self._order = order
        self._permuting = []

    def _flush_phases(self) -> None:
        """Multiply by the phases that wait; what permutes before them comes first."""
        if not self._diagonal:
            return
        touched = {wire for gate in self._permuting for wire in gate.targets}
        if not touched.isdisjoint(self._multiplied):
            self._take(list(self._order))
        self._work.append(Phase(Phases(self._diagonal, self._order, self._place, self._dtype)))
        self._diagonal = []
        self._multiplied = set()

    def _finish(self, order: list[int]) -> None:
        """Bring the wires into this order."""
        self._flush_phases()
        if self._permuting or order != self._order:
            self._take(order)


def _staying(products: Sequence[_Numbers]) -> Sequence[_Numbers]:
    """Return those of the next products that should run where they stand; the first one at least."""
    if not has_small_kernels():
        return products
    count = next((number for number, product in enumerate(products) if product.is_complex), len(products))
    return products[: max(count, 1)]


def _on_real_numbers(transposed: NDArray[Any]) -> NDArray[np.float64]:
    """Return complex matrices as real ones, on pairs of real and imaginary parts; both transposed."""
    *many, columns, rows = transposed.shape
    parts = np.empty((*many, columns, 2, rows), complex)  # the axis of 2: which part of a number is multiplied
    parts[..., 0, :] = transposed
    np.multiply(transposed, 1j, out=parts[..., 1, :])
    return parts.view(np.float64).reshape(*many, 2 * columns, 2 * rows)


def _part_of(size: int) -> int:
    """Return how many columns to multiply at once by a matrix of `size` rows."""
    return max(_SMALL_PRODUCT // size**2, _SMALL_PART)


def _renumbered(group: Sequence[int], order: Sequence[int]) -> NDArray[np.intp]:
    """Return for each value of bits in `order`, lowest first, the value of the same bits in the group's order."""
    return _deposited(tuple([group.index(bit) for bit in order]))


@lru_cache(maxsize=1024)
def _deposited(positions: tuple[int, ...]) -> NDArray[np.intp]:
    """Return for each value of as many bits as there are positions, what it is with these bits there."""
    deposited: NDArray[np.intp] = deposit_bits(np.arange(2 ** len(positions)), positions)
    deposited.flags.writeable = False  # it is shared
    return deposited
