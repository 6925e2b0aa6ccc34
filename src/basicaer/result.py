"""The engine's outcomes as plain values, and these as Qiskit's `Result`."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.exceptions import QiskitError
from qiskit.result import Result
from qiskit.result.models import ExperimentResult, ExperimentResultData

from basicaer.compile.result_forms import as_qiskit, dictionary_entries
from basicaer.compile.saves import SAVES
from basicaer.devices.memory import check_dictionary
from basicaer.engine.bits import all_ones, deposit_bits
from basicaer.engine.saved import ALL_SHOTS
from basicaer.errors import BasicAerError, LostNormError
from basicaer.records import SavedValues
from basicaer.state_array import StateArray

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    from basicaer.engine.program import Save
    from basicaer.engine.request import Outcome
    from basicaer.records import FinishedExperiment

__all__ = [
    "SimulatorResult",
    "chopped",
    "circuit_header",
    "counts_of",
    "joined",
    "memory_of",
    "on_all_qubits",
    "qiskit_experiment",
    "result_of",
    "saved_of",
    "with_own_lists",
]

_FEW_SLOTS = 10  # classical bits whose values in hexadecimal are kept
_CHUNK = 2**16  # amplitudes examined at a time; all at once would take the memory of a second state


class SimulatorResult(Result):  # type: ignore[misc]  # Qiskit has no types
    """Qiskit's result; where a job has not returned what is asked for, the error says what returns it."""

    def get_counts(self, experiment: Any = None) -> Any:
        """Return the counts of an experiment by bit string, or of all experiments."""
        return self._get("counts", "run the circuit on qasm_simulator", super().get_counts, experiment)

    def get_memory(self, experiment: Any = None) -> Any:
        """Return the outcome of every shot of an experiment, in order."""
        return self._get("memory", "run the circuit on qasm_simulator with memory=True", super().get_memory, experiment)

    def get_statevector(self, experiment: Any = None, decimals: int | None = None) -> Any:
        """Return the final statevector of an experiment."""
        remedy = "run the circuit on statevector_simulator, or save the state with library.save_statevector(circuit)"
        return self._get("statevector", remedy, super().get_statevector, experiment, decimals)

    def get_unitary(self, experiment: Any = None, decimals: int | None = None) -> Any:
        """Return the matrix of an experiment."""
        remedy = "run the circuit on unitary_simulator"
        return self._get("unitary", remedy, super().get_unitary, experiment, decimals)

    def _get(self, name: str, remedy: str, get: Callable[..., Any], *asked: Any) -> Any:
        try:
            return get(*asked)
        except QiskitError as error:
            if not self.results or any(hasattr(one.data, name) for one in self.results):
                raise  # it is the experiment that there is not
            raise BasicAerError(f"This result of {self.backend_name} has no {name}; {remedy}.") from error


def circuit_header(circuit: QuantumCircuit, global_phase: float) -> dict[str, Any]:
    """Return what is needed to read a circuit's results, in the form that `qiskit.result` reads.

    Parameters
    ----------
    global_phase
        The circuit's global phase with values for its parameters, in radians.

    Returns
    -------
    dict
        Its lists are shared with circuits that have the same registers; see `with_own_lists`.
    """
    qregs, cregs = (tuple([(one.name, one.size) for one in of_kind]) for of_kind in (circuit.qregs, circuit.cregs))
    header: dict[str, Any] = {
        "name": circuit.name,
        "n_qubits": circuit.num_qubits,
        "memory_slots": circuit.num_clbits,
        "qreg_sizes": _sizes(qregs),
        "qubit_labels": _labels(qregs),
        "clbit_labels": _labels(cregs),
        "global_phase": global_phase,
        "metadata": circuit.metadata or {},
    }
    # Qiskit cuts a bit string into registers by these sizes: that is right only if the registers are all bits in order.
    if [bit for register in circuit.cregs for bit in register] == circuit.clbits:
        header["creg_sizes"] = _sizes(cregs)
    return header


@lru_cache(maxsize=64)
def _sizes(registers: tuple[tuple[str, int], ...]) -> list[list[Any]]:
    return [list(register) for register in registers]


@lru_cache(maxsize=64)
def _labels(registers: tuple[tuple[str, int], ...]) -> list[list[Any]]:
    return [[name, i] for name, size in registers for i in range(size)]


def with_own_lists(header: dict[str, Any]) -> dict[str, Any]:
    """Return a header whose lists, and those in them, are its own, so that it may be handed out."""
    own = header.copy()
    for key, value in header.items():
        if type(value) is list:
            own[key] = [row.copy() if type(row) is list else row for row in value]
    return own


def counts_of(outcome: Outcome, memory_slots: int, poll: Callable[[], None]) -> dict[str, int]:
    """Return how often each value of the memory slots occurred: hexadecimal value -> shots; poll now and then."""
    counts: dict[str, int] = {}
    for keys, numbers in _counted(outcome, memory_slots, poll):
        counts.update(zip(keys, numbers, strict=True))
    if len(counts) < len(outcome.values):  # some values occur several times
        counts = {}
        for keys, numbers in _counted(outcome, memory_slots, poll):
            for key, count in zip(keys, numbers, strict=True):
                counts[key] = counts.get(key, 0) + count
    return counts


def _counted(outcome: Outcome, memory_slots: int, poll: Callable[[], None]) -> Iterator[tuple[list[str], list[int]]]:
    """Yield values of the memory slots in hexadecimal, and how many shots have each, a part at a time."""
    for start in range(0, len(outcome.values), _CHUNK):
        poll()
        part = slice(start, start + _CHUNK)
        yield _hexadecimal(outcome.values[part], memory_slots), outcome.counts[part]


def memory_of(outcome: Outcome, memory_slots: int, poll: Callable[[], None]) -> list[str]:
    """Return the value of the memory slots of each shot, in shot order, in hexadecimal; poll now and then."""
    assert outcome.value_of_shot is not None  # the engine keeps it where the memory is returned  # noqa: S101
    values = np.array(_hexadecimal(outcome.values, memory_slots), dtype=object)
    memory: list[str] = []
    for start in range(0, len(outcome.value_of_shot), _CHUNK):
        poll()
        memory += values[outcome.value_of_shot[start : start + _CHUNK]].tolist()
    return memory


def _hexadecimal(values: list[int], memory_slots: int) -> list[str]:
    reported = all_ones(memory_slots)  # a Qobj's register lies above the memory slots and is not reported
    if memory_slots <= _FEW_SLOTS:
        known = _known_hexadecimal(memory_slots)
        return [known[value & reported] for value in values]
    if max(values, default=0) <= reported:
        return list(map(hex, values))
    return [hex(value & reported) for value in values]


@lru_cache(maxsize=_FEW_SLOTS + 1)
def _known_hexadecimal(memory_slots: int) -> list[str]:
    return [hex(value) for value in range(all_ones(memory_slots) + 1)]


def on_all_qubits(
    amplitudes: NDArray[np.complexfloating], qubits: Sequence[int], circuit_qubits: int, poll: Callable[[], None]
) -> NDArray[np.complexfloating]:
    """Return amplitudes over all qubits of a circuit; those that are not in `qubits` are |0>. Polls now and then."""
    if len(qubits) == circuit_qubits:
        return amplitudes
    whole = np.zeros(2**circuit_qubits, amplitudes.dtype)
    for start in range(0, len(amplitudes), _CHUNK):
        poll()
        part = amplitudes[start : start + _CHUNK]
        whole[deposit_bits(np.arange(start, start + len(part)), qubits)] = part
    return whole


def chopped(
    amplitudes: NDArray[np.complexfloating], threshold: float, poll: Callable[[], None]
) -> NDArray[np.complexfloating]:
    """Set the amplitudes whose modulus is below `threshold` to zero, in place, and return them; poll now and then.

    Raises
    ------
    LostNormError
        If an amplitude is not finite.
    """
    for start in range(0, len(amplitudes), _CHUNK):
        poll()
        part = amplitudes[start : start + _CHUNK]
        moduli = np.abs(part)
        if not moduli.max() < np.inf:  # the comparison is false for NaN as well
            raise LostNormError(f"A state has the modulus {moduli.max()} among its amplitudes.")
        part[moduli < threshold] = 0
    return amplitudes


def saved_of(outcome: Outcome, saves: Sequence[Save]) -> tuple[SavedValues, ...]:
    """Return what each save has recorded, except for those that no shot has passed."""
    found = []
    for save in saves:
        if save.label not in outcome.saved:
            continue
        values: Any = outcome.saved[save.label]
        values = {hex(bits): value for bits, value in values.items()} if save.conditional else values[ALL_SHOTS]
        found.append(SavedValues(save.label, save.form, values))
    return tuple(found)


def qiskit_experiment(experiment: FinishedExperiment, poll: Callable[[], None] = lambda: None) -> ExperimentResult:
    """Return an experiment in Qiskit's form; poll now and then.

    Raises
    ------
    BasicAerError
        If a dictionary that is to be returned does not fit into memory.
    """
    data = {name: value for name, value in experiment.data._asdict().items() if value is not None}
    for name in {"statevector", "unitary"}.intersection(data):
        if isinstance(data[name], np.ndarray):  # and no array of another library, on the device
            data[name] = data[name].view(StateArray)
    for label, name, values in experiment.saved:
        form = SAVES[name].result_form
        if label in data:  # the save is of the very state that the simulator returns
            data[label] = form.of_value(data[label])
            continue
        check_dictionary(name, dictionary_entries(form, values, poll))
        data[label] = as_qiskit(form, values, experiment.places[label], poll)
    return ExperimentResult(
        shots=experiment.shots,
        success=True,
        data=ExperimentResultData(**data),
        status="DONE",
        seed=experiment.seed,
        header=with_own_lists(experiment.header),
        name=experiment.name,
        seed_simulator=experiment.seed,
        time_taken=experiment.time_taken,
        metadata=experiment.metadata,
    )


def result_of(experiments: list[ExperimentResult], seconds: float, *, is_whole: bool = True, **names: Any) -> Result:
    """Return a `Result` that holds experiments.

    Parameters
    ----------
    seconds
        How long the whole job took.
    is_whole
        Whether these are all experiments of the job.
    names
        ``backend_name``, ``backend_version``, ``job_id``, ``qobj_id`` and ``header`` of the result.
    """
    return SimulatorResult(
        **names,
        success=is_whole,
        results=experiments,
        date=datetime.now().astimezone().isoformat(),
        status="COMPLETED" if is_whole else "PARTIAL COMPLETED",  # Aer's words
        time_taken=seconds,
        metadata={"time_taken_execute": seconds},
    )


def joined(results: Sequence[Result], whole: int) -> Result:
    """Return the results of one job's pieces, which ran beside each other, as one; their experiments stay in order.

    Parameters
    ----------
    whole
        How many experiments the job has.
    """
    experiments = [experiment for result in results for experiment in result.results]
    names = ("backend_name", "backend_version", "job_id", "qobj_id", "header")
    return result_of(
        experiments,
        max(result.time_taken for result in results),
        is_whole=len(experiments) == whole,
        **{name: getattr(results[0], name) for name in names},
    )
