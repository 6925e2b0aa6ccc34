"""NVIDIA's library cuStateVec, loaded and called through its C interface."""

from __future__ import annotations

import ctypes
import importlib.util
from ctypes import POINTER, byref, c_char, c_int, c_int32, c_int64, c_size_t, c_uint32, c_void_p
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu.card import Card

DATA_TYPE = {np.dtype(np.complex128): 5, np.dtype(np.complex64): 4}  # CUDA_C_64F, CUDA_C_32F
ROW_MAJOR = 1  # CUSTATEVEC_MATRIX_LAYOUT_ROW

_INTEGERS = POINTER(c_int32)
_MADE = POINTER(c_void_p)
_QUBITS = (_INTEGERS, c_uint32, _INTEGERS, _INTEGERS, c_uint32)  # targets, controls and their values
_SIGNATURES: dict[str, Sequence[Any]] = {
    "custatevecCreate": [_MADE],
    "custatevecDestroy": [c_void_p],
    "custatevecApplyMatrixGetWorkspaceSize": [
        *[c_void_p, c_int, c_uint32, c_void_p, c_int, c_int, c_int32, c_uint32, c_uint32, c_int, POINTER(c_size_t)]
    ],
    "custatevecApplyMatrix": [
        *[c_void_p, c_void_p, c_int, c_uint32, c_void_p, c_int, c_int, c_int32, *_QUBITS, c_int, c_void_p, c_size_t]
    ],
    "custatevecApplyGeneralizedPermutationMatrixGetWorkspaceSize": [
        *[c_void_p, c_int, c_uint32, POINTER(c_int64), c_void_p, c_int],
        *[_INTEGERS, c_uint32, c_uint32, POINTER(c_size_t)],
    ],
    "custatevecApplyGeneralizedPermutationMatrix": [
        *[c_void_p, c_void_p, c_int, c_uint32, POINTER(c_int64), c_void_p, c_int, c_int32, *_QUBITS, c_void_p, c_size_t]
    ],
}


class ConfigItem(ctypes.Structure):
    """One option of an updater; its value is aligned to 16 bytes and has room for 32."""

    _fields_ = (("name", c_int), ("unused", c_char * 12), ("int32", c_int32), ("rest", c_char * 28))


_EX_SIGNATURES: dict[str, Sequence[Any]] = {
    "custatevecExDictionaryDestroy": [c_void_p],
    "custatevecExConfigureStateVectorSingleDevice": [_MADE, c_int, c_int32, c_int32, c_int32, c_uint32],
    "custatevecExStateVectorCreateSingleProcess": [_MADE, c_void_p, _MADE, c_int32, c_void_p],
    "custatevecExStateVectorDestroy": [c_void_p],
    "custatevecExStateVectorGetProperty": [c_void_p, c_int, c_void_p, c_size_t],
    "custatevecExStateVectorSetZeroState": [c_void_p],
    "custatevecExStateVectorGetState": [c_void_p, c_void_p, c_int, c_int64, c_int64, c_int32],
    "custatevecExStateVectorReassignWireOrdering": [c_void_p, _INTEGERS, c_int32],
    "custatevecExStateVectorGetResourcesFromDeviceSubSV": [c_void_p, c_int32, _INTEGERS, _MADE, _MADE, _MADE],
    "custatevecExStateVectorSynchronize": [c_void_p],
    "custatevecExConfigureSVUpdater": [_MADE, c_int, POINTER(ConfigItem), c_int32],
    "custatevecExSVUpdaterCreate": [_MADE, c_void_p, c_void_p],
    "custatevecExSVUpdaterDestroy": [c_void_p],
    "custatevecExSVUpdaterEnqueueMatrix": [
        *[c_void_p, c_void_p, c_int, c_int, c_int, c_int32],
        *[_INTEGERS, c_int32, _INTEGERS, _INTEGERS, c_int32],
    ],
    "custatevecExSVUpdaterApply": [c_void_p, c_void_p, POINTER(ctypes.c_double), c_int32],
}


class Library:
    """The library on a card; its constructor raises ImportError where there is no library.

    Attributes
    ----------
    has_updater
        Whether it has the Ex interface, which came with version 1.10.
    """

    def __init__(self, card: Card, path: Path | None = None) -> None:
        self.card = card
        self._library = _loaded(path, card.cupy.cuda.get_cuda_path())
        self.has_updater = all(hasattr(self._library, name) for name in _EX_SIGNATURES)
        for name, signature in (_SIGNATURES | (_EX_SIGNATURES if self.has_updater else {})).items():
            function = getattr(self._library, name)
            function.argtypes, function.restype = signature, c_int
        self._library.custatevecGetErrorString.argtypes = [c_int]
        self._library.custatevecGetErrorString.restype = ctypes.c_char_p
        card.cupy.empty(1, np.uint8)  # The library needs a CUDA context, which this call creates.
        self.handle = self.made("custatevecCreate")

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function of the library; raise an error if it reports one."""
        if status := getattr(self._library, name)(*arguments):
            words = self._library.custatevecGetErrorString(status).decode()
            raise RuntimeError(f"{name}: {words}")

    def made(self, name: str, *arguments: Any) -> c_void_p:
        """Call a function that makes something; return it."""
        made = c_void_p()
        self.call(name, byref(made), *arguments)
        return made


def integers(numbers: Sequence[int]) -> Any:
    """Return an array of 32-bit integers, or a null pointer if there are none."""
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
