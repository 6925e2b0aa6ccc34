"""Finds the qubits of a circuit that are not idle: those that some instruction may take out of |0>."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from qiskit.circuit import Barrier, Delay, Gate, Measure, Reset, library

from basicaer.compile.saves import SAVES, is_save

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qiskit import QuantumCircuit

    from basicaer.compile.noise import CircuitNoise

__all__ = ["active_qubits", "measures_each_qubit"]

_LEAVE_IDLE = {"barrier": Barrier, "delay": Delay, "measure": Measure, "reset": Reset, "id": library.IGate}
_MEASURES = re.compile(r"measure(_.*)?\Z")


def active_qubits(circuit: QuantumCircuit, items: Iterable[Any], noise: CircuitNoise | None = None) -> set[int]:
    """Return the numbers of the qubits that any of a circuit's items may take out of |0>, with its errors."""
    number = {qubit: q for q, qubit in enumerate(circuit.qubits)}
    active: set[int] = set()
    for item in items:
        if len(active) == len(number):  # true for nearly every circuit after a few instructions
            break
        if _leaves_idle(item) if noise is None else not noise.may_act_on(item):
            continue
        if item.is_control_flow():
            inner = {q for body in item.operation.blocks for q in active_qubits(body, body.data, noise)}
            active.update(number[item.qubits[q]] for q in inner)
        else:
            active.update(number[qubit] for qubit in item.qubits)
    return active


def _leaves_idle(item: Any) -> bool:
    kind = _LEAVE_IDLE.get(item.name)
    if kind is not None and isinstance(item.operation, kind):
        return True
    # Few items have such a name, and to ask for it is cheaper than to ask for the operation.
    if item.name not in SAVES and not _MEASURES.match(item.name):
        return False
    return is_save(item.operation) or measures_each_qubit(item.operation)


def measures_each_qubit(operation: Any) -> bool:
    """Tell whether an instruction measures its qubits one by one: it is named like ``measure_2``, and undefined."""
    return (
        _MEASURES.match(operation.name) is not None
        and not isinstance(operation, Gate)
        and operation.num_qubits == operation.num_clbits
        and operation.definition is None
    )
