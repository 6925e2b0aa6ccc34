"""The payload of a simulator's job: experiments, and how to run and persist them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from basicaer.compile.clifford import is_clifford
from basicaer.devices.cpu.device import seconds_per_gate
from basicaer.devices.memory import check_fits, check_saves, check_shots
from basicaer.engine.program import Channel, Segment
from basicaer.engine.request import may_split
from basicaer.errors import BasicAerError
from basicaer.options import Method
from basicaer.result import joined, qiskit_experiment, result_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from qiskit.result import Result
    from qiskit.result.models import ExperimentResult

    from basicaer.engine.device import Device
    from basicaer.engine.program import Program
    from basicaer.options import DeviceOptions, Precision
    from basicaer.records import FinishedExperiment

__all__ = [
    "RETURNED_BY",
    "Experiment",
    "Persistence",
    "SimulationPayload",
    "check_room",
    "check_state",
]

RETURNED_BY = {"qasm_simulator": "counts", "statevector_simulator": "statevector", "unitary_simulator": "unitary"}
"""What each simulator returns, by its name."""

_QUICK_SECONDS = 1e-3  # a switch to another thread costs 0.4 ms: shorter work runs in the caller's thread
_SECONDS_PER_SHOT = 3e-7
_SECONDS_PER_PRODUCT = 1e-8  # seconds per product of two numbers when a wide matrix is checked, reordered and applied
_LONGEST_PREDICTION = 1e9  # seconds that are assumed if control flow leaves the time open when experiments are split


@dataclass(frozen=True, slots=True)
class Experiment:
    """One program with the settings to run it.

    Attributes
    ----------
    header
        The same as in `ExperimentResult`.
    memory
        Whether to return what each shot measured.
    initial
        Amplitudes to start from instead of |0...0>; for a unitary, the columns of a matrix one after another.
    lowering_seconds
        How long it took to make the program from its circuit.
    queue
        The queue of jobs of the device that is expected to run it, see `Device`; what ``"auto"`` means is decided where
        it runs.
    on_device
        Whether the final state stays in the memory of the device.
    method, method_reason
        How it is simulated, and why so; no reason where there was nothing to choose.
    """

    program: Program
    header: dict[str, Any]
    shots: int
    seed: int
    memory: bool
    precision: Precision
    devices: DeviceOptions
    chop_threshold: float
    initial: NDArray[np.complexfloating] | None
    lowering_seconds: float
    queue: int | None = None
    on_device: bool = False
    method: Method = Method.STATEVECTOR
    method_reason: str = ""

    @property
    def is_density(self) -> bool:
        """Whether a density matrix is evolved, a state of twice the qubits."""
        return self.method is Method.DENSITY_MATRIX

    @property
    def predicted_seconds(self) -> float:
        """A rough guess, good enough to tell the tiny from the rest; infinite where control flow leaves it open."""
        axes = 2 if self.is_density else 1
        if not (self.program.is_straight_for_density if self.is_density else self.program.is_straight):
            return float("inf")
        amplitudes = 2 ** (self.program.state_qubits * axes)
        seconds = self.shots * _SECONDS_PER_SHOT
        for operation in self.program.body:
            gates = operation.gates if isinstance(operation, Segment) else ()
            widest = max([len(gate.targets) for gate in gates], default=0)
            if isinstance(operation, Channel):
                widest = len(operation.qubits)
            seconds += max(len(gates), 1) * seconds_per_gate(amplitudes) * axes
            seconds += 2 ** (widest * axes) * amplitudes * _SECONDS_PER_PRODUCT
        return seconds


class Persistence(NamedTuple):
    """Where and how often a job is persisted while it runs.

    Attributes
    ----------
    folder
        The folder that holds the job, which was written when the job was submitted.
    interval
        Seconds between two records of the circuit that is running.
    margin
        Seconds before the time limit at which it is persisted and stops.
    """

    folder: str
    interval: float
    margin: float = 0.0


@dataclass(frozen=True, slots=True)
class SimulationPayload:
    """The payload of a simulator's job: experiments and how to run them, and nothing that belongs to a backend.

    See `basicaer.payload.Payload` for what is not described here.

    Attributes
    ----------
    returns
        What the simulator returns: ``"counts"``, ``"statevector"`` or ``"unitary"``.
    header
        The header, as in a Qobj; it comes back with the result.
    persistence
        How the job is persisted; None if it is not.
    ranks
        The `Comm` of this rank, if several run the job together.
    """

    backend_name: str
    backend_version: str
    qobj_id: str
    returns: str
    experiments: tuple[Experiment, ...]
    header: dict[str, Any] | None = None
    persistence: Persistence | None = None
    ranks: Any = None

    @property
    def argument(self) -> SimulationPayload:
        """The payload itself."""
        return self

    @property
    def is_quick(self) -> bool:
        """Whether it runs in less time than it takes to hand it to another thread."""
        left = _QUICK_SECONDS if self.persistence is None else -1.0
        for experiment in self.experiments:
            left -= experiment.predicted_seconds
            if left < 0:
                return False
        return True

    @property
    def is_saved(self) -> bool:
        """Whether it is saved when it is cancelled."""
        return self.persistence is not None

    @property
    def gpu(self) -> int | None:
        """The number of the GPU that all of it is expected to run on; None if there is no such GPU."""
        queues = {experiment.queue for experiment in self.experiments}
        return queues.pop() if len(queues) == 1 else None

    def split(self, most: int) -> list[SimulationPayload]:
        """Return the experiments in order as payloads of about equal predicted time, `most` at most."""
        seconds = [min(experiment.predicted_seconds, _LONGEST_PREDICTION) for experiment in self.experiments]
        ends = list(accumulate(seconds))  # ends[i] = seconds until experiment i has ended, if they run one by one
        groups: dict[int, list[Experiment]] = {}
        for experiment, own, end in zip(self.experiments, seconds, ends, strict=True):
            number = int((end - own / 2) / ends[-1] * most) if ends[-1] else 0
            groups.setdefault(number, []).append(experiment)
        return [replace(self, experiments=tuple(group)) for group in groups.values()]

    def partial_result(self, job_id: str, finished: Mapping[int, FinishedExperiment | None]) -> Result:
        """Return a result of the experiments that are finished, by position, as a worker has handed them over.

        An experiment whose result does not fit into memory here is left out.
        """
        made = {}
        for position, experiment in finished.items():
            if experiment is not None:
                with contextlib.suppress(BasicAerError, MemoryError):
                    made[position] = qiskit_experiment(experiment)
        return self.result(job_id, made, 0.0)

    def result(self, job_id: str, finished: Mapping[int, ExperimentResult], seconds: float) -> Result:
        """Return a result of the experiments that are finished, by position; the job took so many seconds."""
        return result_of(
            [finished[position] for position in sorted(finished)],
            seconds,
            is_whole=len(finished) == len(self.experiments),
            backend_name=self.backend_name,
            backend_version=self.backend_version,
            job_id=job_id,
            qobj_id=self.qobj_id,
            header=self.header,
        )

    def join(self, results: Sequence[Result]) -> Result:
        """Return the results of the pieces, in their order, as one."""
        return joined(results, len(self.experiments))


def check_state(
    device: Device,
    program: Program,
    n_qubits: int,
    precision: Precision,
    returns: str,
    *,
    density: bool = False,
    one_of_many: bool = False,
    elsewhere: Callable[[int], Iterable[str]] = lambda _size: (),
) -> None:
    """Check that the state of a circuit fits into memory.

    Parameters
    ----------
    n_qubits
        Qubits of the circuit that are simulated or returned.
    returns
        The same as in `SimulationPayload`.
    density
        Whether it is a density matrix.
    one_of_many
        Whether the gates will have other numbers than those of the program.
    elsewhere
        The same as in `check_fits`.

    Raises
    ------
    BasicAerError
        If it does not; the message names simulators of stabilizers if they could run the circuit.
    """
    if density:
        what = f"The density matrix of circuit '{program.name}'"
        check_fits(device, what, n_qubits, precision, density=True, elsewhere=elsewhere)
        return
    try:
        is_unitary = returns == "unitary"
        check_fits(device, f"Circuit '{program.name}'", n_qubits, precision, unitary=is_unitary, elsewhere=elsewhere)
    except BasicAerError as error:
        if one_of_many or returns != "counts" or not is_clifford(program):
            raise
        remedy = "it has Clifford gates only, so Stim and Aer's method 'stabilizer' can run it"
        raise BasicAerError(f"{str(error).removesuffix('.')}; {remedy}.") from None


def check_room(
    device: Device,
    program: Program,
    precision: Precision,
    shots: int,
    returns: str,
    *,
    memory: bool,
    is_persisted: bool,
    density: bool = False,
    elsewhere: Callable[[int], Iterable[str]] = lambda _size: (),
) -> None:
    """Check that a circuit, what it saves, its shots and its result fit into memory.

    Parameters
    ----------
    returns
        The same as in `SimulationPayload`.
    memory
        The same as in `Experiment`.
    is_persisted
        Whether the job is saved while it runs.
    density
        Whether its state is a density matrix.
    elsewhere
        The same as in `check_fits`.

    Raises
    ------
    BasicAerError
        If anything does not; with the bytes that are needed and free.
    """
    what, is_unitary = f"Circuit '{program.name}'", returns == "unitary"
    n_qubits = program.state_qubits if returns == "counts" else program.circuit_qubits
    check_state(device, program, n_qubits, precision, returns, density=density, elsewhere=elsewhere)
    check_saves(device, what, program, precision, shots, axes=2 if is_unitary or density else 1)
    if not may_split(program, shots, wants_single=memory or returns != "counts", is_persisted=is_persisted):
        check_shots(what, shots)
