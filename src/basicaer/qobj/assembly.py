"""Circuits -> Qobj, as far as a Qobj can say them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.circuit import Clbit, Gate, IfElseOp, library
from qiskit.exceptions import QiskitError

from basicaer.compile.gates import BY_CLASS
from basicaer.engine.bits import deposit_bits, mask_of
from basicaer.errors import BasicAerError
from basicaer.qobj.model import (
    QasmQobj,
    QasmQobjConfig,
    QasmQobjExperiment,
    QasmQobjExperimentConfig,
    QasmQobjInstruction,
    QobjExperimentHeader,
)
from basicaer.result import circuit_header

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qiskit import QuantumCircuit

__all__ = ["assemble"]

_AS_THEY_ARE = (library.UnitaryGate, library.DiagonalGate, library.PauliGate, library.Initialize)
_WIDEST_MATRIX = 6


def assemble(circuits: Sequence[QuantumCircuit], qobj_id: str | None = None, **config: Any) -> QasmQobj:
    """Return circuits as one Qobj.

    An `if` without `else`, on a bit or register compared with a value, becomes a ``bfunc`` and conditional
    instructions. Gates that a Qobj has no name for are unrolled by their definitions.

    Parameters
    ----------
    config
        Settings of all experiments: shots, seed_simulator, memory and others.

    Raises
    ------
    BasicAerError
        If a circuit has no form as a Qobj, naming the instruction; the circuit can be run all the same.
    """
    experiments = [_experiment(circuit) for circuit in circuits]
    sizes = {
        "memory_slots": max((circuit.num_clbits for circuit in circuits), default=0),
        "n_qubits": max((circuit.num_qubits for circuit in circuits), default=1),
    }
    return QasmQobj(qobj_id or str(uuid.uuid4()), QasmQobjConfig(**sizes, **config), experiments)


def _experiment(circuit: QuantumCircuit) -> QasmQobjExperiment:
    assembler = _Assembler(circuit)
    assembler.walk(circuit, {q: i for i, q in enumerate(circuit.qubits)}, {c: i for i, c in enumerate(circuit.clbits)})
    header = circuit_header(circuit) | {"global_phase": assembler.global_phase}
    return QasmQobjExperiment(
        assembler.instructions,
        header=QobjExperimentHeader(**header),
        config=QasmQobjExperimentConfig(n_qubits=circuit.num_qubits, memory_slots=circuit.num_clbits),
    )


class _Assembler:
    """The walk through one circuit, its definitions and the bodies of its ifs."""

    def __init__(self, circuit: QuantumCircuit) -> None:
        self.name = circuit.name
        self.instructions: list[QasmQobjInstruction] = []
        self.global_phase = 0.0
        self.next_slot = circuit.num_clbits  # the register slots below it mirror the memory
        self.uses_register = any(isinstance(item.operation, IfElseOp) for item in circuit.data)

    def refuse(self, what: str) -> BasicAerError:
        return BasicAerError(f"Circuit '{self.name}' has no form as a Qobj: {what}. It can be run as a circuit.")

    def walk(
        self, circuit: QuantumCircuit, qubits: dict[Any, int], bits: dict[Any, int], conditional: int | None = None
    ) -> None:
        if circuit.global_phase and conditional is not None:
            raise self.refuse("a Qobj has no conditional global phase")
        self.global_phase += float(circuit.global_phase)
        for item in circuit.data:
            on = [qubits[q] for q in item.qubits]
            clbits = [bits[c] for c in item.clbits]
            operation = item.operation
            if isinstance(operation, IfElseOp):
                self.conditional(item, operation, on, bits, conditional)
                continue
            keys: dict[str, Any] = {"qubits": on, "conditional": conditional}
            if item.name == "measure":
                keys |= {"memory": clbits, "register": clbits if self.uses_register else None}
            elif item.name == "global_phase" and conditional is None:
                self.global_phase += float(operation.params[0])
                continue
            elif item.name in {"barrier", "delay", "reset"}:
                pass
            elif getattr(operation, "base_class", type(operation)) in BY_CLASS:
                keys["params"] = [float(p) for p in operation.params]
            elif isinstance(operation, _AS_THEY_ARE):
                keys["params"] = list(operation.params)
            else:
                self.unroll(item, operation, on, clbits, conditional)
                continue
            self.instructions.append(QasmQobjInstruction(item.name, **keys))

    def unroll(self, item: Any, operation: Any, on: list[int], clbits: list[int], conditional: int | None) -> None:
        """Put an operation as what it is made of, or as a matrix."""
        definition = getattr(operation, "definition", None)
        if definition is not None:
            inner_bits = dict(zip(definition.clbits, clbits, strict=True))
            self.walk(definition, dict(zip(definition.qubits, on, strict=True)), inner_bits, conditional)
            return
        try:
            matrix = np.asarray(operation.to_matrix()) if len(on) <= _WIDEST_MATRIX else None
        except (AttributeError, QiskitError):
            matrix = None
        if matrix is None or not isinstance(operation, Gate):
            raise self.refuse(f"there is no instruction for '{item.name}'")
        self.instructions.append(QasmQobjInstruction("unitary", qubits=on, params=[matrix], conditional=conditional))

    def conditional(self, item: Any, operation: Any, on: list[int], bits: dict[Any, int], outer: int | None) -> None:
        """Put an `if` as a comparison of the register and instructions that depend on it."""
        if len(operation.blocks) > 1:
            raise self.refuse("an if with an else cannot be put as conditional instructions")
        if not isinstance(operation.condition, tuple) or outer is not None:
            raise self.refuse("a condition that is an expression, or inside another, cannot be put as a comparison")
        target, value = operation.condition
        positions = [bits[target]] if isinstance(target, Clbit) else [bits[bit] for bit in target]
        slot, self.next_slot = self.next_slot, self.next_slot + 1
        mask, wanted = mask_of(positions), deposit_bits(int(value), positions)
        self.instructions.append(
            QasmQobjInstruction("bfunc", mask=hex(mask), relation="==", val=hex(wanted), register=slot)
        )
        body = operation.blocks[0]
        inner_bits = {inner: bits[c] for inner, c in zip(body.clbits, item.clbits, strict=True)}
        self.walk(body, dict(zip(body.qubits, on, strict=True)), inner_bits, slot)
