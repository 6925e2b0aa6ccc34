"""The options of the primitives, under the names that Qiskit's and Aer's primitives have for them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from basicaer.errors import OptionValueError, UnknownOptionError, shown
from basicaer.options import NOT_SAVED, check_option, check_options
from basicaer.wording import unknown_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from basicaer.simulators.base import BasicAerSimulator

__all__ = ["RUN_OPTIONS", "EstimatorOptions", "PrimitiveOptions", "SamplerOptions"]

RUN_OPTIONS = (
    *("device", "precision", "max_parallel_threads", "executor", "timeout", "callback", "progress"),
    *("noise_model", "method", "spill", "distributed"),
)
"""Options of ``backend.run`` that a primitive takes as keyword arguments."""

_IN_DICTIONARIES = (*RUN_OPTIONS, "cancel_on_interrupt", "max_parallel_experiments", "seed_simulator")


@dataclass
class PrimitiveOptions:
    """The options of a primitive; each may be set again, and is then checked and used by later runs.

    Attributes
    ----------
    seed_simulator
        The primitive's ``seed``.
    backend_options, run_options
        Options of ``backend.run``: those that the primitive takes as keyword arguments, ``cancel_on_interrupt``, and
        ``seed_simulator`` in case the primitive has no seed. `run_options` override `backend_options`.
        ``max_parallel_experiments``, and options that backends accept and ignore, have no effect.
    """

    seed_simulator: int | np.random.Generator | None = None
    backend_options: dict[str, Any] = field(default_factory=dict)
    run_options: dict[str, Any] = field(default_factory=dict)

    _primitive: ClassVar[str]

    def __setattr__(self, name: str, value: Any) -> None:
        self.check_names([name])
        super().__setattr__(name, self._checked(name, value))

    @classmethod
    def check_names(cls, names: Any) -> None:
        """Refuse names that are not options of the primitive."""
        known = [one.name for one in fields(cls)]
        for name in names:
            if name not in known:
                raise UnknownOptionError(unknown_name(f"option of {cls._primitive}", str(name), known))

    @staticmethod
    def _checked(name: str, value: Any) -> Any:
        match name:
            case "backend_options" | "run_options":
                if value is not None and not isinstance(value, dict):
                    raise OptionValueError(f"{name} must be a dictionary or None, not {shown(value)}.")
                return dict(value or {})
            case "seed_simulator":
                return value if isinstance(value, np.random.Generator) else check_option("seed", value)
            case "abelian_grouping":
                return check_option("progress", value, called=name)  # the check for True or False is the same
            case _:
                return check_option(name, value)

    @property
    def seed(self) -> int | np.random.Generator | None:
        """The seed of the primitive, else that of its runs, else that of its backend."""
        found: int | np.random.Generator | None = self.seed_simulator
        for options in (self.run_options, self.backend_options):
            found = check_option("seed_simulator", options.get("seed_simulator")) if found is None else found
        return found

    def settings(self, backend: BasicAerSimulator) -> dict[str, Any]:
        """Return all options of a backend for a run of the primitive, checked.

        Its options of saving are for single jobs, each with a folder of its own, and have no effect on the many of a
        primitive: SIGTERM would else cancel these without saving them.
        """
        dictionaries = {"backend_options": self.backend_options, "run_options": self.run_options}
        given: dict[str, Any] = {}
        for dictionary, options in dictionaries.items():
            given |= self._with_effect(dictionary, options, backend)
        return backend._settings(given) | NOT_SAVED  # noqa: SLF001  # a class of this package

    def _with_effect(self, dictionary: str, options: Mapping[str, Any], backend: BasicAerSimulator) -> dict[str, Any]:
        taken = backend._run_options.with_effect(dict(options))  # noqa: SLF001  # a class of this package
        own = [one.name for one in fields(self)]
        for name in taken:
            if name not in _IN_DICTIONARIES:
                kind = f"option in {dictionary} of {self._primitive}"
                raise UnknownOptionError(unknown_name(kind, str(name), _IN_DICTIONARIES, own))
        checked: dict[str, Any] = check_options(taken)
        return checked


@dataclass
class SamplerOptions(PrimitiveOptions):
    """The options of a `SamplerV2`.

    Attributes
    ----------
    default_shots
        Default for PUBs without shots.
    """

    default_shots: int = 1024

    _primitive = "SamplerV2"


@dataclass
class EstimatorOptions(PrimitiveOptions):
    """The options of an `EstimatorV2`.

    Attributes
    ----------
    default_precision
        Default for PUBs without a precision.
    abelian_grouping
        Affects how Qiskit's estimator measures; it has no effect here, where nothing is measured.
    """

    default_precision: float = 0.0
    abelian_grouping: bool = True

    _primitive = "EstimatorV2"
