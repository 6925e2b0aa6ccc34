"""What binding a plan makes: launches of kernels, and the arrays that they read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from basicaer.devices.gpu.structs import MOST_THREAD_BITS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ClearLaunch", "Launch", "Launches", "PassLaunch", "WideLaunch"]


class PassLaunch(NamedTuple):
    """A launch of `run_pass`: the number of its pass, and how many bits the numbers of its threads and blocks have."""

    number: int
    thread_bits: int
    block_bits: int


class WideLaunch(NamedTuple):
    """A launch of `multiply_wide`.

    Attributes
    ----------
    record
        What the kernel reads as a `Wide`.
    matrix
        ``matrix[s]`` is the gate's matrix in set s, a single one standing for all. For a permutation, ``matrix[i]`` is
        the basis state that basis state i becomes.
    targets, rest_bits
        How many qubits the gate acts on, and how many bits the number of a group of amplitudes has.
    """

    record: NDArray[Any]
    matrix: NDArray[Any]
    permutes: bool
    targets: int
    rest_bits: int

    @property
    def groups_each(self) -> int:
        """How many groups of amplitudes a block mixes: one, or as many as there are threads for."""
        return int(2 ** min(self.rest_bits, max(0, MOST_THREAD_BITS - self.targets)))


class ClearLaunch(NamedTuple):
    """A launch of `clear`: amplitudes whose index has any bit of `mask` set become 0."""

    mask: int


Launch = PassLaunch | WideLaunch | ClearLaunch


@dataclass(frozen=True)
class Launches:
    """Everything that a segment needs on a GPU.

    Attributes
    ----------
    launches
        In the order in which they run.
    passes, stages, operations, conditions, columns, factors, rotations, places, tables
        Arrays that `run_pass` reads.
    begin, which, numbers
        How the constants that it reads are made: constant c of set s is the product of the ``numbers[s, which[k]]``
        for ``begin[c] <= k < begin[c + 1]``. A single set stands for all.
    place, zero
        The index bit where each wire stands afterwards, and the wires that are still |0>.
    """

    launches: tuple[Launch, ...]
    passes: NDArray[Any]
    stages: NDArray[Any]
    operations: NDArray[Any]
    conditions: NDArray[Any]
    columns: NDArray[Any]
    factors: NDArray[Any]
    rotations: NDArray[Any]
    places: NDArray[np.uint32]
    tables: NDArray[np.uint64]
    begin: NDArray[np.uint32]
    which: NDArray[np.uint32]
    numbers: NDArray[np.complex128]
    place: tuple[int, ...]
    zero: frozenset[int]
