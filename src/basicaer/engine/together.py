"""Runs programs that differ only in the numbers of their gates together, as a batch of states.

A small circuit takes little arithmetic, so most of its time goes into calls. The gates of many such circuits are
applied by the same few array operations. Each program then draws its outcomes from a generator of its own, so that they
are the same as in a run by itself.
"""

from __future__ import annotations

import contextlib
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from basicaer.engine.bits import with_bits
from basicaer.engine.classical import Constant
from basicaer.engine.density import DensityDevice
from basicaer.engine.device import GatesOfBatch, segment_batch
from basicaer.engine.draws import generator
from basicaer.engine.execute import lost
from basicaer.engine.program import Channel, Form, Phase, Reset, Segment, Store
from basicaer.engine.request import Outcome
from basicaer.engine.sampling import (
    are_told_apart,
    classical_values,
    counts_by_index,
    sample_indices,
    sample_values,
    value_counts,
    words_of,
)
from basicaer.engine.superoperators import density_segments
from basicaer.errors import LostNormError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.device import Batch, Device, SegmentBatch, State
    from basicaer.engine.monitor import Monitor
    from basicaer.engine.plan import Planner
    from basicaer.engine.program import Measure, Program
    from basicaer.options import Precision

__all__ = ["common_structure", "evolve", "evolve_programs", "outcomes"]

_SHOTS_COUNTED = 2**16  # shots of a batch that are counted together, in half a MiB
_FEW_AMPLITUDES = 2**8  # the probabilities of all states of a batch are read at once if the states are smaller


def common_structure(program: Program, *, density: bool = False) -> Hashable | None:
    """Return what a program must have in common with those it runs together with; None if it has to run by itself.

    A program that can run together with others has only gates, followed by measurements. Only its outcomes are asked
    for, on which global phases have no effect.

    Parameters
    ----------
    density
        Whether density matrices are evolved, on which errors and resets act as gates do.
    """
    if program.readouts:
        return None
    shape: list[tuple[object, ...]] = []
    for operation in program.body:
        match operation:
            case Segment(GatesOfBatch(batch=batch)):  # the template determines everything, and lives as long as the key
                shape.append((id(batch.template),))
            case Segment(gates, False):
                shape.append(
                    tuple(
                        [
                            (acts, targets, form, controls, state, data.tobytes() if form is Form.PERMUTATION else b"")
                            for _, acts, targets, form, data, controls, state, _ in gates
                        ]
                    )
                )
            case Phase() | Store(Constant(), slot=None):
                pass
            case Channel(qubits, operators) if density:
                shape.append(("channel", qubits, operators.tobytes()))
            case Reset(qubit) if density:
                shape.append(("reset", qubit))
            case _:
                return None
    return (program.state_qubits, tuple(shape)) if shape else None


def evolve_programs(
    programs: Sequence[Program],
    device: Device,
    planner: Planner,
    *,
    precision: Precision,
    monitor: Monitor,
    density: bool = False,
) -> Batch:
    """Return the final states of programs that have the same structure; their density matrices if `density` is set."""
    body = programs[0].body
    places = [place for place, operation in enumerate(body) if isinstance(operation, Segment)]
    of_each = zip(*([one for one in program.body if isinstance(one, Segment)] for program in programs), strict=True)
    segments = [segment_batch(some) for some in of_each]
    if density:
        device = DensityDevice(device)
        own = dict(zip(places, segments, strict=True))
        segments = density_segments(programs[0], own, len(programs), monitor.poll)
    return evolve(segments, len(programs), programs[0].state_qubits * device.axes, device, planner, precision, monitor)


def evolve(  # noqa: PLR0917  # the segments, the states, and what runs them
    segments: Iterable[SegmentBatch],
    count: int,
    n_qubits: int,
    device: Device,
    planner: Planner,
    precision: Precision,
    monitor: Monitor,
) -> Batch:
    """Return `count` states to which segments have been applied, one batch of segments after another."""
    batch = device.new_batch(n_qubits, precision, count, monitor)
    costs = device.costs(n_qubits, precision)
    for one in segments:
        plan = None if costs is None else planner(one.template, n_qubits, costs, poll=monitor.poll)
        batch.run(one, plan)
    return batch


def outcomes(
    programs: Sequence[Program],
    batch: Batch,
    *,
    shots: int,
    seeds: Sequence[int],
    keep_order: bool,
    monitor: Monitor,
) -> Iterator[Outcome]:
    """Yield for each program the outcome of its final measurements, on its state in the batch.

    Raises
    ------
    BasicAerError
        If a state has lost its norm; the outcomes of the programs before it have been yielded by then.
    """
    n_qubits = programs[0].state_qubits
    if keep_order or not 2**n_qubits < min(shots, _FEW_AMPLITUDES):
        together = not keep_order and shots <= 2**n_qubits and _are_told_apart(programs)
        at_once = max(_SHOTS_COUNTED // shots, 1)
        for start in range(0, len(programs), at_once):
            some = range(start, min(start + at_once, len(programs)))
            indices = _indices(batch, some, seeds, shots, monitor) if together else None
            if indices is not None:
                yield from _counted(indices, programs[0].final, monitor)
                continue
            for number in some:
                monitor.poll()
                draws = generator(seeds[number]).random(shots)
                yield _sampled(programs[number], batch.state(number), draws, monitor, keep_order=keep_order)
        return
    ends = batch.block_weights(0).cumsum(axis=1)  # ends[i, k] = weight of all indices up to k, of state i
    draws = np.empty((len(programs), shots))
    for row, seed in zip(draws, seeds, strict=True):
        row[:] = generator(seed).random(shots)
    draws.sort(axis=1)
    for program, own, ends_of_one in zip(programs, draws, ends, strict=True):
        monitor.poll()
        with _named(program):
            numbers = counts_by_index(own, ends_of_one)
        values, which = _values_of_all(n_qubits, program.final, _stored(program))
        counts = np.bincount(which, numbers, len(values))  # exact, since float64 can represent all integers up to 2**53
        hit = counts.nonzero()[0].tolist()
        monitor.finish_shots(shots)
        yield Outcome([values[k] for k in hit], counts[hit].astype(np.int64).tolist(), None, None)


def _are_told_apart(programs: Sequence[Program]) -> bool:
    """Tell whether the programs measure alike, and each index leads to a value of its own of their classical bits."""
    first = programs[0]
    return (
        all(program.final == first.final for program in programs)
        and are_told_apart(first.state_qubits, first.final)
        and not any(map(_stored, programs))
    )


def _indices(
    batch: Batch, numbers: Sequence[int], seeds: Sequence[int], shots: int, monitor: Monitor
) -> NDArray[np.int64] | None:
    """Return ``indices[i, d]``, ascending, that the draws for the state of number ``numbers[i]`` fall on.

    None if a state has lost its norm: one after another, the programs before it have their outcomes.
    """
    indices = np.empty((len(numbers), shots), np.int64)
    for row, number in zip(indices, numbers, strict=True):
        monitor.poll()
        draws = generator(seeds[number]).random(shots)
        draws.sort()
        try:
            row[:] = sample_indices(batch.state(number), draws)
        except LostNormError:
            return None
    return indices


def _counted(indices: NDArray[np.int64], measures: tuple[Measure, ...], monitor: Monitor) -> Iterator[Outcome]:
    """Yield the outcome of each row of ascending indices, each of which leads to a value of its own."""
    begins = np.ones(indices.shape, np.bool_)  # begins[i, d] = whether draw d falls on another index than d - 1
    np.not_equal(indices[:, 1:], indices[:, :-1], out=begins[:, 1:])
    places = np.flatnonzero(begins)
    values = words_of(indices.reshape(-1)[places], measures)
    assert values is not None  # the indices are told apart  # noqa: S101
    all_values, all_counts = values.tolist(), np.diff(places, append=begins.size).tolist()
    start = 0
    for end in begins.sum(axis=1).cumsum().tolist():
        monitor.finish_shots(indices.shape[1])
        yield Outcome(all_values[start:end], all_counts[start:end], None, None)
        start = end


def _sampled(
    program: Program, state: State, draws: NDArray[np.float64], monitor: Monitor, *, keep_order: bool
) -> Outcome:
    which = None
    with _named(program):
        if keep_order:
            values, which, _ = sample_values(state, draws, program.final, _stored(program))
            counts = np.bincount(which).tolist()
        else:
            values, counts = value_counts(state, draws, program.final, _stored(program))
    monitor.finish_shots(len(draws))
    return Outcome(values, counts, which, None)


@contextlib.contextmanager
def _named(program: Program) -> Iterator[None]:
    try:
        yield
    except LostNormError as error:
        raise lost(program, error) from error


def _stored(program: Program) -> int:
    """Return the classical bits that a program has stored before its final measurements."""
    bits = 0
    for operation in program.body:
        if isinstance(operation, Store):
            assert isinstance(operation.expression, Constant)  # programs with a structure have no others  # noqa: S101
            bits = with_bits(bits, operation.bits, int(operation.expression.value))
    return bits


@lru_cache(maxsize=256)
def _values_of_all(n_qubits: int, measures: tuple[Measure, ...], before: int) -> tuple[list[int], NDArray[np.int64]]:
    """Return the result of `classical_values` for all indices."""
    return classical_values(np.arange(2**n_qubits), measures, before)
