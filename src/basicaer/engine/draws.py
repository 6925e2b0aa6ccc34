"""Random numbers by name: what a shot draws depends on the seed, the place, the loops it is in and its own number.

Nothing else matters: neither which shots run together, nor in which order, nor where a run was interrupted. The
generator is Philox 4x64 (Salmon et al., SC'11), whose n-th block of four numbers can be computed without those before
it: the seed is its key; place, loops and shot make the counter.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence

from basicaer.engine.bits import WORD_BITS, lowest_bits, shifted_down

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FINAL", "Draws", "generator", "number_of", "seed_of_experiment", "seeds_of_experiments"]

FINAL = 0
"""The place of the measurements at the end of a program; those before are numbered from 1."""

_BLOCK = 4  # numbers that Philox makes from one value of its counter
_SPLITS = 1  # the last word of the counter where shots are split in bulk instead of drawn one by one
_ERRORS = 2  # the last word where errors of many shots are drawn together
_READOUTS = 3  # the last word where shots draw the values that are recorded at the end

# The constants of NumPy's `SeedSequence`, which adds and multiplies numbers of 32 bits.
_HALF_WORD, _HALF_WORDS = 32, 2**32
_INPUT_START, _INPUT_FACTOR = 0x43B0D7E5, 0x931E8875
_OUTPUT_START, _OUTPUT_FACTOR = 0x8B51F9DD, 0x58F38DED
_POOL_FACTOR, _MIXED_FACTOR = 0xCA01F9DD, 0x4973F715


def seed_of_experiment(seed: int, position: int) -> int:
    """Return the seed of the experiment at `position` of a job seeded with `seed`.

    The first experiment has the job's own seed; each later one has a 63-bit number that depends on seed and position
    only. Any of them, given as the seed of a job of its own, reproduces its experiment.
    """
    if position == 0:
        return seed
    words = np.random.SeedSequence(seed, spawn_key=(position,)).generate_state(1, np.uint64)
    return int(words[0] // 2)


def seeds_of_experiments(seed: int, positions: range) -> list[int]:
    """Return `seed_of_experiment` for many positions below 2**32.

    What a `SeedSequence` of NumPy makes of the seed is made once, and the positions are mixed in all at once. NumPy
    promises that what it gives never changes.
    """
    sequence = np.random.SeedSequence(seed)
    words = max(-(-seed.bit_length() // _HALF_WORD), len(sequence.pool))
    of_input, of_output = _INPUT_START * pow(_INPUT_FACTOR, len(sequence.pool) * words, _HALF_WORDS), _OUTPUT_START
    position = np.arange(positions.start, positions.stop, positions.step, dtype=np.uint32)
    halves = []
    for of_seed in sequence.pool[:2].tolist():
        hashed, of_input = _hashed(position, of_input, _INPUT_FACTOR)
        mixed = np.uint32(of_seed * _POOL_FACTOR % _HALF_WORDS) - hashed * np.uint32(_MIXED_FACTOR)
        mixed, of_output = _hashed(mixed ^ shifted_down(mixed, _HALF_WORD // 2), of_output, _OUTPUT_FACTOR)
        halves.append(mixed)
    made: list[int] = shifted_down(np.stack(halves, axis=1).astype("<u4").view("<u8")[:, 0], 1).tolist()
    return [seed if number == 0 else own for number, own in zip(positions, made, strict=True)]


def _hashed(values: Any, start: int, factor: int) -> tuple[Any, int]:
    """Return an array of uint32 hashed as by a `SeedSequence`, and the constant with which it hashes the next ones."""
    following = start * factor % _HALF_WORDS
    hashed = (values ^ np.uint32(start % _HALF_WORDS)) * np.uint32(following)
    return hashed ^ shifted_down(hashed, _HALF_WORD // 2), following


class _SeedAsKey(ISeedSequence):
    """Hands a seed to Philox as its key.

    Unhashed, so that any implementation of Philox can repeat the draws; and three times faster than a `SeedSequence`.
    """

    def __init__(self, seed: int) -> None:
        self._key = [lowest_bits(seed, WORD_BITS), lowest_bits(shifted_down(seed, WORD_BITS), WORD_BITS)]

    def generate_state(self, n_words: int, dtype: Any = np.uint64) -> NDArray[Any]:
        """Return the words of the key."""
        return np.array(self._key[:n_words], dtype)


def generator(seed: int) -> np.random.Generator:
    """Return the generator of a seed, at the beginning: what it gives is what shots draw at the place `FINAL`.

    Its key is the seed; seeds that differ by a multiple of 2**128 are the same.
    """
    return np.random.Generator(np.random.Philox(_SeedAsKey(seed)))  # type: ignore[arg-type]  # its stub knows fewer


class Draws:
    """The draws of one experiment.

    Parameters
    ----------
    seed
        Seed of the experiment.
    shots
        How many there are.
    """

    def __init__(self, seed: int, shots: int) -> None:
        self._random = generator(seed)
        self._philox: Any = self._random.bit_generator
        self._shots = shots

    def of_shots(self, place: int, loops: tuple[int, ...], shots: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the number in [0, 1) that each of some shots draws.

        Parameters
        ----------
        place
            The number of the measurement or reset in the program, or `FINAL`.
        loops
            The iteration of each loop that it stands in, outermost first.
        shots
            Numbers of shots, ascending.
        """
        if not len(shots):
            return np.empty(0)
        first = int(shots[0]) // _BLOCK
        self._go_to(first, place, loops)
        drawn = self._random.random(int(shots[-1]) + 1 - first * _BLOCK)
        return drawn[shots - first * _BLOCK] if len(shots) < len(drawn) else drawn

    def of_readouts(self, shots: NDArray[np.int64], count: int) -> NDArray[np.float64]:
        """Return ``numbers[i, k]``, the number in [0, 1) that ``shots[i]`` draws for readout k of `count` at the end.

        Parameters
        ----------
        shots
            Numbers of shots, ascending.
        """
        if not len(shots):
            return np.empty((0, count))
        first = int(shots[0]) * count // _BLOCK
        self._go_to(first, FINAL, (), _READOUTS)
        drawn = self._random.random((int(shots[-1]) + 1) * count - first * _BLOCK)
        of_shots = drawn[int(shots[0]) * count - first * _BLOCK :].reshape(-1, count)
        return of_shots if len(of_shots) == len(shots) else of_shots[shots - shots[0]]

    def of_split(self, place: int, loops: tuple[int, ...], name: bytes) -> np.random.Generator:
        """Return the generator that splits a number of shots which are not told apart.

        Parameters
        ----------
        place, loops
            As for `of_shots`.
        name
            Names the branch that is split.
        """
        self._go_to(0, place, (*loops, number_of(name), len(loops)), _SPLITS)
        return self._random

    def of_errors(self, place: int, attempt: int, block: int) -> np.random.Generator:
        """Return the generator that draws which shots of a block have errors.

        Parameters
        ----------
        place
            The number of the first of the places where the errors may occur.
        attempt
            How often errors were drawn there before.
        """
        self._go_to(0, place, (attempt, block), _ERRORS)
        return self._random

    def _go_to(self, block: int, place: int, loops: tuple[int, ...], purpose: int = 0) -> None:
        loop = 0 if not loops else loops[0] + 1 if len(loops) == 1 else number_of(repr(loops).encode())
        state = self._philox.state
        state["state"]["counter"] = np.array([block, place, loop, purpose], np.uint64)
        state["buffer_pos"] = _BLOCK  # no number is left from the previous block
        self._philox.state = state


def number_of(name: bytes) -> int:
    """Return a 64-bit number for a name, the same one on every machine."""
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little")
