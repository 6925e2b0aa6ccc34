"""Launches with all that they read on the card, ready to be started one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.gpu.launches import ClearLaunch, PassLaunch, WideLaunch
from basicaer.devices.gpu.structs import MOST_THREADS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from basicaer.devices.gpu.card import Kernels, Queue
    from basicaer.devices.gpu.launches import Launches

__all__ = ["UploadedLaunches", "blocks_for"]

_MOST_BLOCKS = 4096  # blocks of a launch whose threads take several indices each


def blocks_for(size: int) -> int:
    """Return how many blocks of `MOST_THREADS` threads should go through `size` indices."""
    return min(_MOST_BLOCKS, -(-size // MOST_THREADS))


class UploadedLaunches:
    """Launches on several states, each state with numbers of its own or all with the same.

    All that the launches read is copied to the card in one transfer.

    Parameters
    ----------
    bound
        The launches, bound to one set of numbers or to as many as there are states.
    dtype
        That of amplitudes.
    first
        For each state the index of its first amplitude.
    n_wires
        Each state has 2**n_wires amplitudes.
    """

    def __init__(
        self, queue: Queue, bound: Launches, first: NDArray[np.uint64], n_wires: int, dtype: np.dtype[Any]
    ) -> None:
        self.launches = bound.launches
        self._passes = bound.passes
        self._states = len(first)
        self._size = 2**n_wires
        wide = {number: launch for number, launch in enumerate(bound.launches) if isinstance(launch, WideLaunch)}
        uploaded = queue.upload_together(
            [
                *(bound.passes, bound.stages, bound.operations, bound.conditions, bound.columns, bound.factors),
                *(bound.rotations, bound.places, bound.tables),
                *(first, bound.begin, bound.which, bound.numbers),
                *(launch.record for launch in wide.values()),
                *(_matrices(launch, dtype) for launch in wide.values()),
            ]
        )
        self._program, self._first, self._made_of = uploaded[:9], uploaded[9], uploaded[10:13]
        self._sets, self._numbers_each = bound.numbers.shape
        self._count = len(bound.begin) - 1
        self._constants = queue.empty(max(1, self._sets * self._count), dtype)
        records, matrices = uploaded[13 : 13 + len(wide)], uploaded[13 + len(wide) :]
        self._wide = dict(zip(wide, zip(records, matrices, strict=True), strict=True))

    def make_constants(self, kernels: Kernels) -> None:
        """Start what makes the constants, which comes before all launches."""
        if self._count:
            begin, which, numbers = self._made_of
            arguments = self._constants, np.uint64(self._count), numbers, np.uint64(self._numbers_each), begin, which
            kernels.launch("make_constants", blocks_for(self._count), MOST_THREADS, *arguments, states=self._sets)

    def start(self, number: int, kernels: Kernels, vector: Any) -> None:
        """Start one of the launches on the states that stand in `vector`."""
        launch = self.launches[number]
        match launch:
            case PassLaunch():
                self._start_pass(launch, kernels, vector)
            case WideLaunch():
                self._start_wide(launch, *self._wide[number], kernels, vector)
            case ClearLaunch(mask):
                arguments = vector, np.uint64(self._size), np.uint64(mask), self._first
                kernels.launch("clear", blocks_for(self._size), MOST_THREADS, *arguments, states=self._states)

    def _start_pass(self, launch: PassLaunch, kernels: Kernels, vector: Any) -> None:
        tile_bits = launch.thread_bits + int(self._passes[launch.number]["register_bits"])
        stride = np.uint64(self._count if self._sets > 1 else 0)
        kernels.launch(
            "run_pass",
            2**launch.block_bits,
            2**launch.thread_bits,
            *(vector, *self._program, self._constants, np.uint32(launch.number), self._first, stride),
            shared_bytes=vector.itemsize * 2**tile_bits,
            states=self._states,
        )

    def _start_wide(self, launch: WideLaunch, record: Any, matrix: Any, kernels: Kernels, vector: Any) -> None:
        amplitudes = launch.groups_each * 2**launch.targets  # amplitudes of one block
        stride = 0 if launch.permutes or len(launch.matrix) == 1 else launch.matrix[0].size
        kernels.launch(
            "multiply_wide",
            2**launch.rest_bits // launch.groups_each,
            min(MOST_THREADS, amplitudes),
            *(vector, record, matrix, matrix, np.uint32(launch.permutes), self._first, np.uint64(stride)),
            shared_bytes=amplitudes * vector.itemsize,
            states=self._states,
        )


def _matrices(launch: WideLaunch, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the matrices of a wide gate, one for each set, or the permutation that all share."""
    return launch.matrix.astype(np.uint32 if launch.permutes else dtype)
