"""Estimates the values of a task, exactly or by shots."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.memory import check_values
from basicaer.engine.draws import generator, seed_of_experiment
from basicaer.engine.program import OverShots, Save, SavedQuantity
from basicaer.engine.sampling import SHOTS_AT_ONCE
from basicaer.engine.saved import ALL_SHOTS
from basicaer.engine.splitting import NoRoomError
from basicaer.engine.trajectories import Trajectories
from basicaer.primitives.payload import Begun, Estimated, shots_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.device import Batch
    from basicaer.engine.program import Program
    from basicaer.engine.request import Stratum
    from basicaer.primitives.payload import EstimatorTask
    from basicaer.primitives.sweep_run import SweepRun

    _Evaluate = Callable[[Program, SweepRun, int, dict[str, Any], Sequence[tuple[int, int]]], NDArray[np.float64]]

__all__ = ["estimated"]

_LABEL = "values"
_NEGLECTED = "neglected_probability"
_FIRST_SHOTS = 500  # Shots without errors have a known weight, so that fewer than for a variance of 1 may do.
_FEWEST_OTHERS = 8  # shots from which a standard deviation is estimated
_MARGIN = 1.1  # more shots are taken than seem to be needed for a precision


def estimated(task: EstimatorTask, run: SweepRun, number: int, position: int) -> Estimated:
    """Estimate the values of a task; for its number and position see `_result_of`."""
    if run.begun is not None and run.begun.shots is not None:
        return _estimated_by_shots(task, run, position)
    own = None
    with contextlib.suppress(NoRoomError):
        own = _estimates(task, run, _exact_values)
    if any(run.of_ranks(own is None)) or own is None:
        return _estimated_by_shots(task, run, position)
    values, _, how = _joined(run, *own)
    if task.precision:
        values += generator(seed_of_experiment(run.seed, number)).normal(0.0, task.precision, len(values))
    return Estimated(task.shape, task.metadata, task.precision, values, np.full_like(values, task.precision), how)


def _estimated_by_shots(task: EstimatorTask, run: SweepRun, position: int) -> Estimated:
    """Estimate the values of a task whose outcomes are too many to be followed."""
    taken: dict[str, Any] = {}
    if run.density:
        taken |= run.take_statevectors("outcomes are too many to follow each with a density matrix").metadata
    shots = shots_for(task.precision)
    if task.precision and Trajectories.of(task.sweep.program(0)) is not None:
        shots = min(shots, _FIRST_SHOTS)
    if run.begun is not None and run.begun.shots is not None:
        shots = run.begun.shots
    while True:
        evaluate = partial(_values_of_shots, shots=shots, position=position)
        values, stds, how = _joined(run, *_estimates(task, run, evaluate, shots))
        largest = float(stds.max(initial=0.0))
        if not task.precision or largest <= task.precision or shots >= SHOTS_AT_ONCE:
            break
        needed = _MARGIN * shots * (largest / task.precision) ** 2
        shots = min(max(ceil(needed), 2 * shots), SHOTS_AT_ONCE)
    how |= taken | {"shots": shots, "ensemble_standard_error": largest, "quantum_standard_error": 0.0}
    return Estimated(task.shape, task.metadata, task.precision, values, stds, how)


def _estimates(
    task: EstimatorTask, run: SweepRun, evaluate_program: _Evaluate, shots: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, Any]]:
    """Return the value of each place of a task, its standard deviation, and what the metadata says of them.

    Parameters
    ----------
    shots
        With how many shots programs are evaluated; None if they are exactly.
    """
    sets, observables = task.sets.reshape(-1), task.observables.reshape(-1)
    begun = run.begun
    if begun is None or begun.shots != shots:
        begun = Begun(shots, 0, np.zeros(len(sets)), np.zeros(len(sets)), dict(task.choice.metadata))
    _, first, values, stds, how = begun
    if run.density:
        how["simulation"] = "exact"
    if run.batch_size:  # otherwise each set's own run reports its passes
        run.monitor.expect(2 * -(-(run.sets.stop - max(first, run.sets.start)) // run.batch_size), 0)
    for part, evaluate in _evaluations(task, run, evaluate_program, how, first):
        run.monitor.advance(1 if run.batch_size else 0)
        here = np.flatnonzero((sets >= part.start) & (sets < part.stop))
        needed = np.unique(observables[here]).tolist()
        wanted = sorted({term[:2] for number in needed for term in task.terms[number]})
        column = {masks: j for j, masks in enumerate(wanted)}
        # found[shot, set, term]; there are no terms if every Pauli of the observables flips an idle qubit
        found = evaluate(wanted) if wanted else np.empty((1, part.stop - part.start, 0))
        run.monitor.advance(1 if run.batch_size else 0)
        for number in needed:
            run.monitor.poll()
            places = here[observables[here] == number]
            terms = task.terms[number]
            columns, factors = [column[x, z] for x, z, _ in terms], np.array([factor for *_, factor in terms])
            # of_shots[shot, place]; numbers that are adjacent are added in the same way for any number of places
            summands = np.ascontiguousarray(found[:, sets[places] - part.start][:, :, columns] * factors)
            of_shots = summands.sum(axis=2)
            bound = float(abs(factors).sum())
            values[places], stds[places] = _mean_and_error(of_shots, run.stratum, bound)
        run.note(Begun(shots, part.stop, values, stds, how))
    return values, stds, how


def _joined(
    run: SweepRun, values: NDArray[np.float64], stds: NDArray[np.float64], how: dict[str, Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, Any]]:
    """Return what `_estimates` returns, of all ranks that share the sets; each has 0 for those of others."""
    of_ranks = run.of_ranks((values, stds, how))
    if len(of_ranks) == 1:
        return values, stds, how
    joined: dict[str, Any] = {}
    for *_, one in of_ranks:
        neglected = max(joined.get(_NEGLECTED, 0.0), one.get(_NEGLECTED, 0.0))
        joined |= one | ({_NEGLECTED: neglected} if _NEGLECTED in one else {})
    return sum(own for own, *_ in of_ranks), sum(own for _, own, _ in of_ranks), joined


def _mean_and_error(
    of_shots: NDArray[np.float64], stratum: Stratum | None, bound: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean over shots and its standard error; no shot has a value larger than `bound`.

    The weight of the shots without errors is known, so that only the others contribute to the error (stratified
    sampling after the fact, Cochran, Sampling Techniques, 1977, section 5A.9).
    """
    if len(of_shots) == 1:
        return of_shots[0], np.zeros(of_shots.shape[1])
    if stratum is None:
        return of_shots.mean(axis=0), of_shots.std(axis=0, ddof=1) / len(of_shots) ** 0.5
    usual, others, rest = of_shots[stratum.is_in], of_shots[~stratum.is_in], max(1 - stratum.weight, 0.0)
    mean = stratum.weight * usual[0]
    if len(others):
        mean = mean + rest * others.mean(axis=0)
    if len(others) < _FEWEST_OTHERS:  # too few to tell how much they differ
        return mean, np.full(len(mean), rest * bound / max(len(others), 1) ** 0.5)
    return mean, rest * others.std(axis=0, ddof=1) / len(others) ** 0.5


def _evaluations(
    task: EstimatorTask, run: SweepRun, evaluate_program: _Evaluate, how: dict[str, Any], first: int
) -> Iterator[tuple[slice, Callable[[Sequence[tuple[int, int]]], NDArray[np.float64]]]]:
    """Yield slices of the parameter sets, from one of them on, each with a function of Paulis.

    The function returns ``values[shot, set, Pauli]``.
    """
    if run.batch_size:
        for part, batch in run.batches(first):
            yield part, partial(_values_of_batch, batch)
        return
    for number in range(max(first, run.sets.start), run.sets.stop):
        yield slice(number, number + 1), partial(evaluate_program, task.sweep.program(number), run, number, how)


def _values_of_batch(batch: Batch, wanted: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    return batch.expectations(wanted)[None]


def _saving(program: Program, wanted: Sequence[tuple[int, int]], over_shots: OverShots) -> Program:
    """Return a program that saves Paulis of its final state, and takes no measurements after that."""
    qubits = tuple(range(program.state_qubits))
    save = Save(_LABEL, "", SavedQuantity.PAULIS, qubits, tuple(wanted), over_shots, conditional=False)
    return replace(program, body=(*program.body, save), final=(), saves=(save,))


def _exact_values(
    program: Program, run: SweepRun, number: int, how: dict[str, Any], wanted: Sequence[tuple[int, int]]
) -> NDArray[np.float64]:
    """Return the values of Paulis over all final states of a program, each with its probability.

    Raises
    ------
    NoRoomError
        If these are too many.
    """
    del number  # it only names draws, and an exact run draws nothing
    is_straight = program.is_straight
    over = OverShots.LAST if is_straight else OverShots.MEAN
    outcome = run.execute(0, _saving(program, wanted, over), shots=1, exact=not is_straight)
    if not is_straight:
        how["simulation"] = "exact"
        how[_NEGLECTED] = max(how.get(_NEGLECTED, 0.0), outcome.cut)
    values: NDArray[np.float64] = outcome.saved[_LABEL][ALL_SHOTS]
    return values[None, None]


def _values_of_shots(  # the sets are bound one after another
    program: Program,
    run: SweepRun,
    number: int,
    how: dict[str, Any],
    wanted: Sequence[tuple[int, int]],
    *,
    shots: int,
    position: int,
) -> NDArray[np.float64]:
    """Return the values of Paulis in the final state of each shot; `position` is that of the task's first set."""
    how["simulation"] = "shots"
    check_values(f"Circuit '{program.name}'", shots, len(wanted))
    outcome = run.execute(position + number, _saving(program, wanted, OverShots.EACH), shots=shots)
    run.stratum = outcome.stratum
    if outcome.stratum is not None:
        how["noiseless_weight"] = outcome.stratum.weight
    return np.array(outcome.saved[_LABEL][ALL_SHOTS])[:, None]
