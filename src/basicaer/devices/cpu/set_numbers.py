"""The numbers of a plan's gates, for one or many sets at once: arrays whose first axis is the set.

What is the same in all sets has a first axis of size 1, which NumPy broadcasts.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.numbers import ListedGates, data_of_sets
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.numbers import PlanGates
    from basicaer.engine.device import SegmentBatch

    Blocks = Mapping[int, NDArray[np.complexfloating]]  # what `Chains.matrices` returns

__all__ = ["Chains", "SetNumbers", "kron", "of_sets"]

_NO_CHAIN = -1  # the number that stands for the identity


def of_sets(array: NDArray[Any], axis: int, sets: slice) -> NDArray[Any]:
    """Return the part of an array for some sets, which have this axis; all of it where all sets have the same."""
    return array if array.shape[axis] == 1 else array[(slice(None),) * axis + (sets,)]


def kron(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """Return the Kronecker products of matrices, which have the last two axes; the others broadcast."""
    product: NDArray[Any] = first[..., :, None, :, None] * second[..., None, :, None, :]
    size = first.shape[-1] * second.shape[-1]
    return product.reshape(*product.shape[:-4], size, size)


class SetNumbers:
    """The numbers of gates in one or many sets.

    Parameters
    ----------
    gates
        The gates, with the numbers that they have in one set.
    segments
        What says which numbers differ between the sets; None if there is one set only.

    Attributes
    ----------
    size
        The number of sets.
    """

    def __init__(self, gates: PlanGates | ListedGates, segments: SegmentBatch | None = None) -> None:
        self._gates = gates
        self._segments = segments
        self._varying: Mapping[int, NDArray[Any]] = {} if segments is None else segments.data
        self.size = 1 if segments is None else len(segments)

    def varies(self, gate: int) -> bool:
        """Tell whether a gate has different numbers in different sets."""
        return bool(self._varying) and self._origin(gate) in self._varying

    def any_varies(self, gates: Sequence[int]) -> bool:
        """Tell whether any of some gates has different numbers in different sets."""
        return bool(self._varying) and any(map(self.varies, gates))

    def of(self, gate: int) -> NDArray[Any]:
        """Return ``data[s]``, the numbers of a gate in set s."""
        if self._segments is None or not self.varies(gate):
            data: NDArray[Any] = next(iter(self._gates.numbers([gate]))).data
            return data[None]
        assert not isinstance(self._gates, ListedGates)  # listed gates have one set  # noqa: S101
        origin, planned = self._origin(gate), self._gates.wires[gate]
        return data_of_sets(planned, self._segments.template.gates[origin], self._varying[origin])

    def _origin(self, gate: int) -> int:
        assert not isinstance(self._gates, ListedGates)  # listed gates have one set  # noqa: S101
        return self._gates.plan.origins[gate]


class Chains:
    """Gates that follow one another on one wire, multiplied for all such chains at once.

    Chains on adjacent bits are joined to *blocks*, whose matrices are Kronecker products.

    Parameters
    ----------
    gates
        Where the gates and their numbers are, in the set that the recipe is made with.
    """

    def __init__(self, gates: PlanGates | ListedGates) -> None:
        self._source = gates
        self._gates: list[int] = []  # gates of all chains, one chain after another
        self._lengths: list[int] = []  # the number of gates of each chain
        self._blocks: dict[int, list[int]] = {}  # _blocks[width] = the chains of all such blocks, each from low to high
        self._matrices: NDArray[np.complexfloating] | None = None
        self._places: dict[Form, list[int]] = {}  # _places[form] = places in `_gates`; made with `_matrices`

    def add(self, gates: Sequence[int]) -> int:
        """Add a chain, whose first gate acts first; return its number."""
        self._gates += gates
        self._lengths.append(len(gates))
        return len(self._lengths) - 1

    def add_block(self, chains: Sequence[int | None]) -> int:
        """Add a block of chains on bits from low to high, None where there is none; return its number in its width."""
        blocks = self._blocks.setdefault(len(chains), [])
        blocks += [_NO_CHAIN if chain is None else chain for chain in chains]
        return len(blocks) // len(chains) - 1

    def matrices(self, numbers: SetNumbers) -> Blocks:
        """Return ``matrices[width][s, b]``, the matrix of block b of so many chains in set s."""
        single = self._of_chains(numbers)
        found = {}
        for width, blocks in self._blocks.items():
            chains = np.array(blocks).reshape(-1, width)
            found[width] = reduce(kron, [single[:, chains[:, bit]] for bit in reversed(range(width))])
        return found

    def _of_chains(self, numbers: SetNumbers) -> NDArray[np.complexfloating]:
        """Return ``matrices[s, c]``, the 2x2 matrix of chain c in set s, and the identity as the last one."""
        identity = np.eye(2, dtype=complex)
        if not self._gates:
            return identity[None, None]
        if self._matrices is None:
            self._matrices = self._of_template()
        single = self._matrices
        if numbers.any_varies(self._gates):
            single = np.repeat(single, numbers.size, axis=0)
            for form in (Form.MATRIX, Form.DIAGONAL):
                places = [place for place in self._places.get(form, ()) if numbers.varies(self._gates[place])]
                if places:
                    data = np.stack([numbers.of(self._gates[place]) for place in places], axis=1)
                    single[:, places] = data if form is Form.MATRIX else _on_diagonals(data)
        lengths = np.array(self._lengths)
        first = np.cumsum(lengths) - lengths
        found = np.empty((len(single), len(lengths) + 1, 2, 2), complex)
        found[:, -1] = identity
        found[:, :-1] = single[:, first]
        for depth in range(1, lengths.max()):
            chains = np.flatnonzero(lengths > depth)
            later, before = single[:, first[chains] + depth], found[:, chains]
            found[:, chains] = later[..., :1] * before[..., :1, :] + later[..., 1:] * before[..., 1:, :]
        return found

    def _of_template(self) -> NDArray[np.complexfloating]:
        """Return ``matrices[0, place]``, the matrix of each gate in the set that the recipe was made with."""
        matrices = np.zeros((1, len(self._gates), 2, 2), complex)
        places_of: dict[Form, list[int]] = {form: [] for form in Form}
        data_of: dict[Form, list[NDArray[Any]]] = {form: [] for form in Form}
        for place, gate in enumerate(self._source.numbers(self._gates)):
            places_of[gate.form].append(place)
            data_of[gate.form].append(gate.data)
        for form, places in places_of.items():
            if not places:
                continue
            data = np.array(data_of[form])
            if form is Form.PERMUTATION:
                data = np.eye(2)[data]  # either permutation is its own inverse
            matrices[0, places] = _on_diagonals(data) if form is Form.DIAGONAL else data
        self._places = places_of
        return matrices


def _on_diagonals(data: NDArray[Any]) -> NDArray[Any]:
    """Return diagonals, which are along the last axis, as matrices."""
    matrices = np.zeros((*data.shape, 2), complex)
    matrices[..., [0, 1], [0, 1]] = data
    return matrices
