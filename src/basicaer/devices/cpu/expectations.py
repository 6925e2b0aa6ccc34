"""Expectation values of products of Paulis in states that are rows of one array, chunk by chunk.

All that are asked for are computed while a chunk is in the caches; `pauli_sums` says how.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from basicaer.devices.cpu.gatewise import weight
from basicaer.devices.cpu.pauli_groups import grouped_sums
from basicaer.devices.cpu.pauli_sums import Chunks, Room
from basicaer.devices.cpu.threads import run_parts
from basicaer.engine.bits import highest_position

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["Observables", "expectations", "expectations_of_each"]

_CHUNK_QUBITS = 16  # 2**16 amplitudes are read between two polls
_GROUPS_OF_A_SPAN = 2  # few enough for all threads to end at the same time
_SPANS = 64  # parts summed separately, which makes results independent of the number of threads


class Observables:
    """Pauli products on states of some bits, and how they are computed.

    Parameters
    ----------
    masks
        ``masks[j]`` is x and z of product j, as for `State.expectations`, as masks of index bits.
    bits
        The number of index bits.
    """

    def __init__(self, masks: NDArray[np.int64], bits: int) -> None:
        self.count = len(masks)
        self.chunk_bits = min(bits, _CHUNK_QUBITS)
        self.groups = grouped_sums(masks, self.chunk_bits)

    def add_sums(
        self,
        states: NDArray[np.complexfloating],
        starts: Sequence[int],
        sums: NDArray[np.float64],
        poll: Callable[[], None],
        room: Room,
        *,
        groups: slice = slice(None),
    ) -> None:
        """Add to ``sums[s]`` what the chunks that begin at some indices contribute to the values in state s.

        Parameters
        ----------
        room
            Buffers for chunks of these states.
        """
        size = 2**self.chunk_bits
        for start in starts:
            here = states[:, start : start + size].astype(np.complex128, copy=False)
            for group in self.groups[groups]:
                poll()
                if group.reads(start):
                    there = here
                    if group.apart:
                        other = start ^ group.apart
                        there = states[:, other : other + size].astype(np.complex128, copy=False)
                    sums[:, group.places] += group.sums(Chunks(here, there, start), room)


def expectations(
    vector: NDArray[np.complexfloating],
    masks: NDArray[np.int64],
    threads: int,
    poll: Callable[[], None],
    advance: Callable[[float], None] = lambda _passes: None,
) -> NDArray[np.float64]:
    """Return what `State.expectations` returns, for masks of index bits of `vector`; poll before each chunk.

    Parameters
    ----------
    masks
        As for `Observables`.
    advance
        Told the part of a pass that was done, where products with the same flips are one pass.
    """
    held = [vector]  # emptied at the end, because the traceback of an error refers to `task`, which would keep it
    observables = Observables(masks, highest_position(len(vector)))
    passes, lock, room = len(np.unique(masks[:, 0])), threading.Lock(), Room()
    starts = np.arange(0, len(vector), 2**observables.chunk_bits)
    # A state of one chunk is shared out by products, a larger one by chunks.
    by_product = len(starts) == 1
    parts = np.arange(len(observables.groups)) if by_product else starts
    spans = np.array_split(parts, min(_SPANS, max(len(parts) // _GROUPS_OF_A_SPAN, 1) if by_product else len(parts)))
    sums = np.zeros((1 if by_product else len(spans), len(masks)))
    norms = np.zeros(len(spans))

    def task(number: int) -> None:
        states, span = held[0][None], spans[number]
        if by_product:
            observables.add_sums(states, [0], sums, poll, room, groups=slice(int(span[0]), int(span[-1]) + 1))
            norms[number] = _norms(states)[0] if number == 0 else 0.0
        else:
            observables.add_sums(states, span.tolist(), sums[number : number + 1], poll, room)
            norms[number] = sum(_norms(states[:, start : start + 2**observables.chunk_bits])[0] for start in span)
        with lock:
            advance(passes / len(spans))

    try:
        run_parts(task, len(spans), threads)
    finally:
        held.clear()
    values: NDArray[np.float64] = sums.sum(axis=0) / norms.sum()
    return values


def expectations_of_each(
    states: NDArray[np.complexfloating], observables: Observables, poll: Callable[[], None]
) -> NDArray[np.float64]:
    """Return ``values[s, j]``, the expectation value of product j in state s, on one thread."""
    sums = np.zeros((len(states), observables.count))
    observables.add_sums(states, range(0, states.shape[1], 2**observables.chunk_bits), sums, poll, Room())
    values: NDArray[np.float64] = sums / _norms(states)[:, None]
    return values


def _norms(states: NDArray[np.complexfloating]) -> NDArray[np.float64]:
    """Return the squared norm of each state; one by one, so that no rounding depends on their number."""
    return np.array([weight(state) for state in states])
