"""Runs the PUBs of a primitive's job, in whichever process or thread its executor has chosen.

Parameter sets of a small circuit run as a batch, as many at a time as suits the device; those of a larger circuit run
one after another.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.calibration import measured_crossover
from basicaer.compile.modifiers import formula_numbers
from basicaer.devices.registry import choose_device
from basicaer.engine.checkpoint import Checkpoint, current_checkpoint
from basicaer.engine.draws import generator, seed_of_experiment
from basicaer.engine.execute import execute, lost
from basicaer.engine.paulis import pauli_values
from basicaer.engine.program import Over, Phase, Reading, Save, Segment
from basicaer.engine.request import Request
from basicaer.engine.sampling import SHOTS_AT_ONCE, sample_values
from basicaer.engine.saved import ALL_SHOTS
from basicaer.engine.together import evolve
from basicaer.errors import LostNormError
from basicaer.plan.planner import plan_segment
from basicaer.primitives.payload import Estimated, Sampled, SamplerTask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from basicaer.compile.family import Family
    from basicaer.engine.device import Batch, Device
    from basicaer.engine.program import Program
    from basicaer.engine.request import Outcome
    from basicaer.primitives.payload import EstimatorTask, PrimitivePayload

__all__ = ["run_primitive"]


def run_primitive(_job_id: str, payload: PrimitivePayload) -> list[Sampled | Estimated]:
    """Run every PUB and return their results; the function of every primitive's job."""
    checkpoint = current_checkpoint.get() or Checkpoint()
    checkpoint.expect_experiments(len(payload.tasks))
    results: list[Sampled | Estimated] = []
    position = 0  # of the task's first parameter set among the sets of all tasks
    for number, task in enumerate(payload.tasks):
        run = _FamilyRun(task.family, payload, checkpoint)
        if isinstance(task, SamplerTask):
            results.append(_sampled(task, run, position))
        else:
            results.append(_estimated(task, run, number))
        position += task.family.size
        checkpoint.finish_experiment(number, None)
    return results


class _FamilyRun:
    """The parameter sets of one task's circuit on their device.

    Attributes
    ----------
    batch_size
        How many parameter sets run at a time as a batch; 0 if they run one after another.
    """

    def __init__(self, family: Family, payload: PrimitivePayload, checkpoint: Checkpoint) -> None:
        self.family = family
        self.seed = payload.seed
        self.precision = payload.precision
        self.checkpoint = checkpoint
        qubits = family.first.state_qubits
        self.device: Device
        self.device, _ = choose_device(payload.devices, qubits, payload.precision, measured_crossover)
        most = self.device.most_states(qubits, payload.precision)
        straight = family.template is not None and all(
            isinstance(operation, Segment | Phase) for operation in family.template.body
        )
        self.batch_size = most if straight and family.segments and family.size > 1 and most > 1 else 0

    def batches(self) -> Iterator[tuple[slice, Batch]]:
        """Yield slices of the parameter sets, each with their final states."""
        template = self.family.first
        # Phases are left out: they change neither outcomes nor expectation values.
        places = [place for place, operation in enumerate(template.body) if isinstance(operation, Segment)]
        self.checkpoint.enter("gates")
        for start in range(0, self.family.size, self.batch_size):
            part = slice(start, min(start + self.batch_size, self.family.size))
            self.checkpoint.poll()
            yield (
                part,
                evolve(
                    [self.family.segments_at(place)[part] for place in places],
                    part.stop - part.start,
                    template.state_qubits,
                    self.device,
                    plan_segment,
                    self.precision,
                    self.checkpoint,
                ),
            )

    def execute(self, number: int, program: Program, **how: Any) -> Outcome:
        """Run the program of one parameter set by itself; `number` is its position among all sets of the job."""
        request = Request(program, self.precision, seed=seed_of_experiment(self.seed, number), **how)
        return execute(request, self.device, plan_segment, self.checkpoint, numbers_of=formula_numbers)


def _sampled(task: SamplerTask, run: _FamilyRun, position: int) -> Sampled:
    family, shots = task.family, task.shots
    arrays = [np.zeros((family.size, shots, one.n_bytes), np.uint8) for one in task.registers]

    def store(number: int, values: list[int], which: NDArray[np.int64]) -> None:
        for register, array in zip(task.registers, arrays, strict=True):
            array[number] = register.bytes_of(values, run.checkpoint.poll)[which]

    run.checkpoint.expect(None, family.size * shots)
    if run.batch_size and shots <= SHOTS_AT_ONCE:
        final = family.first.final
        for part, batch in run.batches():
            run.checkpoint.enter("sampling")
            for number in range(part.start, part.stop):
                run.checkpoint.poll()
                draws = generator(seed_of_experiment(run.seed, position + number)).random(shots)
                try:
                    values, which, _ = sample_values(batch.state(number - part.start), draws, final, 0)
                except LostNormError as error:
                    raise lost(family.program(number), error) from error
                store(number, values, which)
                run.checkpoint.finish_shots(shots)
            run.checkpoint.enter("gates")
    else:
        for number in range(family.size):
            outcome = run.execute(position + number, family.program(number), shots=shots, keep_order=True)
            assert outcome.value_of_shot is not None  # keep_order asks for it  # noqa: S101
            store(number, outcome.values, outcome.value_of_shot)
    return Sampled(task.shape, task.metadata, shots, task.registers, arrays)


def _estimated(task: EstimatorTask, run: _FamilyRun, number: int) -> Estimated:
    sets, observables = task.sets.reshape(-1), task.observables.reshape(-1)
    values = np.empty(len(sets))
    places = _places_by_set(sets, task.family.size)
    if run.batch_size:  # otherwise each set's own run says how many passes it takes
        run.checkpoint.expect(2 * -(-task.family.size // run.batch_size), 0)
    for part, evaluate in _evaluations(task, run):
        run.checkpoint.advance(1 if run.batch_size else 0)
        here = [place for i in range(part.start, part.stop) for place in places[i]]
        wanted = sorted({term[:2] for place in here for term in task.terms[observables[place]]})
        column = {masks: j for j, masks in enumerate(wanted)}
        # found[set, term]; there are no terms if every Pauli of the observables flips an idle qubit
        found = evaluate(wanted) if wanted else np.empty((part.stop - part.start, 0))
        run.checkpoint.advance(1 if run.batch_size else 0)
        for place in here:
            row = found[sets[place] - part.start]
            values[place] = sum(factor * row[column[x, z]] for x, z, factor in task.terms[observables[place]])
    if task.precision:
        values += generator(seed_of_experiment(run.seed, number)).normal(0.0, task.precision, len(sets))
    return Estimated(task.shape, task.metadata, task.precision, values)


def _places_by_set(sets: NDArray[np.intp], size: int) -> list[list[int]]:
    """Return for each of `size` parameter sets the places of a task's shape that need it."""
    places: list[list[int]] = [[] for _ in range(size)]
    for place, number in enumerate(sets.tolist()):
        places[number].append(place)
    return places


def _evaluations(
    task: EstimatorTask, run: _FamilyRun
) -> Iterator[tuple[slice, Callable[[Sequence[tuple[int, int]]], NDArray[np.float64]]]]:
    """Yield slices of the parameter sets, each with a function that returns values of Paulis, a row for each set."""
    if run.batch_size:
        for part, batch in run.batches():
            yield part, partial(pauli_values, expectations=batch.expectations)
        return
    for number in range(task.family.size):
        yield slice(number, number + 1), partial(_pauli_values_of, task.family.program(number), run)


def _pauli_values_of(program: Program, run: _FamilyRun, wanted: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Return the values of Paulis in the final state of one program, as a single row."""
    qubits = tuple(range(program.state_qubits))
    save = Save("values", "", Reading.PAULIS, qubits, tuple(wanted), Over.LAST, conditional=False)
    outcome = run.execute(0, replace(program, body=(*program.body, save), saves=(save,)), shots=1)
    values: NDArray[np.float64] = outcome.saved[save.label][ALL_SHOTS][None]
    return values
