"""Fuses the gates of a product into its matrices, for one or many sets of numbers at once.

What depends on the structure of the gates is found once: which gates on single wires follow one another, which rows a
permutation moves, and on which rows the others act. What is left for each set of numbers are a few array operations.
"""

from __future__ import annotations

from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.devices.cpu.permutations import source_indices
from basicaer.devices.cpu.set_numbers import Chains, SetNumbers
from basicaer.devices.numbers import GateNumbers
from basicaer.engine.bits import deposit_bits, extract_bits
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


__all__ = ["Fusion", "acting_on", "kron", "product_matrices"]

_IDENTITY = np.eye(2, dtype=complex)[None]


def product_matrices(
    gates: Iterable[GateNumbers], wires: Sequence[int], selectors: Sequence[int]
) -> NDArray[np.complexfloating]:
    """Return ``matrices[s, row, column]``, the matrix of all gates on `wires` if `selectors` have the value s.

    Bit j of a row or column is ``wires[j]``, and bit j of s is ``selectors[j]``.
    """
    chains, gates = Chains(), list(gates)
    fusion = Fusion(list(enumerate(gates)), wires, selectors, chains)
    numbers = SetNumbers(dict(enumerate(gates)))
    matrices: NDArray[np.complexfloating] = fusion.matrices(numbers, chains.matrices(numbers))[0]
    return matrices


class _Chain(NamedTuple):
    """Gates on one wire, whose matrix is that of a chain, acting on a bit of the rows."""

    bit: int
    chain: int

    def __call__(
        self, rows: NDArray[Any], _numbers: SetNumbers, chains: NDArray[np.complexfloating]
    ) -> NDArray[np.complexfloating]:
        pairs = rows.reshape(len(rows), -1, 2, 2**self.bit * rows.shape[2])
        matrix = chains[:, self.chain, None, :, :, None]  # matrix[s, 0, row, column, 0]
        mixed: NDArray[Any] = matrix[:, :, :, 0] * pairs[:, :, :1]
        mixed += matrix[:, :, :, 1] * pairs[:, :, 1:]
        return mixed.reshape(len(mixed), *rows.shape[1:])


class _Permutation(NamedTuple):
    """Gates that only move rows: row r comes from row ``source[r]``."""

    source: NDArray[np.intp]

    def __call__(
        self, rows: NDArray[Any], _numbers: SetNumbers, _chains: NDArray[np.complexfloating]
    ) -> NDArray[np.complexfloating]:
        moved: NDArray[Any] = rows.take(self.source, axis=1)
        return moved


class _Matrix(NamedTuple):
    """A gate that mixes rows: ``rows[v]`` are those in which its targets have the value v, and its controls are on."""

    gate: int
    rows: NDArray[np.intp]

    def __call__(
        self, rows: NDArray[Any], numbers: SetNumbers, _chains: NDArray[np.complexfloating]
    ) -> NDArray[np.complexfloating]:
        matrix, (size, _) = numbers.of(self.gate), self.rows.shape
        mixed = np.matmul(matrix, rows[:, self.rows].reshape(len(rows), size, -1))
        rows = np.repeat(rows, len(mixed) // len(rows), axis=0)
        rows[:, self.rows] = mixed.reshape(len(mixed), *self.rows.shape, -1)
        return rows


class _Whole(NamedTuple):
    """The first gate, as wide as the product: it is copied, since multiplying it by identities takes much longer."""

    gate: int
    rows: NDArray[np.intp]

    def __call__(
        self, rows: NDArray[Any], numbers: SetNumbers, _chains: NDArray[np.complexfloating]
    ) -> NDArray[np.complexfloating]:
        matrix = numbers.of(self.gate)
        copied = np.empty((len(matrix), *rows.shape[1:]), complex)
        copied[:, self.rows[:, None], self.rows] = matrix
        return copied


class _Diagonal(NamedTuple):
    """A gate that multiplies rows: ``rows[i]`` by its number ``values[i]``."""

    gate: int
    rows: NDArray[np.intp]
    values: NDArray[np.intp]

    def __call__(
        self, rows: NDArray[Any], numbers: SetNumbers, _chains: NDArray[np.complexfloating]
    ) -> NDArray[np.complexfloating]:
        data = numbers.of(self.gate)
        factors = np.ones((len(data), rows.shape[1], 1), complex)
        factors[:, self.rows, 0] = data[:, self.values]
        multiplied: NDArray[Any] = rows * factors
        return multiplied


_Step = _Chain | _Permutation | _Matrix | _Whole | _Diagonal


class Fusion:
    """What is to be done to fuse the gates of a product.

    Parameters
    ----------
    gates
        The gates in the order in which they act, each with its number in the plan.
    wires, selectors
        As of `product_matrices`.
    chains
        Where the gates on single wires are added.

    Attributes
    ----------
    is_real
        Whether all numbers of the gates are real.
    """

    def __init__(
        self,
        gates: Sequence[tuple[int, GateNumbers]],
        wires: Sequence[int],
        selectors: Sequence[int],
        chains: Chains,
    ) -> None:
        self._bit = {wire: j for j, wire in enumerate((*wires, *selectors))}
        self._k = len(wires)
        self._chains = chains
        self.is_real = not any(numbers.data.imag.any() for _, numbers in gates)
        self._first: list[int | None] = [None] * self._k  # for each wire the chain that acts before everything else
        self._steps: list[_Step] = []
        self._touched: set[int] = set()  # wires on which anything but the first chains has acted
        self._waiting: dict[int, list[tuple[int, GateNumbers]]] = {}  # for each wire the latest gates on it alone
        self._moving: NDArray[np.intp] | None = None  # where rows come from after permutations that will be one step
        for number, gate in gates:
            self._add(number, gate)
        for wire in list(self._waiting):
            self._end_chain(wire)
        self._end_permutations()

    def _add(self, number: int, gate: GateNumbers) -> None:
        if len(gate.targets) == 1 and not gate.controls:
            self._waiting.setdefault(gate.targets[0], []).append((number, gate))
            return
        wires = {*gate.targets, *gate.controls}
        for wire in wires & self._waiting.keys():
            self._end_chain(wire)
        targets = tuple([self._bit[wire] for wire in gate.targets])
        controls = tuple([self._bit[wire] for wire in gate.controls])
        if gate.form is Form.PERMUTATION:
            source = _source(len(self._bit), targets, controls, gate.control_state, tuple(gate.data.tolist()))
            self._moving = source if self._moving is None else self._moving[source]
        else:
            self._end_permutations()
            if gate.form is Form.DIAGONAL:
                self._steps.append(_Diagonal(number, *acting_on(len(self._bit), targets, controls, gate.control_state)))
            elif self._is_empty() and len(targets) == self._k == len(self._bit):
                self._steps.append(_Whole(number, deposit_bits(np.arange(len(gate.data)), targets)))
            else:
                rows, values = acting_on(len(self._bit), targets, controls, gate.control_state)
                by_value = rows[np.argsort(values, kind="stable")].reshape(2 ** len(targets), -1)
                self._steps.append(_Matrix(number, by_value))
        self._touched |= wires

    def _is_empty(self) -> bool:
        return not self._steps and all(chain is None for chain in self._first)

    def _end_chain(self, wire: int) -> None:
        chain, bit = self._chains.add(self._waiting.pop(wire)), self._bit[wire]
        if wire in self._touched or bit >= self._k:
            self._end_permutations()
            self._steps.append(_Chain(bit, chain))
        else:
            self._first[bit] = chain
        self._touched.add(wire)

    def _end_permutations(self) -> None:
        if self._moving is not None:
            self._steps.append(_Permutation(self._moving))
            self._moving = None

    def matrices(self, numbers: SetNumbers, chains: NDArray[np.complexfloating]) -> NDArray[np.complexfloating]:
        """Return ``matrices[set, s, row, column]``; see `product_matrices`.

        Parameters
        ----------
        chains
            What `Chains.matrices` returns for the same numbers.
        """
        factors = [_IDENTITY if chain is None else chains[:, chain] for chain in reversed(self._first)]
        start = reduce(kron, factors, np.ones((1, 1, 1), complex))
        rows = np.tile(start, (1, 2 ** (len(self._bit) - self._k), 1))
        for step in self._steps:
            rows = step(rows, numbers, chains)
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


def kron(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """Return the Kronecker products of matrices, set by set."""
    size = first.shape[-1] * second.shape[-1]
    product: NDArray[Any] = first[:, :, None, :, None] * second[:, None, :, None, :]
    return product.reshape(-1, size, size)
