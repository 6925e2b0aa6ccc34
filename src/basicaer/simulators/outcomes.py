"""Turns the engine's outcome of an experiment into the record that is handed over, with its metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.engine.execute import lost
from basicaer.engine.program import Measure, Reset, walk
from basicaer.errors import LostNormError
from basicaer.records import FinishedExperiment, ResultData
from basicaer.result import chopped, counts_of, memory_of, on_all_qubits

if TYPE_CHECKING:
    from collections.abc import Callable

    from basicaer.engine.request import Outcome
    from basicaer.records import ExperimentOutcome
    from basicaer.simulation import Experiment

__all__ = ["data_of", "finished_experiment"]


def data_of(experiment: Experiment, returns: str, outcome: Outcome, poll: Callable[[], None]) -> ResultData:
    """Return what the simulator returns for an experiment; poll now and then."""
    program = experiment.program
    data: dict[str, Any] = {}
    if returns == "counts" or (returns == "statevector" and program.writes_memory):
        data["counts"] = counts_of(outcome, program.memory_slots, poll) if program.memory_slots else {}
        if experiment.memory:
            data["memory"] = memory_of(outcome, program.memory_slots, poll)
    if outcome.amplitudes is not None:
        amplitudes = outcome.amplitudes
        if isinstance(amplitudes, np.ndarray):
            try:
                amplitudes = chopped(amplitudes, experiment.chop_threshold, poll)
            except LostNormError as error:
                raise lost(program, error) from error
        if returns == "statevector":
            data["statevector"] = on_all_qubits(amplitudes, program.qubits, program.circuit_qubits, poll)
        else:  # the amplitudes are stored column by column
            data["unitary"] = amplitudes.reshape(2**program.circuit_qubits, -1).T
    return ResultData(**data)


def finished_experiment(experiment: Experiment, outcome: ExperimentOutcome) -> FinishedExperiment:
    """Return all that is known of an experiment that has ended, with its metadata."""
    program = experiment.program
    return FinishedExperiment(
        name=experiment.header.get("name", program.name),
        shots=experiment.shots,
        seed=experiment.seed,
        time_taken=outcome.time_taken,
        header=experiment.header,
        data=outcome.data,
        saved=outcome.saved,
        places={save.label: None if save.over_idle else save.places for save in program.saves},
        metadata={
            "device": outcome.device.name,
            "device_reason": outcome.device.reason,
            "precision": str(experiment.precision),
            "simulated_qubits": program.state_qubits,
            "lowering_seconds": experiment.lowering_seconds,
            "simulation_seconds": outcome.simulation_seconds,
            **_aer_metadata(experiment, outcome),
        },
    )


def _aer_metadata(experiment: Experiment, outcome: ExperimentOutcome) -> dict[str, Any]:
    """Return what Aer's metadata says of an experiment, under Aer's names and in its forms."""
    program, is_unitary = experiment.program, outcome.data.unitary is not None
    is_straight = program.is_straight_for_density if experiment.is_density else program.is_straight
    return {
        "method": "unitary" if is_unitary else str(experiment.method),
        **({"method_reason": experiment.method_reason} if experiment.method_reason else {}),
        "num_qubits": program.state_qubits,
        "active_input_qubits": list(program.qubits),
        # Aer says here whether the outcomes of all shots are drawn from one state, since no shot changes it.
        "measure_sampling": is_straight
        or not any(isinstance(operation, Measure | Reset) for operation in walk(program.body)),
        # Aer fuses gates into matrices; here they run in passes of many gates, on all but small states.
        "fusion": {"enabled": outcome.device.is_planned},
        "parallel_state_update": outcome.device.threads,
        "time_taken": outcome.time_taken,
    }
