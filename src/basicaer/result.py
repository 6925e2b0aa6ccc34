"""Outcomes of the engine -> Qiskit's `Result`."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.quantum_info import DensityMatrix, Operator, Statevector
from qiskit.result import ProbDistribution, Result
from qiskit.result.models import ExperimentResult, ExperimentResultData

from basicaer.devices.memory import check_dictionary
from basicaer.engine.bits import all_ones, deposit_bits
from basicaer.engine.saved import ALL_SHOTS
from basicaer.errors import LostNormError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    from basicaer.engine.execute import Outcome
    from basicaer.engine.program import Save

__all__ = [
    "chopped",
    "circuit_header",
    "counts_of",
    "experiment_of",
    "joined",
    "memory_of",
    "on_all_qubits",
    "result_of",
    "saved_of",
    "with_own_lists",
]

_ZERO = 1e-15  # what is less has no place in a dictionary
_DICTIONARIES = {"save_statevector_dict", "save_probabilities_dict"}
_CHUNK = 2**16  # amplitudes looked at in one go, so that no second state is made


def circuit_header(circuit: QuantumCircuit, global_phase: float) -> dict[str, Any]:
    """Return what is needed to read a circuit's results, in the form that `qiskit.result` reads.

    Parameters
    ----------
    global_phase
        Of the circuit with values for its parameters, in radians.

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
    # Qiskit cuts a bit string into registers by these sizes: right only where the registers are all the bits in order.
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
    for start in range(0, len(outcome.values), _CHUNK):
        poll()
        values, numbers = outcome.values[start : start + _CHUNK], outcome.counts[start : start + _CHUNK]
        for key, count in zip(_hexadecimal(values, memory_slots), numbers, strict=True):
            counts[key] = counts.get(key, 0) + count
    return counts


def memory_of(outcome: Outcome, memory_slots: int, poll: Callable[[], None]) -> list[str]:
    """Return the value of the memory slots of each shot, in shot order, in hexadecimal; poll now and then."""
    assert outcome.value_of_shot is not None  # asked for with the memory  # noqa: S101
    values = np.array(_hexadecimal(outcome.values, memory_slots), dtype=object)
    memory: list[str] = []
    for start in range(0, len(outcome.value_of_shot), _CHUNK):
        poll()
        memory += values[outcome.value_of_shot[start : start + _CHUNK]].tolist()
    return memory


def _hexadecimal(values: list[int], memory_slots: int) -> list[str]:
    reported = all_ones(memory_slots)  # a Qobj's register stands above the memory slots and is not reported
    return [hex(value & reported) for value in values]


def on_all_qubits(
    amplitudes: NDArray[np.complexfloating], qubits: Sequence[int], circuit_qubits: int, poll: Callable[[], None]
) -> NDArray[np.complexfloating]:
    """Return amplitudes over all of a circuit's qubits, of which those not in `qubits` are |0>; poll now and then."""
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
        If any is not finite.
    """
    for start in range(0, len(amplitudes), _CHUNK):
        poll()
        part = amplitudes[start : start + _CHUNK]
        moduli = np.abs(part)
        if not moduli.max() < np.inf:  # so too where any is no number
            raise LostNormError(f"A state has the modulus {moduli.max()} among its amplitudes.")
        part[moduli < threshold] = 0
    return amplitudes


def saved_of(outcome: Outcome, saves: Sequence[Save]) -> list[dict[str, Any]]:
    """Return what was saved as plain values: for each save that any shot passed its label, form and values.

    The values are one, or a list with one for each shot, or a dictionary of either by the memory slots in hexadecimal.
    """
    found = []
    for save in saves:
        if save.label not in outcome.saved:
            continue
        values: Any = outcome.saved[save.label]
        values = {hex(bits): value for bits, value in values.items()} if save.conditional else values[ALL_SHOTS]
        found.append({"label": save.label, "form": save.form, "values": values})
    return found


def _as_qiskit(
    form: str, values: Any, poll: Callable[[], None], places: Sequence[int] | None, *, whole: bool = True
) -> Any:
    """Return saved values as Aer's results have them; poll now and then.

    Parameters
    ----------
    places
        Of the bits of an index among those of all qubits that were saved; None where there are all.
    whole
        Whether these are all the values of a save, neither those of a shot nor those of some classical bits.
    """
    poll()
    if isinstance(values, dict):
        return {bits: _as_qiskit(form, value, poll, places, whole=False) for bits, value in values.items()}
    if isinstance(values, list):
        if form == "save_expval":
            return np.array(values)
        return [_as_qiskit(form, value.copy(), poll, places, whole=False) for value in values]  # shots have shared it
    match form:
        case "save_statevector" | "save_state":
            return _as_statevector(values)
        case "save_statevector_dict":
            return {hex(index): value for index, value in _not_zero(values, poll, places)}
        case "save_unitary":
            size = 2 ** (values.size.bit_length() // 2)
            return Operator(values.reshape(size, size).T)  # the columns stand one after another
        case "save_density_matrix":
            return DensityMatrix(values)
        case "save_probabilities_dict":
            found = dict(_not_zero(values, poll, places))
            return ProbDistribution(found) if whole else found
        case "save_expval":
            return float(values)
        case _:
            return values


def _not_zero(
    values: NDArray[Any], poll: Callable[[], None], places: Sequence[int] | None
) -> Iterator[tuple[int, Any]]:
    """Yield the index and value of what is not zero; poll now and then."""
    in_order = places is None or list(places) == list(range(len(places)))
    for start in range(0, len(values), _CHUNK):
        poll()
        part = values[start : start + _CHUNK]
        found = np.flatnonzero(np.abs(part) >= _ZERO)
        indices = (found + start).tolist()
        if places is not None and not in_order:  # as whole numbers of Python, which may have more than 64 bits
            indices = [deposit_bits(index, places) for index in indices]
        yield from zip(indices, part[found].tolist(), strict=True)


def _count_all(values: Any, poll: Callable[[], None]) -> Iterator[int]:
    """Yield how many entries each dictionary will have that is made of a save's values; poll now and then."""
    if isinstance(values, dict | list):
        for value in values.values() if isinstance(values, dict) else values:
            yield from _count_all(value, poll)
        return
    for start in range(0, len(values), _CHUNK):
        poll()
        yield int(np.count_nonzero(np.abs(values[start : start + _CHUNK]) >= _ZERO))


def experiment_of(experiment: dict[str, Any], poll: Callable[[], None] = lambda: None) -> ExperimentResult:
    """Return an experiment in Qiskit's form; poll now and then.

    Parameters
    ----------
    experiment
        Its ``data``, what it ``saved`` (see `saved_of`; with the ``places`` of what has no idle qubits, see `Save`) and
        the keyword arguments of `ExperimentResult`.

    Raises
    ------
    BasicAerError
        If a dictionary that is to be returned does not fit into memory.
    """
    keys = experiment | {"header": with_own_lists(experiment["header"])}
    data = dict(keys.pop("data"))
    for save in keys.pop("saved"):
        label, form, values, places = save["label"], save["form"], save["values"], save["places"]
        if label in data:  # the state that the simulator returns anyway
            data[label] = _as_saved(form, data[label])
            continue
        if form in _DICTIONARIES:
            check_dictionary(form, sum(_count_all(values, poll)))
        data[label] = _as_qiskit(form, values, poll, places)
    return ExperimentResult(success=True, status="DONE", data=ExperimentResultData(**data), **keys)


def _as_saved(form: str, state: Any) -> Any:
    """Return a simulator's own result, on any device, in the form in which it was saved as well."""
    return Operator(state) if form == "save_unitary" else _as_statevector(state)


def _as_statevector(state: Any) -> Any:
    """Return a state in Qiskit's type, which has double precision and the host's memory only; others as they are."""
    return Statevector(state) if isinstance(state, np.ndarray) and state.dtype == np.complex128 else state


def result_of(experiments: list[ExperimentResult], seconds: float, **names: Any) -> Result:
    """Return a `Result` that holds experiments.

    Parameters
    ----------
    seconds
        How long the whole job took.
    names
        What names the result: ``backend_name``, ``backend_version``, ``job_id``, ``qobj_id`` and ``header``.
    """
    return Result(
        **names,
        success=True,
        results=experiments,
        date=datetime.now().astimezone().isoformat(),
        status="COMPLETED",
        time_taken=seconds,
        metadata={"time_taken_execute": seconds},
    )


def joined(results: Sequence[Result]) -> Result:
    """Return one result of several that belong to one job, their experiments in order; they ran beside each other."""
    first = results[0]
    seconds = max(result.time_taken for result in results)
    return Result(
        backend_name=first.backend_name,
        backend_version=first.backend_version,
        job_id=first.job_id,
        qobj_id=first.qobj_id,
        header=first.header,
        success=True,
        results=[experiment for result in results for experiment in result.results],
        date=first.date,
        status=first.status,
        time_taken=seconds,
        metadata={"time_taken_execute": seconds},
    )
