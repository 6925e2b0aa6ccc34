"""A circuit for the updater of cuStateVec's Ex interface, which fuses gates itself.

Timed: applying a queue of gates, until the state is ready. The library fuses the gates in this call or before. Not
timed, in its favour: queueing the gates, which is done once for all runs. Swaps cost nothing, as with us: they only
exchange the wires of qubits.
"""

from __future__ import annotations

import weakref
from ctypes import byref, c_int32, c_void_p, sizeof
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu.custatevec_library import DATA_TYPE, ROW_MAJOR, ConfigItem, integers
from gpu.goals import PEER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike, NDArray

    from gpu.custatevec_library import Library
    from gpu.fusing import Matrix

_DENSE, _DIAGONAL, _ANTI_DIAGONAL = 1, 2, 4  # custatevecExMatrixType_t
_DENSE_FUSION_SIZE = 1  # CUSTATEVEC_EX_SVUPDATER_CONFIG_DENSE_FUSION_SIZE
_WIRE_ORDERING = 3  # CUSTATEVEC_EX_SV_PROP_WIRE_ORDERING


class LibraryState:
    """A state in memory of the library's own, since an updater takes no other; it is made when it is first used."""

    def __init__(self, library: Library, n: int, dtype: DTypeLike) -> None:
        self.library, self.n, self.dtype = library, n, np.dtype(dtype)

    @cached_property
    def handle(self) -> c_void_p:
        """What the library's functions take."""
        library = self.library
        config = library.made(
            "custatevecExConfigureStateVectorSingleDevice", DATA_TYPE[self.dtype], self.n, self.n, 0, 0
        )
        # Without streams of ours, it works on the default stream, on which times are taken.
        handle = library.made("custatevecExStateVectorCreateSingleProcess", config, None, 0, None)
        library.call("custatevecExDictionaryDestroy", config)
        weakref.finalize(self, library.call, "custatevecExStateVectorDestroy", handle).atexit = False
        return handle

    def start(self, how: str) -> None:
        """Make |0...0> or a random state, with wire w at index bit w."""
        wires = integers(range(self.n))
        self.library.call("custatevecExStateVectorReassignWireOrdering", self.handle, wires, self.n)
        if how == "zero":
            self.library.call("custatevecExStateVectorSetZeroState", self.handle)
        else:
            self.library.card.randomise(self._array())
        self.synchronize()

    def synchronize(self) -> None:
        """Let the library do what it has put off, and wait for it."""
        self.library.call("custatevecExStateVectorSynchronize", self.handle)

    def amplitudes(self) -> NDArray[np.complexfloating]:
        """Return all amplitudes, as they lie in memory."""
        found = np.empty(2**self.n, self.dtype)
        place = (found.ctypes.data, DATA_TYPE[self.dtype], 0, len(found), 1)
        self.library.call("custatevecExStateVectorGetState", self.handle, *place)
        self.synchronize()
        return found

    def wires(self) -> list[int]:
        """Return the wire that is at each index bit."""
        wires = (c_int32 * self.n)()
        self.library.call("custatevecExStateVectorGetProperty", self.handle, _WIRE_ORDERING, wires, sizeof(wires))
        return list(wires)

    def _array(self) -> Any:
        """Return the memory as an array of CuPy."""
        device, pointer, stream = c_int32(), c_void_p(), c_void_p()
        found = (byref(device), byref(pointer), byref(stream), None)
        self.library.call("custatevecExStateVectorGetResourcesFromDeviceSubSV", self.handle, 0, *found)
        cuda = self.library.card.cupy.cuda
        memory = cuda.UnownedMemory(pointer.value, self.dtype.itemsize * 2**self.n, self, 0)
        return self.library.card.cupy.ndarray((2**self.n,), self.dtype, cuda.MemoryPointer(memory, 0))


class QueuedCircuit:
    """The gates of a circuit in an updater's queue; what is queued stays there when it is applied."""

    name = PEER
    starts = ("zero", "random")

    def __init__(
        self, state: LibraryState, *, matrices: Sequence[Matrix], wire_of: tuple[int, ...], widest: int | None
    ) -> None:
        of_qubits = f"of up to {widest} qubits" if widest else "as wide as it chooses"
        self.setting = f"SVUpdater, which fuses {len(matrices)} gates into matrices {of_qubits}"
        self._library, self._state = state.library, state
        self._matrices, self._wire_of, self._widest = matrices, wire_of, widest
        self._updater: c_void_p | None = None
        self._kept: list[Any] = []  # the memory that the queue may point to

    def start(self, how: str) -> None:
        """Queue the gates if that has not been done, and make |0...0> or a random state."""
        if self._updater is None:
            self._updater = self._with_queue()
        self._state.start(how)

    def run(self) -> None:
        """Apply what is queued, and wait for it."""
        self._library.call("custatevecExSVUpdaterApply", self._updater, self._state.handle, None, 0)
        self._state.synchronize()

    def final(self) -> tuple[NDArray[np.complexfloating], tuple[int, ...]]:
        """Return all amplitudes, and the index bit at which each qubit is."""
        wires = self._state.wires()
        return self._state.amplitudes(), tuple(wires.index(wire) for wire in self._wire_of)

    def _with_queue(self) -> c_void_p:
        library = self._library
        item = byref(ConfigItem(name=_DENSE_FUSION_SIZE, int32=self._widest)) if self._widest else None
        config = library.made(
            "custatevecExConfigureSVUpdater", DATA_TYPE[self._state.dtype], item, int(item is not None)
        )
        updater = library.made("custatevecExSVUpdaterCreate", config, None)
        library.call("custatevecExDictionaryDestroy", config)
        weakref.finalize(self, library.call, "custatevecExSVUpdaterDestroy", updater).atexit = False
        for matrix in self._matrices:
            kind, data = _elements(matrix)
            targets, controls, values = map(integers, (matrix.targets, matrix.controls, matrix.values))
            head = (updater, data.ctypes.data, DATA_TYPE[data.dtype], kind, ROW_MAJOR, 0)
            qubits = (targets, len(matrix.targets), controls, values, len(matrix.controls))
            library.call("custatevecExSVUpdaterEnqueueMatrix", *head, *qubits)
            self._kept += [data, targets, controls, values]
        return updater


def _elements(matrix: Matrix) -> tuple[int, NDArray[np.complex128]]:
    """Return the kind of a matrix and its elements, of an anti-diagonal one only those that are not 0 anyway."""
    data = np.ascontiguousarray(matrix.data, complex)
    if matrix.is_diagonal:
        return _DIAGONAL, data
    other_diagonal = np.fliplr(data).diagonal().copy()
    if np.count_nonzero(data) == np.count_nonzero(other_diagonal):
        return _ANTI_DIAGONAL, other_diagonal
    return _DENSE, data
