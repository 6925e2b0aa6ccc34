"""What measurements and resets do to a group of branches: they part it, and make some of its branches the same."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from basicaer.engine.ensemble import MOST_AMPLITUDES
from basicaer.engine.liveness import Liveness
from basicaer.engine.program import SavedQuantity
from basicaer.engine.records import Shots
from basicaer.errors import LostNormError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from basicaer.engine.draws import Draws
    from basicaer.engine.ensemble import Ensemble
    from basicaer.engine.groups import Frame, Group
    from basicaer.engine.planning import Planning
    from basicaer.engine.program import Program
    from basicaer.engine.records import Records

__all__ = ["NoRoomError", "Parted", "Splitting", "collapse", "drawn", "probabilities"]

_MANY_BRANCHES = 32
_NO_ROWS = np.empty(0, np.int64)
_PATIENCE = 4  # after this many vain attempts, only one in this many is made
_FEWEST_MIXED = 16  # density matrices that are weighed by their probabilities may be so many, however large
_MOST_MIXED = 64  # density matrices that go on together in order to be mixed
_COPIES_SHARE = 2  # at most 1/this of the free memory goes to states of further branches
_MOST_ROWS = 2**18  # Most rows of one run when counts are split, ended branches included.
_MOST_PROBABILITIES = 2**12  # Most rows if they are probabilities whose bits do not matter.
LEAST_PROBABILITY = 1e-12
"""If rows are probabilities, a branch is not followed if its total probability is smaller."""
LEAST_OF_OUTCOMES = 1e-15
"""The same limit if the probabilities of all outcomes are wanted, of which there may be many."""


class Parted(NamedTuple):
    """How a group was parted.

    Attributes
    ----------
    sources, outcomes
        For each new branch the branch that it comes from, and its outcome.
    of_rows
        The outcome of each row that is left in the group.
    no_room
        Rows that found no room; they are no longer in the group.
    """

    sources: NDArray[np.intp]
    outcomes: NDArray[np.intp]
    of_rows: NDArray[np.intp]
    no_room: NDArray[np.int64]


class NoRoomError(Exception):
    """There are more branches than can be followed where shots are not drawn one by one."""


class Splitting:
    """Parts the groups of one run.

    Parameters
    ----------
    shots
        What a row of the records stands for.
    keeps_phases
        Whether branches differ by the phases of their states.

    Attributes
    ----------
    most_together
        The largest number of branches in a group.
    cut
        The probability of all outcomes that were too unlikely to be followed.
    """

    def __init__(
        self,
        program: Program,
        records: Records,
        draws: Draws,
        planning: Planning,
        *,
        shots: Shots,
        keeps_phases: bool,
        one_by_one: bool,
    ) -> None:
        self._records = records
        self._draws = draws
        self._program = program
        self._live: Liveness | None = None  # found when it is first needed
        self._planning = planning
        self._shots = shots
        self._is_exact = shots is Shots.WEIGHED
        wants_outcomes = program.outcomes_save is not None
        self._keeps_bits = not self._is_exact or wants_outcomes
        self._least = LEAST_OF_OUTCOMES if wants_outcomes else LEAST_PROBABILITY
        self._mixes = self._is_exact and not self._keeps_bits and planning.device.axes > 1
        self._most_rows = _MOST_ROWS if self._keeps_bits else _MOST_PROBABILITIES
        if self._mixes:  # each row is a density matrix, which may be large
            few = max(MOST_AMPLITUDES // 2**planning.n_qubits, _FEWEST_MIXED)
            self._most_rows = min(self._most_rows, few)
        self.cut = 0.0
        self.keeps_phases = keeps_phases or any(save.quantity is SavedQuantity.AMPLITUDES for save in program.saves)
        n_qubits, device = planning.n_qubits, planning.device
        most = min(device.most_states(n_qubits, planning.precision), MOST_AMPLITUDES // 2**n_qubits)
        if self._mixes:  # groups have to meet to be mixed, whatever the size of their states
            most = max(most, _MOST_MIXED)
        self.most_together = 1 if one_by_one or most < 2 else most
        self._attempts = self._fruitless = 0  # attempts to merge branches: all, and those since the last success
        self._room: int | None = None  # how many states fit; the device is asked at the first split

    def room(self) -> int:
        """Return how many states there may be at a time."""
        if self._room is None:
            state_bytes = self._planning.precision.amplitude_bytes * 2**self._planning.n_qubits
            self._room = 1 + self._planning.device.free_bytes() // _COPIES_SHARE // state_bytes
        return self._room

    def measure(
        self, group: Group, here: Frame, qubit: int, bits: tuple[int, ...], others: int, *, reset: bool
    ) -> NDArray[np.int64]:
        """Measure a qubit for all branches of a group, and write the outcomes to some bits.

        Parameters
        ----------
        here
            The place of the measurement.
        others
            How many states other groups have.
        reset
            Whether the qubit is put back to |0> afterwards.

        Returns
        -------
        rows
            Rows that found no room; they are no longer in the group. Nor are rows of an exact run that are too
            unlikely to be followed, so that none may be left.
        """
        p = probabilities(group.ensemble, qubit)
        if are_certain(p):
            self._write_certain(group, qubit, bits, p[:, 1] == 1, reset=reset)
            return _NO_ROWS
        if self._is_exact and not self._likely(group, p):
            return _NO_ROWS
        ones = self._ones(group, here, p[:, 1])
        parted = self.part(group, ones, 2, others)
        is_one = parted.outcomes == 1
        collapse(group.ensemble, qubit, is_one, p[parted.sources])
        for bit in bits:
            self._records.write(group.rows, bit, on=parted.of_rows == 1)
        if reset:
            group.ensemble.flip(qubit, is_one, self._planning.plan)
        return parted.no_room

    def part(self, group: Group, outcomes: NDArray[np.intp], count: int, others: int) -> Parted:
        """Give each branch of a group a branch for each of `count` outcomes that any of its rows has.

        Parameters
        ----------
        outcomes
            ``outcomes[i]`` is the outcome of ``group.rows[i]``.
        others
            How many states other groups have.
        """
        kept, branch = _numbered(count * group.branch + outcomes, count * len(group))
        room = max(self.room() - others, 1)
        no_room = _NO_ROWS
        if len(kept) > room:
            if self._shots is not Shots.DRAWN:
                raise NoRoomError
            stays = branch < room
            no_room = group.rows[~stays]
            group.rows, branch, outcomes, kept = group.rows[stays], branch[stays], outcomes[stays], kept[:room]
        sources = kept // count
        group.keep(sources, branch)
        return Parted(sources, kept % count, outcomes, no_room)

    def draws(self, group: Group, here: Frame) -> NDArray[np.float64] | None:
        """Return the number that each row draws at a place; None if rows are not single shots."""
        if self._shots is not Shots.DRAWN:
            return None
        return self._draws.of_shots(here.number(), here.loops(), group.rows)

    def chosen(
        self, group: Group, here: Frame, p: NDArray[np.float64], draws: NDArray[np.float64] | None
    ) -> NDArray[np.intp]:
        """Return which of several things happens to each row of a group; rows are split where several do.

        Parameters
        ----------
        here
            The place of the choice.
        p
            ``p[i, k]`` is how likely thing k happens to ``group.rows[i]``.
        draws
            What `draws` has returned for this place.
        """
        if draws is not None:
            return drawn(draws, p)
        place, loops = here.number(), here.loops()
        whole, p = self._records.shots[group.rows], p / p.sum(axis=1, keepdims=True)
        if self._is_exact:
            parts = self._shares(group.rows, p)
        else:
            rows = zip(self._records.names[group.rows].tolist(), whole.tolist(), p, strict=True)
            parts = np.array([self._multinomial(*row, place, loops) for row in rows], whole.dtype)
        found: NDArray[np.intp] = (parts > 0).argmax(axis=1)  # what goes on in the same row
        splits = parts > 0
        splits[np.arange(len(found)), found] = False
        at, thing = np.nonzero(splits)
        if self._records.used + len(at) > self._most_rows:
            raise NoRoomError
        for k in range(p.shape[1]):
            own = at[thing == k]
            new = self._records.split(group.rows[own], parts[own, k])
            group.rows = np.concatenate([group.rows, new])
            group.branch = np.concatenate([group.branch, group.branch[own]])
            found = np.concatenate([found, np.full(len(own), k)])
        return found

    def _multinomial(
        self, name: int, whole: int, p: NDArray[np.float64], place: int, loops: tuple[int, ...]
    ) -> NDArray[np.int64]:
        """Return to how many of a row's shots each thing happens."""
        self._planning.monitor.poll()
        return self._draws.of_split(place, loops, name.to_bytes(8, "little")).multinomial(whole, p)

    def _shares(self, rows: NDArray[np.int64], p: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how much of each row's probability belongs to each thing; cut off parts that are too small."""
        parts = self._records.shots[rows][:, None] * p
        small = np.where(parts < self._least, parts, 0.0)
        small[np.arange(len(parts)), parts.argmax(axis=1)] = 0.0  # the largest part goes on, however small
        self.cut += float(small.sum())
        self._records.shots[rows] -= small.sum(axis=1)
        return parts - small

    def _write_certain(
        self, group: Group, qubit: int, bits: tuple[int, ...], outcomes: NDArray[np.bool_], *, reset: bool
    ) -> None:
        """Do what is left of a measurement whose outcome is certain in every branch: nothing is drawn or split."""
        if bits:
            on = outcomes[group.branch] if len(outcomes) > 1 else bool(outcomes[0])
            for bit in bits:
                self._records.write(group.rows, bit, on=on)
        if reset:
            group.ensemble.flip(qubit, outcomes, self._planning.plan)

    def live(self, here: Frame) -> int:
        """Return a mask of the bits that something still reads at a place or after it."""
        if self._live is None:
            self._live = Liveness(self._program)
        return self._live.before(here.block, here.at)

    def merge(self, group: Group, here: Frame) -> None:
        """Merge branches whose states, variables and live bits are the same.

        Density matrices need not be the same if they are weighed by their probabilities and outcomes do not matter:
        their mean is what is wanted.

        Parameters
        ----------
        here
            Where the group stands.
        """
        if len(group) == 1 or self._is_in_vain(group):
            return
        live = self.live(here)
        self._fruitless += 1
        keys = self._keys(group, live)
        if len(set(keys.tolist())) == len(group):
            return
        if self._mixes:
            self._mix(group, keys)
            return
        first = group.ensemble.alike(keys, up_to_phase=not self.keeps_phases)
        if first is not None and (first != np.arange(len(group))).any():
            self._fruitless = 0
            kept, number = _numbered(first, len(group))
            group.keep(kept, number[group.branch])
            if self._shots is not Shots.DRAWN:
                self._join_rows(group)

    def _mix(self, group: Group, keys: NDArray[np.int64]) -> None:
        """Merge the branches of each key into one with their mean density matrix."""
        _, first, number = np.unique(keys, return_index=True, return_inverse=True)
        weights = np.bincount(group.branch, self._records.shots[group.rows], len(group))
        group.ensemble.mix(number, weights.astype(np.float64, copy=False))
        group.keep(first, number[group.branch])
        self._join_rows(group)

    def _keys(self, group: Group, live: int) -> NDArray[np.int64]:
        """Return a number for each branch: the same one for those that differ in nothing but their states.

        Parameters
        ----------
        live
            A mask of the bits that something still reads.
        """
        numbers = np.zeros(len(group), np.int64)
        if not (live or self.keeps_phases or any(group.variables)):
            return numbers
        keys: dict[tuple[object, ...], int] = {}
        bits = self._records.live(group.first_rows(), live).T.tolist()
        for i, (own, variables) in enumerate(zip(bits, group.variables, strict=True)):
            global_phase = complex(group.global_phases[i]) if self.keeps_phases else None
            numbers[i] = keys.setdefault((*own, *sorted(variables.items()), global_phase), len(keys))
        return numbers

    def _is_in_vain(self, group: Group) -> bool:
        """Tell whether another attempt to merge is hardly worthwhile: many states, and the last attempts failed."""
        self._attempts += 1
        has_many = self._shots is Shots.DRAWN and len(group) > _MANY_BRANCHES
        return has_many and self._fruitless > _PATIENCE and self._attempts % _PATIENCE != 0

    def in_parts(self, group: Group) -> list[Group]:
        """Cut groups off a group that has become too large to go on together; return them."""
        parts = []
        while len(group) > self.most_together:
            parts.append(group.split_off(np.arange(len(group)) >= len(group) - self.most_together))
        return parts

    def _ones(self, group: Group, here: Frame, p_one: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return which rows of a group measure 1; rows are split where a part of them does."""
        place, loops = here.number(), here.loops()
        if self._shots is Shots.DRAWN:
            return ones_of(self._draws.of_shots(place, loops, group.rows), group.branch, p_one)
        whole = self._records.shots[group.rows]
        p_of_row = np.minimum(p_one[group.branch], 1.0)
        if self._is_exact:
            of_ones = self._shared(group.rows, p_of_row)
            whole = self._records.shots[group.rows]
        else:
            rows = zip(self._records.names[group.rows].tolist(), whole.tolist(), p_of_row.tolist(), strict=True)
            of_ones = np.array([self._drawn(*row, place, loops) for row in rows], whole.dtype)
        parts = (of_ones > 0) & (of_ones < whole)
        if self._records.used + parts.sum() > self._most_rows:
            raise NoRoomError
        group.rows = np.concatenate([group.rows, self._records.split(group.rows[parts], of_ones[parts])])
        group.branch = np.concatenate([group.branch, group.branch[parts]])
        return np.concatenate([(of_ones > 0) & ~parts, np.ones(parts.sum(), bool)]).astype(np.intp)

    def _likely(self, group: Group, p: NDArray[np.float64]) -> bool:
        """Cut off the rows of which both outcomes are too unlikely; tell whether any are left."""
        most = self._records.shots[group.rows] * p.max(axis=1)[group.branch]
        stays = most >= self._least
        if stays.all():
            return True
        gone = group.rows[~stays]
        self.cut += float(self._records.shots[gone].sum())
        self._records.release(gone)
        group.rows, group.branch = group.rows[stays], group.branch[stays]
        return len(group.rows) > 0

    def _shared(self, rows: NDArray[np.int64], p_one: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how much of each row's probability belongs to the outcome 1; cut off parts that are too small."""
        whole = self._records.shots[rows]
        ones, zeros = whole * p_one, whole * (1 - p_one)
        small = np.minimum(ones, zeros)
        small[small >= self._least] = 0
        self.cut += float(small.sum())
        self._records.shots[rows] -= small  # the rest goes on with the larger part
        left: NDArray[np.float64] = whole - small
        parts: NDArray[np.float64] = np.where(small > 0, np.where(ones > zeros, left, 0.0), np.minimum(ones, left))
        return parts

    def _drawn(self, name: int, whole: int, p_one: float, place: int, loops: tuple[int, ...]) -> int:
        """Return how many of a row's shots measure 1."""
        self._planning.monitor.poll()
        random = self._draws.of_split(place, loops, name.to_bytes(8, "little"))
        return int(random.binomial(whole, p_one))

    def _join_rows(self, group: Group) -> None:
        """Let rows of a branch be one: those with the same bits, or all of them where bits are not wanted."""
        written = self._records.words[: None if self._keeps_bits else 0, group.rows]
        columns = np.vstack([group.branch.astype(np.uint64), written])
        _, first, number = np.unique(columns, axis=1, return_index=True, return_inverse=True)
        if len(first) == len(group.rows):
            return
        shots = np.zeros(len(first), self._records.shots.dtype)
        np.add.at(shots, number.reshape(-1), self._records.shots[group.rows])  # NumPy 2.0 gives it another shape
        self._records.release(np.delete(group.rows, first))
        order = np.argsort(first)
        group.rows, group.branch = group.rows[first[order]], group.branch[first[order]]
        self._records.shots[group.rows] = shots[order]


def _numbered(values: NDArray[np.intp], end: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the values below `end` that occur, ascending, and which of them each value is; faster than sorting."""
    occurs = np.bincount(values, minlength=end) > 0
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[values]


def ones_of(draws: NDArray[np.float64], branch: NDArray[np.intp], p_one: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return 1 for each draw that falls on the outcome 1 of its branch, else 0."""
    return (draws < p_one[branch]).astype(np.intp)


def drawn(draws: NDArray[np.float64], p: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return for each draw i the thing k that it falls on, where ``p[i, k]`` is how likely each is."""
    ends = p.cumsum(axis=1)
    last = p.shape[1] - 1 - (p[:, ::-1] > 0).argmax(axis=1)  # the last that can happen: rounding must not go past it
    things: NDArray[np.intp] = np.minimum((draws[:, None] * ends[:, -1:] >= ends).sum(axis=1), last)
    return things


def probabilities(ensemble: Ensemble, qubit: int) -> NDArray[np.float64]:
    """Return for each state the probabilities of measuring 0 and 1; a tiny one even where the other rounds to 1."""
    weights = ensemble.weights(qubit)
    totals = weights.sum(axis=1)
    for total in totals.tolist():
        if not 0 < total < inf:
            raise LostNormError(f"A state has the squared norm {total}.")
    shares: NDArray[np.float64] = weights / totals[:, None]
    return shares


def are_certain(of_both: NDArray[np.float64]) -> bool:
    """Tell whether every state has one possible outcome only, given the probabilities of both."""
    return not (of_both[:, 0] * of_both[:, 1]).any()


def collapse(ensemble: Ensemble, qubit: int, outcomes: NDArray[np.bool_], of_both: NDArray[np.float64]) -> None:
    """Project onto outcomes, given the probabilities of both; nothing is to be done if all outcomes are certain."""
    numbers = np.arange(len(outcomes))
    if of_both[numbers, 1 - outcomes].any():
        ensemble.collapse(qubit, outcomes, of_both[numbers, outcomes.astype(np.intp)])
