"""Persists a job of a simulator while it runs, and finds out where a persisted one continues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from basicaer.devices.distributed.device import IN_PARTS
from basicaer.engine.suspended import Suspended, SuspendedShots
from basicaer.persistence.checks import (
    check_divided,
    check_layout,
    check_outcome,
    check_suspended,
    check_suspended_shots,
)
from basicaer.persistence.codec import decoded
from basicaer.persistence.folder import RUNNING, part_name
from basicaer.persistence.persister import Persister
from basicaer.records import ExperimentOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from basicaer.engine.device import State
    from basicaer.persistence.folder import Record
    from basicaer.simulation import SimulationPayload

__all__ = ["Continuation", "JobPersister"]


class Continuation(NamedTuple):
    """Where a persisted job continues.

    Attributes
    ----------
    position
        The position of the experiment that was running.
    device
        The kind of device that it was running on.
    suspended
        How far the experiment was.
    restore
        Where the run needs a state, turns a new state, on the same kind of device, into the state that was persisted.
    """

    position: int
    device: str
    suspended: Suspended | SuspendedShots
    restore: Callable[[State], None]


class JobPersister(Persister[ExperimentOutcome]):
    """Persists a job of a simulator."""

    _rank, _size = 0, 1  # Of how many ranks this is which one

    def persist(self, suspended: Callable[[], Suspended | SuspendedShots], state: State | None) -> None:
        """Persist the experiment that is running, if the interval has passed, as `RunPersister` asks for."""
        must_stop = self._monitor.must_stop
        if not must_stop and not self._is_due():
            return
        running = {"suspended": suspended(), "layout": None if state is None else state.layout()}
        self._write_running(running, () if state is None else state.amplitude_parts())
        if must_stop:
            self._monitor.stop()

    def resume(self, payload: SimulationPayload) -> tuple[list[ExperimentOutcome], Continuation | None]:
        """Lock the folder; return the outcomes of the experiments that have ended, and where the next one continues."""
        ended, found = self._read_all(payload)
        if found is None:
            self._remove_states()
            return ended, None
        running, record = found
        with self._job_folder.damage_reported(RUNNING):
            layout = running["layout"]
            self._remove_states(but="" if layout is None else layout.get("file", ""))
            return ended, self._continuation(payload, running, record)

    def _read_all(
        self, payload: SimulationPayload
    ) -> tuple[list[ExperimentOutcome], tuple[dict[str, Any], Record] | None]:
        """Lock the folder; return what has ended, and the record of the experiment that was running, if it still is."""

        def check(outcome: ExperimentOutcome, position: int) -> None:
            check_outcome(outcome, position, payload)

        ended = self._ended(len(payload.experiments), ExperimentOutcome, check)
        if not self._has_running():
            return ended, None
        with self._job_folder.damage_reported(RUNNING):
            return ended, self._running(len(ended))

    def _continuation(self, payload: SimulationPayload, running: dict[str, Any], record: Record) -> Continuation:
        """Return where an experiment continues, given its record."""
        position, layout, suspended = running["position"], running["layout"], running["suspended"]
        experiment = payload.experiments[position]
        if isinstance(suspended, SuspendedShots):
            check_suspended_shots(suspended, experiment)
        elif isinstance(suspended, Suspended):
            check_suspended(suspended, experiment)
        else:
            raise ValueError("it does not say how far the circuit was")  # noqa: TRY004  # the type of all errors about damage

        def restore(state: State) -> None:
            with self._job_folder.damage_reported(RUNNING):
                amplitude_bytes = experiment.precision.amplitude_bytes
                if running["device"] == IN_PARTS:
                    check_divided(layout, state.n_qubits)
                    whole = amplitude_bytes * 2**state.n_qubits
                    state.restore(layout, self._share(running, record, whole))
                else:
                    check_layout(layout, state.layout(), record.state_bytes, amplitude_bytes)
                    state.restore(layout, record.state)

        return Continuation(position, running["device"], suspended, restore)

    def _share(self, running: dict[str, Any], record: Record, whole: int) -> Iterator[bytes]:
        """Yield the bytes of a divided state that belong to this rank, out of its record or of the parts that it names.

        Parameters
        ----------
        whole
            How many bytes the state has.
        """
        parts = running.get("parts", 1)
        if type(parts) is not int or parts.bit_count() != 1 or whole % (parts * self._size):
            raise ValueError(f"a state of {whole} bytes is not in {parts} parts")
        of_part, of_rank = whole // parts, whole // self._size
        start = self._rank * of_rank
        for number in range(start // of_part, -(-(start + of_rank) // of_part)):
            part = record
            if "parts" in running:
                part = self._read(name := part_name(running["save"], number))
                if decoded(part.content, part.arrays) != {"save": running["save"], "rank": number}:
                    raise ValueError(f"{name}.save is a part of another save")
            if part.state_bytes != of_part:
                raise ValueError(f"{part.state_bytes} bytes are not one of {parts} parts of {whole} bytes")
            at = number * of_part
            for piece in part.state:
                own = piece[max(start - at, 0) : max(start + of_rank - at, 0)]
                if own:
                    yield own
                at += len(piece)
