"""The plans of a program's segments, made when they are first needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from basicaer.engine.program import Formula, Prepare, Save, Segment, SetState
from basicaer.engine.readings import passes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from basicaer.engine.classical import Value
    from basicaer.engine.device import Device, State
    from basicaer.engine.monitor import Monitor
    from basicaer.engine.plan import Plan, Planner
    from basicaer.engine.program import Program
    from basicaer.options import Precision

__all__ = ["NumbersOf", "Planning", "closed"]

NumbersOf = Callable[[Formula, list[float]], NDArray[Any]]
"""Makes the numbers of a gate inside a loop at values of its parameters."""


class Planning:
    """The plans of one run.

    Parameters
    ----------
    planner
        Makes the plans.
    n_qubits
        Qubits of the state that is evolved.
    """

    def __init__(self, device: Device, planner: Planner, n_qubits: int, precision: Precision, monitor: Monitor) -> None:
        self.device = device
        self.n_qubits = n_qubits
        self.precision = precision
        self.monitor = monitor
        self._planner = planner
        self._costs = device.costs(n_qubits, precision)
        self._known: dict[tuple[int, bool], Plan] = {}  # _known[id(segment), whether phases are discarded] = plan

    @property
    def has_plans(self) -> bool:
        """Whether any gates may run by a plan, rather than one by one."""
        return self._costs is not None

    def plan(self, segment: Segment, state: State | None) -> Plan | None:
        """Return the plan of gates that are not the program's own; None where they run one by one.

        Parameters
        ----------
        state
            What they are to run on; None for a batch, which is always planned for if the device plans at all.
        """
        if self._costs is None or (
            state is not None and not self._is_planned(segment, any_untouched=state.any_untouched)
        ):
            return None
        return self._planned(segment)

    def of_program(
        self, segment: Segment, state: State | None, *, discard_phases: bool, within: bool = False
    ) -> Plan | None:
        """Return the plan of a segment of the program, which is made once: a plan depends on no numbers.

        Parameters
        ----------
        state
            As for `plan`.
        within
            Whether the state stands in the middle of the segment, and therefore of its plan.
        """
        planned = state is None or within or self._is_planned(segment, any_untouched=state.any_untouched)
        return self._once(segment, discard_phases=discard_phases) if planned and self._costs is not None else None

    def total_passes(self, program: Program, *, starts_at_zero: bool, phases_matter_until: int) -> int | None:
        """Return how many passes there will be; None if control flow leaves that open or no gates run by a plan."""
        if self._costs is None or not program.is_straight:
            return None
        total = 0
        untouched = frozenset(range(self.n_qubits if starts_at_zero else 0))
        for at, operation in enumerate(program.body):
            match operation:
                case Segment(gates):
                    if self._is_planned(operation, any_untouched=bool(untouched)):
                        plan = self._once(operation, discard_phases=at >= phases_matter_until)
                        total += len(plan.passes)
                        untouched = plan.untouched_after(untouched)
                    else:
                        untouched = untouched.difference(*[gate.targets for gate in gates])
                case Prepare(qubits):
                    untouched = untouched.difference(qubits)
                case SetState():
                    untouched = frozenset()
                case Save():
                    total += passes_of(operation)
        return total

    def _is_planned(self, segment: Segment, *, any_untouched: bool) -> bool:
        return self.device.runs_by_plan(len(segment.gates), self.n_qubits, self.precision, any_untouched=any_untouched)

    def _once(self, segment: Segment, *, discard_phases: bool) -> Plan:
        key = id(segment), discard_phases
        if key not in self._known:
            self._known[key] = self._planned(segment, discard_phases=discard_phases)
        return self._known[key]

    def _planned(self, segment: Segment, *, discard_phases: bool = False) -> Plan:
        assert self._costs is not None  # callers check that the device plans  # noqa: S101
        poll = self.monitor.poll
        return self._planner(segment, self.n_qubits, self._costs, discard_phases=discard_phases, poll=poll)


def closed(segment: Segment, values: Sequence[Value], numbers_of: NumbersOf | None) -> Segment:
    """Return an open segment with the numbers that its gates have at values of all their parameters, in order."""
    assert numbers_of is not None  # callers give it if a segment is open  # noqa: S101
    gates, left = [], iter(values)
    for gate in segment.gates:
        if gate.formula is None:
            gates.append(gate)
        else:
            parameters = [float(next(left)) for _ in gate.formula.parameters]
            gates.append(gate.with_data(numbers_of(gate.formula, parameters)))
    return Segment(tuple(gates))
