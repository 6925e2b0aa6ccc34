"""Runs shots whose only errors are Paulis: all errors are drawn first; shots that they leave alike share a state.

Which errors a shot has depends on its own draws only, and so does its outcome: not on the shots that run with it. Where
an error is no Pauli, the others are left to those who follow a state from place to place. Most often, however, such an
error leaves a state nearly as it is, by an operator that is known beforehand to be drawn (as in qsim): that one acts on
all shots here, as a gate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from basicaer.engine.bits import deposit_bits
from basicaer.engine.device import SegmentBatch
from basicaer.engine.draws import FINAL
from basicaer.engine.ensemble import MOST_AMPLITUDES, Ensemble
from basicaer.engine.finishing import record
from basicaer.engine.frames import Frames, Passage, passage
from basicaer.engine.noise import known_shares
from basicaer.engine.program import Channel, Form, Gate, Phase, Segment
from basicaer.engine.splitting import drawn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from basicaer.engine.draws import Draws
    from basicaer.engine.planning import Planning
    from basicaer.engine.program import Program
    from basicaer.engine.records import Records

__all__ = ["Trajectories"]

_SHOTS_AT_ONCE = 2**17  # shots whose errors are moved together, which takes some hundreds of bytes for each
_SAFELY = 1 - 1e-9  # rounding must not decide that an operator is certain to be drawn
_SEED_OF_NAMES = 20  # arbitrary: it names errors, so that equal ones are found, and decides nothing else


class _Hits(NamedTuple):
    """The errors that occur at one channel: those of the numbers `terms`, in these trajectories."""

    trajectories: NDArray[np.intp]
    terms: NDArray[np.intp]


class _States(NamedTuple):
    """The different states of some trajectories.

    Attributes
    ----------
    variants
        ``variants[s, g]`` is the number of the variant of gate g in state s.
    of_shot
        ``of_shot[i]`` is the state of shot i.
    flips
        ``flips[i]`` is the mask of the qubits whose outcomes are flipped in shot i.
    """

    variants: NDArray[np.uint16]
    of_shot: NDArray[np.intp]
    flips: NDArray[np.int64]


class Trajectories:
    """A program some of whose shots have no errors but Paulis.

    Parameters
    ----------
    operations
        Its gates, each as errors pass it, and its channels, each with its place in the program's body. A channel
        without Paulis is followed by the operator that acts in all shots which run here, as a gate.
    """

    def __init__(self, program: Program, operations: list[Passage | tuple[int, Channel]]) -> None:
        self._program = program
        self._operations = operations
        self._passages = [one for one in operations if isinstance(one, Passage)]
        self._template = Segment(tuple([one.gate for one in self._passages]))

    @classmethod
    def of(cls, program: Program) -> Trajectories | None:
        """Return the trajectories of a program; None if it has no errors, or operations with which there are none."""
        operations: list[Passage | tuple[int, Channel]] = []
        if not program.readouts and not any(isinstance(operation, Channel) for operation in program.body):
            return None
        for at, operation in enumerate(program.body):
            match operation:
                case Segment(gates, False):
                    for gate in gates:
                        passed = passage(gate)
                        if passed is None:
                            return None
                        operations.append(passed)
                case Channel(paulis=paulis, bound=bound) if paulis is not None and (paulis.size or bound):
                    operations.append((at, operation))
                    if not paulis.size:
                        operations.append(_usual(operation))
                case Phase():
                    pass
                case _:
                    return None
        return cls(program, operations)

    def run(self, records: Records, draws: Draws, planning: Planning) -> NDArray[np.int64]:
        """Run those shots that have no errors but Paulis, and record what they measure; return the others."""
        monitor, count = planning.monitor, len(records.shots)
        left = []
        for start in range(0, count, _SHOTS_AT_ONCE):
            every = np.arange(start, min(start + _SHOTS_AT_ONCE, count))
            own = self._can_run(every, draws, planning)
            left.append(every[~own])
            shots = every[own]
            if not len(shots):
                continue
            states = self._states(shots, draws, planning)
            final = draws.of_shots(FINAL, (), shots)
            for rows, indices in self._measured(states, final, planning):
                record(records, draws, self._program, shots[rows], indices ^ states.flips[rows])
                monitor.finish_shots(len(rows))
        return np.concatenate(left)

    def _can_run(self, shots: NDArray[np.int64], draws: Draws, planning: Planning) -> NDArray[np.bool_]:
        """Tell which shots draw nothing but Paulis, and operators that are certain to be drawn."""
        own = np.ones(len(shots), bool)
        for operation in self._operations:
            if not isinstance(operation, Passage) and operation[1].depends_on_state:
                planning.monitor.poll()
                at, channel = operation
                known = channel.probabilities.sum() if len(channel.probabilities) else channel.bound
                own &= draws.of_shots(at + 1, (), shots) < known * _SAFELY
        return own

    def _states(self, shots: NDArray[np.int64], draws: Draws, planning: Planning) -> _States:
        """Draw the errors of shots, and find out which of them share a state."""
        hits, names = [], np.zeros((len(shots), 2), np.uint64)
        random = np.random.default_rng(_SEED_OF_NAMES)
        for operation in self._operations:
            if isinstance(operation, Passage):
                continue
            planning.monitor.poll()
            at, channel = operation
            own = _hits(channel, draws.of_shots(at + 1, (), shots))
            of_terms = random.integers(2**64, size=(len(channel.operators), 2), dtype=np.uint64)
            names[own.trajectories] ^= of_terms[own.terms]
            hits.append(own)
        first, of_shot = _different(names)
        # Shots with the same errors are one trajectory, that of the first of them.
        number = np.full(len(shots), -1)
        number[first] = np.arange(len(first))
        left = iter(hits)
        frames, variants = Frames(len(first)), np.zeros((len(first), len(self._passages)), np.uint16)
        gate = 0
        for operation in self._operations:
            if isinstance(operation, Passage):
                chosen = frames.pass_by(operation)
                if chosen is not None:
                    variants[:, gate] = chosen
                gate += 1
                continue
            planning.monitor.poll()
            own, (_, channel) = next(left), operation
            trajectories = number[own.trajectories]
            terms = own.terms[trajectories >= 0]
            assert channel.paulis is not None  # or the program would run in another way  # noqa: S101
            x, z = deposit_bits(channel.paulis[:, terms], channel.qubits)
            frames.add(trajectories[trajectories >= 0], x, z)
        first_of_state, state = _different(variants)
        return _States(variants[first_of_state], state[of_shot], frames.x[of_shot])

    def _measured(
        self, states: _States, draws: NDArray[np.float64], planning: Planning
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.int64]]]:
        """Run the states; yield shots, ascending, and the index on which each falls before outcomes are flipped."""
        device, n_qubits, precision, monitor = planning.device, planning.n_qubits, planning.precision, planning.monitor
        together = max(min(device.most_states(n_qubits, precision), MOST_AMPLITUDES // 2**n_qubits), 1)
        order = np.argsort(states.of_shot, kind="stable")
        ends = np.searchsorted(states.of_shot[order], np.arange(len(states.variants) + 1))
        for start in range(0, len(states.variants), together):
            stop = min(start + together, len(states.variants))
            monitor.poll()
            segments = self._segments(states.variants[start:stop])
            if stop - start > 1:
                batch = device.new_batch(n_qubits, precision, stop - start, monitor)
                batch.run(segments, planning.of_program(self._template, None, discard_phases=False))
                ensemble = Ensemble(device, batch, precision, monitor)
            else:
                state = device.new_state(n_qubits, precision, monitor)
                state.run(segments[0], planning.of_program(self._template, state, discard_phases=False))
                ensemble = Ensemble(device, [state], precision, monitor)
            rows = np.sort(order[ends[start] : ends[stop]])
            yield rows, ensemble.found(states.of_shot[rows] - start, draws[rows])
            ensemble.release()

    def _segments(self, variants: NDArray[np.uint16]) -> SegmentBatch:
        """Return the gates of some states."""
        groups = []
        for gate in np.flatnonzero(variants.any(axis=0)).tolist():
            numbers = np.array(self._passages[gate].variants)[variants[:, gate]]
            groups.append(((gate,), numbers[:, None]))
        return SegmentBatch(self._template, groups, len(variants))


def _hits(channel: Channel, draws: NDArray[np.float64]) -> _Hits:
    """Return which of some shots a channel changes, and how."""
    assert channel.paulis is not None  # or the program would run in another way  # noqa: S101
    p = known_shares(channel)
    changes = np.zeros(len(p), bool)
    changes[: len(channel.probabilities)] = (channel.paulis != 0).any(axis=0)
    first = p[: changes.argmax()].sum() if changes.any() else np.inf
    near = np.flatnonzero(draws * p.sum() >= first * (1 - 1e-12))  # but for rounding these, which others cannot be
    terms = drawn(draws[near], np.broadcast_to(p, (len(near), len(p)))) if len(near) else np.empty(0, np.intp)
    own = changes[terms]
    return _Hits(near[own], terms[own])


def _usual(channel: Channel) -> Passage:
    """Return the first operator of a channel as a gate, whose norm does not matter."""
    # Also where it is diagonal: only matrices need not be unitary.
    passed = passage(Gate("error", "G" * len(channel.qubits), channel.qubits, Form.MATRIX, channel.operators[0]))
    assert passed is not None  # errors are narrow  # noqa: S101
    return passed


def _different(rows: NDArray[np.unsignedinteger]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first of each kind of equal rows of an array, and the kind of each row."""
    if not rows.shape[1]:
        return np.zeros(1, np.intp), np.zeros(len(rows), np.intp)
    whole = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).reshape(-1)
    _, first, kind = np.unique(whole, return_index=True, return_inverse=True)
    return first, kind.reshape(-1)
