"""What a persisted job must fulfil besides having the right types: sizes agree, and numbers refer to what exists.

A file may say anything, and its checksum can be made to agree. A job that passes these checks could have been
persisted, so that running it ends neither in an obscure error nor in counts of another number of shots.
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.spilled.state_file import NAME
from basicaer.engine import trajectories
from basicaer.engine.bits import WORD_BITS, all_ones, mask_words
from basicaer.engine.groups import frame_at
from basicaer.engine.method import of_statevectors_only
from basicaer.engine.program import OverShots, Segment, SetState, walk
from basicaer.engine.readings import shape_of
from basicaer.engine.saved import ALL_SHOTS
from basicaer.engine.shot_progress import MOST_ATTEMPTS
from basicaer.engine.stretches import stretches_of
from basicaer.engine.superoperators import on_density_matrices
from basicaer.options import Method
from basicaer.persistence.program_checks import MOST_REPEATS, check_array, check_program, demand, demand_numbers
from basicaer.simulation import RETURNED_BY
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from basicaer.engine.program import Save
    from basicaer.engine.suspended import Suspended, SuspendedShots
    from basicaer.records import ExperimentOutcome
    from basicaer.simulation import Experiment, SimulationPayload

__all__ = [
    "check_divided",
    "check_layout",
    "check_outcome",
    "check_payload",
    "check_suspended",
    "check_suspended_shots",
]

_MOST_WEIGHT = 1 + 1e-6  # a probability, with what rounding may add


def check_payload(payload: SimulationPayload) -> None:
    """Check the payload of a job.

    Raises
    ------
    ValueError
        Naming what cannot be.
    """
    returned = RETURNED_BY.get(payload.backend_name)
    demand(returned == payload.returns, f"{payload.backend_name} does not return {payload.returns}")
    demand(bool(payload.experiments) and payload.persistence is None, "there are no circuits")
    demand(payload.ranks is None, "ranks are known only where the job runs")
    demand(len({experiment.devices.gpu for experiment in payload.experiments}) == 1, "circuits run side by side")
    for experiment in payload.experiments:
        _check_experiment(experiment, is_unitary=payload.returns == "unitary")


def _check_experiment(experiment: Experiment, *, is_unitary: bool) -> None:
    program, header = experiment.program, experiment.header
    check_program(program)
    demand(not (is_unitary and program.writes_memory), "a unitary cannot measure")
    set_axes = {one.axes for one in walk(program.body) if isinstance(one, SetState)}
    demand(set_axes <= {2 if is_unitary else 1}, "another kind of state is set")
    slots = header.get("memory_slots")
    is_header = type(slots) is int and 0 <= slots <= program.memory_slots and isinstance(header.get("name", ""), str)
    demand(is_header, "the header is not that of the circuit")
    for label in header.get("creg_sizes", ()):
        is_pair = len(label) == 2 and type(label[0]) is str and type(label[1]) is int and label[1] >= 0
        demand(is_pair, "creg_sizes are not names and sizes")
    numbers = (experiment.chop_threshold, experiment.lowering_seconds)
    demand(min(*numbers) >= 0 and not math.isnan(sum(numbers)), "chop_threshold or lowering_seconds is out of range")
    whole = (experiment.shots - 1, experiment.seed, experiment.devices.threads, experiment.devices.gpu)
    elsewhere = experiment.on_device or experiment.devices.gpus[1:]
    demand(min(whole) >= 0 and not elsewhere, "shots, a seed or the device is out of range")
    if experiment.is_density:
        demand(not is_unitary, "a unitary is no density matrix")
        demand(not any(map(of_statevectors_only, program.saves)), "a density matrix has no amplitudes to save")
    is_said = experiment.method_reason.isprintable()
    demand(experiment.method is not Method.AUTOMATIC and is_said, "no method was chosen")
    if experiment.initial is not None:
        size = 2 ** (program.state_qubits * (2 if is_unitary else 1))
        demand(experiment.initial.shape == (size,), "the initial state is of another size")


def check_outcome(outcome: ExperimentOutcome, position: int, payload: SimulationPayload) -> None:
    """Check what came of a circuit.

    Raises
    ------
    ValueError
        Naming what cannot be.
    """
    experiment = payload.experiments[position]
    program, data, slots = experiment.program, outcome.data, experiment.program.memory_slots
    seconds = (outcome.time_taken, outcome.simulation_seconds)
    demand(min(seconds) >= 0 and all(map(math.isfinite, seconds)), "a result has taken no time")
    device = outcome.device
    demand(device.name.isprintable() and device.reason.isprintable(), "the device has no name")
    demand(device.threads >= 1, "no thread has worked")
    has_counts = payload.returns == "counts" or (payload.returns == "statevector" and program.writes_memory)
    parts = ((payload.returns, True), ("counts", has_counts), ("memory", has_counts and experiment.memory))
    expected = {name for name, is_there in parts if is_there}
    found = {name for name, value in data._asdict().items() if value is not None}
    demand(found == expected, "the result has other parts than its simulator returns")
    if data.counts is not None:
        _check_values(data.counts, slots)
        demand(all(number > 0 for number in data.counts.values()), "counts are not positive")
        demand(sum(data.counts.values()) == (experiment.shots if slots else 0), "counts are of another number of shots")
    if data.memory is not None:
        of_shots = data.counts if slots else {"0x0": experiment.shots}
        demand(Counter(data.memory) == of_shots, "the memory is not that of the counts")
    rows = 2**program.circuit_qubits
    for name, state, shape in (("statevector", data.statevector, (rows,)), ("unitary", data.unitary, (rows, rows))):
        if state is not None:
            is_state = state.dtype.itemsize == experiment.precision.amplitude_bytes and state.shape == shape
            demand(is_state, f"the {name} is of another size")
    saves = {save.label: save for save in program.saves}
    for saved in outcome.saved:
        save = saves[saved.label]
        demand(saved.form == save.form, f"save {save.label} has another form")
        _check_saved(save, saved.values, slots)


def _check_values(values: Iterable[str], slots: int) -> None:
    """Check that each is a value of the memory slots, in hexadecimal."""
    for value in values:
        number = int(value, 16)
        demand(hex(number) == value and number < 2**slots, f"{value} is not a value of {slots} classical bits")


def _check_saved(save: Save, values: Any, slots: int) -> None:
    if save.conditional:
        _check_values(values, slots)
    for value in values.values() if save.conditional else [values]:
        demand(
            isinstance(value, list) == (save.over_shots is OverShots.EACH),
            f"save {save.label} is not over {save.over_shots.value}",
        )
        demand(not isinstance(value, list) or bool(value), f"save {save.label} has no values")
        for one in value if isinstance(value, list) else [value]:
            _check_value(save, one)


def _check_value(save: Save, value: Any) -> None:
    """Check that a value has the form in which `basicaer.engine.readings.read` returns it."""
    shape = shape_of(save)
    is_array = isinstance(value, np.ndarray if shape else float) and np.shape(value) == shape
    demand(is_array and bool(np.isfinite(value).all()), f"save {save.label} has something else than {shape} numbers")


def check_suspended(suspended: Suspended, experiment: Experiment) -> None:
    """Check how far a circuit was that was running.

    Raises
    ------
    ValueError, TypeError, KeyError
        Naming what cannot be.
    """
    program = experiment.program
    if experiment.is_density:
        program = on_density_matrices(program)
    place = frame_at(program.body, suspended.steps)
    demand(isinstance(place.operation, Segment), "it cannot have been saved between two gates where there are none")
    demand(bool(np.isfinite(suspended.global_phase)), "its global phase is not finite")
    demand(0 <= suspended.passes < math.inf, "it cannot have done so many passes")
    reached = (suspended.saved_until, *(waiting.saved_until for waiting in suspended.waiting))
    demand(all(map(math.isfinite, chain.from_iterable(place or () for place in reached))), "a place is not finite")
    n_rows = 1 if program.is_straight else experiment.shots
    left = [suspended.rows, *(waiting.rows for waiting in suspended.waiting)]
    demand(all(rows.ndim == 1 and len(rows) and bool((np.diff(rows) > 0).all()) for rows in left), "no shots")
    together = np.concatenate(left)
    demand(together.min() >= 0 and together.max() < n_rows, "shots are out of range")
    demand(len(np.unique(together)) == len(together), "shots are there twice")
    _check_words(suspended.words, program.bits, n_rows)
    if suspended.amplitudes is not None:
        check_array(suspended.amplitudes, (2**program.state_qubits,))
    _check_all_accumulated(suspended.saved, experiment)


def check_suspended_shots(suspended: SuspendedShots, experiment: Experiment) -> None:
    """Check how far the shots of a circuit were whose errors are drawn first.

    Raises
    ------
    ValueError, TypeError, KeyError
        Naming what cannot be.
    """
    program, shots = experiment.program, experiment.shots
    stretches = None if experiment.is_density else stretches_of(program)
    demand(stretches is not None, "the errors of its circuit are not drawn first")
    demand(suspended.is_done.shape == suspended.is_usual.shape == (shots,), "it is of another number of shots")
    demand(suspended.first in range(0, shots, trajectories.SHOTS_AT_ONCE), "it begins with another shot")
    running = min(trajectories.SHOTS_AT_ONCE, shots - suspended.first)
    demand(suspended.attempts.shape == (len(stretches or ()), running), "proposals are of other shots")
    are_few = (suspended.attempts >= -MOST_ATTEMPTS) & (suspended.attempts < MOST_ATTEMPTS)
    demand(bool(are_few.all()), "there are too many proposals")
    demand(0 <= suspended.usual_weight < _MOST_WEIGHT, "the weight of the shots without errors is out of range")
    _check_words(suspended.words, program.bits, shots)
    _check_all_accumulated(suspended.saved, experiment)


def _check_words(words: NDArray[np.uint64], bits: int, n_rows: int) -> None:
    """Check the classical bits that rows have recorded."""
    demand(words.shape == (-(-bits // WORD_BITS), n_rows), "the classical bits are those of another circuit")
    stray = words & ~mask_words(all_ones(bits), len(words))[:, None]
    demand(not stray.any(), f"there are values of more than {counted(bits, 'bit')}")


def _check_all_accumulated(saved: Mapping[str, Mapping[int, Any]], experiment: Experiment) -> None:
    """Check what has been saved so far, by label and by classical bits."""
    program, saves = experiment.program, {save.label: save for save in experiment.program.saves}
    for label, record in saved.items():
        demand(bool(record), f"save {label} is empty")
        for key, accumulated in record.items():
            demand(
                0 <= key < 2**program.bits if saves[label].conditional else key == ALL_SHOTS,
                f"save {label} has a stray value",
            )
            _check_accumulated(saves[label], accumulated, experiment.shots)


def _check_accumulated(save: Save, accumulated: Any, shots: int) -> None:
    """Check what `basicaer.engine.saved.Saved` has accumulated for a save so far."""
    match save.over_shots:
        case OverShots.EACH:
            demand(bool(accumulated), f"save {save.label} has no values")
            for of_shots, value in accumulated:
                demand(of_shots.ndim == 1 and of_shots.dtype == np.int64, f"save {save.label} is not of shots")
                demand(of_shots.min() >= 0 and of_shots.max() < shots, f"save {save.label} is of other shots")
                _check_value(save, value)
            return
        case OverShots.LAST:
            shot, value = accumulated
            demand_numbers([shot], shots, f"the shot of save {save.label}")
        case _:
            count, value = accumulated
            demand(type(count) is int and 0 < count < MOST_REPEATS, f"save {save.label} is of {count} shots")
    _check_value(save, value)


def check_layout(layout: Mapping[str, Any], fresh: Mapping[str, Any], given: int, amplitude_bytes: int) -> None:
    """Check that a new state can be turned into the one that was persisted.

    Parameters
    ----------
    fresh
        The layout of the new state.
    given
        How many bytes the amplitudes have.

    Raises
    ------
    ValueError
        Naming what cannot be.
    """
    if "file" in fresh:
        _check_layout_of_file(layout, fresh, given)
        return
    place, wires = layout["place"], len(fresh["place"])
    demand_numbers(place, wires, "places")
    demand_numbers(layout["zero"], wires, "wires that are still 0")
    demand_numbers([layout["passes_done"]], MOST_REPEATS, "the passes that are done")
    demand(layout.keys() == fresh.keys() and len(place) == wires, "the layout is that of another state")
    demand(given == 2**wires * amplitude_bytes, f"{given} bytes are no state of {wires} qubits")


def _check_layout_of_file(layout: Mapping[str, Any], fresh: Mapping[str, Any], given: int) -> None:
    """Check the layout of a state that lies in a file; the file itself is checked when it is opened."""
    wires, held = len(fresh["place"]), [layout[name] for name in ("held", "began") if layout[name] is not None]
    demand(layout.keys() == fresh.keys() and given == 0, "the layout is that of another state")
    demand(NAME.fullmatch(layout["file"]) is not None, f"{layout['file']} is not the name of a state")
    demand_numbers([layout["chunk_qubits"]], wires + 1, "the qubits of a chunk")
    demand(min(layout["chunk_qubits"], wires) >= min(2, wires), "chunks are too small")
    for numbers in (layout["place"], [qubit for qubit, _ in layout["fixed"]], *held):
        demand_numbers(numbers, wires, "places")
    demand(len(layout["place"]) == wires, "the layout is that of another state")
    demand(all(len(one) == wires - layout["chunk_qubits"] for one in held), "chunks are of another size")
    demand(all(type(value) is int and value in {0, 1} for _, value in layout["fixed"]), "a qubit has no value")
    demand(type(layout["factor"]) is float and 0 < layout["factor"] < math.inf, "the factor is out of range")
    demand_numbers([layout["stages_done"]], MOST_REPEATS, "the stages that are done")


def check_divided(layout: Mapping[str, Any], n_qubits: int) -> None:
    """Check that a new state of so many qubits can be turned into a divided one that was persisted.

    Raises
    ------
    ValueError
        Naming what cannot be.
    """
    demand(layout.keys() == {"place", "done"}, "the layout is that of another state")
    demand_numbers(layout["place"], n_qubits, "places")
    demand(len(layout["place"]) == n_qubits, "the layout is that of another state")
    demand_numbers(layout["done"], MOST_REPEATS, "the gates that are done")
