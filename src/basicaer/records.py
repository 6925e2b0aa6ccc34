"""The records in which results travel back from a job's worker, before they become Qiskit's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["DeviceUse", "ExperimentOutcome", "FinishedExperiment", "ResultData", "SavedValues"]


class ResultData(NamedTuple):
    """The data that a simulator returns for an experiment, named as in `ExperimentResultData`; None for other data.

    Attributes
    ----------
    counts
        Hexadecimal value of the memory slots -> number of shots.
    memory
        The hexadecimal value of each shot, in shot order.
    statevector
        ``statevector[i]`` is the amplitude of basis state i; in the device's own kind of array where that was wanted.
    unitary
        ``unitary[i, j]`` is the amplitude of basis state i in the column of basis state j.
    """

    counts: dict[str, int] | None = None
    memory: list[str] | None = None
    statevector: NDArray[np.complexfloating] | None = None
    unitary: NDArray[np.complexfloating] | None = None


class SavedValues(NamedTuple):
    """What one save instruction has recorded.

    Attributes
    ----------
    label
        The label of the instruction.
    form
        The name of the instruction, which says what its values mean: ``"save_expval"``.
    values
        One value, a list with a value for each shot, or a dictionary of either by the memory slots in hexadecimal.
    """

    label: str
    form: str
    values: Any


class DeviceUse(NamedTuple):
    """How an experiment used a device.

    Attributes
    ----------
    name, reason
        The name of the device, and why it was chosen.
    threads
        How many threads worked on its state.
    is_planned
        Whether its device plans the gates of such a state, rather than applying them one by one.
    """

    name: str
    reason: str
    threads: int
    is_planned: bool


class ExperimentOutcome(NamedTuple):
    """The outcome of an experiment, except for what the experiment itself already says.

    Attributes
    ----------
    time_taken, simulation_seconds
        Seconds with and without the time to make the result.
    """

    data: ResultData
    saved: tuple[SavedValues, ...]
    time_taken: float
    simulation_seconds: float
    device: DeviceUse


class FinishedExperiment(NamedTuple):
    """All that Qiskit's result of an experiment needs; a worker hands it over as soon as the experiment is finished.

    Attributes
    ----------
    places
        For each save's label the positions of the simulated qubits among all qubits that were saved: an index of the
        values is spread over these bits. None where the values cover all of these qubits already.
    metadata
        The same as in `ExperimentResult`.
    """

    name: str
    shots: int
    seed: int
    time_taken: float
    header: dict[str, Any]
    data: ResultData
    saved: tuple[SavedValues, ...]
    places: dict[str, tuple[int, ...] | None]
    metadata: dict[str, Any]
