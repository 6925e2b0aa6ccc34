"""What a primitive's job carries to where it runs, and the function that runs there.

Sets of parameters of a small circuit run as a batch, as many at a time as the device likes; of a larger one, one after
another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from qiskit.primitives import BitArray, DataBin, PubResult, SamplerPubResult

from basicaer.calibration import measured_crossover
from basicaer.compile.modifiers import formula_numbers
from basicaer.devices.registry import choose_device
from basicaer.engine.checkpoint import Checkpoint, current_checkpoint
from basicaer.engine.draws import generator, seed_of_experiment
from basicaer.engine.execute import Request, execute, lost
from basicaer.engine.paulis import pauli_values
from basicaer.engine.program import Over, Phase, Reading, Save, Segment
from basicaer.engine.sampling import SHOTS_AT_ONCE, sample_values
from basicaer.engine.saved import ALL_SHOTS
from basicaer.engine.together import evolve
from basicaer.errors import LostNormError
from basicaer.plan.planner import plan_segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.compile.family import Family
    from basicaer.engine.device import Batch, Device
    from basicaer.engine.execute import Outcome
    from basicaer.engine.program import Program
    from basicaer.options import DeviceOptions, Precision

__all__ = ["Estimated", "EstimatorTask", "Register", "Sampled", "SamplerTask", "Settings", "Task", "run_primitive"]

_VALUES_AT_ONCE = 2**14  # whose bytes are made between two polls

Terms = tuple[tuple[int, int, float], ...]  # (x, z, factor), as `State.expectations` takes them


class Register(NamedTuple):
    """A classical register: ``bits[j]`` is the number of the classical bit that is its bit j."""

    name: str
    bits: tuple[int, ...]

    @property
    def n_bytes(self) -> int:
        """Bytes that a value takes in a `BitArray`."""
        return (len(self.bits) + 7) // 8

    def bytes_of(self, values: Sequence[int], poll: Callable[[], None]) -> NDArray[np.uint8]:
        """Return this register's part of values of all classical bits: a row of bytes each, the highest first.

        Polls now and then.
        """
        rows = np.empty((len(values), self.n_bytes), np.uint8)
        for start in range(0, len(values), _VALUES_AT_ONCE):
            poll()
            part = values[start : start + _VALUES_AT_ONCE]
            n_bytes = (max(max(part).bit_length(), *(bit + 1 for bit in self.bits), 1) + 7) // 8
            whole = np.frombuffer(b"".join([value.to_bytes(n_bytes, "little") for value in part]), np.uint8)
            bits = np.unpackbits(whole.reshape(len(part), n_bytes), axis=1, bitorder="little")[:, list(self.bits)]
            rows[start : start + len(part)] = np.packbits(bits, axis=1, bitorder="little")[:, ::-1]
        return rows


@dataclass(frozen=True, slots=True)
class SamplerTask:
    """A PUB to sample."""

    family: Family
    shape: tuple[int, ...]
    metadata: Any
    shots: int
    registers: tuple[Register, ...]


@dataclass(frozen=True, slots=True)
class EstimatorTask:
    """A PUB to estimate: at each place of its shape observable ``numbers[place]`` of parameter set ``sets[place]``."""

    family: Family
    shape: tuple[int, ...]
    metadata: Any
    precision: float
    terms: tuple[Terms, ...]
    sets: NDArray[np.intp]
    numbers: NDArray[np.intp]


Task = SamplerTask | EstimatorTask


# What came of a task is plain until somebody asks for it: Qiskit 2.0 pickles no results of PUBs.


@dataclass(frozen=True, slots=True)
class Sampled:
    """The outcomes of a `SamplerTask`: ``arrays[j][set, shot, byte]`` of register j, the highest byte first."""

    shape: tuple[int, ...]
    metadata: Any
    shots: int
    registers: tuple[Register, ...]
    arrays: list[NDArray[np.uint8]]

    def as_qiskit(self) -> SamplerPubResult:
        """Return it as Qiskit has it."""
        bits = {
            one.name: BitArray(array.reshape(*self.shape, self.shots, one.n_bytes), len(one.bits))
            for one, array in zip(self.registers, self.arrays, strict=True)
        }
        return SamplerPubResult(
            DataBin(**bits, shape=self.shape), metadata={"shots": self.shots, "circuit_metadata": self.metadata}
        )


@dataclass(frozen=True, slots=True)
class Estimated:
    """The values of an `EstimatorTask`, in the order of its places."""

    shape: tuple[int, ...]
    metadata: Any
    precision: float
    values: NDArray[np.float64]

    def as_qiskit(self) -> PubResult:
        """Return it as Qiskit has it."""
        values = self.values.reshape(self.shape)
        data = DataBin(evs=values, stds=np.full_like(values, self.precision), shape=self.shape)
        return PubResult(data, metadata={"target_precision": self.precision, "circuit_metadata": self.metadata})


@dataclass(frozen=True, slots=True)
class Settings:
    """The payload of a job."""

    tasks: tuple[Task, ...]
    seed: int
    devices: DeviceOptions
    precision: Precision
    gpu: int | None  # whose jobs this one queues with; None on the CPU

    def partial(self, _job_id: str, _finished: Mapping[int, Any]) -> None:
        """Return nothing: PUBs that are finished are not handed over before the others."""
        return


def run_primitive(_job_id: str, work: Settings) -> list[Sampled | Estimated]:
    """Run every PUB and return what came of each; the function of every primitive's job."""
    checkpoint = current_checkpoint.get() or Checkpoint()
    checkpoint.expect_experiments(len(work.tasks))
    results: list[Sampled | Estimated] = []
    position = 0  # of a task's first parameter set among those of all
    for number, task in enumerate(work.tasks):
        run = _Run(task.family, work, checkpoint)
        if isinstance(task, SamplerTask):
            results.append(_sampled(task, run, position))
        else:
            results.append(_estimated(task, run, number))
        position += task.family.size
        checkpoint.finish_experiment(number, None)
    return results


class _Run:
    """One task's circuits on their device."""

    def __init__(self, family: Family, work: Settings, checkpoint: Checkpoint) -> None:
        self.family = family
        self.seed = work.seed
        self.precision = work.precision
        self.checkpoint = checkpoint
        qubits = family.first.state_qubits
        self.device: Device
        self.device, _ = choose_device(work.devices, qubits, work.precision, measured_crossover)
        most = self.device.most_states(qubits, work.precision)
        straight = family.template is not None and all(
            isinstance(operation, Segment | Phase) for operation in family.template.body
        )
        self.at_a_time = most if straight and family.segments and family.size > 1 and most > 1 else 0

    def batches(self) -> Iterator[tuple[slice, Batch]]:
        """Yield the parameter sets in parts, each with its final states."""
        template = self.family.first
        # A phase shows neither in outcomes nor in expectation values.
        places = [place for place, operation in enumerate(template.body) if isinstance(operation, Segment)]
        self.checkpoint.enter("gates")
        for start in range(0, self.family.size, self.at_a_time):
            part = slice(start, min(start + self.at_a_time, self.family.size))
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
        """Run the program of one set by itself; `number` is its position among all sets of the job."""
        request = Request(program, self.precision, seed=seed_of_experiment(self.seed, number), **how)
        return execute(request, self.device, plan_segment, self.checkpoint, numbers_of=formula_numbers)


def _sampled(task: SamplerTask, run: _Run, position: int) -> Sampled:
    family, shots = task.family, task.shots
    arrays = [np.zeros((family.size, shots, one.n_bytes), np.uint8) for one in task.registers]

    def keep(number: int, values: list[int], which: NDArray[np.int64]) -> None:
        for register, array in zip(task.registers, arrays, strict=True):
            array[number] = register.bytes_of(values, run.checkpoint.poll)[which]

    run.checkpoint.expect(None, family.size * shots)
    if run.at_a_time and shots <= SHOTS_AT_ONCE:
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
                keep(number, values, which)
                run.checkpoint.finish_shots(shots)
            run.checkpoint.enter("gates")
    else:
        for number in range(family.size):
            outcome = run.execute(position + number, family.program(number), shots=shots, keep_order=True)
            assert outcome.value_of_shot is not None  # asked for with the order  # noqa: S101
            keep(number, outcome.values, outcome.value_of_shot)
    return Sampled(task.shape, task.metadata, shots, task.registers, arrays)


def _estimated(task: EstimatorTask, run: _Run, number: int) -> Estimated:
    sets, observables = task.sets.reshape(-1), task.numbers.reshape(-1)
    values = np.empty(len(sets))
    places = _places_by_set(sets, task.family.size)
    if run.at_a_time:  # else each set says how many passes it takes
        run.checkpoint.expect(2 * -(-task.family.size // run.at_a_time), 0)
    for part, evaluate in _evaluations(task, run):
        run.checkpoint.advance(1 if run.at_a_time else 0)
        here = [place for i in range(part.start, part.stop) for place in places[i]]
        wanted = sorted({term[:2] for place in here for term in task.terms[observables[place]]})
        column = {masks: j for j, masks in enumerate(wanted)}
        # found[set, term]; there are no terms where all flip a qubit that is idle
        found = evaluate(wanted) if wanted else np.empty((part.stop - part.start, 0))
        run.checkpoint.advance(1 if run.at_a_time else 0)
        for place in here:
            row = found[sets[place] - part.start]
            values[place] = sum(factor * row[column[x, z]] for x, z, factor in task.terms[observables[place]])
    if task.precision:
        values += generator(seed_of_experiment(run.seed, number)).normal(0.0, task.precision, len(sets))
    return Estimated(task.shape, task.metadata, task.precision, values)


def _places_by_set(sets: NDArray[np.intp], size: int) -> list[list[int]]:
    places: list[list[int]] = [[] for _ in range(size)]
    for place, number in enumerate(sets.tolist()):
        places[number].append(place)
    return places


def _evaluations(
    task: EstimatorTask, run: _Run
) -> Iterator[tuple[slice, Callable[[Sequence[tuple[int, int]]], NDArray[np.float64]]]]:
    """Yield parts of the parameter sets, and what evaluates Paulis in their states: a row for each set."""
    if run.at_a_time:
        for part, batch in run.batches():
            yield part, partial(pauli_values, expectations=batch.expectations)
        return
    for number in range(task.family.size):
        yield slice(number, number + 1), partial(_by_itself, task.family.program(number), run)


def _by_itself(program: Program, run: _Run, wanted: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Evaluate Paulis in the state that one program makes."""
    qubits = tuple(range(program.state_qubits))
    save = Save("values", "", Reading.PAULIS, qubits, tuple(wanted), Over.LAST, conditional=False)
    outcome = run.execute(0, replace(program, body=(*program.body, save), saves=(save,)), shots=1)
    values: NDArray[np.float64] = outcome.saved[save.label][ALL_SHOTS][None]
    return values
