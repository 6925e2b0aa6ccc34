"""Fuses the gates of a product into its matrices, for one or many sets of numbers at once.

What depends on the structure of the gates is found once: which gates on single wires follow one another, which rows a
permutation moves, and on which rows the others act. What is left for each set of numbers are a few array operations.

The gates form layers. In a layer, chains of gates on single wires come first, up to three wires at a time; they are
followed by gates that none of these chains needs to wait for.
"""

from __future__ import annotations

from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.devices.cpu.permutations import source_indices
from basicaer.devices.cpu.set_numbers import Chains, SetNumbers, kron
from basicaer.devices.numbers import GateNumbers, ListedGates
from basicaer.engine.bits import deposit_bits, extract_bits
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.cpu.set_numbers import Blocks
    from basicaer.devices.numbers import PlanGates
    from basicaer.engine.plan import PlannedGate
    from basicaer.engine.program import Gate

__all__ = ["Fusion", "acting_on", "product_matrices"]

_WIDEST_BLOCK = 3  # bits of a block of chains; a matrix of this width takes hardly longer than a narrower one


def product_matrices(
    gates: Iterable[GateNumbers], wires: Sequence[int], selectors: Sequence[int]
) -> NDArray[np.complexfloating]:
    """Return ``matrices[s, row, column]``, the matrix of all gates on `wires` if `selectors` have the value s.

    Bit j of a row or column is ``wires[j]``, and bit j of s is ``selectors[j]``.
    """
    listed = ListedGates(list(gates))
    chains = Chains(listed)
    fusion = Fusion(range(len(listed.wires)), listed, wires, selectors, chains)
    numbers = SetNumbers(listed)
    matrices: NDArray[np.complexfloating] = fusion.matrices(numbers, chains.matrices(numbers))[0]
    return matrices


class _Block(NamedTuple):
    """Chains of gates on adjacent bits of the rows, of which `low` is the lowest."""

    low: int
    width: int
    number: int  # its number among the blocks of this width

    def __call__(self, rows: NDArray[Any], _numbers: SetNumbers, blocks: Blocks) -> NDArray[np.complexfloating]:
        groups = rows.reshape(len(rows), -1, 2**self.width, 2**self.low * rows.shape[2])
        mixed: NDArray[Any] = np.matmul(blocks[self.width][:, self.number, None], groups)
        return mixed.reshape(len(mixed), *rows.shape[1:])


class _Permutation(NamedTuple):
    """Gates that only move rows: row r comes from row ``source[r]``."""

    source: NDArray[np.intp]

    def __call__(self, rows: NDArray[Any], _numbers: SetNumbers, _blocks: Blocks) -> NDArray[np.complexfloating]:
        moved: NDArray[Any] = rows.take(self.source, axis=1)
        return moved


class _Matrix(NamedTuple):
    """A gate that mixes rows: ``rows[v]`` are those in which its targets have the value v, and its controls are on."""

    gate: int
    rows: NDArray[np.intp]

    def __call__(self, rows: NDArray[Any], numbers: SetNumbers, _blocks: Blocks) -> NDArray[np.complexfloating]:
        matrix, (size, _) = numbers.of(self.gate), self.rows.shape
        mixed = np.matmul(matrix, rows[:, self.rows].reshape(len(rows), size, -1))
        rows = np.repeat(rows, len(mixed) // len(rows), axis=0)
        rows[:, self.rows] = mixed.reshape(len(mixed), *self.rows.shape, -1)
        return rows


class _Whole(NamedTuple):
    """The first gate, as wide as the product: it is copied, since multiplying it by identities takes much longer."""

    gate: int
    rows: NDArray[np.intp]

    def __call__(self, rows: NDArray[Any], numbers: SetNumbers, _blocks: Blocks) -> NDArray[np.complexfloating]:
        matrix = numbers.of(self.gate)
        copied = np.empty((len(matrix), *rows.shape[1:]), complex)
        copied[:, self.rows[:, None], self.rows] = matrix
        return copied


class _Diagonal(NamedTuple):
    """A gate that multiplies rows: ``rows[i]`` by its number ``values[i]``."""

    gate: int
    rows: NDArray[np.intp]
    values: NDArray[np.intp]

    def __call__(self, rows: NDArray[Any], numbers: SetNumbers, _blocks: Blocks) -> NDArray[np.complexfloating]:
        data = numbers.of(self.gate)
        factors = np.ones((len(data), rows.shape[1], 1), complex)
        factors[:, self.rows, 0] = data[:, self.values]
        multiplied: NDArray[Any] = rows * factors
        return multiplied


_Step = _Block | _Permutation | _Matrix | _Whole | _Diagonal


class Fusion:
    """What is to be done to fuse the gates of a product.

    Parameters
    ----------
    gates
        The gates in the order in which they act, by their numbers in the plan.
    source
        Where the gates are.
    wires, selectors
        As for `product_matrices`.
    chains
        Where the gates on single wires are added.

    Attributes
    ----------
    is_real
        Whether all numbers of the gates are real.
    """

    def __init__(  # gates, what they are, and where they act
        self,
        gates: Sequence[int],
        source: PlanGates | ListedGates,
        wires: Sequence[int],
        selectors: Sequence[int],
        chains: Chains,
    ) -> None:
        self._bit = {wire: j for j, wire in enumerate((*wires, *selectors))}
        self._k = len(wires)
        self._chains = chains
        self.is_real = not any(one.data.imag.any() for one in source.numbers(gates))
        self._start: list[tuple[int, int]] = []  # (width, number) of each block that acts at the start, lowest first
        self._steps: list[_Step] = []
        self._waiting: dict[int, list[int]] = {}  # _waiting[wire] = the latest gates that act on that wire alone
        # The layer that is being filled:
        self._single: dict[int, int] = {}  # _single[bit] = its chain; these act first
        self._others: list[_Step] = []
        self._moving: NDArray[np.intp] | None = None  # the last step of `_others`: permutations joined into one
        self._touched: set[int] = set()  # wires on which `_others` act
        for gate, numbers in zip(gates, source.numbers(gates), strict=True):
            on = source.wires[gate]
            if len(on.targets) == 1 and not on.controls:
                self._waiting.setdefault(on.targets[0], []).append(gate)
            else:
                self._add(gate, on, numbers)
        for wire in list(self._waiting):
            self._end_chain(wire)
        self._end_layer()

    def _add(self, gate: int, on: PlannedGate | GateNumbers, numbers: Gate | GateNumbers) -> None:
        for wire in on.targets + on.controls:
            if wire in self._waiting:
                self._end_chain(wire)
        bits = len(self._bit)
        targets = tuple([self._bit[wire] for wire in on.targets])
        controls = tuple([self._bit[wire] for wire in on.controls])
        if numbers.form is Form.PERMUTATION:
            source = _source(bits, targets, controls, numbers.control_state, tuple(numbers.data.tolist()))
            self._moving = source if self._moving is None else self._moving[source]
        else:
            self._end_permutations()
            rows, values = acting_on(bits, targets, controls, numbers.control_state)
            if numbers.form is Form.DIAGONAL:
                self._others.append(_Diagonal(gate, rows, values))
            elif len(targets) == self._k == bits and not (self._steps or self._single or self._others):
                self._others.append(_Whole(gate, deposit_bits(np.arange(len(numbers.data)), targets)))
            else:
                by_value = rows[np.argsort(values, kind="stable")].reshape(2 ** len(targets), -1)
                self._others.append(_Matrix(gate, by_value))
        self._touched.update(on.targets, on.controls)

    def _end_chain(self, wire: int) -> None:
        if wire in self._touched:
            self._end_layer()
        self._single[self._bit[wire]] = self._chains.add(self._waiting.pop(wire))

    def _end_permutations(self) -> None:
        if self._moving is not None:
            self._others.append(_Permutation(self._moving))
            self._moving = None

    def _end_layer(self) -> None:
        self._end_permutations()
        if not self._steps and not self._start:
            for low in range(0, self._k, _WIDEST_BLOCK):
                block = [self._single.pop(bit, None) for bit in range(low, min(low + _WIDEST_BLOCK, self._k))]
                self._start.append((len(block), self._chains.add_block(block)))
        by_place: dict[int, list[int]] = {}
        for bit in sorted(self._single):
            by_place.setdefault(bit // _WIDEST_BLOCK, []).append(bit)
        for own in by_place.values():
            block = [self._single.get(bit) for bit in range(own[0], own[-1] + 1)]
            self._steps.append(_Block(own[0], len(block), self._chains.add_block(block)))
        self._steps += self._others
        self._single, self._others, self._touched = {}, [], set()

    def matrices(self, numbers: SetNumbers, blocks: Blocks) -> NDArray[np.complexfloating]:
        """Return ``matrices[set, s, row, column]``; see `product_matrices`.

        Parameters
        ----------
        blocks
            What `Chains.matrices` returns for the same numbers.
        """
        factors = [blocks[width][:, number] for width, number in reversed(self._start)]
        rows = reduce(kron, factors)
        if many := len(self._bit) - self._k:
            rows = np.concatenate([rows] * 2**many, axis=1)
        for step in self._steps:
            rows = step(rows, numbers, blocks)
        return rows.reshape(len(rows), -1, 2**self._k, 2**self._k)


@lru_cache(maxsize=4096)
def _source(
    bits: int, targets: tuple[int, ...], controls: tuple[int, ...], control_state: int, goes_to: tuple[int, ...]
) -> NDArray[np.intp]:
    """Return ``source[row]``, the row that a permutation of the targets' basis states brings to `row`."""
    gate = GateNumbers(Form.PERMUTATION, np.array(goes_to), targets, controls, control_state)
    source = source_indices(range(bits), [gate])
    source.flags.writeable = False  # it is shared
    return source


def acting_on(
    bits: int, targets: Sequence[int], controls: Sequence[int], control_state: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices of so many bits for which a gate's controls are on, and the value of its targets in each."""
    index = np.arange(2**bits)
    on: NDArray[np.intp] = index[extract_bits(index, controls) == control_state] if controls else index
    return on, extract_bits(on, targets)
