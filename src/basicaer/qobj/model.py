"""The parts of a Qobj, each with attributes for its keys, `to_dict` and `from_dict`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "QasmQobj",
    "QasmQobjConfig",
    "QasmQobjExperiment",
    "QasmQobjExperimentConfig",
    "QasmQobjInstruction",
    "QobjExperimentHeader",
    "QobjHeader",
    "QobjItem",
    "plain",
]


def plain(value: Any) -> Any:
    """Return a value in the types of JSON: arrays and tuples as lists, a complex number as [real, imaginary]."""
    match value:
        case QobjItem():
            return value.to_dict()
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case np.ndarray() | np.generic():
            return plain(value.tolist())
        case list() | tuple():
            return [plain(item) for item in value]
        case complex():
            return [value.real, value.imag]
        case _:
            return value


class QobjItem(SimpleNamespace):
    """A part of a Qobj: attributes of any name, some of which are parts themselves."""

    _parts: ClassVar[dict[str, type[QobjItem]]] = {}  # [key] = the class of its value, or of its list's values

    def to_dict(self) -> dict[str, Any]:
        """Return the part in the types of JSON, without attributes that are None."""
        return {key: plain(value) for key, value in vars(self).items() if value is not None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the part that a dictionary describes, including its own parts."""
        values = dict(data)
        for key, part in cls._parts.items():
            if isinstance(values.get(key), list):
                values[key] = [part.from_dict(item) for item in values[key]]
            elif isinstance(values.get(key), dict):
                values[key] = part.from_dict(values[key])
        return cls(**values)


class QobjHeader(QobjItem):
    """A user's notes on a Qobj, which come back unchanged with the result."""


class QobjExperimentHeader(QobjItem):
    """What is needed to read an experiment's results, such as name, n_qubits, memory_slots and creg_sizes."""


class QasmQobjConfig(QobjItem):
    """Settings of all experiments: shots, memory_slots, n_qubits, seed_simulator, memory, and any other."""


class QasmQobjExperimentConfig(QobjItem):
    """Settings of one experiment, which override those of all experiments."""


class QasmQobjInstruction(QobjItem):
    """One instruction: a name, and params, qubits, memory, register, conditional and others as needed."""

    def __init__(self, name: str, **keys: Any) -> None:
        super().__init__(name=name, **keys)


class QasmQobjExperiment(QobjItem):
    """One circuit."""

    _parts: ClassVar = {
        "config": QasmQobjExperimentConfig,
        "header": QobjExperimentHeader,
        "instructions": QasmQobjInstruction,
    }

    def __init__(self, instructions: list[QasmQobjInstruction], **keys: Any) -> None:
        super().__init__(instructions=instructions, **keys)


class QasmQobj(QobjItem):
    """Experiments to run together, with their settings."""

    _parts: ClassVar = {"config": QasmQobjConfig, "header": QobjHeader, "experiments": QasmQobjExperiment}

    def __init__(
        self,
        qobj_id: str,
        config: QasmQobjConfig,
        experiments: list[QasmQobjExperiment],
        header: QobjHeader | None = None,
        **keys: Any,
    ) -> None:
        keys = {"type": "QASM", "schema_version": "1.3.0"} | keys
        super().__init__(qobj_id=qobj_id, config=config, experiments=experiments, header=header or QobjHeader(), **keys)
