"""Persists a gradient's job now and then while it runs, and finds out where a persisted one continues.

What is kept of a circuit that is running are sums over the sets of values, and over the observables, that are done.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from basicaer.calibration import known_crossover
from basicaer.compile.differentiable import Angle, Chain
from basicaer.compile.sweep import ProgramSweep
from basicaer.devices.memory import check_fits
from basicaer.devices.registry import choose_device
from basicaer.engine.error_patterns import NoisySweep
from basicaer.engine.method import MethodChoice
from basicaer.engine.sweeps import AdjointSums, Done, Sweep
from basicaer.errors import warn
from basicaer.gradients.checks import check_begun, check_differentiated, check_payload
from basicaer.gradients.payload import Differentiated, GradientTask, Part, PatternsBegun, Report, Shifts, SweepBegun
from basicaer.persistence.codec import register
from basicaer.persistence.folder import RUNNING
from basicaer.persistence.persister import PayloadChecks, Persister
from basicaer.primitives.payload import Begun, EstimatorTask, PrimitivePayload
from basicaer.simulation import Persistence

if TYPE_CHECKING:
    from collections.abc import Callable

    from basicaer.engine.monitor import Monitor

__all__ = ["CHECKS", "GradientPersister"]

register(Angle, Chain, Sweep, AdjointSums, Done, SweepBegun, Part, Report, Shifts, GradientTask, Differentiated)
register(NoisySweep, PatternsBegun)
register(ProgramSweep, MethodChoice, EstimatorTask, Begun, PrimitivePayload, Persistence)

_Begun = SweepBegun | PatternsBegun | Begun


class GradientPersister(Persister[Differentiated]):
    """Persists a job of a gradient; as a `KeptTask`, also what estimates values at shifted angles."""

    def __init__(self, payload: PrimitivePayload[GradientTask], job_id: str, monitor: Monitor) -> None:
        assert payload.persistence is not None  # the payload of a job that is saved  # noqa: S101
        folder, interval, margin = payload.persistence
        super().__init__(Path(folder), job_id, interval, monitor)
        monitor.stop_early(margin)
        monitor.saved_in = folder
        self._payload = payload
        self._begun: tuple[str, SweepBegun | PatternsBegun | Begun] | None = (
            None  # the device, and how far the circuit was there
        )
        self._noted: SweepBegun | PatternsBegun | Begun | None = None  # not written yet

    def resume(self) -> list[Differentiated]:
        """Lock the folder; return what is known of the circuits that have been differentiated."""

        def check(outcome: Differentiated, position: int) -> None:
            check_differentiated(outcome, tasks[position])

        tasks = self._payload.tasks
        ended = self._ended(len(tasks), Differentiated, check)
        if len(ended) < len(tasks) and self._has_running():
            with self._job_folder.damage_reported(RUNNING):
                found = self._running(len(ended))
                if found is not None:
                    check_begun(found[0]["begun"], tasks[len(ended)])
                    self._begun = found[0]["device"], found[0]["begun"]
        return ended

    def begun_on(self, layout_name: str) -> Any:
        """Return how far the circuit was that runs now, if it was on the same kind of device; else None.

        Of another device, the last digits may be other ones, so that a circuit is not continued on one.
        """
        self.note_running(self._position, layout_name)
        if self._begun is None:
            return None
        (device, begun), self._begun = self._begun, None
        if device == layout_name:
            return begun
        name = self._payload.tasks[self._position].name
        warn(
            f"The job was saved on the {device} and continues on the {layout_name}: circuit '{name}' starts from the "
            "beginning, and its last digits may differ."
        )
        return None

    def begin(self, position: int) -> None:
        """Note which circuit is differentiated from now on."""
        self.note_running(position, "")

    def note(self, begun: _Begun) -> None:
        """Note how far the circuit is that runs, and persist this if the interval has passed."""
        self._noted = begun
        if self._is_due():
            self.write_noted()

    def write_noted(self) -> None:
        """Persist what was noted last, unless this has been done."""
        if self._noted is not None:
            with self._monitor.held():
                self._write_running({"begun": self._noted})
            self._noted = None

    def finish(self, position: int, outcome: Differentiated) -> None:
        """Persist the outcome of a circuit, the next one in order."""
        self._noted = None
        super().finish(position, outcome)


def _check_room(payload: PrimitivePayload[GradientTask], has_ended: Callable[[int], bool]) -> None:
    """Check that the states of circuits that are still to be differentiated fit into memory here."""
    for position, task in enumerate(payload.tasks):
        if not has_ended(position):
            qubits = task.how.task.evolved_qubits if isinstance(task.how, Shifts) else task.n_qubits
            device, _ = choose_device(payload.devices, qubits, payload.precision, known_crossover, ahead=True)
            states = 1 if isinstance(task.how, Shifts) else 2
            check_fits(device, f"A gradient of circuit '{task.name}'", qubits, payload.precision, states=states)


CHECKS: dict[type, PayloadChecks] = {PrimitivePayload: PayloadChecks(check_payload, _check_room)}
"""How the payload of a gradient's job is checked, for `load_job`."""
