"""NVIDIA's cuStateVec, called through its C interface.

Timed: its calls for a circuit, and the work that they start. Not timed, in its favour: fusion, and copying matrices to
the card. It takes part with the fastest of several fusions.
"""

from __future__ import annotations

import ctypes
import importlib.util
from ctypes import POINTER, byref, c_int, c_int32, c_int64, c_size_t, c_uint32, c_void_p
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu.fusing import fused
from gpu.goals import PEER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from basicaer.engine.program import Segment
    from gpu.card import Card
    from gpu.fusing import Matrix

FUSIONS = ((5, 5), (5, 10), (4, 10), (3, 10))  # the most qubits of a matrix, and of a diagonal one

_DATA_TYPE = {np.dtype(np.complex128): 5, np.dtype(np.complex64): 4}  # CUDA_C_64F, CUDA_C_32F
_COMPUTE_TYPE = {np.dtype(np.complex128): 16, np.dtype(np.complex64): 4}  # CUSTATEVEC_COMPUTE_64F, _32F
_ROW_MAJOR = 1  # CUSTATEVEC_MATRIX_LAYOUT_ROW
_INTEGERS = POINTER(c_int32)
_SIGNATURES: dict[str, Sequence[Any]] = {
    "custatevecCreate": [POINTER(c_void_p)],
    "custatevecDestroy": [c_void_p],
    "custatevecApplyMatrixGetWorkspaceSize": [
        *[c_void_p, c_int, c_uint32, c_void_p, c_int, c_int, c_int32, c_uint32, c_uint32, c_int, POINTER(c_size_t)]
    ],
    "custatevecApplyMatrix": [
        *[c_void_p, c_void_p, c_int, c_uint32, c_void_p, c_int, c_int, c_int32],
        *[_INTEGERS, c_uint32, _INTEGERS, _INTEGERS, c_uint32, c_int, c_void_p, c_size_t],
    ],
    "custatevecApplyGeneralizedPermutationMatrixGetWorkspaceSize": [
        *[c_void_p, c_int, c_uint32, POINTER(c_int64), c_void_p, c_int],
        *[_INTEGERS, c_uint32, c_uint32, POINTER(c_size_t)],
    ],
    "custatevecApplyGeneralizedPermutationMatrix": [
        *[c_void_p, c_void_p, c_int, c_uint32, POINTER(c_int64), c_void_p, c_int, c_int32],
        *[_INTEGERS, c_uint32, _INTEGERS, _INTEGERS, c_uint32, c_void_p, c_size_t],
    ],
}


class CuStateVec:
    """The library and a handle; its constructor raises ImportError where there is no library."""

    name = PEER
    starts = ("zero", "random")

    def __init__(self, card: Card, path: Path | None = None) -> None:
        self.card = card
        self._library = _loaded(path, card.cupy.cuda.get_cuda_path())
        for name, signature in _SIGNATURES.items():
            function = getattr(self._library, name)
            function.argtypes, function.restype = signature, c_int
        self._library.custatevecGetErrorString.argtypes = [c_int]
        self._library.custatevecGetErrorString.restype = ctypes.c_char_p
        card.cupy.empty(1, np.uint8)  # The library needs a CUDA context, which this call creates.
        self.handle = c_void_p()
        self.call("custatevecCreate", byref(self.handle))

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function of the library; raise an error if it reports one."""
        if status := getattr(self._library, name)(*arguments):
            words = self._library.custatevecGetErrorString(status).decode()
            raise RuntimeError(f"{name}: {words}")

    def bound(self, name: str, *arguments: Any) -> Callable[[], None]:
        """Return a call with its arguments, to be made later."""
        return lambda: self.call(name, *arguments)

    def entries(self, family: str, segment: Segment, n: int, vector: Callable[[], Any]) -> list[Circuit]:
        """Return the circuit in each of its fusions, leaving out those with equal results."""
        del family
        entries: dict[tuple[Any, ...], Circuit] = {}
        for widest, widest_diagonal in FUSIONS:
            matrices, wire_of = fused(segment, n, widest=widest, widest_diagonal=widest_diagonal)
            setting = f"{len(matrices)} matrices of up to {widest} qubits, diagonal ones of up to {widest_diagonal}"
            qubits = tuple((m.targets, m.controls) for m in matrices)
            entries.setdefault(qubits, Circuit(self, setting, matrices=matrices, wire_of=wire_of, n=n, vector=vector))
        return list(entries.values())


class Circuit:
    """A circuit as matrices, run on the state that `vector` returns."""

    name = CuStateVec.name
    starts = CuStateVec.starts

    def __init__(
        self,
        library: CuStateVec,
        setting: str,
        *,
        matrices: Sequence[Matrix],
        wire_of: tuple[int, ...],
        n: int,
        vector: Callable[[], Any],
    ) -> None:
        self.setting, self.wire_of = setting, wire_of
        self._library, self._matrices, self._n, self._vector = library, matrices, n, vector
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

    def _prepare(self, vector: Any) -> None:
        library, cupy = self._library, self._library.card.cupy
        data_type, compute = _DATA_TYPE[vector.dtype], _COMPUTE_TYPE[vector.dtype]
        self._calls, self._kept = [], []
        arguments, most = [], 0
        for matrix in self._matrices:
            host = np.ascontiguousarray(matrix.data.reshape(-1), vector.dtype)
            data = cupy.empty(len(host), vector.dtype)
            data.set(host)
            targets, controls, values = (
                _integers(numbers) for numbers in (matrix.targets, matrix.controls, matrix.values)
            )
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
                    *(*head, data.data.ptr, data_type, _ROW_MAJOR, 0, *counts, compute, byref(size)),
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
                library.bound(
                    "custatevecApplyGeneralizedPermutationMatrix",
                    *(*head, None, pointer, data_type, 0, *qubits, *work),
                )
                if matrix.is_diagonal
                else library.bound(
                    "custatevecApplyMatrix",
                    *(*head, pointer, data_type, _ROW_MAJOR, 0, *qubits, compute, *work),
                )
            )
        self._made_for = vector.data.ptr


def _integers(numbers: Sequence[int]) -> Any:
    return (c_int32 * len(numbers))(*numbers) if numbers else None


def _loaded(path: Path | None, toolkit: str | None) -> ctypes.CDLL:
    """Load the library from `path` or from the wheel custatevec-cu13, after cuBLAS from a wheel or from the toolkit."""
    folders = [Path(folder) for name in ("nvidia", "cuquantum") for folder in _folders(name)]
    if path is None:
        found = sorted(file for folder in folders for file in folder.glob("lib/libcustatevec.so.1"))
        path = found[0] if found else Path("libcustatevec.so.1")
    for needed in ("libcublasLt.so.1[0-9]", "libcublas.so.1[0-9]"):
        found = [file for folder in folders for file in folder.glob(f"*/lib/{needed}")]
        found += Path(toolkit).glob(f"lib*/{needed}") if toolkit else []
        for file in found[:1]:
            ctypes.CDLL(str(file), ctypes.RTLD_GLOBAL)
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise ImportError(str(error)) from error


def _folders(package: str) -> list[str]:
    spec = importlib.util.find_spec(package)
    return list(spec.submodule_search_locations or ()) if spec else []
