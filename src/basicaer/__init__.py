"""Statevector simulators for Qiskit that run as jobs, which can be watched, waited for and cancelled while they run.

>>> from qiskit import QuantumCircuit
>>> from basicaer import BasicAer
>>> bell = QuantumCircuit(2)
>>> _ = bell.h(0)
>>> _ = bell.cx(0, 1)
>>> bell.measure_all()
>>> job = BasicAer.get_backend("qasm_simulator").run(bell, shots=100, seed_simulator=7)
>>> sum(job.result().get_counts().values())
100
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from basicaer._version import __version__

if TYPE_CHECKING:
    from basicaer import library, noise
    from basicaer.engine.progress import Progress
    from basicaer.errors import (
        BackendNotFoundError,
        BasicAerError,
        BasicAerWarning,
        DeviceFailedError,
        DeviceUnavailableError,
        JobStateError,
        JobTimeLimitError,
        JobWaitTimeoutError,
        NothingMeasuredWarning,
        OptionValueError,
        PubError,
        QobjValidationError,
        UnknownOptionError,
        WorkerLostError,
    )
    from basicaer.gradients import (
        CompiledGradient,
        EstimatorGradient,
        EstimatorGradientJob,
        EstimatorGradientResult,
        GradientJob,
        GradientResult,
        gradient,
        value_and_gradient,
        vjp_state,
    )
    from basicaer.job import BasicAerJob, jobs
    from basicaer.option_types import (
        EstimatorArguments,
        PrimitiveRunOptions,
        QasmSimulatorOptions,
        SamplerArguments,
        SimulatorOptions,
        StatevectorSimulatorOptions,
        UnitarySimulatorOptions,
    )
    from basicaer.plan_view.circuit_plan import CircuitPlan
    from basicaer.primitives import (
        CompiledCircuit,
        EstimatorOptions,
        EstimatorV2,
        PrimitiveJob,
        SamplerOptions,
        SamplerV2,
    )
    from basicaer.provider import BasicAer, BasicAerProvider
    from basicaer.qobj import QasmQobj
    from basicaer.simulators import BasicAerSimulator, QasmSimulator, StatevectorSimulator, UnitarySimulator
    from basicaer.state_array import StateArray
    from basicaer.watching import watch

__all__ = [
    "BackendNotFoundError",
    "BasicAer",
    "BasicAerError",
    "BasicAerJob",
    "BasicAerProvider",
    "BasicAerSimulator",
    "BasicAerWarning",
    "CircuitPlan",
    "CompiledCircuit",
    "CompiledGradient",
    "DeviceFailedError",
    "DeviceUnavailableError",
    "EstimatorArguments",
    "EstimatorGradient",
    "EstimatorGradientJob",
    "EstimatorGradientResult",
    "EstimatorOptions",
    "EstimatorV2",
    "GradientJob",
    "GradientResult",
    "JobStateError",
    "JobTimeLimitError",
    "JobWaitTimeoutError",
    "NothingMeasuredWarning",
    "OptionValueError",
    "PrimitiveJob",
    "PrimitiveRunOptions",
    "Progress",
    "PubError",
    "QasmQobj",
    "QasmSimulator",
    "QasmSimulatorOptions",
    "QobjValidationError",
    "SamplerArguments",
    "SamplerOptions",
    "SamplerV2",
    "SimulatorOptions",
    "StateArray",
    "StatevectorSimulator",
    "StatevectorSimulatorOptions",
    "UnitarySimulator",
    "UnitarySimulatorOptions",
    "UnknownOptionError",
    "WorkerLostError",
    "__version__",
    "gradient",
    "jobs",
    "library",
    "noise",
    "value_and_gradient",
    "vjp_state",
    "watch",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())  # quiet unless the program configures logging


def _import_jobs() -> None:
    """Import what every program uses, and Qiskit with it, which takes half a second: help and `--version` need neither.

    The modules become attributes of the package as they are imported.
    """
    import basicaer.engine.progress
    import basicaer.errors
    import basicaer.job
    import basicaer.library
    import basicaer.provider
    import basicaer.qobj

    for module in (basicaer.engine.progress, basicaer.errors, basicaer.job, basicaer.provider, basicaer.qobj):
        globals().update({name: getattr(module, name) for name in module.__all__ if name in __all__})


if not TYPE_CHECKING:  # a type checker would let every name pass

    def __getattr__(name: str) -> Any:
        """Import on first use what takes a while to import."""
        if not name.startswith("__"):
            _import_jobs()
            if name in globals():
                return globals()[name]
        if name == "noise":
            import basicaer.noise

            return basicaer.noise
        if name in __all__:
            from basicaer import gradients, option_types, primitives, simulators
            from basicaer.plan_view.circuit_plan import CircuitPlan
            from basicaer.state_array import StateArray
            from basicaer.watching import watch

            lazy = {"CircuitPlan": CircuitPlan, "StateArray": StateArray, "watch": watch}
            for module in (option_types, gradients, primitives, simulators):
                lazy |= {one: getattr(module, one) for one in module.__all__}
            globals().update(lazy)
            return lazy[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return what is public, including what has yet to be imported."""
    return sorted(__all__)
