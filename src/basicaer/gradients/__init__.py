"""Derivatives of expectation values by the parameters of circuits."""

from basicaer.gradients.compiled import CompiledGradient, gradient, value_and_gradient
from basicaer.gradients.estimator_gradient import EstimatorGradient, EstimatorGradientJob, EstimatorGradientResult
from basicaer.gradients.job import GradientJob, GradientResult
from basicaer.gradients.states import vjp_state

__all__ = [
    "CompiledGradient",
    "EstimatorGradient",
    "EstimatorGradientJob",
    "EstimatorGradientResult",
    "GradientJob",
    "GradientResult",
    "gradient",
    "value_and_gradient",
    "vjp_state",
]
