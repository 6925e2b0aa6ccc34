"""The Qobj of OpenQASM circuits: its parts, its schema, and circuits as one.

A Qobj is what Qiskit's simulators were given before they took circuits (McKay et al., arXiv:1809.03452).
"""

from basicaer.qobj.model import (
    QasmQobj,
    QasmQobjConfig,
    QasmQobjExperiment,
    QasmQobjExperimentConfig,
    QasmQobjInstruction,
    QobjExperimentHeader,
    QobjHeader,
    QobjItem,
)
from basicaer.qobj.validation import validate

__all__ = [
    "QasmQobj",
    "QasmQobjConfig",
    "QasmQobjExperiment",
    "QasmQobjExperimentConfig",
    "QasmQobjInstruction",
    "QobjExperimentHeader",
    "QobjHeader",
    "QobjItem",
    "validate",
]
