"""Makes a Qobj of circuits, as far as a Qobj can express them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Barrier, Clbit, Delay, Gate, IfElseOp, Instruction, Measure, Reset, library
from qiskit.exceptions import QiskitError

from basicaer.compile.gates import BY_CLASS
from basicaer.compile.unitary import with_numbers
from basicaer.compile.values import Values
from basicaer.engine.bits import all_ones, deposit_bits, mask_of
from basicaer.errors import BasicAerError
from basicaer.qobj.model import (
    QasmQobj,
    QasmQobjConfig,
    QasmQobjExperiment,
    QasmQobjExperimentConfig,
    QasmQobjInstruction,
    QobjExperimentHeader,
)
from basicaer.result import circuit_header, with_own_lists

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from basicaer.compile.bound_circuits import BoundCircuit

__all__ = ["assemble"]

_INSTRUCTIONS = {Barrier: "barrier", Delay: "delay", Reset: "reset"}
_AS_THEY_ARE = {library.UnitaryGate: "unitary", library.DiagonalGate: "diagonal", library.PauliGate: "pauli"}
_WIDEST_MATRIX = 6


def assemble(bound: Sequence[BoundCircuit], qobj_id: str | None = None, **config: Any) -> QasmQobj:
    """Return circuits with the values of their parameters as one Qobj; the circuits are not changed.

    An `if` without `else`, on a bit or register compared with a value, becomes a ``bfunc`` and conditional
    instructions. Gates that a Qobj has no name for are unrolled by their definitions.

    Parameters
    ----------
    config
        Settings of all experiments: shots, seed_simulator, memory and others.

    Raises
    ------
    BasicAerError
        If a circuit cannot be expressed as a Qobj, naming the instruction; the circuit can still be run.
    """
    experiments = [_experiment(one) for one in bound]
    sizes = {
        "memory_slots": max((one.circuit.num_clbits for one in bound), default=0),
        "n_qubits": max((one.circuit.num_qubits for one in bound), default=1),
    }
    return QasmQobj(qobj_id or str(uuid.uuid4()), QasmQobjConfig(**sizes, **config), experiments)


def _experiment(bound: BoundCircuit) -> QasmQobjExperiment:
    circuit = bound.circuit
    assembler = _Assembler(circuit, Values(bound.values))
    if not circuit.num_qubits:
        raise assembler.refuse("it has no qubits")
    assembler.walk(circuit, {q: i for i, q in enumerate(circuit.qubits)}, {c: i for i, c in enumerate(circuit.clbits)})
    header = with_own_lists(circuit_header(circuit, assembler.global_phase))
    return QasmQobjExperiment(
        assembler.finished(),
        header=QobjExperimentHeader(**header),
        config=QasmQobjExperimentConfig(n_qubits=circuit.num_qubits, memory_slots=circuit.num_clbits),
    )


class _Assembler:
    """Walks through one circuit, its definitions and the bodies of its ifs."""

    def __init__(self, circuit: QuantumCircuit, values: Values) -> None:
        self.name = circuit.name
        self.place = f"circuit '{circuit.name}'"
        self.values = values
        self.instructions: list[QasmQobjInstruction] = []
        self.global_phase = 0.0
        self.slots = circuit.num_clbits
        self.next_slot = self.slots  # the first register slots hold copies of the memory slots

    def refuse(self, what: str) -> BasicAerError:
        return BasicAerError(
            f"Circuit '{self.name}' cannot be expressed as a Qobj: {what}. It can be run as a circuit."
        )

    def finished(self) -> list[QasmQobjInstruction]:
        """Return the instructions; measurements write to the register only if there is a condition."""
        if self.next_slot == self.slots:
            for instruction in self.instructions:
                instruction.register = None
        return self.instructions

    def add(self, name: str, qubits: list[int], conditional: int | None, **keys: Any) -> None:
        self.instructions.append(QasmQobjInstruction(name, qubits=qubits, conditional=conditional, **keys))

    def numbers(self, params: Iterable[Any]) -> list[float]:
        """Return the parameters of a gate as numbers."""
        return [self.values.number(param, self.place) for param in params]

    def phase(self, param: Any, conditional: int | None) -> None:
        """Add a global phase: to the header, or as an instruction if it is conditional."""
        (angle,) = self.numbers([param])
        if conditional is None:
            self.global_phase += angle
        elif angle:
            self.add("global_phase", [], conditional, params=[angle])

    def walk(
        self, circuit: QuantumCircuit, qubits: dict[Any, int], bits: dict[Any, int], conditional: int | None = None
    ) -> None:
        self.phase(circuit.global_phase, conditional)
        for item in circuit.data:
            on = [qubits[q] for q in item.qubits]
            clbits = [bits[c] for c in item.clbits]
            operation = item.operation
            kind = getattr(operation, "base_class", type(operation))
            if isinstance(operation, IfElseOp):
                self.conditional(item, operation, on, bits, conditional)
            elif isinstance(operation, Measure):
                self.add("measure", on, conditional, memory=clbits, register=clbits)
            elif kind in _INSTRUCTIONS:
                self.add(_INSTRUCTIONS[kind], on, conditional)
            elif kind is library.GlobalPhaseGate:
                self.phase(operation.params[0], conditional)
            elif kind in BY_CLASS:
                self.add(_table_name(operation, kind), on, conditional, params=self.numbers(operation.params))
            elif kind in _AS_THEY_ARE:
                self.add(_AS_THEY_ARE[kind], on, conditional, params=list(operation.params))
            elif kind is library.PermutationGate:
                self.add("permutation", on, conditional, params=[int(place) for place in operation.pattern])
            # The parameters of an Initialize may be labels or a number instead of amplitudes; then it is unrolled.
            elif kind is library.Initialize and len(operation.params) == 2 ** len(on):
                self.add("initialize", on, conditional, params=list(operation.params))
            else:
                self.unroll(item, operation, on, clbits, conditional)

    def unroll(self, item: Any, operation: Any, on: list[int], clbits: list[int], conditional: int | None) -> None:
        """Add an operation as its definition, or as a matrix."""
        if isinstance(operation, Instruction) and not item.is_control_flow():
            operation = with_numbers(operation, self.values, self.place)
        definition = _definition(operation)
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
        self.add("unitary", on, conditional, params=[matrix])

    def conditional(self, item: Any, operation: Any, on: list[int], bits: dict[Any, int], outer: int | None) -> None:
        """Add an `if` as a comparison of the register, and instructions that depend on its result."""
        if len(operation.blocks) > 1:
            raise self.refuse("an if with an else cannot be put as conditional instructions")
        if not isinstance(operation.condition, tuple) or outer is not None:
            raise self.refuse("a condition that is an expression, or inside another, cannot be put as a comparison")
        target, value = operation.condition
        single = isinstance(target, Clbit)
        positions = [bits[target]] if single else [bits[bit] for bit in target]
        value = int(bool(value)) if single else int(value)
        past = max(positions, default=-1) + 1
        # A value that is too large for the register has bits beyond it, so it is never equal.
        overflow = range(past, past + value.bit_length())
        slot, self.next_slot = self.next_slot, self.next_slot + 1
        mask, wanted = mask_of(positions), deposit_bits(value, (*positions, *overflow))
        self.instructions.append(
            QasmQobjInstruction("bfunc", mask=hex(mask), relation="==", val=hex(wanted), register=slot)
        )
        body = operation.blocks[0]
        inner_bits = {inner: bits[c] for inner, c in zip(body.clbits, item.clbits, strict=True)}
        self.walk(body, dict(zip(body.qubits, on, strict=True)), inner_bits, slot)


def _table_name(operation: Any, kind: type) -> str:
    """Return the table's name for a gate, with the control state if that is not all ones."""
    name = BY_CLASS[kind].name
    state = getattr(operation, "ctrl_state", None)
    return name if state is None or state == all_ones(operation.num_ctrl_qubits) else f"{name}_o{state}"


def _definition(operation: Any) -> QuantumCircuit | None:
    """Return the circuit that defines an operation; None if there is none."""
    if isinstance(operation, Instruction):
        return operation.definition
    from qiskit.transpiler.passes import HighLevelSynthesis

    circuit = QuantumCircuit(operation.num_qubits)
    circuit.append(operation, circuit.qubits)
    try:
        synthesised = HighLevelSynthesis()(circuit)
    except QiskitError:
        return None
    return None if any(item.name == operation.name for item in synthesised.data) else synthesised
