"""A plan bound to numbers and to a layout: the passes, ready to run.

Within a tile, a product is one `numpy.matmul` wherever its bits stand side by side in the tile's index: the array is
then seen as batches of rows, or at the low end of columns. Where they do not, one `numpy.take` reorders the tile first.
Gates that permute basis states go into that same `take`.

In single precision a pass with several complex products holds real and imaginary parts apart. Each complex matrix is
then a real one on one bit more, and the real product of OpenBLAS is a quarter faster than its complex one; in double
precision there is little between the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.devices.arrangement import COMPONENT, arranged, facing, is_ready
from basicaer.devices.fusion import numbers_of, product_matrices
from basicaer.devices.permutations import source_indices
from basicaer.devices.phases import MOST_TABLE_WIRES, Phases
from basicaer.devices.tiles import BoundPass, Join, Multiply, Phase, Split, Take
from basicaer.engine.bits import deposit_bits, extract_bits
from basicaer.engine.plan import Product
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.gatewise import GateNumbers
    from basicaer.devices.tiles import Work
    from basicaer.engine.plan import Monomials, Pass, Plan
    from basicaer.engine.program import Segment

__all__ = ["Bound", "bind", "bind_reordering", "first_places"]

_ELEMENTS = {4: np.dtype(np.float32), 8: np.dtype(np.float64), 16: np.dtype(np.complex128)}  # by size, to move bytes
_SHORTEST_ROW = 4  # elements: `take` moves shorter rows slower than single elements
_APART_FROM = 3  # complex products: what they gain is more than it costs to set the parts apart and join them again


class Bound(NamedTuple):
    """A plan's passes, ready to run, and what is then known of the wires."""

    passes: tuple[BoundPass, ...]
    place: tuple[int, ...]  # place[w] is where wire w stands in an amplitude's index
    zero: frozenset[int]  # wires that are still |0>


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
    order = arranged(first.tile, needed) if needed else list(first.tile)
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
    poll: Callable[[], None] = lambda: None,
) -> Bound:
    """Bind a plan, polling before each pass.

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
        poll()
        following = plan.passes[number + 1] if number + 1 < len(plan.passes) else None
        binding = _Binding(current.tile, place, dtype)
        binding.add(current.steps, numbers)
        binding.write_back(following)
        passes.append(binding.bound(zero))
        binding.move(place)
        zero -= {wire for step in current.steps for gate in step.gates for wire in plan.gates[gate].paired(segment)}
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


class _Binding:
    """The work of one pass in the making, and the order that the tile's bits have by then."""

    def __init__(self, tile: Iterable[int], place: Sequence[int], dtype: np.dtype[Any]) -> None:
        self._place = tuple(place)
        self._dtype = dtype
        self._real = dtype.type(0).real.dtype
        self._order = sorted(tile, key=place.__getitem__)
        self._places = [place[wire] for wire in self._order]  # of the tile's bits when it is read and written
        self._apart = False  # whether real and imaginary parts are held apart
        self._permuting: list[GateNumbers] = []  # gates on wires that wait for the next `take`
        self._diagonal: list[GateNumbers] = []  # ... for the next product of phases; all after those that permute
        self._work: list[Work] = []

    def add(self, steps: Sequence[Product | Monomials], numbers: Sequence[GateNumbers]) -> None:
        """Add the steps of a pass."""
        products = [self._numbers(step, numbers) for step in steps if isinstance(step, Product)]
        many_complex = sum(product.is_complex for product in products) >= _APART_FROM
        if many_complex and self._dtype == np.complex64 and not _has_wide_phases(steps, numbers):
            self._set_apart(products[0])
        done = 0
        for step in steps:
            if isinstance(step, Product):
                self._multiply(products[done:])
                done += 1
            else:
                for gate in step.gates:
                    self._monomial(numbers[gate])

    def write_back(self, following: Pass | None) -> None:
        """Put the wires where the next pass reads them in long rows, or at their own places if it is the last."""
        if following is None:
            self.go_home(range(len(self._place)))
            return
        wires = [bit for bit in self._order if bit != COMPONENT]
        shared = [wire for wire in wires if wire in following.tile]
        first = next((step.wires for step in following.steps if isinstance(step, Product)), ())
        shared.sort(key=lambda wire: wire in first)
        self._finish([*shared, *(wire for wire in wires if wire not in following.tile)])

    def go_home(self, home: Sequence[int]) -> None:
        """Put each wire at its home where that is one of the tile's places, and the others anywhere."""
        wires = [bit for bit in self._order if bit != COMPONENT]
        slot = {place: p for p, place in enumerate(self._places)}
        order: list[int | None] = [None] * len(wires)
        for wire in wires:
            if home[wire] in slot:
                order[slot[home[wire]]] = wire
        homeless = iter([wire for wire in wires if home[wire] not in slot])
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

    def _numbers(self, product: Product, numbers: Sequence[GateNumbers]) -> _Numbers:
        inside = tuple(wire for wire in product.selectors if wire in self._order)
        outside = tuple(wire for wire in product.selectors if wire not in self._order)
        matrices: NDArray[Any] = product_matrices(
            [numbers[gate] for gate in product.gates], product.wires, inside + outside
        )
        if not matrices.imag.any():
            matrices = matrices.real
        size = 2 ** len(product.wires)
        return _Numbers(product.wires, inside, outside, matrices.reshape(-1, 2 ** len(inside), size, size))

    def _set_apart(self, first: _Numbers) -> None:
        """Set real and imaginary parts apart, next to the first product's wires where these are side by side."""
        position = len(self._order)
        if first.is_complex and is_ready(self._order, first.wires, first.inside):
            position = min(map(self._order.index, first.wires)) or position
        self._work.append(Split(position))
        self._order.insert(position, COMPONENT)
        self._apart = True

    def _monomial(self, gate: GateNumbers) -> None:
        """Add a gate that permutes basis states or multiplies them by phases."""
        if gate.form is Form.DIAGONAL:
            self._diagonal.append(gate)
        else:
            if any(not set(gate.targets).isdisjoint(phase.targets + phase.controls) for phase in self._diagonal):
                self._flush_phases()
            self._permuting.append(gate)

    def _group(self, product: _Numbers) -> tuple[int, ...]:
        return (*product.wires, COMPONENT) if self._apart and product.is_complex else product.wires

    def _multiply(self, products: Sequence[_Numbers]) -> None:
        """Add the first of the products that are still to come."""
        self._flush_phases()
        product = products[0]
        groups = [self._group(later) for later in products]
        if self._permuting or not is_ready(self._order, groups[0], product.inside):
            needed = [(group, later.inside) for group, later in zip(groups, products, strict=True)]
            self._take(arranged(self._order, needed))
        before, group = self._order, groups[0]
        after = facing(before, group, groups[1] if len(groups) > 1 else None)
        lowest = min(map(before.index, group))
        end = lowest + len(group)
        matrices = product.matrices
        if COMPONENT in group:
            matrices = np.block([[matrices.real, -matrices.imag], [matrices.imag, matrices.real]])
        rows = _renumbered(group, after[lowest:end])
        columns = _renumbered(group, before[lowest:end])
        matrices = matrices[:, :, rows[:, None], columns]
        transposed = lowest == 0
        if transposed:
            matrices = matrices.swapaxes(-1, -2)
        dtype = self._dtype if np.iscomplexobj(matrices) else self._real
        numbers_each = 1 if self._apart or dtype == self._dtype else 2  # real numbers for each element of the order
        # One axis of the tile for each selector in it, and one for each run of other bits above the group.
        tile_axes, matrix_axes = self._axes_above(end, product.inside)
        if transposed and numbers_each == 2:  # what the matrix mixes then stands beside the component of each number
            matrices = np.kron(matrices, np.eye(2))
            numbers_each = 1
            last = (-1, 2 ** (len(group) + 1))
        elif transposed:
            last = (-1, 2 ** len(group))
        else:
            last = (2 ** len(group), 2**lowest * numbers_each)
        if transposed and matrix_axes and matrix_axes[-1] == 1:  # bits between the group and any selector are rows too
            tile_axes.pop()
            matrix_axes.pop()
        by_selector = _by_selector(matrices, product.inside, before)
        shaped = by_selector.reshape(len(by_selector), *matrix_axes, *by_selector.shape[-2:])
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
        fixed = next((p for p, wire in enumerate(order) if wire != self._order[p]), len(order))
        fixed = min([fixed, *used])
        # What stays in place at the low end is moved together: as one larger element, or as a row of them.
        number = self._real if self._apart else self._dtype
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
        source = source_indices([bit[wire] - fixed for wire in order[fixed:]], gates)
        self._work.append(Take(source, number, row))
        self._order = order
        self._permuting = []

    def _flush_phases(self) -> None:
        """Multiply by the phases that wait; what permutes before them comes first."""
        if not self._diagonal:
            return
        touched = {wire for gate in self._permuting for wire in gate.targets}
        if any(not touched.isdisjoint(gate.targets + gate.controls) for gate in self._diagonal):
            self._take(list(self._order))
        self._work.append(Phase(Phases(self._diagonal, self._order, self._place, self._dtype)))
        self._diagonal = []

    def _finish(self, wires: list[int]) -> None:
        """Bring the wires into this order, parts together again."""
        self._flush_phases()
        order = list(wires)
        if self._apart:
            position = self._order.index(COMPONENT)
            order.insert(position, COMPONENT)
        if self._permuting or order != self._order:
            self._take(order)
        if self._apart:
            self._work.append(Join(position))
            self._order = wires
            self._apart = False


def _has_wide_phases(steps: Sequence[Product | Monomials], numbers: Sequence[GateNumbers]) -> bool:
    """Tell whether a pass has a diagonal gate on so many wires that it is applied by itself, to complex numbers."""
    for step in steps:
        if not isinstance(step, Product):
            for gate in step.gates:
                wide = len(numbers[gate].targets) + len(numbers[gate].controls) > MOST_TABLE_WIRES
                if wide and numbers[gate].form is Form.DIAGONAL:
                    return True
    return False


def _renumbered(group: Sequence[int], order: Sequence[int]) -> NDArray[np.intp]:
    """Return for each value of bits in `order`, lowest first, the value of the same bits in the group's order."""
    return deposit_bits(np.arange(2 ** len(group)), [group.index(bit) for bit in order])


def _by_selector(matrices: NDArray[Any], inside: Sequence[int], order: Sequence[int]) -> NDArray[Any]:
    """Reorder the second axis of matrices, the value of the selectors in the tile, by where these stand in it."""
    by_position = sorted(inside, key=order.index)
    return matrices[:, _renumbered(inside, by_position)] if inside else matrices
