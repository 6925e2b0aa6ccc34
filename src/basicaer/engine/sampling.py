"""Draws of measurement outcomes from a state: which indices, and what they write to classical bits.

The cumulative distribution runs in logical index order whatever the device or its layout, from float64 sums of
blocks that depend on the number of qubits only; so equal draws mean equal outcomes, except where a draw falls within
rounding of a boundary.
"""

from __future__ import annotations

from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.random.bit_generator import ISeedSequence

from basicaer.engine.bits import mask_of, shifted
from basicaer.errors import LostNormError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from basicaer.engine.device import State
    from basicaer.engine.program import Measure

__all__ = [
    "SHOTS_AT_ONCE",
    "classical_values",
    "counts_by_index",
    "generator",
    "generator_from",
    "generator_state",
    "last_with_weight",
    "sample_counts",
    "sample_indices",
    "sample_values",
    "seed_of_experiment",
    "value_counts",
]

SHOTS_AT_ONCE = 2**20
"""Shots that are drawn and sorted between two polls: some 80 ms."""

_MANY_BLOCKS = 0.25  # of all blocks: from here on it pays to have them in order before they are read
_WORD_BITS = 62  # classical bits that fit an int64 with room to spare


def seed_of_experiment(seed: int, position: int) -> int:
    """Return the seed of the experiment at `position` of a job seeded with `seed`.

    The first experiment has the job's own seed; each later one has a 63-bit number that depends on seed and position
    only. Any of them, given as the seed of a job of its own, reproduces its experiment.
    """
    if position == 0:
        return seed
    words = np.random.SeedSequence(seed, spawn_key=(position,)).generate_state(1, np.uint64)
    return int(words[0] // 2)


class _SeedAsKey(ISeedSequence):
    """Hands a seed to Philox as its key.

    Unhashed, so that any implementation of Philox can repeat the draws; and three times faster than a `SeedSequence`.
    """

    def __init__(self, seed: int) -> None:
        self._key = [seed % 2**64, seed // 2**64 % 2**64]

    def generate_state(self, n_words: int, dtype: Any = np.uint64) -> NDArray[Any]:
        """Return the words of the key."""
        return np.array(self._key[:n_words], dtype)


def generator(seed: int) -> np.random.Generator:
    """Return the counter-based generator (Philox 4x64, Salmon et al., SC'11) that an experiment draws from.

    Its key is the seed; seeds that differ by a multiple of 2**128 are the same.
    """
    return np.random.Generator(np.random.Philox(_SeedAsKey(seed)))  # type: ignore[arg-type]  # its stub knows fewer


def generator_state(random: np.random.Generator) -> dict[str, Any]:
    """Return where a generator is, as numbers, texts and lists of them."""
    state: Any = random.bit_generator.state
    return {
        "counter": state["state"]["counter"].tolist(),
        "key": state["state"]["key"].tolist(),
        "buffer": state["buffer"].tolist(),
        "buffer_pos": state["buffer_pos"],
        "has_uint32": state["has_uint32"],
        "uinteger": state["uinteger"],
    }


def generator_from(state: dict[str, Any]) -> np.random.Generator:
    """Return a generator that goes on where another was."""
    made = generator(0)
    made.bit_generator.state = {
        "bit_generator": "Philox",
        "state": {name: np.array(state[name], np.uint64) for name in ("counter", "key")},
        "buffer": np.array(state["buffer"], np.uint64),
        **{name: state[name] for name in ("buffer_pos", "has_uint32", "uinteger")},
    }
    return made


def sample_indices(state: State, draws: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the index that each draw falls on; ascending, as the draws are.

    Parameters
    ----------
    draws
        Numbers in [0, 1), ascending. They are scaled by the state's whole weight, so rounding in single precision does
        not favour the last index.
    """
    n = state.n_qubits
    block_qubits = _block_qubits(n)
    if block_qubits == n:
        ends = _ends(state.block_probabilities(0, n))
        return last_with_weight(ends, ends.searchsorted(draws * ends[-1], side="right"))

    ends = _ends(state.block_weights(block_qubits))  # ends[b] = weight of all indices up to the end of block b
    targets = draws * ends[-1]
    blocks = last_with_weight(ends, ends.searchsorted(targets, side="right"))
    before = np.concatenate([[0.0], ends])[blocks]
    if len(np.unique(blocks)) > len(ends) * _MANY_BLOCKS:
        state.settle()
    return state.find(block_qubits, blocks, targets - before)


def _ends(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums of weights up to the end of each."""
    ends: NDArray[np.float64] = weights.cumsum()
    _check_norm(ends[-1])
    return ends


def _check_norm(weight: float) -> None:
    if not 0 < weight < np.inf:
        raise LostNormError(f"A state has the squared norm {weight}.")


def sample_counts(state: State, draws: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices that draws fall on, each once and ascending, and how many do; see `sample_indices`."""
    n = state.n_qubits
    if _block_qubits(n) == n and len(draws) > 2**n:  # there are fewer indices to look for than draws
        numbers = counts_by_index(draws, state.block_probabilities(0, n).cumsum())
        hit = numbers.nonzero()[0]
        return hit, numbers[hit]
    indices = sample_indices(state, draws)
    first = np.flatnonzero(np.diff(indices, prepend=-1))
    return indices[first], np.diff(first, append=len(indices))


def counts_by_index(draws: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return how many draws, ascending, fall on each index, where ``ends[i]`` is the weight of all indices up to i."""
    _check_norm(ends[-1])
    up_to: NDArray[np.int64] = (draws * ends[-1]).searchsorted(ends)  # up_to[i] = draws that fall on no index beyond i
    if up_to[-1] < len(draws):  # rounding put some past the end
        up_to[ends.searchsorted(ends[-1]) :] = len(draws)
    up_to[1:] -= up_to[:-1]
    return up_to


def _block_qubits(n: int) -> int:
    return min(n, max(10, n // 2))


def last_with_weight(ends: NDArray[np.float64], found: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bring places past the end, where rounding put them, back to the last place that has any weight.

    Places of no weight before that are never found: `searchsorted` from the right skips equal ends.
    """
    clipped: NDArray[np.int64] = np.minimum(found, ends.searchsorted(ends[-1], side="left"))
    return clipped


class _Writing(NamedTuple):
    """What measurements that are taken together write to the classical bits."""

    qubits: int  # mask of the qubits whose outcomes are written
    bits: int  # mask of the bits that are written
    words: tuple[tuple[int, tuple[tuple[int, int], ...]], ...]
    """For each word of classical bits that are written, its first bit and: (mask of qubits, how far to shift)."""


@lru_cache(maxsize=256)
def _writing(measures: tuple[Measure, ...]) -> _Writing:
    source = {bit: measure.qubit for measure in measures for bit in measure.bits}  # the last write to a bit counts
    words = []
    for start in range(0, max(source, default=-1) + 1, _WORD_BITS):
        moving: dict[int, int] = {}  # all that move by as many places go together
        for bit, qubit in source.items():
            if start <= bit < start + _WORD_BITS:
                distance = bit - start - qubit
                moving[distance] = moving.get(distance, 0) | mask_of((qubit,))
        if moving:
            words.append((start, tuple((mask, distance) for distance, mask in moving.items())))
    return _Writing(mask_of(source.values()), mask_of(source), tuple(words))


def classical_values(
    indices: NDArray[np.int64], measures: tuple[Measure, ...], before: int
) -> tuple[list[int], NDArray[np.int64]]:
    """Return the values that the classical bits have after `measures`, and which of them each index leads to.

    Parameters
    ----------
    indices
        The basis state that each shot was found in.
    before
        The classical bits as they were; bits that are not written stay.
    """
    writing = _writing(measures)
    seen = indices & writing.qubits
    steps = seen[1:] - seen[:-1]
    least = steps.min() if steps.size else 1
    if least > 0:  # as they come where all qubits are measured and each index is counted once
        distinct, which = seen, np.arange(len(seen))
    elif least < 0:
        distinct, which = np.unique(seen, return_inverse=True)
    else:  # ascending, as they come where all qubits are measured: no need to sort
        which = np.zeros(len(seen), np.int64)
        np.cumsum(steps != 0, out=which[1:])
        distinct = np.empty(which[-1] + 1, np.int64)
        distinct[which] = seen
    before &= ~writing.bits
    values = [before] * len(distinct)
    for first, moves in writing.words:
        # word[i] = classical bits of this word for index i
        word = reduce(np.bitwise_or, [shifted(distinct & mask, distance) for mask, distance in moves])
        values = [value | w * 2**first for value, w in zip(values, word.tolist(), strict=True)]
    return values, which


def value_counts(
    state: State, draws: NDArray[np.float64], measures: tuple[Measure, ...], before: int
) -> tuple[list[int], list[int]]:
    """Return the values that the classical bits have after `measures`, and how many draws lead to each.

    Parameters
    ----------
    draws
        Numbers in [0, 1), which are put in order.
    before
        The classical bits as they were.
    """
    draws.sort()  # several times faster than to find the order, which counts do not need
    indices, numbers = sample_counts(state, draws)
    values, which = classical_values(indices, measures, before)
    # Indices may lead to values in another order than their own. Exact: float64 counts up to 2**53.
    return values, np.bincount(which, numbers).astype(np.int64).tolist()


def sample_values(
    state: State, draws: NDArray[np.float64], measures: tuple[Measure, ...], before: int
) -> tuple[list[int], NDArray[np.int64], int]:
    """Return the values that the classical bits have after `measures`, and which of them each draw leads to.

    Parameters
    ----------
    draws
        Numbers in [0, 1), in any order.
    before
        The classical bits as they were.

    Returns
    -------
    values, which, last
        ``values[which[d]]`` for draw d; and the index that the last draw falls on.
    """
    order = np.argsort(draws)
    indices = sample_indices(state, draws[order])
    values, of_sorted = classical_values(indices, measures, before)
    which = np.empty(len(draws), np.int64)
    which[order] = of_sorted
    return values, which, int(indices[np.flatnonzero(order == len(draws) - 1)[0]])
