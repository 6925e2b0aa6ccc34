"""The parameter sets of one task's circuit, in batches or one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from basicaer.compile.modifiers import formula_numbers
from basicaer.devices.distributed.device import DistributedDevice
from basicaer.engine.density import DensityDevice
from basicaer.engine.device import segment_batch
from basicaer.engine.draws import seed_of_experiment
from basicaer.engine.execute import execute
from basicaer.engine.method import MethodChoice
from basicaer.engine.program import Phase, Segment, Store
from basicaer.engine.request import Request
from basicaer.engine.superoperators import density_segments
from basicaer.engine.together import common_structure, evolve
from basicaer.options import Method
from basicaer.plan.planner import plan_segment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from basicaer.compile.sweep import ProgramSweep
    from basicaer.devices.distributed.comm import Comm
    from basicaer.engine.device import Batch, Device, SegmentBatch
    from basicaer.engine.monitor import Monitor
    from basicaer.engine.program import Program
    from basicaer.engine.request import Outcome, Stratum
    from basicaer.primitives.payload import Begun, PrimitivePayload, Task

__all__ = ["KeptTask", "SweepRun"]


class KeptTask(Protocol):
    """Keeps how far a task of an estimator is."""

    def begun_on(self, layout_name: str) -> Begun | None:
        """Return how far it was, if it was on the same kind of device; arrays of it may be changed."""

    def note(self, begun: Begun) -> None:
        """Note how far it is; arrays of it will be changed."""


class SweepRun:
    """The parameter sets of one task's circuit on their device.

    Attributes
    ----------
    batch_size
        How many parameter sets run at a time as a batch; 0 if they run one after another.
    begun
        How far the task was when it was saved on this kind of device; None if it was not.
    note
        Called with how far it is each time that some sets are done.
    sets
        The sets of this rank; all, if no others share them.
    """

    def __init__(
        self,
        task: Task,
        payload: PrimitivePayload[Any],
        device: Device,
        monitor: Monitor,
        kept: KeptTask | None = None,
    ) -> None:
        self.begun = None if kept is None else kept.begun_on(device.layout_name(payload.precision))
        self.note = (lambda _begun: None) if kept is None else kept.note
        self.sweep = sweep = task.sweep
        self.density = task.choice.is_density
        self.device = device
        self.seed = payload.seed
        self.precision = payload.precision
        self.monitor = monitor
        # That of the last run, if it has one.
        self.stratum: Stratum | None = None
        qubits = task.evolved_qubits
        most = self.device.most_states(qubits, payload.precision)
        straight = self.has_one_structure() if self.density else _is_straight(sweep)
        # One small state is a batch, too: its gates are then applied as in any batch, and rounded in the same way.
        is_worthwhile = sweep.size > 1 or self.device.costs(qubits, payload.precision) is None
        differ = bool(sweep.segments or sweep.programs)
        ranks = payload.ranks
        self.sets = range(sweep.size)
        self.team: Comm | None = None  # the ranks that share the shots of a single set
        self._sharing: Comm | None = None  # those that share the sets
        if ranks is not None and not isinstance(device, DistributedDevice):
            if sweep.size > 1:
                self._sharing = ranks
                ends = [number * sweep.size // ranks.size for number in (ranks.rank, ranks.rank + 1)]
                self.sets = range(*ends)
            else:
                self.team = ranks
        self.batch_size = most if straight and differ and is_worthwhile and most > 1 else 0

    def batches(self, first: int = 0) -> Iterator[tuple[slice, Batch]]:
        """Yield slices of the parameter sets, from one of them on, each with their final states."""
        template = self.sweep.structure
        device = DensityDevice(self.device) if self.density else self.device
        self.monitor.enter("gates")
        for start in range(max(first, self.sets.start), self.sets.stop, self.batch_size):
            part = slice(start, min(start + self.batch_size, self.sets.stop))
            self.monitor.poll()
            yield (
                part,
                evolve(
                    self.segments(part),
                    part.stop - part.start,
                    template.state_qubits * device.axes,
                    device,
                    plan_segment,
                    self.precision,
                    self.monitor,
                ),
            )

    def has_one_structure(self) -> bool:
        """Tell whether the density matrices of all sets can run as a batch."""
        sweep = self.sweep
        if any(
            isinstance(operation, Store) for operation in sweep.structure.body
        ):  # a batch has no bits before the end
            return False
        if sweep.template is not None:
            return common_structure(sweep.template, density=True) is not None
        kinds = {tuple(map(type, program.body)) for program in sweep.programs}  # some may lack a phase
        found = {common_structure(program, density=True) for program in sweep.programs}
        return len(kinds) == len(found) == 1 and None not in found

    def take_statevectors(self, reason: str) -> MethodChoice:
        """Go on with statevectors instead of density matrices."""
        self.density, self.batch_size = False, 0
        return MethodChoice(Method.STATEVECTOR, reason)

    def segments(self, part: slice) -> list[SegmentBatch]:
        """Return the gates of some of the parameter sets. Phases are left out: they change nothing that is read."""
        sweep, size = self.sweep, part.stop - part.start
        template = sweep.structure
        if not self.density:
            places = [place for place, operation in enumerate(template.body) if isinstance(operation, Segment)]
            return [sweep.segments_at(place)[part] for place in places]
        if sweep.template is not None:
            own = {place: segments[part] for place, segments in sweep.segments.items()}
        else:
            own = {}
            for place, operations in enumerate(zip(*(program.body for program in sweep.programs[part]), strict=True)):
                some = [one for one in operations if isinstance(one, Segment)]
                if some:
                    own[place] = segment_batch(some)
        return density_segments(template, own, size, self.monitor.poll)

    def execute(self, number: int, program: Program, **how: Any) -> Outcome:
        """Run the program of one parameter set by itself; `number` is its position among all sets of the job."""
        seed = seed_of_experiment(self.seed, number)
        request = Request(program, self.precision, seed=seed, density=self.density, **how)
        return execute(request, self.device, plan_segment, self.monitor, numbers_of=formula_numbers, team=self.team)

    def of_ranks(self, own: Any) -> list[Any]:
        """Return what each rank that shares the sets has of them, in their order; only what is given if none does."""
        return [own] if self._sharing is None else self._sharing.gather(own, "sets of parameters")


def _is_straight(sweep: ProgramSweep) -> bool:
    """Tell whether the programs of a sweep have nothing but gates before their measurements."""
    return sweep.template is not None and all(
        isinstance(operation, Segment | Phase) for operation in sweep.template.body
    )
