"""A pass of Qiskit's transpiler that puts errors into a circuit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qiskit import QuantumCircuit
from qiskit.circuit import Barrier, BreakLoopOp, ContinueLoopOp, ControlFlowOp, Instruction, Operation
from qiskit.converters import circuit_to_dag, dag_to_circuit
from qiskit.transpiler.basepasses import TransformationPass

from basicaer.errors import BasicAerError, shown
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from qiskit.dagcircuit import DAGCircuit

__all__ = ["LocalNoisePass"]

_METHODS = ("append", "prepend", "replace")
_NEVER = (Barrier, BreakLoopOp, ContinueLoopOp)


class LocalNoisePass(TransformationPass):
    """Puts what a function returns beside the instructions of a circuit, also inside of control flow.

    Passes in `noise_passes` of a noise model act on each circuit that runs with the model.

    Parameters
    ----------
    func
        Is called with an instruction and the numbers of its qubits. It returns an error, an instruction or a circuit on
        as many qubits, or None.
    op_types
        A class of instructions, or several, for which the function is called; by default for all instructions on
        qubits, but for barriers and control flow.
    method
        Where the error comes: "append" is after the instruction, "prepend" before it and "replace" in its place, where
        None removes the instruction.

    Examples
    --------
    >>> from qiskit.circuit.library import RZGate
    >>> from basicaer.noise import LocalNoisePass, NoiseModel, pauli_error
    >>> def drift(gate, qubits):
    ...     p = abs(float(gate.params[0])) / 1000
    ...     return pauli_error([("Z", p), ("I", 1 - p)])
    >>> model = NoiseModel()
    >>> model.noise_passes.append(LocalNoisePass(drift, RZGate))
    """

    def __init__(
        self,
        func: Callable[[Any, list[int]], Any],
        op_types: type | Sequence[type] | None = None,
        method: str = "append",
    ) -> None:
        super().__init__()
        if method not in _METHODS:
            raise BasicAerError(f"method must be 'append', 'prepend' or 'replace', not {shown(method)}.")
        if not callable(func):
            raise BasicAerError(
                f"func of a LocalNoisePass must be a function of an instruction and its qubits, not {shown(func)}."
            )
        self._func, self._method = func, method
        self.op_types = _classes(op_types)

    def acts_on(self, circuit: QuantumCircuit) -> bool:
        """Tell whether a circuit has any instruction for which the function is called."""
        return any(
            any(map(self.acts_on, one.operation.blocks))
            if isinstance(one.operation, ControlFlowOp)
            else self._is_meant(one.operation)
            for one in circuit.data
        )

    def run(self, dag: DAGCircuit) -> DAGCircuit:
        """Return the circuit with the errors; called by Qiskit's pass manager."""
        return self._with_errors(dag, range(len(dag.qubits)))

    def _is_meant(self, operation: Any) -> bool:
        return isinstance(operation, self.op_types) if self.op_types else not isinstance(operation, _NEVER)

    def _with_errors(self, dag: DAGCircuit, numbers: Sequence[int]) -> DAGCircuit:
        """Return a circuit with the errors, whose qubit j is the qubit ``numbers[j]`` of the device."""
        number_of = dict(zip(dag.qubits, numbers, strict=True))
        found = dag.copy_empty_like()
        for node in dag.topological_op_nodes():
            on = [number_of[qubit] for qubit in node.qargs]
            operation = node.op
            if isinstance(operation, ControlFlowOp):
                bodies = [self._with_errors(circuit_to_dag(block), on) for block in operation.blocks]
                operation = operation.replace_blocks([dag_to_circuit(body) for body in bodies])
            elif on and self._is_meant(operation):
                error = self._error(operation, on)
                if error is not None and self._method == "prepend":
                    found.compose(error, list(node.qargs))
                if self._method != "replace":
                    found.apply_operation_back(operation, node.qargs, node.cargs)
                if error is not None and self._method != "prepend":
                    found.compose(error, list(node.qargs))
                continue
            found.apply_operation_back(operation, node.qargs, node.cargs)
        return found

    def _error(self, operation: Any, on: list[int]) -> DAGCircuit | None:
        """Return what the function returns for an instruction, as a circuit."""
        error = self._func(operation, on)
        if error is None:
            return None
        if not isinstance(error, QuantumCircuit | Instruction) and callable(getattr(error, "to_instruction", None)):
            error = error.to_instruction()
        if not isinstance(error, QuantumCircuit | Instruction):
            raise BasicAerError(f"The function of a LocalNoisePass must return an error or None, not {shown(error)}.")
        if error.num_clbits or error.num_qubits != len(on):
            raise BasicAerError(
                f"The error that a LocalNoisePass puts beside '{operation.name}' must act on "
                f"{counted(len(on), 'qubit')} and no classical bits, not on {counted(error.num_qubits, 'qubit')} and "
                f"{counted(error.num_clbits, 'bit')}."
            )
        if isinstance(error, Instruction):
            circuit = QuantumCircuit(len(on))
            circuit.append(error, range(len(on)))
            error = circuit
        return circuit_to_dag(error)


def _classes(op_types: Any) -> tuple[type, ...]:
    """Return classes of instructions, of which one or several are given; None gives none."""
    given = () if op_types is None else op_types if isinstance(op_types, Sequence) else (op_types,)
    if not all(isinstance(one, type) and issubclass(one, Operation) for one in given):
        raise BasicAerError(
            f"op_types must be a class of instructions, such as XGate, or several, not {shown(op_types)}."
        )
    return tuple(given)
