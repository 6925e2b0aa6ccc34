"""A circuit as matrices that we fuse, which cuStateVec applies one after another.

Timed: its calls for a circuit, and the work that they start. Not timed, in its favour: fusion, and copying matrices to
the card. It takes part with the fastest of several fusions.
"""

from __future__ import annotations

from ctypes import byref, c_size_t
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu.custatevec_library import DATA_TYPE, ROW_MAJOR, integers
from gpu.goals import PEER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from gpu.custatevec_library import Library
    from gpu.fusing import Matrix

_COMPUTE_TYPE = {np.dtype(np.complex128): 16, np.dtype(np.complex64): 4}  # CUSTATEVEC_COMPUTE_64F, _32F


class FusedCircuit:
    """A circuit as matrices, run on the state that `vector` returns."""

    name = PEER
    starts = ("zero", "random")

    def __init__(
        self,
        library: Library,
        setting: str,
        *,
        matrices: Sequence[Matrix],
        wire_of: tuple[int, ...],
        n: int,
        vector: Callable[[], Any],
    ) -> None:
        self.setting = setting
        self._library, self._matrices, self._wire_of, self._n, self._vector = library, matrices, wire_of, n, vector
        self._calls: list[Callable[[], None]] = []
        self._kept: list[Any] = []  # the memory that the calls point to
        self._made_for = 0  # the address of the state that the calls change

    def start(self, how: str) -> None:
        """Make |0...0>, or keep the state that is there, which is random."""
        vector = self._vector()
        if how == "zero":
            runtime = self._library.card.cupy.cuda.runtime
            runtime.memsetAsync(vector.data.ptr, 0, vector.nbytes, 0)
            vector[:1].set(np.ones(1, vector.dtype))
            self._library.card.cupy.cuda.Device(0).synchronize()
        if vector.data.ptr != self._made_for:
            self._prepare(vector)

    def run(self) -> None:
        """Queue all calls on the default stream."""
        for call in self._calls:
            call()

    def final(self) -> tuple[NDArray[np.complexfloating], tuple[int, ...]]:
        """Return all amplitudes, and the index bit at which each qubit is."""
        return self._vector().get()[: 2**self._n], self._wire_of

    def _prepare(self, vector: Any) -> None:
        library, cupy = self._library, self._library.card.cupy
        data_type, compute = DATA_TYPE[vector.dtype], _COMPUTE_TYPE[vector.dtype]
        self._calls, self._kept = [], []
        arguments, most = [], 0
        for matrix in self._matrices:
            host = np.ascontiguousarray(matrix.data.reshape(-1), vector.dtype)
            data = cupy.empty(len(host), vector.dtype)
            data.set(host)
            targets, controls, values = map(integers, (matrix.targets, matrix.controls, matrix.values))
            counts = len(matrix.targets), len(matrix.controls)
            size = c_size_t()
            head = (library.handle, data_type, self._n)
            if matrix.is_diagonal:
                library.call(
                    "custatevecApplyGeneralizedPermutationMatrixGetWorkspaceSize",
                    *(*head, None, data.data.ptr, data_type, targets, *counts, byref(size)),
                )
            else:
                library.call(
                    "custatevecApplyMatrixGetWorkspaceSize",
                    *(*head, data.data.ptr, data_type, ROW_MAJOR, 0, *counts, compute, byref(size)),
                )
            most = max(most, size.value)
            self._kept += [data, targets, controls, values]
            arguments.append((matrix, data.data.ptr, targets, controls, values))
        workspace = cupy.empty(most, np.uint8) if most else None
        self._kept.append(workspace)
        work = (workspace.data.ptr if workspace is not None else None, most)
        for matrix, pointer, targets, controls, values in arguments:
            head = (library.handle, vector.data.ptr, data_type, self._n)
            qubits = (targets, len(matrix.targets), controls, values, len(matrix.controls))
            self._calls.append(
                partial(
                    library.call,
                    "custatevecApplyGeneralizedPermutationMatrix",
                    *(*head, None, pointer, data_type, 0, *qubits, *work),
                )
                if matrix.is_diagonal
                else partial(
                    library.call,
                    "custatevecApplyMatrix",
                    *(*head, pointer, data_type, ROW_MAJOR, 0, *qubits, compute, *work),
                )
            )
        self._made_for = vector.data.ptr
