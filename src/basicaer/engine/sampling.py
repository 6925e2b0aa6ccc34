"""Draws of measurement outcomes from a state: which indices, and what they write to classical bits.

The cumulative distribution runs in logical index order whatever the device or its layout, from float64 sums of
blocks that depend on the number of qubits only; so equal draws mean equal outcomes, except where a draw falls within
rounding of a boundary.
"""

from __future__ import annotations

from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.engine.bits import all_ones, bit_at, mask_of, shifted, shifted_up
from basicaer.errors import LostNormError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from basicaer.engine.device import State
    from basicaer.engine.program import Measure

__all__ = [
    "SHOTS_AT_ONCE",
    "are_told_apart",
    "classical_values",
    "counts_by_index",
    "last_with_weight",
    "sample_counts",
    "sample_in_any_order",
    "sample_indices",
    "sample_side_by_side",
    "sample_values",
    "share_out",
    "split_values",
    "value_counts",
    "words_of",
]

SHOTS_AT_ONCE = 2**20
"""Shots that are drawn and sorted between two polls: some 80 ms."""

_LARGEST_BLOCK = 16  # qubits; the probabilities of a state of this size are summed up at once
_SMALLEST_BLOCK = 10  # qubits
_SPLIT_QUBITS = 16  # qubits of a block whose shots are split at a time
_MANY_BLOCKS = 0.25  # from this fraction of all blocks on, it pays to put them in order before they are read
_WORD_BITS = 62  # classical bits that fit an int64 with room to spare


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
    thresholds = draws * ends[-1]
    blocks = last_with_weight(ends, ends.searchsorted(thresholds, side="right"))
    before = np.concatenate([[0.0], ends])[blocks]
    if len(np.unique(blocks)) > len(ends) * _MANY_BLOCKS:
        state.bring_into_order()
    return state.indices_of_draws(block_qubits, blocks, thresholds - before)


def sample_in_any_order(state: State, draws: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the index that each draw falls on, like `sample_indices`, whatever the order of the draws."""
    if _block_qubits(state.n_qubits) == state.n_qubits:  # one block, for which the order of draws does not matter
        return sample_indices(state, draws)
    order = np.argsort(draws)
    indices = np.empty(len(draws), np.int64)
    indices[order] = sample_indices(state, draws[order])
    return indices


def sample_side_by_side(
    probabilities: NDArray[np.float64], numbers: NDArray[np.intp], draws: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the index that each draw falls on in a state of its own.

    Parameters
    ----------
    probabilities
        ``probabilities[s, i]``, that of index i in state s, relative to its norm.
    numbers
        Draw d is from state ``numbers[d]``.
    draws
        Numbers in [0, 1).
    """
    ends = probabilities.cumsum(axis=1)
    for weight in ends[:, -1].tolist():
        _check_norm(weight)
    ends /= ends[:, -1:]
    last = (ends < 1).sum(axis=1)  # last[s] = the last index of state s with any probability
    ends += np.arange(len(ends))[:, None]  # offsets make the whole array ascending
    found = ends.reshape(-1).searchsorted(numbers + draws, side="right") - numbers * ends.shape[1]
    indices: NDArray[np.int64] = np.minimum(found, last[numbers])
    return indices


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
    begins = np.ones(len(indices) + 1, bool)  # whether another index begins at a draw, or all draws end
    np.not_equal(indices[1:], indices[:-1], out=begins[1:-1])
    bounds = np.flatnonzero(begins)
    return indices[bounds[:-1]], bounds[1:] - bounds[:-1]


def counts_by_index(draws: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return how many draws, ascending, fall on each index, where ``ends[i]`` is the weight of all indices up to i."""
    _check_norm(ends[-1])
    up_to: NDArray[np.int64] = (draws * ends[-1]).searchsorted(ends)  # up_to[i] = draws that fall on no index beyond i
    if up_to[-1] < len(draws):  # rounding has put some draws past the end
        up_to[ends.searchsorted(ends[-1]) :] = len(draws)
    up_to[1:] -= up_to[:-1]
    return up_to


def _block_qubits(n: int) -> int:
    return n if n <= _LARGEST_BLOCK else max(_SMALLEST_BLOCK, n // 2)


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
    """(first bit, moves) of each written word of classical bits; each move is (mask of qubits, how far to shift)."""


@lru_cache(maxsize=256)
def _writing(measures: tuple[Measure, ...]) -> _Writing:
    source = {bit: measure.qubit for measure in measures for bit in measure.bits}  # the last write to a bit counts
    words = []
    for start in range(0, max(source, default=-1) + 1, _WORD_BITS):
        moving: dict[int, int] = {}  # moving[distance] = mask of the qubits whose bits move by it
        for bit, qubit in source.items():
            if start <= bit < start + _WORD_BITS:
                distance = bit - start - qubit
                moving[distance] = moving.get(distance, 0) | bit_at(qubit)
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
    if least > 0:  # strictly ascending, for example if all qubits are measured and each index is counted once
        distinct, which = seen, np.arange(len(seen))
    elif least < 0:
        distinct, which = np.unique(seen, return_inverse=True)
    else:  # ascending with repeats, for example if all qubits are measured: no need to sort
        which = np.zeros(len(seen), np.int64)
        np.cumsum(steps != 0, out=which[1:])
        distinct = np.empty(which[-1] + 1, np.int64)
        distinct[which] = seen
    before &= ~writing.bits
    values = [before] * len(distinct)
    for first, moves in writing.words:
        # word[i] = classical bits of this word for index i
        word = _moved(distinct, moves).tolist()
        if first == before == 0:  # true for most circuits; for many values the line below takes three times as long
            values = word
        else:
            values = [value | shifted_up(w, first) for value, w in zip(values, word, strict=True)]
    return values, which


def are_told_apart(n_qubits: int, measures: tuple[Measure, ...]) -> bool:
    """Tell whether each index leads to a value of its own of the bits that measurements write, which `words_of` has."""
    writing = _writing(measures)
    return writing.qubits == all_ones(n_qubits) and all(not first for first, _ in writing.words)


def words_of(indices: NDArray[np.int64], measures: tuple[Measure, ...]) -> NDArray[np.int64] | None:
    """Return the number that the bits written by `measures` make, for each index; None if they are in several words."""
    words = _writing(measures).words
    if any(first for first, _ in words):
        return None
    return _moved(indices, words[0][1]) if words else np.zeros_like(indices)


def _moved(indices: NDArray[np.int64], moves: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """Return the bits that a word of `_Writing` has for each index."""
    moved: NDArray[np.int64] = reduce(np.bitwise_or, [shifted(indices & mask, distance) for mask, distance in moves])
    return moved


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
    draws.sort()  # several times faster than finding the order, which counts do not need
    indices, numbers = sample_counts(state, draws)
    values, which = classical_values(indices, measures, before)
    # Values may be in another order than indices. Sums are exact, since float64 counts up to 2**53.
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


def split_values(  # noqa: PLR0917  # what to split, how, and where to
    state: State,
    shots: int,
    random: np.random.Generator,
    measures: tuple[Measure, ...],
    before: int,
    poll: Callable[[], None],
) -> Iterator[tuple[list[int], list[int]]]:
    """Split a number of shots among outcomes; yield values that the classical bits have, and how many shots have each.

    What it takes does not depend on the number of shots, which are split among blocks of the state, then within each.

    Parameters
    ----------
    random
        Draws the numbers.
    before
        The classical bits as they were.
    """
    block_qubits = min(state.n_qubits, _SPLIT_QUBITS)
    weights = state.block_weights(block_qubits)
    _check_norm(weights.sum())
    of_blocks = random.multinomial(shots, weights / weights.sum()).tolist()
    for block, probabilities in _blocks(state, block_qubits, poll):
        if of_blocks[block]:
            counts = random.multinomial(of_blocks[block], probabilities / probabilities.sum())
            values, numbers = _joined(counts, block * 2**block_qubits, measures, before)
            yield values, numbers.astype(np.int64).tolist()


def share_out(
    state: State, measures: tuple[Measure, ...], least: float, poll: Callable[[], None]
) -> Iterator[tuple[list[int], list[float]]]:
    """Yield values that `measures` write to the classical bits, and the exact probability of each, in parts.

    A value may come several times. Indices are left out that are less likely than `least`, as rounding makes those that
    are impossible.
    """
    block_qubits = min(state.n_qubits, _SPLIT_QUBITS)
    whole = state.block_weights(block_qubits).sum()
    _check_norm(whole)
    for block, weights in _blocks(state, block_qubits, poll):
        probabilities = weights / whole
        probabilities[probabilities < least] = 0
        values, shares = _joined(probabilities, block * 2**block_qubits, measures, 0)
        yield values, shares.tolist()


def _joined(
    of_index: NDArray[Any], first: int, measures: tuple[Measure, ...], before: int
) -> tuple[list[int], NDArray[np.float64]]:
    """Add up what belongs to indices, from `first` on, that lead to the same value of the classical bits."""
    hit = of_index.nonzero()[0]
    values, which = classical_values(hit + first, measures, before)
    return values, np.bincount(which, of_index[hit], len(values)).astype(np.float64)


def _blocks(state: State, block_qubits: int, poll: Callable[[], None]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield each block's number and the probabilities within it."""
    if state.n_qubits > block_qubits:
        state.bring_into_order()
    for block in range(2 ** (state.n_qubits - block_qubits)):
        poll()
        yield block, state.block_probabilities(block, block_qubits)
