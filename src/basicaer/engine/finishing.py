"""The end of a program: its final measurements, which are taken together, and the outcome of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.engine.bits import all_ones, has_bit, has_bits, mask_of, mask_words
from basicaer.engine.draws import FINAL
from basicaer.engine.noise import misread, misread_exactly
from basicaer.engine.program import Form, Gate, Segment
from basicaer.engine.records import Records, Shots
from basicaer.engine.sampling import (
    SHOTS_AT_ONCE,
    sample_in_any_order,
    sample_values,
    share_out,
    split_values,
    value_counts,
)
from basicaer.engine.splitting import LEAST_OF_OUTCOMES, collapse, drawn, probabilities
from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from basicaer.engine.device import State
    from basicaer.engine.draws import Draws
    from basicaer.engine.groups import Group
    from basicaer.engine.planning import Planning
    from basicaer.engine.program import Program, Readout
    from basicaer.engine.request import Request

__all__ = ["Finishing", "record"]

_MOST_OUTCOMES = 2**20  # exact probabilities that are returned, in a dictionary of some 100 MiB


class Finishing:
    """Takes the final measurements of the groups of one run.

    Parameters
    ----------
    shots
        What a row of the records stands for.

    Attributes
    ----------
    amplitudes
        The final state of the last shot, if it was requested; None until it is known.
    """

    def __init__(self, records: Records, draws: Draws, planning: Planning, request: Request, shots: Shots) -> None:
        self._records = records
        self._draws = draws
        self._planning = planning
        self._request = request
        self._program = request.program
        self._monitor = planning.monitor
        self._poll = planning.monitor.poll
        self._shots = shots
        self._outcomes: dict[int, float] | None = {} if request.exact and self._program.outcomes_save else None
        self._one_row = self._program.is_straight or shots is not Shots.DRAWN  # otherwise there is a row for each shot
        self.amplitudes: NDArray[np.complexfloating] | None = None
        self._values: list[int] = []  # the values that are known without the records
        self._counts: list[Any] = []
        self._value_of_shot = np.empty(request.shots, np.int64) if request.keep_order else None

    def outcome(self) -> tuple[list[int], list[Any], NDArray[np.int64] | None]:
        """Return values, counts and the value of each shot, as `Outcome` has them."""
        if self._outcomes is not None:
            for readout in self._program.readouts:
                self._outcomes = misread_exactly(self._outcomes, readout)
                self._check_outcomes(self._outcomes)
            values = sorted(self._outcomes)
            return values, [self._outcomes[value] for value in values], None
        if self._one_row:
            return self._values, self._counts, self._value_of_shot
        values, which = self._records.numbers()
        counts = np.bincount(which, minlength=len(values)).tolist()
        return values, counts, which if self._request.keep_order else None

    def finish(self, group: Group) -> None:
        """Take the final measurements of a group that has run to its end, and count its shots."""
        self._monitor.enter("sampling")
        last_index = 0
        if self._outcomes is not None:
            self._add_outcomes(group, self._outcomes)
        elif self._request.exact:
            pass  # only what was saved during the run is wanted
        elif self._program.is_straight:
            last_index = self._finish_straight(group)
        elif self._shots is not Shots.DRAWN:
            for number, row in zip(group.branch.tolist(), group.rows.tolist(), strict=True):
                self._split(group.ensemble.state(number), row, self._records.number(row))
        else:
            last_index = self._finish_rows(group)
        last = 0 if self._one_row else self._request.shots - 1
        if self._request.keep_state and last == group.rows[-1]:
            self._keep_state(group, int(group.branch[-1]), last_index)
        else:
            group.ensemble.release()

    def _finish_straight(self, group: Group) -> int:
        """Draw for the one branch of a program without measurements in the middle; return the last shot's index."""
        state, bits, shots, last_index = group.ensemble.state(0), self._records.number(0), self._request.shots, 0
        if not self._program.final:
            self._count(0, [bits], [shots], np.zeros(shots if self._request.keep_order else 0, np.int64))
        elif self._shots is not Shots.DRAWN:
            self._split(state, 0, bits)
        else:
            for start in range(0, shots, SHOTS_AT_ONCE):
                self._monitor.poll()
                numbers = np.arange(start, min(start + SHOTS_AT_ONCE, shots))
                draws = self._draws.of_shots(FINAL, (), numbers)
                if self._program.readouts:
                    indices = sample_in_any_order(state, draws)
                    self._count_read(numbers, indices, bits)
                    last_index = int(indices[-1])
                elif self._request.keep_order or self._request.keep_state:
                    values, which, last_index = sample_values(state, draws, self._program.final, bits)
                    self._count(start, values, np.bincount(which).tolist(), which)
                else:
                    self._count(start, *value_counts(state, draws, self._program.final, bits), None)
        return last_index

    def _count_read(self, shots: NDArray[np.int64], indices: NDArray[np.int64], bits: int) -> None:
        """Add shots of a straight program to the outcome, with the errors of reading; see `record`.

        Parameters
        ----------
        bits
            The classical bits before.
        """
        records = Records(self._program.bits, np.ones(len(shots), np.int64))
        records.words[:] = mask_words(bits, len(records.words))[:, None]
        record(records, self._draws, self._program, shots, indices, first=int(shots[0]))
        values, which = records.numbers()
        self._count(int(shots[0]), values, np.bincount(which).tolist(), which)

    def _add_outcomes(self, group: Group, found: dict[int, float]) -> None:
        """Add the probabilities of all outcomes of a group, whose rows are probabilities."""
        program = self._program
        kept = all_ones(program.bits) & ~mask_of(bit for measure in program.final for bit in measure.bits)
        for number, rows in enumerate(group.rows_of_each()):
            state = group.ensemble.state(number)
            shares = self._records.shots[rows].tolist()
            bits = [self._records.number(row) & kept for row in rows.tolist()]
            for values, of_values in share_out(state, program.final, LEAST_OF_OUTCOMES, self._poll):
                for of_row, share in zip(bits, shares, strict=True):
                    self._poll()
                    for value, probability in zip(values, of_values, strict=True):
                        found[value | of_row] = found.get(value | of_row, 0.0) + share * probability
                    self._check_outcomes(found)

    def _check_outcomes(self, found: dict[int, float]) -> None:
        if len(found) > _MOST_OUTCOMES:
            raise BasicAerError(
                f"Circuit '{self._program.name}' has more than {_MOST_OUTCOMES} different outcomes, too many for "
                "save_outcome_probabilities; measure fewer qubits, or use save_probabilities."
            )

    def _count(self, start: int, values: list[int], counts: list[Any], which: NDArray[np.int64] | None) -> None:
        """Add shots, from some number on, to the outcome."""
        self._monitor.finish_shots(sum(counts))
        if self._value_of_shot is not None and which is not None:
            self._value_of_shot[start : start + len(which)] = which + len(self._values)
        self._values += values
        self._counts += counts

    def _split(self, state: State, row: int, bits: int) -> None:
        """Split the shots of a row, whose bits are given, among the outcomes of the final measurements."""
        whole, poll, program = self._records.shots[row].item(), self._monitor.poll, self._program
        if not program.final:
            self._count(0, [bits], [whole], None)
        else:
            random = self._draws.of_split(FINAL, (), self._records.names[row].item().to_bytes(8, "little"))
            for values, counts in split_values(state, whole, random, program.final, bits, poll):
                for readout in program.readouts:
                    poll()
                    values, counts = misread(values, counts, readout, random)  # noqa: PLW2901  # one error after another
                self._count(0, values, counts, None)

    def _finish_rows(self, group: Group) -> int:
        """Draw for each row of a group, and write to its bits; return the index that the last one falls on."""
        if not self._program.final:
            self._monitor.finish_shots(len(group.rows))
            return 0
        indices = self._indices(group)
        record(self._records, self._draws, self._program, group.rows, indices)
        self._monitor.finish_shots(len(group.rows))
        return int(indices[-1])

    def _indices(self, group: Group) -> NDArray[np.int64]:
        """Return the index of the basis state that each row of a group is found in."""
        draws = self._draws.of_shots(FINAL, (), group.rows)
        return group.ensemble.found(group.branch, draws)

    def _keep_state(self, group: Group, branch: int, index: int) -> None:
        """Keep the final state of a branch, in which the final measurements have found an index."""
        ensemble = group.ensemble.taken(np.array([branch]))
        for qubit in sorted({measure.qubit for measure in self._program.final}):
            collapse(ensemble, qubit, np.array([has_bit(index, qubit)]), probabilities(ensemble, qubit))
        (state,) = ensemble.each()
        phase = complex(group.global_phases[branch])
        if phase != 1.0:
            factor = Segment((Gate("global_phase", "", (), Form.DIAGONAL, np.array([phase])),))
            state.run(factor, self._planning.plan(factor, state))
        self.amplitudes = state.device_array() if self._request.on_device else state.amplitudes()


def record(  # where to, and what
    records: Records,
    draws: Draws,
    program: Program,
    shots: NDArray[np.int64],
    indices: NDArray[np.int64],
    *,
    first: int = 0,
) -> None:
    """Record what the final measurements of a program find in some shots, with the errors of recording.

    Parameters
    ----------
    shots
        Their numbers, ascending.
    indices
        The index of the basis state that each of them is found in.
    first
        The shot that has the first row of the records.
    """
    rows = shots - first
    qubit_of = {bit: measure.qubit for measure in program.final for bit in measure.bits}
    before = {bit for readout in program.readouts for bits in readout.bits for bit in bits} - qubit_of.keys()
    bits = [*qubit_of, *before]
    # found[i, j] = what shot i records in bits[j]
    found = has_bits(indices[:, None], np.array([*qubit_of.values()], np.int64))
    if before:
        found = np.column_stack([found, *(records.bit(rows, bit) for bit in before)])
    if program.readouts:
        column_of = {bit: column for column, bit in enumerate(bits)}
        columns = [[[column_of[bit] for bit in bits] for bits in readout.bits] for readout in program.readouts]
        _misread(found, draws.of_readouts(shots, len(columns)), program.readouts, columns)
    records.write_all(rows, bits, found)


def _misread(
    found: NDArray[np.bool_],
    draws: NDArray[np.float64],
    readouts: Sequence[Readout],
    columns: list[list[list[int]]],
) -> None:
    """Change what shots have found, ``found[shot, column]``, by readout errors, whose bits are in these columns.

    All bits differ: of two errors on the same bit, only the last can wait for the end of a program.
    """
    alone = [number for number, (first, *others) in enumerate(columns) if not others and len(first) == 1]
    if alone:
        of_zero, of_one = np.array([readouts[number].matrix[:, 0] for number in alone]).T
        own = [columns[number][0][0] for number in alone]
        found[:, own] = draws[:, alone] >= np.where(found[:, own], of_one, of_zero)
    for number in sorted(set(range(len(columns))) - set(alone)):
        value_of = sum(found[:, same[0]] * 2**place for place, same in enumerate(columns[number]))
        values = drawn(draws[:, number], readouts[number].matrix[value_of])
        for place, same in enumerate(columns[number]):
            found[:, same] = has_bits(values, np.array(place))[:, None]
