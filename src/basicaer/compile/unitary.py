"""Breaks unitary operations of Qiskit down into gates.

The following are tried in this order: the gate table; operations with a form of their own (unitaries, diagonals,
permutations, Pauli strings); controlled and annotated operations by their base; operations without a definition by
Qiskit's high-level synthesis; definitions, recursively; matrices of up to six qubits. If none applies, an error names
the operation and its place. Parameters are looked up in `Values` when a gate's numbers are made.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.circuit import (
    AnnotatedOperation,
    ControlledGate,
    ControlModifier,
    Instruction,
    InverseModifier,
    ParameterExpression,
    PowerModifier,
    library,
)
from qiskit.exceptions import QiskitError
from qiskit.synthesis import ProductFormula

from basicaer.compile.gates import BY_CLASS, BY_NAME
from basicaer.compile.matrices import UNITARY_TO, is_unitary, matrix_of
from basicaer.compile.modifiers import controlled, permuted, power, unitary_gate
from basicaer.compile.noise import NOISE_INSTRUCTIONS
from basicaer.compile.paulis import pauli_rotation, pauli_string
from basicaer.compile.table_gates import phase_gates, record_gates, table_gate, table_gates
from basicaer.compile.values import Varies
from basicaer.engine.bits import all_ones
from basicaer.engine.program import Form, Gate
from basicaer.engine.unitaries import inverse
from basicaer.errors import BasicAerError, at_border

if TYPE_CHECKING:
    from collections.abc import Callable

    from qiskit import QuantumCircuit

    from basicaer.compile.values import Values

__all__ = ["definition_of", "gates_of", "with_numbers"]

_WIDEST_MATRIX = 6
_PAULIS = frozenset("IXYZ")


def gates_of(operation: Any, qubits: tuple[int, ...], place: str, values: Values) -> list[Gate]:
    """Return the gates that carry out a unitary operation.

    Parameters
    ----------
    operation
        Any `qiskit.circuit.Operation` that is unitary; it is not changed.
    qubits
        The state qubits on which it acts, in its own order.
    place
        The place where it stands, for messages.
    values
        The values of its parameters.

    Raises
    ------
    BasicAerError
        If it is not unitary, or nothing says which gates it is made of.
    Varies
        If its gates cannot be told without a number for a parameter that varies in a for loop.
    """
    values.poll()
    kind = getattr(operation, "base_class", type(operation))
    record = BY_CLASS.get(kind)
    if record is not None:
        state = getattr(operation, "ctrl_state", None)
        inside = f"{place}, in {operation.name}"
        return table_gates(record, qubits, operation.params, values, inside, control_state=state)
    special = _SPECIAL.get(kind)
    if special is not None:
        return special(operation, qubits, place, values)
    if isinstance(operation, ControlledGate):
        count, base = operation.num_ctrl_qubits, operation.base_gate
        on = qubits[count:]
        # A gate with ancillas (an MCX chain) is more than its base under control, so its definition is taken.
        if base.num_qubits == len(on):
            return controlled(_base_gates(base, on, place, values), qubits[:count], operation.ctrl_state)
        if isinstance(operation, library.MCMTGate):
            gates = [gate for q in on for gate in gates_of(base, (q,), place, values)]
            return controlled(gates, qubits[:count], operation.ctrl_state)
    if not isinstance(operation, Instruction):
        return _synthesised(operation, qubits, place, values)
    operation = with_numbers(operation, values, place)
    definition = definition_of(operation, place)
    if definition is not None:
        return _definition_gates(definition, qubits, f"{place}, in {operation.name}", values)
    matrix = matrix_of(operation) if len(qubits) <= _WIDEST_MATRIX else None
    if matrix is None:
        raise _unknown(operation, place)
    return [unitary_gate(matrix, qubits, operation.name)]


def inner_circuit(operation: Any, place: str, values: Values) -> QuantumCircuit | None:
    """Return the circuit that a gate stands for; None if `gates_of` carries it out as a whole."""
    kind = getattr(operation, "base_class", type(operation))
    if kind in BY_CLASS or kind in _SPECIAL or isinstance(operation, ControlledGate):
        return None
    return definition_of(with_numbers(operation, values, place), place)


def with_numbers(operation: Any, values: Values, place: str) -> Any:
    """Return an operation whose parameters are numbers: the operation itself, or a copy.

    A definition that a gate was given keeps its parameters; one that its class makes is made from the numbers.
    """
    if not any(isinstance(param, ParameterExpression) for param in operation.params):
        return operation
    try:
        numbers = [
            values.number(param, f"{place}, in {operation.name}") if isinstance(param, ParameterExpression) else param
            for param in operation.params
        ]
    except Varies:
        if _has_definition(operation):  # the parameters may vary in the definition
            return operation
        raise
    copied = copy.copy(operation)
    if isinstance(copied, ControlledGate):  # its parameters are those of its base
        copied.base_gate = copy.copy(copied.base_gate)
    copied.params = numbers
    return copied


def definition_of(operation: Any, place: str) -> Any:
    """Return the definition of an operation, or None. Its class may make it in this moment, and fail."""
    with at_border(lambda why: BasicAerError(f"What '{operation.name}' ({place}) is made of cannot be read: {why}.")):
        return operation.definition


def _has_definition(operation: Any) -> bool:
    """Tell whether a gate has a definition already, as one that was made from a circuit does."""
    return getattr(operation, "_definition", None) is not None


def _base_gates(base: Any, qubits: tuple[int, ...], place: str, values: Values) -> list[Gate]:
    if isinstance(base, library.UGate) and len(base.params) == 4:  # the base of a CU gate under further controls
        *angles, phase = (values.read(param, f"{place}, in {base.name}") for param in base.params)
        return [
            *record_gates(BY_NAME["global_phase"], (), [phase]),
            *record_gates(BY_CLASS[library.UGate], qubits, angles),
        ]
    return gates_of(base, qubits, place, values)


def _unknown(operation: Any, place: str) -> BasicAerError:
    """Return the error for an operation of which no gates are known."""
    if operation.name in NOISE_INSTRUCTIONS or operation.name == "roerror_vector":
        return BasicAerError(
            f"'{operation.name}' ({place}) is noise, which cannot be part of a gate; put it into the circuit itself."
        )
    qubits = f"{operation.num_qubits} qubit{'' if operation.num_qubits == 1 else 's'}"
    return BasicAerError(
        f"Unknown instruction '{operation.name}' on {qubits} ({place}): it is not a supported gate and has neither a "
        f"definition nor a unitary matrix of up to {_WIDEST_MATRIX} qubits; decompose it, or use a UnitaryGate."
    )


def _definition_gates(definition: Any, qubits: tuple[int, ...], place: str, values: Values) -> list[Gate]:
    """Return the gates of a circuit that consists of unitary operations."""
    number = {bit: qubits[i] for i, bit in enumerate(definition.qubits)}
    gates = phase_gates(definition.global_phase, place, values)
    for item in definition.data:
        if item.name != "barrier":
            gates += gates_of(item.operation, tuple(number[bit] for bit in item.qubits), place, values)
    return gates


def _synthesised(operation: Any, qubits: tuple[int, ...], place: str, values: Values) -> list[Gate]:
    """Return the gates that Qiskit's high-level synthesis makes of an operation."""
    from qiskit import QuantumCircuit
    from qiskit.transpiler.exceptions import TranspilerError
    from qiskit.transpiler.passes import HighLevelSynthesis

    circuit = QuantumCircuit(operation.num_qubits)
    circuit.append(operation, range(operation.num_qubits))
    try:
        circuit = HighLevelSynthesis()(circuit)
    except (TranspilerError, QiskitError) as error:
        raise _unknown(operation, place) from error
    if any(item.operation is operation or item.name == operation.name for item in circuit.data):
        raise _unknown(operation, place)
    return _definition_gates(circuit, qubits, f"{place}, in {operation.name}", values)


# Operations with a form of their own.


def _unitary(operation: Any, qubits: tuple[int, ...], place: str, _values: Values) -> list[Gate]:
    matrix = operation.params[0]
    if not is_unitary(matrix, len(qubits)):
        raise BasicAerError(f"The matrix of 'unitary' ({place}) is not unitary; its columns must be orthonormal.")
    return [unitary_gate(matrix, qubits)]


def _diagonal(operation: Any, qubits: tuple[int, ...], place: str, _values: Values) -> list[Gate]:
    factors = np.array(operation.params, complex)
    if not np.allclose(abs(factors), 1, rtol=0, atol=UNITARY_TO):
        raise BasicAerError(f"The entries of 'diagonal' ({place}) must be numbers of modulus 1.")
    return [Gate("diagonal", "Z" * len(qubits), qubits, Form.DIAGONAL, factors)]


def _permutation(operation: Any, qubits: tuple[int, ...], _place: str, _values: Values) -> list[Gate]:
    return permuted([int(i) for i in operation.pattern], qubits, table_gate("swap", (0, 1)))


def _pauli(operation: Any, qubits: tuple[int, ...], _place: str, _values: Values) -> list[Gate]:
    return pauli_string(operation.params[0][::-1], qubits)  # a label is written highest qubit first


def _pauli_evolution(operation: Any, qubits: tuple[int, ...], place: str, values: Values) -> list[Gate]:
    """Return the product formula that the gate carries, term by term.

    The gate's synthesis says what is run, as in `transpile`. For a sum of terms that do not commute this is an
    approximation of the exponential; the synthesis `MatrixExponential` is exact.
    """
    inside = f"{place}, in {operation.name}"
    is_formula = isinstance(operation.synthesis, ProductFormula)
    try:
        operation = with_numbers(operation, values, place)
    except Varies:
        if not is_formula:
            raise
    if is_formula:
        terms = [(p, q, values.read(angle, inside)) for p, q, angle in operation.synthesis.expand(operation)]
        if all(_PAULIS.issuperset(letters) for letters, _, _ in terms):
            return [g for p, on, angle in terms for g in pauli_rotation(p, [qubits[i] for i in on], angle)]
    return _definition_gates(definition_of(operation, place), qubits, inside, values)


def _pauli_product_rotation(operation: Any, qubits: tuple[int, ...], place: str, values: Values) -> list[Gate]:
    letters = operation.pauli().to_label().lstrip("-")[::-1]  # the angle has the sign already
    return pauli_rotation(letters, qubits, values.read(operation.params[0], f"{place}, in {operation.name}"))


def _annotated(operation: Any, qubits: tuple[int, ...], place: str, values: Values) -> list[Gate]:
    controls = sum(m.num_ctrl_qubits for m in operation.modifiers if isinstance(m, ControlModifier))
    base, on = operation.base_op, qubits[controls:]
    gates = gates_of(base, on, place, values)
    for modifier in operation.modifiers:  # the first is applied first; the qubits of later controls come first
        match modifier:
            case InverseModifier():
                gates = inverse(gates)
            case PowerModifier():
                gates = power(gates, modifier.power, on, f"'{base.name}' ({place})", values.poll)
            case ControlModifier():
                state = modifier.ctrl_state
                state = all_ones(modifier.num_ctrl_qubits) if state is None else int(state)
                controls -= modifier.num_ctrl_qubits
                gates = controlled(gates, qubits[controls : controls + modifier.num_ctrl_qubits], state)
                on = qubits[controls:]
    return gates


_SPECIAL: dict[type, Callable[[Any, tuple[int, ...], str, Values], list[Gate]]] = {
    library.UnitaryGate: _unitary,
    library.DiagonalGate: _diagonal,
    library.PermutationGate: _permutation,
    library.PauliGate: _pauli,
    library.PauliEvolutionGate: _pauli_evolution,
    AnnotatedOperation: _annotated,
}
if hasattr(library, "PauliProductRotationGate"):  # since Qiskit 2.4
    _SPECIAL[library.PauliProductRotationGate] = _pauli_product_rotation
