"""The sampler and the estimator of Qiskit's primitives, whose jobs can be cancelled and watched."""

from basicaer.primitives.compiled import CompiledCircuit
from basicaer.primitives.estimator import EstimatorV2
from basicaer.primitives.job import PrimitiveJob
from basicaer.primitives.options import EstimatorOptions, SamplerOptions
from basicaer.primitives.sampler import SamplerV2

__all__ = ["CompiledCircuit", "EstimatorOptions", "EstimatorV2", "PrimitiveJob", "SamplerOptions", "SamplerV2"]
