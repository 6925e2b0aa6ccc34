"""Programs of circuits that were lowered lately, found again by what the circuits say."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qiskit.circuit import Barrier, Measure
from qiskit.circuit.library import UnitaryGate

from basicaer.compile.lower import lower

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from qiskit import QuantumCircuit

    from basicaer.compile.values import Values
    from basicaer.engine.classical import Value
    from basicaer.engine.program import Program

__all__ = ["lower_known"]

_INSTRUCTIONS_KEPT = 50_000  # of all programs that are kept, together: some tens of megabytes
_WIDEST_UNITARY = 2  # qubits: the matrices of wider ones would take more memory than all else that is kept
_PLAIN = {"measure": Measure, "barrier": Barrier}


class _Known:
    """Programs by what their circuits say, the one used last standing last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._programs: OrderedDict[Hashable, tuple[Program, int]] = OrderedDict()
        self._instructions = 0  # of all of them

    def get(self, key: Hashable) -> Program | None:
        with self._lock:
            known = self._programs.get(key)
            if known is None:
                return None
            self._programs.move_to_end(key)
            return known[0]

    def keep(self, key: Hashable, program: Program, instructions: int) -> None:
        with self._lock:
            _, before = self._programs.pop(key, (None, 0))
            self._programs[key] = program, instructions
            self._instructions += instructions - before
            while self._instructions > _INSTRUCTIONS_KEPT:
                _, (_, gone) = self._programs.popitem(last=False)
                self._instructions -= gone


_known = _Known()


def lower_known(
    circuit: QuantumCircuit,
    *,
    keep_idle: bool = False,
    values: Values | None = None,
    inputs: Mapping[Any, Value] | None = None,
) -> Program:
    """Do what `lower` does, at once where a circuit of the same instructions and angles was lowered lately.

    Circuits of standard gates, narrow unitaries, measurements and barriers are remembered; to read one takes a tenth
    of lowering it.
    """
    if inputs or circuit.num_parameters or circuit.num_vars or len(circuit.data) > _INSTRUCTIONS_KEPT:
        return lower(circuit, keep_idle=keep_idle, values=values, inputs=inputs)
    items = list(circuit.data)  # once: each look at `data` makes its instructions anew
    key = _key(circuit, items, keep_idle=keep_idle)
    if key is None:
        return lower(circuit, items, keep_idle=keep_idle, values=values)
    try:
        known = _known.get(key)
    except TypeError:  # a parameter that cannot be hashed: nothing to look up, and `lower` says what is wrong with it
        return lower(circuit, items, keep_idle=keep_idle, values=values)
    if known is None:
        known = lower(circuit, items, keep_idle=keep_idle, values=values)
        _known.keep(key, known, len(items))
    return known if known.name == circuit.name else replace(known, name=circuit.name)


def _key(circuit: QuantumCircuit, instructions: Iterable[Any], *, keep_idle: bool) -> Hashable | None:
    """Return all that a circuit's program depends on but its name; None if its instructions alone do not say that."""
    qubits = {qubit: number for number, qubit in enumerate(circuit.qubits)}
    clbits = {clbit: number for number, clbit in enumerate(circuit.clbits)}
    items: list[Hashable] = []
    for item in instructions:
        params = item.params
        if not item.is_standard_gate():
            operation = item.operation
            if type(operation) is UnitaryGate and len(item.qubits) <= _WIDEST_UNITARY:
                params = (operation.params[0].tobytes(),)
            elif not isinstance(operation, _PLAIN.get(item.name, ())):
                return None
            items.append(tuple([clbits[bit] for bit in item.clbits]))
        items.append((item.name, *params, *[qubits[qubit] for qubit in item.qubits]))
    return keep_idle, circuit.global_phase, len(qubits), len(clbits), tuple(items)
