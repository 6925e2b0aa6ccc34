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
from basicaer.errors import BasicAerError, JobTimeLimitError, WorkerLostError
from basicaer.job import BasicAerJob, jobs
from basicaer.provider import BasicAer, BasicAerProvider

if TYPE_CHECKING:
    from basicaer.primitives import EstimatorV2, SamplerV2
    from basicaer.watching import watch

__all__ = [
    "BasicAer",
    "BasicAerError",
    "BasicAerJob",
    "BasicAerProvider",
    "EstimatorV2",
    "JobTimeLimitError",
    "SamplerV2",
    "WorkerLostError",
    "__version__",
    "jobs",
    "watch",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())  # quiet unless the program configures logging


def __getattr__(name: str) -> Any:
    """Import on first use what takes a while to import."""
    if name in {"EstimatorV2", "SamplerV2"}:
        from basicaer import primitives

        return getattr(primitives, name)
    if name == "watch":
        from basicaer.watching import watch

        return watch
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
