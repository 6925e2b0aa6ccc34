"""Programs of circuits that were lowered lately, found again by what the circuits say."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from qiskit.circuit import Barrier, Measure
from qiskit.circuit.library import UnitaryGate

from basicaer.compile.lower import lower

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from qiskit import QuantumCircuit

    from basicaer.engine.classical import Value
    from basicaer.engine.program import Program

__all__ = ["lower_known"]

_INSTRUCTIONS_KEPT = 50_000  # of all programs that are kept, together: some tens of megabytes
_WIDEST_UNITARY = 2  # qubits: the matrices of wider ones would take more memory than all else that is kept
_PLAIN = {"measure": Measure, "barrier": Barrier}

_programs: OrderedDict[Hashable, tuple[Program, int]] = OrderedDict()  # the one used last stands last
_lock = threading.Lock()


def lower_known(
    circuit: QuantumCircuit, *, keep_idle: bool = False, inputs: Mapping[Any, Value] | None = None
) -> Program:
    """Do what `lower` does, at once where a circuit of the same instructions and angles was lowered lately.

    Circuits of standard gates, narrow unitaries, measurements and barriers are remembered; to read one takes a tenth
    of lowering it.
    """
    key = None if inputs else _key(circuit, keep_idle=keep_idle)
    if key is None:
        return lower(circuit, keep_idle=keep_idle, inputs=inputs)
    try:
        with _lock:
            known = _programs.get(key)
            if known is not None:
                _programs.move_to_end(key)
                return known[0]
    except TypeError:  # a parameter that cannot be hashed: nothing to look up, and `lower` says what is wrong with it
        return lower(circuit, keep_idle=keep_idle)
    program = lower(circuit, keep_idle=keep_idle)
    with _lock:
        _programs[key] = program, len(circuit.data)
        while len(_programs) > 1 and sum(size for _, size in _programs.values()) > _INSTRUCTIONS_KEPT:
            _programs.popitem(last=False)
    return program


def _key(circuit: QuantumCircuit, *, keep_idle: bool) -> Hashable | None:
    """Return all that a circuit's program depends on; None if that is not seen from its instructions alone."""
    if circuit.num_vars:
        return None
    items = []
    for item in circuit.data:
        name = item.name
        params = tuple(item.params)
        if not item.is_standard_gate():
            operation = item.operation
            if type(operation) is UnitaryGate and len(item.qubits) <= _WIDEST_UNITARY:
                params = (operation.params[0].tobytes(),)
            elif not isinstance(operation, _PLAIN.get(name, ())):
                return None
        items.append((name, params, item.qubits, item.clbits))
    phase = circuit.global_phase
    return circuit.name, keep_idle, phase, tuple(circuit.qubits), tuple(circuit.clbits), tuple(items)
