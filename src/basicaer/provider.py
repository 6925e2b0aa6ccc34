"""`BasicAer`, the provider, which returns simulators by name.

The simulators are imported when the first of them is asked for, so that ``import basicaer`` stays fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

from basicaer.errors import BackendNotFoundError, shown
from basicaer.foreign_names import unknown_backend
from basicaer.options import SECONDS_BETWEEN_SAVES, keywords_checked

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from concurrent.futures import Executor

    from basicaer.engine.progress import Progress
    from basicaer.job import BasicAerJob
    from basicaer.option_types import (
        QasmSimulatorOptions,
        SimulatorOptions,
        StatevectorSimulatorOptions,
        UnitarySimulatorOptions,
    )
    from basicaer.simulators import QasmSimulator, StatevectorSimulator, UnitarySimulator
    from basicaer.simulators.base import BasicAerSimulator

__all__ = ["BasicAer", "BasicAerProvider"]


class BasicAerProvider:
    """Makes simulator backends; each call makes new ones, so that options that are set on one affect no other."""

    def backends(
        self, name: str | None = None, filters: Callable[[BasicAerSimulator], bool] | None = None
    ) -> list[BasicAerSimulator]:
        """Return a backend of each simulator; if given, `name` and the function `filters` select among them."""
        from basicaer.simulators import QasmSimulator, StatevectorSimulator, UnitarySimulator

        backends = [kind(provider=self) for kind in (QasmSimulator, StatevectorSimulator, UnitarySimulator)]
        named = [b for b in backends if name is None or (isinstance(name, str) and str(name) == b.name)]
        return [b for b in named if filters is None or filters(b)]

    @overload
    def get_backend(
        self, name: Literal["qasm_simulator"] = ..., **options: Unpack[QasmSimulatorOptions]
    ) -> QasmSimulator: ...
    @overload
    def get_backend(
        self, name: Literal["statevector_simulator"], **options: Unpack[StatevectorSimulatorOptions]
    ) -> StatevectorSimulator: ...
    @overload
    def get_backend(
        self, name: Literal["unitary_simulator"], **options: Unpack[UnitarySimulatorOptions]
    ) -> UnitarySimulator: ...
    @overload
    def get_backend(self, name: str, **options: Unpack[SimulatorOptions]) -> BasicAerSimulator: ...

    def get_backend(self, name: str = "qasm_simulator", **options: Any) -> BasicAerSimulator:
        """Return the simulator called `name`, with these options set for all its runs.

        Raises
        ------
        BackendNotFoundError
            If there is no simulator of this name; the message suggests the nearest name.
        UnknownOptionError, OptionValueError
            If the backend's ``set_options`` refuses an option.
        """
        for backend in self.backends(name):
            backend.set_options(**options)
            return backend
        called = str(name) if isinstance(name, str) else shown(name)  # `str` makes a plain text of it
        raise BackendNotFoundError(unknown_backend(called, (b.name for b in self.backends())))

    @keywords_checked
    def resume(
        self,
        checkpoint_dir: str | os.PathLike[str],
        *,
        checkpoint_every: float = SECONDS_BETWEEN_SAVES,
        checkpoint_margin: float = 0.0,
        checkpoint_on_sigterm: bool = False,
        executor: Executor | None = None,
        timeout: float | None = None,
        callback: Callable[[Progress], Any] | None = None,
        progress: bool = False,
        cancel_on_interrupt: bool = True,
        distributed: bool = False,
    ) -> BasicAerJob:
        """Resume a job that was saved by ``run(..., checkpoint_dir=...)`` and whose process has ended.

        On the same kind of device and with the same NumPy, it returns the counts that it would have returned. Jobs of
        `gradient` and `vjp_state` are resumed in the same way, and return their values and gradients.

        Parameters
        ----------
        checkpoint_dir
            The folder of the job, which continues to be saved there.
        checkpoint_every, checkpoint_margin, checkpoint_on_sigterm
            The same as for ``run``.
        executor, timeout, callback, progress, cancel_on_interrupt
            The same as for ``run``.
        distributed
            The same as for ``run``. A job that ranks have saved can be resumed by any number of them, or by one
            process. Each of them uses its share of the cores and of the GPUs of its host.

        Raises
        ------
        BasicAerError
            If the folder holds no saved job, or one that is damaged, that is running, or that another version has
            saved; if the job was lost before it was saved, so that it has to be run again (the same folder may be
            used); for options that `run` would refuse.
        """
        from basicaer.resuming import resume_job

        return resume_job(
            self.get_backend,
            {
                "checkpoint_dir": checkpoint_dir,
                "checkpoint_every": checkpoint_every,
                "checkpoint_margin": checkpoint_margin,
                "checkpoint_on_sigterm": checkpoint_on_sigterm,
                "executor": executor,
                "timeout": timeout,
                "callback": callback,
                "progress": progress,
                "cancel_on_interrupt": cancel_on_interrupt,
                "distributed": distributed,
            },
        )

    def __str__(self) -> str:
        return "BasicAer"

    def __repr__(self) -> str:
        return "<BasicAerProvider: qasm_simulator, statevector_simulator, unitary_simulator>"


BasicAer = BasicAerProvider()
