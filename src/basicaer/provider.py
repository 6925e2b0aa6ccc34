"""`BasicAer`, the provider: where the simulators are to be had by name.

They are imported when the first of them is asked for, which keeps ``import basicaer`` short.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qiskit.providers.exceptions import QiskitBackendNotFoundError

from basicaer.errors import BasicAerError, shown
from basicaer.job import BasicAerJob
from basicaer.options import check_options
from basicaer.wording import unknown_name

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from concurrent.futures import Executor

    from basicaer.engine.checkpoint import Progress
    from basicaer.simulators.base import BasicAerSimulator

__all__ = ["BasicAer", "BasicAerProvider"]


class BasicAerProvider:
    """Makes simulator backends; each call makes new ones, so that nobody's options change under them."""

    def backends(
        self, name: str | None = None, filters: Callable[[BasicAerSimulator], bool] | None = None
    ) -> list[BasicAerSimulator]:
        """Return a backend of each simulator; only those called `name`, and of which `filters` says True, if given."""
        from basicaer.simulators import QasmSimulator, StatevectorSimulator, UnitarySimulator

        backends = [kind(provider=self) for kind in (QasmSimulator, StatevectorSimulator, UnitarySimulator)]
        named = [b for b in backends if name is None or (isinstance(name, str) and str(name) == b.name)]
        return [b for b in named if filters is None or filters(b)]

    def get_backend(self, name: str = "qasm_simulator", **options: Any) -> BasicAerSimulator:
        """Return the simulator called `name`, with these options of `run` set for all its runs.

        Raises
        ------
        QiskitBackendNotFoundError
            If there is none of this name; the message names the nearest.
        AttributeError, BasicAerError
            As from the backend's ``set_options``.
        """
        for backend in self.backends(name):
            backend.set_options(**options)
            return backend
        called = name if isinstance(name, str) else shown(name)
        raise QiskitBackendNotFoundError(unknown_name("backend", called, (b.name for b in self.backends())))

    def resume(
        self,
        checkpoint_dir: str | os.PathLike[str],
        *,
        checkpoint_every: float = 60.0,
        executor: Executor | None = None,
        timeout: float | None = None,
        callback: Callable[[Progress], Any] | None = None,
        progress: bool = False,
        cancel_on_interrupt: bool = True,
    ) -> BasicAerJob:
        """Go on with a job that was saved by ``run(..., checkpoint_dir=...)`` and whose process is gone.

        It ends with the counts that it would have ended with, on the same kind of device and the same NumPy.

        Parameters
        ----------
        checkpoint_dir
            The folder. The job goes on being saved there.
        checkpoint_every, executor, timeout, callback, progress, cancel_on_interrupt
            As for ``run``.

        Raises
        ------
        BasicAerError
            If the folder holds no saved job, a damaged one, one that runs, or one of another version; if the job was
            lost before anything of it was saved, so that it is to be run again, which may be in the same folder; for
            options that `run` would refuse.
        """
        from basicaer.persistence.saver import load_work, run_saved
        from basicaer.simulators.work import Saving

        checked = check_options(
            {
                "checkpoint_dir": checkpoint_dir,
                "checkpoint_every": checkpoint_every,
                "executor": executor,
                "timeout": timeout,
                "callback": callback,
                "progress": progress,
                "cancel_on_interrupt": cancel_on_interrupt,
            }
        )
        folder, every = checked.pop("checkpoint_dir"), checked.pop("checkpoint_every")
        if folder is None:
            raise BasicAerError("resume() takes the folder of a saved job, not None.")
        job_id, work = load_work(folder)

        def no_qobj() -> None:
            raise BasicAerError(
                f"Job {job_id} goes on from {folder}, where its circuits have no form as a Qobj any more."
            )

        job = BasicAerJob(
            self.get_backend(work.backend_name),
            job_id,
            run_saved,
            no_qobj,
            prepare=lambda: replace(work, saving=Saving(str(folder), every, resume=True)),
            **checked,
        )
        job.submit()
        return job

    def __str__(self) -> str:
        return "BasicAer"

    def __repr__(self) -> str:
        return "<BasicAerProvider: qasm_simulator, statevector_simulator, unitary_simulator>"


BasicAer = BasicAerProvider()
