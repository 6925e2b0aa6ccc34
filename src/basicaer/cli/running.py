"""What `basicaer run` and `basicaer resume` do: start a job, wait for it, and say how it ended."""

from __future__ import annotations

import contextlib
import signal
import threading
from concurrent.futures import CancelledError
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from basicaer.cli.exit_status import INTERRUPTED, TERMINATED
from basicaer.cli.inputs import check_picture, circuit_in, qasm_options, refusal, simulator_called, warnings_printed
from basicaer.cli.ranks import begun_together, ended_together, in_one_voice, ranks_of_command
from basicaer.cli.results import draw, print_results
from basicaer.errors import BasicAerError
from basicaer.gradients.job import GradientJob
from basicaer.provider import BasicAer
from basicaer.termination import is_saving
from basicaer.watching import place_and_time, watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from basicaer.devices.distributed.comm import Comm
    from basicaer.job import BasicAerJob

__all__ = ["resume_folder", "run_file"]

_SECONDS_WITHOUT_BAR = 1.0


def run_file(
    *,
    file: Path,
    bind: tuple[str, ...],
    simulator: str,
    shots: int | None,
    memory: bool,
    checkpoint_dir: str | None,
    as_json: bool,
    plot: Path | None,
    progress: bool | None,
    noise: Path | None,
    spill: str | None,
    distributed: bool,
    **options: Any,
) -> None:
    """Run the circuit in a file and show its result."""

    def start() -> BasicAerJob:
        if distributed and str(file) == "-":
            raise BasicAerError(
                "Every rank reads FILE, and mpiexec gives the standard input to one of them only; give the name of a "
                "file to --distributed."
            )
        backend = simulator_called(simulator)
        if plot is not None and backend.name == "unitary_simulator":
            raise BasicAerError("--plot draws counts or probabilities, and a unitary has none; leave it out.")
        circuit = circuit_in(file, bind, needs_values=True)
        options.update(qasm_options(noise, spill))
        if distributed:
            options["distributed"] = True
        if memory:  # not every simulator has the option
            options["memory"] = True
        with warnings_printed(file):
            return backend.run(
                circuit,
                shots=shots,
                checkpoint_dir=checkpoint_dir,
                checkpoint_on_sigterm=job.is_saved_on_sigterm,
                **options,
            )

    job = _StartedJob(None if checkpoint_dir is None else str(checkpoint_dir), distributed=distributed)
    _show(job, start, as_json=as_json, plot=plot, progress=progress)


def resume_folder(
    *, path: str, distributed: bool, as_json: bool, plot: Path | None, progress: bool | None, **options: Any
) -> None:
    """Resume a saved job and show its result."""

    def start() -> BasicAerJob:
        with warnings_printed():
            saved = job.is_saved_on_sigterm
            resumed = BasicAer.resume(path, checkpoint_on_sigterm=saved, distributed=distributed, **options)
        if isinstance(resumed, GradientJob):
            resumed.cancel()
            raise BasicAerError(
                f"The job in {path} is that of a gradient; resume it in Python with BasicAer.resume(), which returns "
                "its values and derivatives."
            )
        return resumed

    job = _StartedJob(path, distributed=distributed)
    _show(job, start, as_json=as_json, plot=plot, progress=progress)


class _StartedJob:
    """The job of a command, once it has been started.

    Attributes
    ----------
    folder
        The folder that it is saved in; None if it is not saved.
    is_saved_on_sigterm
        Whether it is saved and this is the main thread, where signals are handled.
    started
        The job; None before.
    is_done
        Whether its result is there.
    is_terminated
        Whether SIGTERM has come.
    distributed
        Whether several ranks run the command together.
    """

    def __init__(self, folder: str | None, *, distributed: bool = False) -> None:
        self.folder = folder
        self.distributed = distributed
        self.is_saved_on_sigterm = folder is not None and threading.current_thread() is threading.main_thread()
        self.started: BasicAerJob | None = None
        self.is_done = False
        self.is_terminated = False

    def on_sigterm(self, _number: int, _frame: Any) -> None:
        """End the command before and after the job; while it runs, it is saved and cancelled before this is called.

        A job that is being started has been saved, and is cancelled as soon as it can be.
        """
        self.is_terminated = True
        may_leave = self.is_done or (self.started is None and not self._is_saved)
        if may_leave and not self.distributed:  # ranks end together
            raise SystemExit(TERMINATED)

    @property
    def _is_saved(self) -> bool:
        return self.folder is not None and Path(self.folder, "job.save").exists()

    def how_it_stopped(self, how: str) -> str:
        """Return the sentence for a job that was stopped."""
        if self.started is None:
            return f"{how}."
        came = f"{how} {place_and_time(self.started.progress())}".rstrip()
        return f"{came}; basicaer resume {self.folder} continues it." if self._is_saved else f"{came}."


def _stopped(job: _StartedJob, *, is_terminated: bool) -> click.exceptions.Exit:
    """Say how a job was stopped, and return the exception that ends the command."""
    click.echo(job.how_it_stopped("Stopped by SIGTERM" if is_terminated else "Cancelled"), err=True)
    return click.exceptions.Exit(TERMINATED if is_terminated else INTERRUPTED)


def _show(
    job: _StartedJob, start: Callable[[], BasicAerJob], *, as_json: bool, plot: Path | None, progress: bool | None
) -> None:
    """Start a job, wait for it and show its result, circuit by circuit; once, if several ranks run it."""
    if job.is_saved_on_sigterm:
        signal.signal(signal.SIGTERM, job.on_sigterm)
    with in_one_voice(distributed=job.distributed):
        try:
            ranks = ranks_of_command(distributed=job.distributed)
        except BasicAerError as error:
            raise refusal(error) from error
        if ranks is not None and ranks.rank:
            plot = None
        with ended_together(ranks):
            _run_and_show(job, start, ranks, as_json=as_json, plot=plot, progress=progress)


def _run_and_show(
    job: _StartedJob,
    start: Callable[[], BasicAerJob],
    ranks: Comm | None,
    *,
    as_json: bool,
    plot: Path | None,
    progress: bool | None,
) -> None:
    try:
        with begun_together(ranks):
            if plot is not None:
                check_picture("--plot", plot)
            job.started = start()
        if job.is_terminated:
            job.started.cancel()
        if progress or (progress is None and not as_json):
            watch(job.started, delay=_SECONDS_WITHOUT_BAR, leave=False)
        result = job.started.result()
        job.is_done = True
        if plot is not None:
            draw(result, plot)
    except (BasicAerError, MemoryError) as error:
        raise refusal(error) from error
    except KeyboardInterrupt:
        is_terminated = job.is_terminated or is_saving()  # Ctrl-C came while the job was being saved
        if job.started is not None:
            job.started.cancel()  # the interrupt may have come before anything waited for the job
            if job.folder is not None or ranks is not None:
                with contextlib.suppress(KeyboardInterrupt):  # a second one: the save before counts
                    job.started.wait_for_final_state()
        raise _stopped(job, is_terminated=is_terminated) from None
    except CancelledError:  # SIGTERM or another rank has cancelled the job; nothing else does
        raise _stopped(job, is_terminated=job.is_terminated or ranks is None) from None
    print_results(result, as_json=as_json)
    if plot is not None and not as_json:
        click.echo(f"Picture: {plot}")
