"""The memory of states on a card, apart from CuPy's pool.

CuPy's pool cuts what it has into parts, so that a small array that somebody keeps holds all of the memory that a state
was in before. It also hands memory out again on the same stream at once, while a user may still read it on another one.
"""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

__all__ = ["StateMemory"]

_SMALLEST_BLOCK = 2**26  # bytes; smaller arrays come from CuPy's pool, since allocating takes longer than filling them
_KEPT_SHARE = 16  # a block that is kept takes at most this part of the card's memory
_OUT_OF_MEMORY = 2  # the number of CUDA's error


class _Kept(NamedTuple):
    """A block that no state uses, and what waits for all that was sent to the card while one did."""

    memory: Any
    wait: Callable[[], None]


class _Block:
    """Owns a piece of a card's memory for as long as any array refers to it.

    Attributes
    ----------
    is_handed_over
        Whether it belongs to a user: then it goes back to the driver, which waits for all that may still use it.
    """

    def __init__(self, owner: StateMemory, memory: Any, wait: Callable[[], None]) -> None:
        self.memory = memory
        self.is_handed_over = False
        self._owner = owner
        self._wait = wait

    def __del__(self, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        if not self.is_handed_over and not is_finalizing():
            self._owner.keep(self.memory, self._wait)


class StateMemory:
    """Hands out the memory of states on one card, and keeps one block for the next state.

    Parameters
    ----------
    cupy
        The module.
    number
        The driver's number of the card.
    total_bytes
        The card's whole memory.
    """

    def __init__(self, cupy: Any, number: int, total_bytes: int) -> None:
        self._cupy = cupy
        self._number = number
        self._most_kept = total_bytes // _KEPT_SHARE
        self._kept: _Kept | None = None
        self._blocks: weakref.WeakValueDictionary[int, _Block] = weakref.WeakValueDictionary()  # [address] = block
        self._lock = threading.RLock()  # reentrant: the garbage collector may free a block at any moment

    def empty(self, size: int, dtype: np.dtype[Any], wait: Callable[[], None]) -> Any:
        """Return an array for a state, of whatever was in its memory; only while the card is CuPy's current one.

        Parameters
        ----------
        wait
            Waits for all that will have been sent to the card for this array; it is called before another state gets
            the memory.

        Raises
        ------
        OutOfMemoryError
            CuPy's, if there is not enough.
        """
        needed = size * dtype.itemsize
        if needed < _SMALLEST_BLOCK:
            return self._cupy.empty(size, dtype)
        block = _Block(self, self._reused(needed) or self._allocated(needed), wait)
        address = int(block.memory.ptr)
        self._blocks[address] = block
        memory = self._cupy.cuda.UnownedMemory(address, needed, block, self._number)
        return self._cupy.ndarray((size,), dtype, self._cupy.cuda.MemoryPointer(memory, 0))

    def handed_over(self, array: Any, copy: Callable[[Any, Any], None], wait: Callable[[], None]) -> Any:
        """Return an array that a user may keep: this one if it is a block by itself, otherwise a copy.

        Parameters
        ----------
        copy
            Copies from the second array into the first.
        wait
            Waits for that.
        """
        block = self._blocks.get(int(array.data.ptr))
        if block is not None and 2 * array.nbytes >= block.memory.size:
            block.is_handed_over = True
            return array
        memory = self._allocated(array.nbytes)
        own = self._cupy.ndarray(array.shape, array.dtype, self._cupy.cuda.MemoryPointer(memory, 0))
        copy(own, array)
        wait()
        return own

    def free_bytes(self) -> int:
        """Return how many bytes a new state can have: those that the driver has left, and the block that is kept.

        CuPy's pool gives back what it can if that may matter; pieces in which arrays are left do not count.
        """
        pool = self._cupy.get_default_memory_pool()
        if pool.free_bytes() >= _SMALLEST_BLOCK:
            pool.free_all_blocks()
        free, _ = self._cupy.cuda.runtime.memGetInfo()
        with self._lock:
            return int(free) + (int(self._kept.memory.size) if self._kept else 0)

    def state_bytes(self) -> int:
        """Return how many bytes states have now in blocks of their own, which are free when their jobs end."""
        return sum(int(block.memory.size) for block in list(self._blocks.values()) if not block.is_handed_over)

    def keep(self, memory: Any, wait: Callable[[], None]) -> None:
        """Take back the memory of a state: keep it if it is the largest that may be kept, otherwise free it."""
        with self._lock:
            kept_size = self._kept.memory.size if self._kept else 0
            if kept_size < memory.size <= self._most_kept:
                self._kept = _Kept(memory, wait)

    def _reused(self, needed: int) -> Any:
        """Return the block that is kept if it suits; free it if it is too small, to make room for what is needed."""
        with self._lock:
            if self._kept is None or self._kept.memory.size > 2 * needed:
                return None
            kept, self._kept = self._kept, None
        if kept.memory.size < needed:
            return None
        kept.wait()
        return kept.memory

    def _allocated(self, needed: int) -> Any:
        """Return new memory from the driver, after making room if there is too little."""
        pool = self._cupy.get_default_memory_pool()
        for make_room in (self._drop_kept, pool.free_all_blocks, gc.collect, pool.free_all_blocks):
            try:
                return self._cupy.cuda.Memory(needed)
            except self._cupy.cuda.runtime.CUDARuntimeError as error:
                if error.status != _OUT_OF_MEMORY:
                    raise
            make_room()
        try:
            return self._cupy.cuda.Memory(needed)
        except self._cupy.cuda.runtime.CUDARuntimeError as error:
            if error.status != _OUT_OF_MEMORY:
                raise
            raise self._cupy.cuda.memory.OutOfMemoryError(needed, pool.total_bytes()) from None

    def _drop_kept(self) -> None:
        with self._lock:
            self._kept = None
