"""Shows how far a job is in a bar: for `watch`, and for `run` with ``progress=True``."""

from __future__ import annotations

import atexit
import contextlib
import logging
import threading
import warnings
from typing import TYPE_CHECKING, Any

from qiskit.providers import JobStatus

from basicaer.errors import BasicAerError, JobWaitTimeoutError, shown
from basicaer.job import BasicAerJob
from basicaer.notebooks import in_notebook
from basicaer.wording import counted, duration

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # tqdm warns in a notebook without ipywidgets, where a line of text will do
    from tqdm.auto import tqdm

if TYPE_CHECKING:
    from basicaer.engine.progress import Progress

__all__ = ["draw_in_background", "place_and_time", "watch"]

_SECONDS = 0.1  # time between two looks at the progress
_FORMAT = "{percentage:3.0f}%|{bar}| {desc}"
_TEXT_WIDTH = 52  # characters, at least: the text is filled up with blanks so that the bar keeps its length
_FINAL_PHASES = {"ended", "stopped"}
_EXIT_SECONDS = 0.5  # how long the interpreter's exit may wait for the bars

_log = logging.getLogger("basicaer")
_drawing: set[threading.Thread] = set()  # the threads that draw bars now
_exiting = threading.Event()  # set when the interpreter exits


def watch(job: BasicAerJob, *, delay: float = 0.0, leave: bool = True) -> BasicAerJob:
    """Show a bar in the terminal or notebook until a job has ended, and return the job.

    If standard error is neither, this only waits. It raises nothing when the job fails; `job.result()` does.

    Parameters
    ----------
    delay
        Seconds to wait before the bar is shown, so that short jobs show none.
    leave
        Whether the bar stays on the screen when the job has ended.

    Raises
    ------
    BasicAerError
        If it is given anything but a job.
    JobStateError
        If the job was not submitted.
    KeyboardInterrupt
        If the wait is interrupted; the job is cancelled then unless its ``cancel_on_interrupt`` is False.

    Examples
    --------
    >>> from basicaer import BasicAer, watch
    >>> from qiskit import QuantumCircuit
    >>> coin = QuantumCircuit(1)
    >>> _ = coin.h(0)
    >>> coin.measure_all()
    >>> watch(BasicAer.get_backend("qasm_simulator").run(coin)).status().name
    'DONE'
    """
    if not isinstance(job, BasicAerJob):
        raise BasicAerError(f"watch() takes a job of basicaer, not {shown(job)}; pass on what run() returns.")
    with job._cancelled_by_interrupts():  # noqa: SLF001  # as its own methods do
        if delay:
            with contextlib.suppress(JobWaitTimeoutError):
                job.wait_for_final_state(timeout=delay)
                return job
        bar = _Bar(job, leave=leave)
        try:
            job.wait_for_final_state(wait=_SECONDS, callback=lambda *_: bar.draw())
        finally:
            bar.close()
    return job


def draw_in_background(job: BasicAerJob) -> threading.Thread | None:
    """Start a thread that shows a bar until a job has ended, and return it; None if no bar can be shown."""
    try:
        bar = _Bar(job)
    except Exception:  # noqa: BLE001  # the terminal may raise anything, but the job must not be lost
        _log.exception("The bar of job %s cannot be drawn; the job goes on.", job.job_id())
        return None
    if not bar.is_visible:
        return None
    thread = threading.Thread(target=_draw_to_the_end, args=(bar, job), name="basicaer-bar", daemon=True)
    _drawing.add(thread)
    thread.start()
    return thread


def _draw_to_the_end(bar: _Bar, job: BasicAerJob) -> None:
    try:
        while not _exiting.is_set() and not job._state.ended.wait(_SECONDS):  # noqa: SLF001  # waits without the job's warnings
            bar.draw()
        bar.close()
    except Exception:  # noqa: BLE001  # the terminal may raise anything, as above
        _log.exception("The bar of job %s can no longer be drawn; the job goes on.", job.job_id())
    finally:
        _drawing.discard(threading.current_thread())


@atexit.register
def _close_all() -> None:
    """Stop the threads that draw, which must not write while the interpreter ends; jobs are cancelled after this."""
    _exiting.set()
    for thread in list(_drawing):
        thread.join(_EXIT_SECONDS)


class _Line(tqdm):  # type: ignore[type-arg]  # it iterates over nothing
    """A bar of tqdm that releases the lock, which all bars share, if an interrupt comes while it is being drawn."""

    def refresh(self, *_args: Any, **_keys: Any) -> None:
        """Draw the line again."""
        with self.get_lock():  # type: ignore[no-untyped-call]  # its stubs are not complete
            super().refresh(nolock=True)


class _Bar:
    """The bar of one job, drawn in the thread that calls its methods."""

    def __init__(self, job: BasicAerJob, *, leave: bool = True) -> None:
        self._job = job
        self._width = _TEXT_WIDTH
        progress = job.progress()
        self._line = _Line(
            total=1.0,
            bar_format=_FORMAT,
            desc=_running(progress).ljust(_TEXT_WIDTH),
            initial=0.0 if progress.phase in _FINAL_PHASES else progress.fraction,
            leave=leave,
            dynamic_ncols=True,
            disable=False if in_notebook() else None,
        )

    @property
    def is_visible(self) -> bool:
        """Whether the bar appears in a terminal or notebook."""
        return not self._line.disable

    def draw(self) -> None:
        """Show how far the job is now."""
        progress = self._job.progress()
        if progress.phase not in _FINAL_PHASES:
            self._show(_running(progress), progress.fraction)

    def close(self) -> None:
        """Show how the job has ended, or that watching it was interrupted, and end the line."""
        status = self._job.status()
        progress = self._job.progress()
        if status is JobStatus.DONE:
            self._show(f"done in {duration(progress.elapsed)}", 1.0)
        else:
            how = {JobStatus.CANCELLED: "cancelled", JobStatus.ERROR: "failed"}.get(status, "interrupted")
            self._show(f"{how} {place_and_time(progress)}".rstrip(), self._line.n)
        self._line.close()

    def _show(self, text: str, fraction: float) -> None:
        self._width = max(self._width, len(text))
        self._line.n = fraction
        self._line.set_description_str(text.ljust(self._width), refresh=False)
        self._line.refresh()


def place_and_time(progress: Progress) -> str:
    """Return how far a job came before it stopped: ``"after 3.1 s, 12 of 40 passes"``; empty if it had not begun."""
    if not progress.elapsed:
        return ""
    if progress.phase == "gates":
        progress = progress._replace(phase="stopped")  # the number of passes shows that gates were running
    return ", ".join(filter(None, [f"after {duration(progress.elapsed)}", _place(progress)]))


def _place(progress: Progress) -> str:
    """Return where a job is: ``"circuit 2 of 5: gates, 12 of 40 passes"``."""
    words = [] if progress.phase in _FINAL_PHASES else [progress.phase]
    if progress.phase in {"gates", *_FINAL_PHASES} and progress.total_passes:
        words.append(f"{int(progress.passes)} of {counted(progress.total_passes, 'pass')}")
    elif progress.phase in {"gates", "sampling", *_FINAL_PHASES} and progress.total_shots:
        words.append(f"{progress.shots} of {counted(progress.total_shots, 'shot')}")
    place = ", ".join(words)
    if progress.experiments > 1:
        circuit = min(progress.experiment + 1, progress.experiments)
        place = f"circuit {circuit} of {progress.experiments}" + (f": {place}" if place else "")
    return place


def _running(progress: Progress) -> str:
    words = [_place(progress)]
    if progress.elapsed:
        words.append(duration(progress.elapsed))
    if progress.remaining:
        words.append(f"about {duration(progress.remaining)} left")
    return ", ".join(filter(None, words))
