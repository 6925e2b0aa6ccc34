"""The options of `run`, of the backends and of the primitives as type checkers and editors see them.

They are checked again when a program runs, with sentences, in `options.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

from basicaer.foreign_options import ForeignOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor
    from os import PathLike

    import numpy as np
    from numpy.typing import ArrayLike

    from basicaer.engine.progress import Progress

    WholeNumber = int | np.integer[Any]
    _Method = Literal["automatic", "statevector", "density_matrix", "unitary"] | None

__all__ = [
    "EstimatorArguments",
    "GradientRunOptions",
    "JobRunOptions",
    "PrimitiveRunOptions",
    "QasmSimulatorOptions",
    "SamplerArguments",
    "SavingOptions",
    "SimulatorOptions",
    "StatevectorSimulatorOptions",
    "UnitarySimulatorOptions",
]


class JobRunOptions(TypedDict, total=False):
    """Options of ``backend.run`` that primitives and gradients take too."""

    device: Literal["auto", "CPU", "GPU"]
    precision: Literal["double", "single"]
    max_parallel_threads: WholeNumber | None
    executor: Executor | None
    timeout: float | None
    callback: Callable[[Progress], object] | None
    progress: bool
    noise_model: Any
    distributed: Any


class PrimitiveRunOptions(JobRunOptions, total=False):
    """Options of ``backend.run`` that the primitives take too."""

    method: _Method
    spill: str | PathLike[str] | None


class SamplerArguments(PrimitiveRunOptions, total=False):
    """The arguments of a `SamplerV2` besides its backend."""

    default_shots: int
    seed: int | np.random.Generator | None
    options: dict[str, Any] | None


class EstimatorArguments(PrimitiveRunOptions, total=False):
    """The arguments of an `EstimatorV2` besides its backend."""

    default_precision: float
    seed: int | np.random.Generator | None
    options: dict[str, Any] | None


class SavingOptions(TypedDict, total=False):
    """Options of ``backend.run`` for a job that is saved, which those of gradients take too."""

    checkpoint_dir: str | PathLike[str] | None
    checkpoint_every: float
    checkpoint_margin: float
    checkpoint_on_sigterm: bool


class GradientRunOptions(JobRunOptions, SavingOptions, total=False):
    """Options of ``backend.run`` that single gradients take too."""


class SimulatorOptions(JobRunOptions, SavingOptions, ForeignOptions, total=False):
    """The options of ``run`` that all simulators accept; `BasicAerSimulator.run` says what they mean."""

    method: _Method
    shots: WholeNumber | None
    memory: bool | None
    seed_simulator: WholeNumber | None
    parameter_binds: Sequence[Mapping[Any, Any]] | None
    chop_threshold: float
    max_parallel_experiments: WholeNumber | None
    target_gpus: Sequence[int] | None
    cancel_on_interrupt: bool


class QasmSimulatorOptions(SimulatorOptions, total=False):
    """The options of `QasmSimulator.run`."""

    spill: str | PathLike[str] | None
    initial_statevector: ArrayLike | None


class StatevectorSimulatorOptions(SimulatorOptions, total=False):
    """The options of `StatevectorSimulator.run`."""

    initial_statevector: ArrayLike | None
    array: Literal["host", "device"]


class UnitarySimulatorOptions(SimulatorOptions, total=False):
    """The options of `UnitarySimulator.run`, of which ``shots``, ``memory`` and ``seed_simulator`` have no effect."""

    initial_unitary: ArrayLike | None
