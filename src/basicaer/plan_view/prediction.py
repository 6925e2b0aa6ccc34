"""Predicts how long a run takes, from `run` to its result, of which the gates are only a part.

The numbers below were fitted to the processor time of 120 first and 120 later runs: the twelve families of circuits in
the benchmarks, from 6 to 24 qubits, on one core of an AMD EPYC that other programs used, too. They say what a plan
shows and decide nothing. `benchmarks/test_predictions.py` measures how far they are off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from basicaer.plan_view.model import Stage

__all__ = ["FACTOR", "RunTimes", "run_times"]

FACTOR = 2
"""The factor by which most of the times predicted may be wrong, on another machine or beside other programs."""

_CALL = 1e-3  # seconds from `run` to the result of a circuit without gates
_STEP = 2e-5  # seconds of each step of a pass, whatever its size
_GATE = 1.5e-6  # seconds to look up a gate whose circuit has been run before
_PASSES = 1.3  # Passes of a run take longer than each does by itself, with its tile in the cache.
_ONE_BY_ONE = 0.5  # Gates on few qubits take less time than the cost by which they are compared with a plan.
_NEW_BYTE = 4e-10  # seconds to make a byte of the state, which the system has to clear
_AMPLITUDE = 6e-10  # seconds to read an amplitude for sampling, or to return it
_FIRST_PLAN, _FIRST_PLANNED_GATE = 1.5e-3, 2.2e-5  # seconds, the first time, to bind a plan and each of its gates
_FIRST_GATE = 4e-6  # seconds, the first time, for each gate that is applied by itself


class RunTimes(NamedTuple):
    """Predicted seconds of a run: of one after the first, and of the first."""

    repeated: float
    first: float


def run_times(
    stages: Sequence[Stage], n_gates: int, *, amplitudes: int, amplitude_bytes: int, threads: int, on_host: bool
) -> RunTimes:
    """Return how long a run takes whose plan has been made.

    Parameters
    ----------
    stages, n_gates
        The stages of the plan, and the number of all gates.
    amplitudes
        The number of amplitudes of the state, each of which has `amplitude_bytes`.
    threads
        The number of threads that work on the state.
    on_host
        Whether the state is in the host's memory, for which the numbers were measured.
    """
    repeated, binding = _CALL + _GATE * n_gates, 0.0
    for stage in stages:
        factor = 1.0
        if on_host:
            factor = _PASSES if stage.tile else _ONE_BY_ONE
        repeated += factor * stage.seconds
        if stage.tile:
            repeated += _STEP * len(stage.steps)
        binding += (_FIRST_PLANNED_GATE if stage.tile else _FIRST_GATE) * len(stage.gates)
    if any(stage.tile for stage in stages):
        binding += _FIRST_PLAN
    if on_host:
        repeated += _NEW_BYTE * amplitude_bytes * amplitudes + _AMPLITUDE * amplitudes / threads
    return RunTimes(repeated, repeated + binding)
