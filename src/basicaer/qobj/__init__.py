"""The Qobj of OpenQASM circuits: its parts, and its schema.

A Qobj is the input that Qiskit's simulators took before they took circuits (McKay et al., arXiv:1809.03452).
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
