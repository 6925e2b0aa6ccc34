"""Makes the plan of a program to show, with the same planner and for the same device as a run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from basicaer.calibration import known_store_rates, measured_crossover, store_rates
from basicaer.devices.distributed.rank_gates import Places as PlacesOfRank
from basicaer.devices.spilled.device import SpilledDevice
from basicaer.devices.spilled.stage_gates import segments_of_chunks
from basicaer.engine.bits import inverse_positions
from basicaer.engine.expected_errors import expected_errors
from basicaer.engine.plan import Part, Product
from basicaer.engine.program import For, Form, If, Measure, Prepare, Reset, Segment, SetState, Switch, While, walk
from basicaer.engine.stretches import stretches_of
from basicaer.engine.superoperators import on_density_matrices
from basicaer.errors import BasicAerError
from basicaer.options import HOST_MEMORY, DeviceChoice
from basicaer.plan.actions import pieces_of, structure
from basicaer.plan.planner import plan_segment
from basicaer.plan.stages import plan_stages
from basicaer.plan.steps import cost_of
from basicaer.plan_view.circuit_plan import CircuitPlan
from basicaer.plan_view.division import division_of
from basicaer.plan_view.model import GateKind, ShownGate, ShownStep, ShownStop, Stage
from basicaer.plan_view.prediction import run_times
from basicaer.spilling import choose_device, spilled_device

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from basicaer.engine.device import Device
    from basicaer.engine.plan import Costs, Pass, Plan, PlannedGate
    from basicaer.engine.program import Block, Gate, Operation
    from basicaer.engine.stages import Stage as StageOfGates
    from basicaer.engine.stages import Stages
    from basicaer.options import Precision
    from basicaer.plan.actions import GateAction
    from basicaer.simulation import Experiment

__all__ = ["plan_experiment", "seconds_if_spilled"]

_MOST_GATES = 10_000  # gates of a circuit that is planned for a sentence


def plan_experiment(
    experiment: Experiment, *, unitary: bool = False, free_parameters: tuple[str, ...] = (), ranks: int = 1
) -> CircuitPlan:
    """Plan each segment of a program once, also inside loops and branches, in the order of the program.

    Parameters
    ----------
    ranks
        Among how many ranks the state is divided.
    """
    program, precision = experiment.program, experiment.precision
    qubits = list(program.qubits)
    if unitary or experiment.is_density:  # the upper half of the state's qubits is the number of the column
        qubits += [program.circuit_qubits + q for q in program.qubits]
    if experiment.is_density:
        program = on_density_matrices(program)
    device, reason = choose_device(experiment.devices, len(qubits), precision, measured_crossover)
    starts_at_zero = not unitary and experiment.initial is None
    planning = _Planning(device, qubits, experiment, starts_at_zero=starts_at_zero)
    stretches = stretches_of(program)
    # Errors are slots and numbers of the gates, of which the plan is then made.
    planning.block(program.body if stretches is None else tuple([one.template for one in stretches]), "")
    planned = any(stage.tile for stage in planning.stages)
    times = run_times(
        planning.stages,
        planning.n_gates,
        amplitudes=2 ** len(qubits),
        amplitude_bytes=precision.amplitude_bytes,
        threads=planning.threads,
        on_host=device.is_host,
    )
    spilled, reading = 0, 0.0
    if isinstance(device, SpilledDevice):
        spilled = precision.amplitude_bytes * 2 ** len(qubits)
        if program.final:  # it is read for the weights of blocks, and for the outcomes in these
            reading = store_rates(device).seconds(2 * spilled, 0)
    return CircuitPlan(
        name=program.name,
        n_qubits=len(qubits),
        qubits=tuple(qubits),
        n_gates=planning.n_gates,
        swaps=planning.swaps,
        stages=tuple(planning.stages),
        memory=_memory(device, len(qubits), precision, planned=planned),
        precision=precision,
        device=device.name,
        device_reason=reason,
        threads=planning.threads,
        seconds=times.repeated + reading,
        first_seconds=times.first + reading,
        free_parameters=free_parameters,
        unitary=unitary,
        density_matrix=experiment.is_density,
        after=(*planning.taken_stops(), *(planning.stop("measure", one.qubit) for one in program.final)),
        errors=expected_errors(experiment.program, experiment.shots),
        division=None
        if ranks == 1
        else division_of(program, len(qubits), precision, ranks, starts_at_zero=starts_at_zero),
        spilled=spilled,
    )


def seconds_if_spilled(experiment: Experiment, spill: str, size: int) -> float | None:
    """Predict how long an experiment with a state of so many bytes takes with a value of ``spill``.

    None if that is not known: no plan with that place was made here before, or it would take long to make one, or that
    place has no room for the state.
    """
    gates = sum(len(part.gates) for part in walk(experiment.program.body) if isinstance(part, Segment))
    choice = DeviceChoice.GPU if spill == HOST_MEMORY else DeviceChoice.CPU
    devices = experiment.devices._replace(choice=choice, spill=spill)
    try:
        device = spilled_device(devices)
        if gates > _MOST_GATES or known_store_rates(device) is None or size > device.free_bytes():
            return None
        return plan_experiment(replace(experiment, devices=devices)).seconds
    except BasicAerError:  # it cannot be spilled there
        return None


def _memory(device: Device, n_qubits: int, precision: Precision, *, planned: bool) -> int:
    """Return how many bytes of memory a state takes, with what works on it."""
    if isinstance(device, SpilledDevice):
        return device.chunk_bytes(n_qubits, precision)
    state: int = precision.amplitude_bytes * 2**n_qubits
    return state + (device.scratch_bytes(precision) if planned else 0)


class _Planning:
    """Walks through a program as its state does, and follows which qubits are still |0>."""

    def __init__(self, device: Device, qubits: Sequence[int], experiment: Experiment, *, starts_at_zero: bool) -> None:
        self.qubits = qubits  # qubits[q] = the number that state qubit q is shown with
        self.n_qubits = len(qubits)
        self.device, self.precision = device, experiment.precision
        self.amplitude_bytes = experiment.precision.amplitude_bytes
        self.costs = device.costs(self.n_qubits, experiment.precision)
        self.threads = device.threads
        self.zero = frozenset(range(self.n_qubits) if starts_at_zero else ())  # state qubits that are still |0>
        self.held: tuple[int, ...] | None = None  # state qubits that made the number of a chunk at last
        self.stages: list[Stage] = []
        self.stops: list[ShownStop] = []  # the measurements and resets since the last stage
        self.n_gates = self.swaps = 0

    def stop(self, name: str, qubit: int) -> ShownStop:
        return ShownStop(name, self.qubits[qubit])

    def taken_stops(self) -> tuple[ShownStop, ...]:
        """Return the measurements and resets since the last stage, and forget them."""
        stops, self.stops = tuple(self.stops), []
        return stops

    def block(self, block: Block, inside: str) -> None:
        for operation in block:
            self.operation(operation, inside)

    def operation(self, operation: Operation, inside: str) -> None:
        match operation:
            case Segment():
                self.segment(operation, inside)
            case Prepare(qubits, _):
                self.zero -= set(qubits)
            case SetState():
                self.zero = frozenset()
            case Measure(qubit):
                self.stops.append(self.stop("measure", qubit))
            case Reset(qubit):
                self.stops.append(self.stop("reset", qubit))
            case If(_, then, otherwise):
                self.branches((then, otherwise), _within(inside, "if"))
            case Switch(_, cases):
                self.branches([block for _, block in cases], _within(inside, "switch"))
            case For() as loop if loop.iterations:
                once = len({_structure(body) for body in loop.bodies}) == 1  # bodies differ in nothing but angles
                times = loop.iterations if once else loop.repeats
                for body in loop.bodies[:1] if once else loop.bodies:
                    self.block(body, _within(inside, f"for x{times}") if times > 1 else inside)
            case While(_, body):
                self.branches((body,), _within(inside, "while"))

    def branches(self, blocks: Iterable[Block], inside: str) -> None:
        """Walk through blocks of which at most one runs: a qubit is |0> afterwards if it is after each of them."""
        before = after = self.zero
        for block in blocks:
            self.zero = before
            self.block(block, inside)
            after &= self.zero
        self.zero = after

    def segment(self, segment: Segment, inside: str) -> None:
        self.n_gates += len(segment.gates)
        if isinstance(self.device, SpilledDevice):
            self.spilled(segment, self.device, inside)
            return
        by_plan = self.device.runs_by_plan(
            len(segment.gates), self.n_qubits, self.precision, any_untouched=bool(self.zero)
        )
        if self.costs is None or not by_plan:
            self.stages.append(self.one_by_one(segment, inside))
            return
        plan = plan_segment(segment, self.n_qubits, self.costs)
        items = pieces_of(structure(segment.gates), self.n_qubits).actions
        places = _Places(segment, plan)
        self.swaps += len(places.swaps)
        for current in plan.passes:
            first = min(plan.origins[i] for step in current.steps for i in step.gates)
            qubit_on = [self.qubits[q] for q in places.before(first)]
            self.stages.append(
                self.tiled(segment, plan, current, qubit_on=qubit_on, items=items, costs=self.costs, inside=inside)
            )
            self.zero -= plan.taken_out_of_zero(current)
        self.zero = frozenset(q for q, wire in enumerate(plan.wire_of) if wire in self.zero)

    def spilled(self, segment: Segment, device: SpilledDevice, inside: str) -> None:
        """Add the stages of a segment, in each of which the chunks of a state are read and written."""
        n, n_local = self.n_qubits, device.chunk_qubits(self.n_qubits, self.precision)
        is_fresh = len(self.zero) == n
        stages = plan_stages(segment, n, n - n_local, None if is_fresh else self.held or tuple(range(n_local, n)))
        rates, state = store_rates(device), self.amplitude_bytes * 2**n
        places = _Places(segment, stages)
        self.swaps += len(places.swaps)
        held = stages.ranks
        for stage, held in stages.with_held():
            if not stage.gates:
                continue
            qubit_on = [self.qubits[q] for q in places.before(min(stages.origins[gate] for gate in stage.gates))]
            shown = [_shown(segment.gates[stages.origins[i]], stages.gates[i], qubit_on) for i in stage.gates]
            phases = sum(6 for gate in shown if gate.kind is GateKind.DIAGONAL)
            products = sum(8 * 2 ** len(gate.targets) for gate in shown if gate.kind is GateKind.GENERAL)
            read = 0 if is_fresh else state  # zeros are not read
            on_chunks = 2 ** (n - n_local) * self.seconds_of_chunk(segment, stages, stage, held, device)
            self.stages.append(
                Stage(
                    inside,
                    tile=tuple(sorted(qubit_on[wire] for wire in range(n) if wire not in held)),
                    steps=tuple(ShownStep((gate,), ()) for gate in shown),
                    tiles=2 ** (n - n_local),
                    bytes=read + state,
                    flops=(phases + products) * 2**n,
                    seconds=max(on_chunks, rates.seconds(read, state)),  # beside each other
                    before=self.taken_stops(),
                )
            )
            is_fresh = False
        self.held = tuple(map(stages.wire_of.index, held))
        self.zero = frozenset()

    def seconds_of_chunk(
        self, segment: Segment, stages: Stages, stage: StageOfGates, held: Sequence[int], device: SpilledDevice
    ) -> float:
        """Return how long the gates of a stage take on a chunk."""
        n_local, costs = self.n_qubits - len(held), device.costs_of_chunks(self.n_qubits, self.precision)
        if costs is None:
            return len(stage.gates) * device.gate_seconds(n_local, self.precision)
        wires = [*(wire for wire in range(self.n_qubits) if wire not in held), *held]
        first = PlacesOfRank(inverse_positions(wires), n_local, 0)
        chunk = segments_of_chunks(stage, stages, segment, [first], [None], lambda: None).template
        items = pieces_of(structure(chunk.gates), n_local).actions
        passes = plan_segment(chunk, n_local, costs).passes
        seconds = 0.0
        for one in passes:
            tiles = 2 ** (n_local - len(one.tile))
            seconds += -(-tiles // self.threads) * _seconds_of_tile(one, items, costs)
        return seconds

    def tiled(
        self,
        segment: Segment,
        plan: Plan,
        current: Pass,
        *,
        qubit_on: Sequence[int],
        items: Sequence[GateAction],
        costs: Costs,
        inside: str,
    ) -> Stage:
        """Return a pass as a stage; ``qubit_on[w]`` is the number that is shown for the qubit on wire w."""
        tiles = 2 ** (self.n_qubits - len(self.zero.union(current.tile)))
        tile_size = 2 ** len(current.tile)
        seconds = _seconds_of_tile(current, items, costs)
        flops = 0
        steps = []
        for step in current.steps:
            shown = tuple(_shown(segment.gates[plan.origins[i]], plan.gates[i], qubit_on) for i in step.gates)
            matrix = tuple(sorted(qubit_on[wire] for wire in step.wires)) if isinstance(step, Product) else ()
            if matrix:
                flops += 8 * 2 ** len(matrix)
            elif any(gate.kind is GateKind.DIAGONAL for gate in shown):
                flops += 6
            steps.append(ShownStep(shown, matrix))
        return Stage(
            inside,
            tile=tuple(sorted(qubit_on[wire] for wire in current.tile)),
            steps=tuple(steps),
            tiles=tiles,
            bytes=2 * self.amplitude_bytes * tiles * tile_size,
            flops=flops * tiles * tile_size,
            seconds=-(-tiles // self.threads) * seconds,
            before=self.taken_stops(),
        )

    def one_by_one(self, segment: Segment, inside: str) -> Stage:
        # How many amplitudes the controls of each gate select.
        touched = [2 ** (self.n_qubits - len(gate.controls)) for gate in segment.gates]
        shown = [_shown(gate, None, self.qubits) for gate in segment.gates]
        flops = 0
        for gate, view, amplitudes in zip(segment.gates, shown, touched, strict=True):
            each = {GateKind.DIAGONAL: 6, GateKind.PERMUTATION: 0}.get(view.kind, 8 * 2 ** len(gate.targets))
            flops += each * amplitudes
        return Stage(
            inside,
            tile=(),
            steps=tuple(ShownStep((view,), ()) for view in shown),
            tiles=0,
            bytes=2 * self.amplitude_bytes * sum(touched),
            flops=flops,
            seconds=len(shown) * self.device.gate_seconds(self.n_qubits, self.precision),
            before=self.taken_stops(),
        )


class _Places:
    """Knows which qubit is on which wire at each point of a segment."""

    def __init__(self, segment: Segment, plan: Plan | Stages) -> None:
        planned = set(plan.origins)
        self.swaps = [(i, *gate.targets) for i, gate in enumerate(segment.gates) if i not in planned]
        self.plan = plan

    def before(self, first: int) -> list[int]:
        """Return the state qubit on each wire just before some gate, in the order of the circuit."""
        wire_of = list(range(self.plan.n_qubits))
        for gate, a, b in self.swaps:
            if gate < first:
                wire_of[a], wire_of[b] = wire_of[b], wire_of[a]
        return inverse_positions(wire_of)


def _seconds_of_tile(one: Pass, items: Sequence[GateAction], costs: Costs) -> float:
    """Return how long a pass takes on a tile."""
    per_amplitude = costs.move + cost_of(one.steps, items, costs)
    seconds: float = 2 ** len(one.tile) * per_amplitude + len(one.steps) * costs.step_seconds
    return seconds


def _within(inside: str, what: str) -> str:
    return f"{inside} > {what}" if inside else what


def _structure(body: Block) -> tuple[object, ...]:
    return tuple(
        structure(operation.gates) if isinstance(operation, Segment) else type(operation) for operation in walk(body)
    )


def _shown(gate: Gate, planned: PlannedGate | None, qubit_on: Sequence[int]) -> ShownGate:
    """Return a gate as it is shown; on its own qubits if it is not planned."""
    part = Part.WHOLE if planned is None else planned.part
    targets, controls = (gate.targets, gate.controls) if planned is None else (planned.targets, planned.controls)
    if part is Part.EIGENVALUES or gate.form is Form.DIAGONAL:
        kind = GateKind.DIAGONAL
    elif part is not Part.WHOLE:
        kind = GateKind.GENERAL
    elif gate.form is Form.PERMUTATION:
        kind = GateKind.PERMUTATION
    else:
        kind = GateKind.GENERAL if "G" in gate.target_actions else GateKind.X_TYPE
    name = gate.name if part is Part.WHOLE else f"{gate.name}, {part.value}"
    return ShownGate(name, kind, tuple(qubit_on[q] for q in targets), tuple(qubit_on[q] for q in controls))
