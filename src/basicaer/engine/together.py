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
from basicaer.engine.sampling import classical_values, counts_by_index, sample_values, value_counts
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
        for number, (program, seed) in enumerate(zip(programs, seeds, strict=True)):
            monitor.poll()
            yield _sampled(program, batch.state(number), generator(seed).random(shots), monitor, keep_order=keep_order)
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
