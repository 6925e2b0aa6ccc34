"""Unitary operations of Qiskit -> gates: the table first, then what an operation says it is made of.

The order: the gate table; operations with a form of their own (unitaries, diagonals, permutations, Pauli strings);
controlled and annotated operations by their base; operations without a definition by Qiskit's high-level synthesis;
definitions, recursively; matrices of up to six qubits; else an error that names the operation and its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.circuit import (
    AnnotatedOperation,
    ControlledGate,
    ControlModifier,
    Instruction,
    InverseModifier,
    PowerModifier,
    library,
)
from qiskit.exceptions import QiskitError
from qiskit.synthesis import ProductFormula

from basicaer.compile.gates import BY_CLASS, GateRecord
from basicaer.compile.modifiers import controlled, inverse, permuted
from basicaer.compile.paulis import pauli_rotation, pauli_string, table_gate
from basicaer.engine.bits import all_ones
from basicaer.engine.program import Form, Gate
from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["gates_of", "record_gates", "unitary_gate"]

_WIDEST_MATRIX = 6
_UNITARY_TO = 1.1e-5  # Qiskit takes a matrix whose columns have a squared norm of 1 to 1e-5
_PAULIS = frozenset("IXYZ")
_NOTHING = frozenset({"id", "u0"})  # gates that do nothing, not even a phase


def record_gates(
    record: GateRecord, qubits: tuple[int, ...], parameters: Sequence[Any], state: int | None
) -> list[Gate]:
    """Return a gate of the table on some qubits, its controls first; `state` None is all controls on."""
    if record.name in _NOTHING:
        return []
    count = len(qubits) - len(record.kinds) if record.controls is None else record.controls
    data = record.data([float(p) for p in parameters])
    if not count:
        return [Gate(record.name, record.kinds, qubits, record.form, data)]
    state = all_ones(count) if state is None else state
    return [Gate(record.name, record.kinds, qubits[count:], record.form, data, qubits[:count], state)]


def unitary_gate(matrix: Any, qubits: tuple[int, ...], name: str = "unitary") -> Gate:
    """Return a matrix as a gate."""
    return Gate(name, "G" * len(qubits), qubits, Form.MATRIX, np.asarray(matrix, complex))


def gates_of(operation: Any, qubits: tuple[int, ...], place: str) -> list[Gate]:
    """Return the gates that carry out a unitary operation.

    Parameters
    ----------
    operation
        Any `qiskit.circuit.Operation` that is unitary.
    qubits
        The state qubits that it acts on, in its own order.
    place
        Where it stands, for messages.

    Raises
    ------
    BasicAerError
        If it cannot be broken down, or is not unitary.
    """
    kind = getattr(operation, "base_class", type(operation))
    record = BY_CLASS.get(kind)
    if record is not None:
        return record_gates(record, qubits, operation.params, getattr(operation, "ctrl_state", None))
    special = _SPECIAL.get(kind)
    if special is not None:
        return special(operation, qubits, place)
    if isinstance(operation, ControlledGate):
        count, base = operation.num_ctrl_qubits, operation.base_gate
        on = qubits[count:]
        # A gate with ancillas (an MCX chain) is more than its base under control: that one goes by its definition.
        if base.num_qubits == len(on):
            return controlled(_base_gates(base, on, place), qubits[:count], operation.ctrl_state)
        if isinstance(operation, library.MCMTGate):
            return controlled(
                [g for q in on for g in gates_of(base, (q,), place)], qubits[:count], operation.ctrl_state
            )
    if not isinstance(operation, Instruction):
        return _synthesised(operation, qubits, place)
    if operation.definition is not None:
        return definition_gates(operation.definition, qubits, f"{place}, in {operation.name}")
    matrix = _matrix(operation) if len(qubits) <= _WIDEST_MATRIX else None
    if matrix is None:
        raise unknown(operation, place)
    return [unitary_gate(matrix, qubits, operation.name)]


def _base_gates(base: Any, qubits: tuple[int, ...], place: str) -> list[Gate]:
    if isinstance(base, library.UGate) and len(base.params) == 4:  # what a CU under more controls calls its base
        phase = table_gate("global_phase", (), float(base.params[3]))
        return [phase, *record_gates(BY_CLASS[library.UGate], qubits, base.params[:3], None)]
    return gates_of(base, qubits, place)


def unknown(operation: Any, place: str) -> BasicAerError:
    """Return the error for an operation that nothing here knows."""
    return BasicAerError(
        f"Unknown instruction '{operation.name}' on {operation.num_qubits} qubits ({place}): it is no gate of the "
        f"table and has neither a definition nor a unitary matrix of up to {_WIDEST_MATRIX} qubits; give it one."
    )


def definition_gates(definition: Any, qubits: tuple[int, ...], place: str) -> list[Gate]:
    """Return the gates of a circuit that has nothing but unitary operations."""
    number = {bit: qubits[i] for i, bit in enumerate(definition.qubits)}
    gates = [table_gate("global_phase", (), float(definition.global_phase))] if definition.global_phase else []
    for item in definition.data:
        if item.name != "barrier":
            gates += gates_of(item.operation, tuple(number[bit] for bit in item.qubits), place)
    return gates


def _matrix(operation: Any) -> Any:
    try:
        matrix = np.asarray(operation.to_matrix(), complex)
    except (AttributeError, QiskitError, TypeError, ValueError):  # it has none, or a user's own class makes none
        return None
    return matrix if _is_unitary(matrix, operation.num_qubits) else None


def _is_unitary(matrix: Any, n_qubits: int) -> bool:
    size = 2**n_qubits
    if matrix.shape != (size, size):
        return False
    product = matrix.conj().T.dot(matrix)
    # The squared Frobenius norm of the product less the identity, without making either: it is checked for each gate.
    deviation = np.vdot(product, product).real - 2 * np.vdot(matrix, matrix).real + size
    return bool(deviation < size * _UNITARY_TO**2)  # and False where an entry is not finite


def _synthesised(operation: Any, qubits: tuple[int, ...], place: str) -> list[Gate]:
    from qiskit import QuantumCircuit
    from qiskit.transpiler.exceptions import TranspilerError
    from qiskit.transpiler.passes import HighLevelSynthesis

    circuit = QuantumCircuit(operation.num_qubits)
    circuit.append(operation, range(operation.num_qubits))
    try:
        circuit = HighLevelSynthesis()(circuit)
    except (TranspilerError, QiskitError) as error:
        raise unknown(operation, place) from error
    if any(item.operation is operation or item.name == operation.name for item in circuit.data):
        raise unknown(operation, place)
    return definition_gates(circuit, qubits, f"{place}, in {operation.name}")


def _unitary(operation: Any, qubits: tuple[int, ...], place: str) -> list[Gate]:
    matrix = operation.params[0]
    if not _is_unitary(matrix, len(qubits)):
        raise BasicAerError(f"The matrix of 'unitary' ({place}) is not unitary; its columns must be orthonormal.")
    return [unitary_gate(matrix, qubits)]


def _diagonal(operation: Any, qubits: tuple[int, ...], _place: str) -> list[Gate]:
    return [Gate("diagonal", "Z" * len(qubits), qubits, Form.DIAGONAL, np.array(operation.params, complex))]


def _permutation(operation: Any, qubits: tuple[int, ...], _place: str) -> list[Gate]:
    return permuted([int(i) for i in operation.pattern], qubits, table_gate("swap", (0, 1)))


def _pauli(operation: Any, qubits: tuple[int, ...], _place: str) -> list[Gate]:
    return pauli_string(operation.params[0][::-1], qubits)  # a label is written highest qubit first


def _pauli_evolution(operation: Any, qubits: tuple[int, ...], place: str) -> list[Gate]:
    """Return the product formula that the gate carries, term by term.

    It is the gate's synthesis that says what is run, as in `transpile`; for a sum of terms that do not commute that is
    an approximation of the exponential, and `MatrixExponential` is the synthesis for the exact one.
    """
    if isinstance(operation.synthesis, ProductFormula):
        terms = [(p, q, float(angle)) for p, q, angle in operation.synthesis.expand(operation)]
        if all(_PAULIS.issuperset(letters) for letters, _, _ in terms):
            return [g for p, on, angle in terms for g in pauli_rotation(p, [qubits[i] for i in on], angle)]
    return definition_gates(operation.definition, qubits, f"{place}, in {operation.name}")


def _pauli_product_rotation(operation: Any, qubits: tuple[int, ...], _place: str) -> list[Gate]:
    letters = operation.pauli().to_label().lstrip("-")[::-1]  # the sign is in the angle already
    return pauli_rotation(letters, qubits, float(operation.params[0]))


def _annotated(operation: Any, qubits: tuple[int, ...], place: str) -> list[Gate]:
    controls = sum(m.num_ctrl_qubits for m in operation.modifiers if isinstance(m, ControlModifier))
    gates = gates_of(operation.base_op, qubits[controls:], place)
    for modifier in operation.modifiers:  # the first is applied first; later controls stand before earlier ones
        match modifier:
            case InverseModifier():
                gates = inverse(gates)
            case PowerModifier() if float(modifier.power).is_integer():
                power = int(modifier.power)
                gates = (gates if power >= 0 else inverse(gates)) * abs(power)
            case PowerModifier():
                return _fractional_power(operation, qubits, place)
            case ControlModifier():
                state = modifier.ctrl_state
                state = all_ones(modifier.num_ctrl_qubits) if state is None else int(state)
                controls -= modifier.num_ctrl_qubits
                gates = controlled(gates, qubits[controls : controls + modifier.num_ctrl_qubits], state)
    return gates


def _fractional_power(operation: Any, qubits: tuple[int, ...], place: str) -> list[Gate]:
    if len(qubits) > _WIDEST_MATRIX:
        raise BasicAerError(
            f"A power of '{operation.base_op.name}' that is not whole can be taken on up to {_WIDEST_MATRIX} qubits, "
            f"not {len(qubits)} ({place})."
        )
    return [unitary_gate(operation.to_matrix(), qubits, operation.name)]


_SPECIAL: dict[type, Callable[[Any, tuple[int, ...], str], list[Gate]]] = {
    library.UnitaryGate: _unitary,
    library.DiagonalGate: _diagonal,
    library.PermutationGate: _permutation,
    library.PauliGate: _pauli,
    library.PauliEvolutionGate: _pauli_evolution,
    AnnotatedOperation: _annotated,
}
if hasattr(library, "PauliProductRotationGate"):  # since Qiskit 2.4
    _SPECIAL[library.PauliProductRotationGate] = _pauli_product_rotation
