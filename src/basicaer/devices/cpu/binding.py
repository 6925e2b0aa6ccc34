"""Binds a pass of a plan to the layout of a state: all that does not depend on the numbers of its gates.

If the bits of a product are adjacent in the tile's index, the product is one `numpy.matmul`, which sees the array as
batches of rows or, if the bits are the lowest ones, of columns. Otherwise one `numpy.take` reorders the tile first.
Gates that permute basis states become part of the same `take`.

If the bits are the lowest ones, the real and the imaginary part of a number are adjacent too, and a complex matrix is
applied as a real one of twice the size. OpenBLAS multiplies by a real matrix at least as fast and, if it has kernels
for small real matrices, twice as fast. With these kernels it pays to move each group of bits to the low end; without
them it is better to leave as many groups as possible where they are.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.devices.cpu.arrangement import arranged, facing, is_ready
from basicaer.devices.cpu.blas import has_small_kernels
from basicaer.devices.cpu.diagonals import Diagonals
from basicaer.devices.cpu.fusion import Fusion
from basicaer.devices.cpu.permutations import source_indices
from basicaer.devices.cpu.tiles import BoundPass, MultiplyByDiagonal, MultiplyByMatrix, Reorder
from basicaer.devices.numbers import GateNumbers
from basicaer.engine.bits import deposit_bits, extract_bits, inverse_positions
from basicaer.engine.plan import Product
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.cpu.set_numbers import Blocks, Chains, SetNumbers
    from basicaer.devices.cpu.tiles import TileOperation
    from basicaer.devices.numbers import PlanGates
    from basicaer.engine.plan import Monomials, Pass

__all__ = ["SMALL_PRODUCT", "BoundProduct", "PassBinding", "PassRecipe"]

SMALL_PRODUCT = 2**19
"""Multiplications; the small kernels of OpenBLAS, which copy nothing, are for up to 10**6."""

_ELEMENTS = {8: np.dtype(np.float64), 16: np.dtype(np.complex128)}  # element types by their bytes, to move data
_SHORTEST_ROW = 4  # elements; `take` moves shorter rows more slowly than single elements
_SMALL_PART = 2**6  # columns; smaller parts are slower with any kernel


class _Needs(NamedTuple):
    """A product's gates, wires and selectors, in the tile and outside of it, and how its matrices are made."""

    gates: tuple[int, ...]
    wires: tuple[int, ...]
    inside: tuple[int, ...]
    outside: tuple[int, ...]
    fusion: Fusion


class BoundProduct(NamedTuple):
    """A product in its place: what `MultiplyByMatrix` has, but for the numbers.

    Attributes
    ----------
    gates, wires
        Its gates by their numbers in the plan; its wires and, after them, its selectors.
    selected, rows, columns
        The indices by which matrices get their selectors within the tile, rows and columns in the tile's order.
    axes
        Axes of the matrices for what lies above the group in a tile.
    """

    gates: tuple[int, ...]
    wires: tuple[int, ...]
    fusion: Fusion
    n_inside: int
    selected: NDArray[np.intp]
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    axes: tuple[int, ...]
    places: tuple[int, ...]
    shape: tuple[int, ...]
    transposed: bool

    def bound(self, numbers: SetNumbers, blocks: Blocks, dtype: np.dtype[Any]) -> MultiplyByMatrix:
        """Return the product with its matrix in each set, or matrices if it has selectors."""
        matrices: NDArray[Any] = self.fusion.matrices(numbers, blocks)
        if self.fusion.is_real:
            # `SegmentBatch` promises this. The comparison is false for NaN, which the final state reveals.
            assert not np.abs(matrices.imag).max() > 0  # noqa: S101
            matrices, dtype = matrices.real, dtype.type(0).real.dtype
        sets, _, size, _ = matrices.shape
        matrices = matrices.reshape(sets, -1, 2**self.n_inside, size, size)
        if self.transposed:
            matrices = _on_real_numbers(matrices[:, :, self.selected, self.rows, self.columns[:, None]])
            dtype = dtype.type(0).real.dtype
        else:
            matrices = matrices[:, :, self.selected, self.rows[:, None], self.columns]
        shaped = matrices.swapaxes(0, 1).reshape(-1, sets, *self.axes, 1, *matrices.shape[-2:])
        return MultiplyByMatrix(np.ascontiguousarray(shaped, dtype), self.places, self.shape, self.transposed)


class PassRecipe(NamedTuple):
    """A pass, but for the numbers: where its tiles are, as a pass that does nothing, and what is to be done to each.

    Attributes
    ----------
    places
        Bit p of a tile's index is bit ``places[p]`` of the state's index; ascending.
    before, after
        The wires that the bits of a tile stand for, before and after the pass.
    """

    tiles: BoundPass
    operations: tuple[Reorder | BoundProduct | Diagonals, ...]
    places: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    def bound(self, numbers: SetNumbers, blocks: Blocks, dtype: np.dtype[Any]) -> BoundPass:
        """Return the pass with the numbers of its gates."""
        operations: list[TileOperation] = []
        for one in self.operations:
            match one:
                case Reorder():
                    operations.append(one)
                case Diagonals():
                    operations.append(MultiplyByDiagonal(one.bound(numbers, dtype)))
                case _:
                    operations.append(one.bound(numbers, blocks, dtype))
        return self.tiles._replace(operations=tuple(operations))


class PassBinding:
    """Collects the work of one pass, and keeps track of the order of the tile's bits."""

    def __init__(self, tile: Iterable[int], place: Sequence[int], dtype: np.dtype[Any], chains: Chains) -> None:
        self._place = tuple(place)
        self._dtype = dtype
        self._chains = chains
        self._order = sorted(tile, key=place.__getitem__)
        self._places = [place[wire] for wire in self._order]  # _places[b] = index bit of tile bit b in the state
        self._permuting: list[GateNumbers] = []  # gates that will be part of the next `take`
        # Diagonal gates that will be part of the next product of phases. They come after the gates that permute.
        self._diagonal: list[tuple[int, GateNumbers]] = []  # _diagonal[i] = (number in the plan, numbers of the gate)
        self._multiplied: set[int] = set()  # wires on which the diagonal gates act
        self._operations: list[Reorder | BoundProduct | Diagonals] = []

    def add(self, steps: Sequence[Product | Monomials], gates: PlanGates) -> None:
        """Add the steps of a pass, which refer to gates of the plan."""
        products = [self._needs(step, gates) for step in steps if isinstance(step, Product)]
        done = 0
        for step in steps:
            if isinstance(step, Product):
                self._multiply(products[done:])
                done += 1
            else:
                for gate in step.gates:
                    self._monomial(gate, gates[gate])

    def write_back(self, following: Pass | None) -> None:
        """Order the wires so that the next pass reads long rows; after the last pass, move them home."""
        if following is None:
            self.go_home(range(len(self._place)))
            return
        shared = [wire for wire in self._order if wire in following.tile]
        first = next((step.wires for step in following.steps if isinstance(step, Product)), ())
        shared.sort(key=lambda wire: wire in first)
        self._finish([*shared, *(wire for wire in self._order if wire not in following.tile)])

    def go_home(self, home: Sequence[int]) -> None:
        """Move each wire home if its home is one of the tile's places, the other wires to places that are left."""
        slot = {place: p for p, place in enumerate(self._places)}
        order: list[int | None] = [None] * len(self._order)
        for wire in self._order:
            if home[wire] in slot:
                order[slot[home[wire]]] = wire
        homeless = iter([wire for wire in self._order if home[wire] not in slot])
        self._finish([next(homeless) if wire is None else wire for wire in order])

    def recipe(self, zero: frozenset[int]) -> PassRecipe:
        """Return the pass, for a state in which the wires `zero` are |0>."""
        size = len(self._places)
        low = next((p for p, place in enumerate(self._places) if p != place), size)
        rows = deposit_bits(np.arange(2 ** (size - low)), [place - low for place in self._places[low:]])
        wire_at = inverse_positions(self._place)
        empty = [p - low for p, place in enumerate(self._places) if p >= low and wire_at[place] in zero]
        occupied = np.flatnonzero(extract_bits(np.arange(len(rows)), empty) == 0) if empty else None
        places = set(self._places)
        others = [p for p, wire in enumerate(wire_at) if p not in places and wire not in zero]
        bases = deposit_bits(np.arange(2 ** len(others)), others)
        return PassRecipe(
            BoundPass(2**size, 2**low, rows, occupied, bases, ()),
            tuple(self._operations),
            tuple(self._places),
            tuple([wire_at[place] for place in self._places]),
            tuple(self._order),
        )

    def move(self, place: list[int]) -> None:
        """Update ``place[w]`` for the tile's wires to where they are once the tile has been written back."""
        for p, wire in zip(self._places, self._order, strict=True):
            place[wire] = p

    def _needs(self, product: Product, gates: PlanGates) -> _Needs:
        inside = tuple(wire for wire in product.selectors if wire in self._order)
        outside = tuple(wire for wire in product.selectors if wire not in self._order)
        fusion = Fusion(product.gates, gates, product.wires, inside + outside, self._chains)
        return _Needs(product.gates, product.wires, inside, outside, fusion)

    def _monomial(self, number: int, gate: GateNumbers) -> None:
        """Add a gate that permutes basis states or multiplies them by phases."""
        if gate.form is Form.DIAGONAL:
            self._diagonal.append((number, gate))
            self._multiplied.update(gate.targets, gate.controls)
        else:
            if not self._multiplied.isdisjoint(gate.targets):
                self._flush_diagonal()
            self._permuting.append(gate)

    def _multiply(self, products: Sequence[_Needs]) -> None:
        """Add the first of the products that have not been added yet."""
        self._flush_diagonal()
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
        # The tile has one axis for each selector in it, and one for each run of other bits above the group.
        tile_axes, matrix_axes = self._axes_above(end, product.inside)
        transposed = lowest == 0
        size = 2 ** len(group)
        if transposed:
            size *= 2  # complex matrices act on real and imaginary parts
            others = 1
            if matrix_axes and matrix_axes[-1] == 1:  # the bits between the group and the lowest selector are rows
                others = tile_axes.pop()
                matrix_axes.pop()
        else:
            others = 2**lowest * (2 if product.fusion.is_real else 1)
        part = min(others, _part_of(size))
        last = (others // part, part, size) if transposed else (size, others // part, part)
        places = tuple(self._place[wire] for wire in product.outside)
        self._operations.append(
            BoundProduct(
                product.gates,
                (*group, *product.inside, *product.outside),
                product.fusion,
                len(product.inside),
                selected,
                rows,
                columns,
                tuple(matrix_axes),
                places,
                (*tile_axes, *last),
                transposed,
            )
        )
        self._order = after

    def _axes_above(self, end: int, selectors: Sequence[int]) -> tuple[list[int], list[int]]:
        """Return the sizes of the axes for the bits from `end` on, highest first: of a tile, and of its matrices."""
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
        """Reorder the tile, and apply the permutations that have been gathered."""
        bit = {wire: p for p, wire in enumerate(self._order)}
        used = [bit[wire] for gate in self._permuting for wire in gate.targets + gate.controls]
        moved = [p for p, wire in enumerate(order) if wire != self._order[p]] + used
        if not moved:  # the gathered gates act on no qubit
            self._permuting = []
            return
        fixed, end = min(moved), max(moved) + 1  # bits from `end` on number the parts of the tile
        # The lowest bits that stay in place are moved together: as one larger element, or as a row of elements.
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
            GateNumbers(
                gate.form,
                gate.data,
                tuple([bit[wire] - fixed for wire in gate.targets]),
                tuple([bit[wire] - fixed for wire in gate.controls]),
                gate.control_state,
            )
            for gate in self._permuting
        ]
        source = source_indices([bit[wire] - fixed for wire in order[fixed:end]], gates)
        self._operations.append(Reorder(source, number, row))
        self._order = order
        self._permuting = []

    def _flush_diagonal(self) -> None:
        """Multiply by the phases that have been gathered, after the permutations that they depend on."""
        if not self._diagonal:
            return
        touched = {wire for gate in self._permuting for wire in gate.targets}
        if not touched.isdisjoint(self._multiplied):
            self._take(list(self._order))
        self._operations.append(Diagonals(self._diagonal, self._order, self._place))
        self._diagonal = []
        self._multiplied = set()

    def _finish(self, order: list[int]) -> None:
        """Apply everything that has been gathered, and bring the wires into an order."""
        self._flush_diagonal()
        if self._permuting or order != self._order:
            self._take(order)


def _staying(products: Sequence[_Needs]) -> Sequence[_Needs]:
    """Return the next products that should run without a further reordering, at least one."""
    if not has_small_kernels():
        return products
    count = next((number for number, product in enumerate(products) if not product.fusion.is_real), len(products))
    return products[: max(count, 1)]


def _on_real_numbers(transposed: NDArray[Any]) -> NDArray[np.float64]:
    """Return transposed complex matrices as transposed real ones, which act on pairs of real and imaginary parts."""
    *many, columns, rows = transposed.shape
    parts = np.empty(
        (*many, columns, 2, rows), complex
    )  # the axis of size 2 is for the real and the imaginary part of a number
    parts[..., 0, :] = transposed
    np.multiply(transposed, 1j, out=parts[..., 1, :])
    return parts.view(np.float64).reshape(*many, 2 * columns, 2 * rows)


def _part_of(size: int) -> int:
    """Return how many columns to multiply at once by a matrix of `size` rows."""
    return max(SMALL_PRODUCT // size**2, _SMALL_PART)


def _renumbered(group: Sequence[int], order: Sequence[int]) -> NDArray[np.intp]:
    """Return for each value of the bits in `order` (lowest first) the value that they have in the group's order."""
    return _deposited(tuple([group.index(bit) for bit in order]))


@lru_cache(maxsize=1024)
def _deposited(positions: tuple[int, ...]) -> NDArray[np.intp]:
    """Return ``deposited[i]``, the number i with its bits moved to `positions`."""
    deposited: NDArray[np.intp] = deposit_bits(np.arange(2 ** len(positions)), positions)
    deposited.flags.writeable = False  # it is shared
    return deposited
