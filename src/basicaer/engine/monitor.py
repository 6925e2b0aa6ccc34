"""The monitor of a job. The worker polls it between pieces of work; there it can be stopped, and reports progress.

This is the one mechanism for cancellation, time limits and progress.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from basicaer.engine.progress import Progress
from basicaer.errors import Cancelled, JobTimeLimitError
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Link", "Monitor", "current_monitor"]

_FIRST_GUESS = 0.02  # fraction of the passes that must be done before the remaining time is predicted


class Link(Protocol):
    """Connects a monitor with the job that it belongs to, which may be in another process."""

    interval: float  # least number of seconds between two exchanges of messages

    def exchange(self, progress: Progress) -> bool:
        """Pass the progress on to the job; return whether the work must stop."""

    def deliver(self, position: int, experiment: Any) -> None:
        """Hand over a finished experiment, so that it is kept even if the worker is lost."""


class Monitor:
    """Accompanies the work of a job, and is polled by the worker.

    Any thread may ask for cancellation by calling `cancel`; the worker's next `poll` then raises. Work between two
    polls is not interrupted. On the CPU this is one piece of work on one tile of at most 2**17 amplitudes, which takes
    less than a millisecond, whether a state is evolved, measured, copied or read. On a GPU it is at most two passes,
    and during planning it is one pass of the plan. A link passes a cancellation on at its next exchange. A job that is
    saved also finishes the pass over the state that is running, since the state can only be saved between two passes.

    Parameters
    ----------
    timeout
        Seconds that the work itself may take, counted from `start`; None for no limit.
    link
        Connects the monitor with its job; None if there is no connection.

    Attributes
    ----------
    started
        Whether a worker has begun.
    saved_in
        The folder in which the job is saved; None if it is not.
    """

    def __init__(self, timeout: float | None = None, link: Link | None = None) -> None:
        self.timeout = timeout
        self.started = False
        self.saved_in: str | None = None
        self._is_held = False
        self._look: Callable[[], None] | None = None
        self._early = 0.0
        self._link = link
        self._next_exchange = 0.0
        self._exchanging = threading.Lock()
        self._cancelled = False
        self._began = 0.0
        self._deadline: float | None = None
        self._phase = "queued"
        self._phase_began = 0.0
        self._spent: dict[str, float] = {}  # _spent[phase] = seconds
        self._experiment = self._experiments = 0
        self._passes = self._passes_before = 0.0
        self._total_passes: int | None = None
        self._shots = self._total_shots = 0
        self._passes_began = 0.0

    def start(self) -> None:
        """Note that a worker has begun; the time limit counts from here.

        Raises
        ------
        Cancelled
            If the job was cancelled before it began.
        """
        self._began = time.monotonic()
        if self.timeout is not None:
            self._deadline = self._began + self.timeout
        self.enter("planning")
        self.poll()
        self.started = True

    def cancel(self) -> None:
        """Ask the worker to stop at its next poll."""
        self._cancelled = True

    def look_also(self, look: Callable[[], None] | None) -> None:
        """Call a function at each poll, too, which raises `Cancelled` if the work must stop; None for no longer."""
        self._look = look

    def stop_early(self, seconds: float) -> None:
        """Stop so many seconds before the time limit, if there is one."""
        if self._deadline is not None:
            self._deadline -= seconds
            self._early = seconds

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let `poll` raise nothing for a while, in which the work looks at `must_stop` itself and calls `stop`."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False

    @property
    def must_stop(self) -> bool:
        """Whether the job was cancelled or its time limit has passed."""
        return self._cancelled or (self._deadline is not None and time.monotonic() > self._deadline)

    def stop(self) -> None:
        """Raise if the work must stop; see `poll`."""
        if self._cancelled:
            raise Cancelled
        if self.must_stop:
            early = f"stopped {self._early:g} s before" if self._early else "reached"
            remedy = "give a longer timeout= or none, or a smaller circuit or fewer shots"
            if self.saved_in is not None:
                remedy = f"it is saved, and BasicAer.resume({self.saved_in!r}) continues it"
            raise JobTimeLimitError.after(
                f"The job {early} its time limit of {self.timeout:g} s {self._place()}", remedy, self.saved_in
            )

    def poll(self) -> None:
        """Raise if the work must stop here, otherwise return at once.

        Raises
        ------
        Cancelled
            If the job was cancelled.
        JobTimeLimitError
            If the time limit has passed.
        """
        if self._cancelled and not self._is_held:
            raise Cancelled
        if self._look is not None:
            self._look()
        if self._deadline is None and self._link is None:
            return
        now = time.monotonic()
        if self._deadline is not None and now > self._deadline and not self._is_held:
            self.stop()
        if self._link is not None and now >= self._next_exchange and self._exchanging.acquire(blocking=False):
            try:
                self._next_exchange = now + self._link.interval
                if self._link.exchange(self.progress()):
                    self._cancelled = True
            finally:
                self._exchanging.release()
            if self._cancelled and not self._is_held:
                raise Cancelled

    # The worker reports its progress by calling the following methods.

    def enter(self, phase: str) -> None:
        """Begin a phase."""
        now = time.monotonic()
        if self._phase in self._spent:
            self._spent[self._phase] += now - self._phase_began
        self._spent.setdefault(phase, 0.0)
        self._phase_began, self._phase = now, phase

    def _spent_until(self, now: float) -> dict[str, float]:
        spent = self._spent.copy()  # copied in one step, because the worker changes it meanwhile
        if self._phase in spent:
            spent[self._phase] += now - self._phase_began
        return spent

    def expect_experiments(self, count: int) -> None:
        """Set the number of circuits."""
        self._experiments = count

    def finish_experiment(self, position: int, experiment: Any) -> None:
        """Count a finished circuit, and hand over its outcome."""
        self._experiment += 1
        if self._experiment < self._experiments:
            self.expect(None, 0)  # the passes and shots of the next circuit are not known yet
        if self._link is not None:
            self._link.deliver(position, experiment)

    def expect(self, passes: int | None, shots: int) -> None:
        """Begin a circuit: set its number of passes, None if control flow leaves that open, and its number of shots."""
        self._passes = self._passes_before = 0.0
        self._total_passes = passes
        self._shots, self._total_shots = 0, shots
        self._passes_began = time.monotonic()

    def expect_more(self, passes: int) -> None:
        """Add passes that become known while the circuit runs."""
        self._total_passes = (self._total_passes or 0) + passes

    @property
    def passes(self) -> float:
        """How many passes are done."""
        return self._passes

    def begin_at(self, passes: float) -> None:
        """Note that an earlier run of the circuit has done so many passes."""
        self._passes = self._passes_before = passes

    def advance(self, passes: float) -> None:
        """Count passes that are done, or a part of one."""
        self._passes += passes

    def finish_shots(self, count: int) -> None:
        """Count shots whose outcomes are known."""
        self._shots += count

    def progress(self) -> Progress:
        """Return how far the work is; any thread may call this."""
        if not self._began:
            return Progress(self._phase, experiments=self._experiments)
        now = time.monotonic()
        remaining = None
        if self._total_passes and self._phase in {"gates", "observables", "backwards", "sampling", "results"}:
            done = min(self._passes / self._total_passes, 1.0)
            here = done - self._passes_before / self._total_passes  # the share that was done in this run
            if here >= _FIRST_GUESS:
                remaining = (now - self._passes_began) * (1 - done) / here
        return Progress(
            self._phase,
            self._experiment,
            self._experiments,
            min(self._passes, self._total_passes or self._passes),
            self._total_passes,
            self._shots,
            self._total_shots,
            now - self._began,
            remaining,
            tuple(self._spent_until(now).items()),
        )

    def silent(self) -> Monitor:
        """Return a monitor that stops the work where this one does, and ignores progress."""
        return _Silent(self)

    def _place(self) -> str:
        """Return how far the work is, in words that fit into a sentence."""
        progress = self.progress()
        said = f"in phase '{progress.phase}'"
        if progress.experiments > 1:
            said += f" of circuit {progress.experiment + 1} of {progress.experiments}"
        if progress.total_passes:
            said += f", after {progress.passes:.1f} of {counted(progress.total_passes, 'pass')}"
        return said


class _Silent(Monitor):
    """See `Monitor.silent`."""

    def __init__(self, whole: Monitor) -> None:
        super().__init__()
        self._whole = whole

    def poll(self) -> None:
        """Poll the monitor that this one was made from."""
        self._whole.poll()


current_monitor: contextvars.ContextVar[Monitor | None] = contextvars.ContextVar("basicaer_monitor", default=None)
"""The monitor of the job that runs in this context. Workers set it, because a context is not sent to them."""
