"""Unitary operations of Qiskit -> gates: the table first, then what an operation says it is made of.

The order: the gate table; operations with a form of their own (unitaries, diagonals, permutations, Pauli strings);
controlled and annotated operations by their base; operations without a definition by Qiskit's high-level synthesis;
definitions, recursively; matrices of up to six qubits; else an error that names the operation and its place. Parameters
are looked up in `Values` where a gate's numbers are read.
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

from basicaer.compile.gates import BY_CLASS, BY_NAME, GateRecord
from basicaer.compile.modifiers import controlled, inverse, permuted, power, unitary_gate
from basicaer.compile.paulis import pauli_rotation, pauli_rotation_parts, pauli_string, table_gate
from basicaer.compile.values import Varies, Varying
from basicaer.engine.bits import all_ones
from basicaer.engine.classical import Apply, Constant
from basicaer.engine.program import Form, Formula, Gate
from basicaer.errors import BasicAerError, at_border

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from basicaer.compile.values import Values

__all__ = [
    "definition_of",
    "gates_of",
    "is_unitary",
    "phase_gates",
    "record_gates",
    "table_gates",
    "unitary_gate",
    "with_numbers",
]

_WIDEST_MATRIX = 6
_EXACTLY_TO = 2**8  # rows of a matrix that is multiplied by its own adjoint to see whether it is unitary
_VECTORS = 16
_UNITARY_TO = 1.1e-5  # Qiskit takes a matrix whose columns have a squared norm of 1 to 1e-5
_PAULIS = frozenset("IXYZ")
_NOTHING = frozenset({"id", "u0"})  # gates that do nothing, not even a phase
_NOISE = frozenset({"kraus", "superop", "quantum_channel", "roerror", "roerror_vector"})


def record_gates(
    record: GateRecord, qubits: tuple[int, ...], parameters: Sequence[float | Varying], state: int | None
) -> list[Gate]:
    """Return a gate of the table on some qubits, its controls first; `state` None is all controls on."""
    if record.name in _NOTHING:
        return []
    count = len(qubits) - len(record.kinds) if record.controls is None else record.controls
    formula = None
    if any(isinstance(p, Varying) for p in parameters):
        varying = [p if isinstance(p, Varying) else Varying(p, Constant(p)) for p in parameters]
        formula = Formula(record.name, tuple(p.expression for p in varying))
        parameters = [p.first for p in varying]
    data = record.data(parameters)  # type: ignore[arg-type]  # numbers by now
    if not count:
        return [Gate(record.name, record.kinds, qubits, record.form, data, formula=formula)]
    state = all_ones(count) if state is None else state
    return [Gate(record.name, record.kinds, qubits[count:], record.form, data, qubits[:count], state, formula)]


def table_gates(
    record: GateRecord,
    qubits: tuple[int, ...],
    params: Sequence[Any],
    values: Values,
    place: str,
    *,
    state: int | None = None,
) -> list[Gate]:
    """Return a gate of the table with the parameters that an instruction has."""
    return record_gates(record, qubits, [values.read(p, place) for p in params], state)


def gates_of(operation: Any, qubits: tuple[int, ...], place: str, values: Values) -> list[Gate]:
    """Return the gates that carry out a unitary operation.

    Parameters
    ----------
    operation
        Any `qiskit.circuit.Operation` that is unitary; it stays as it is.
    qubits
        The state qubits that it acts on, in its own order.
    place
        Where it stands, for messages.
    values
        What its parameters stand for.

    Raises
    ------
    BasicAerError
        If it cannot be broken down, or is not unitary.
    Varies
        If it can be only with numbers for parameters that vary in a for loop.
    """
    values.poll()
    kind = getattr(operation, "base_class", type(operation))
    record = BY_CLASS.get(kind)
    if record is not None:
        state = getattr(operation, "ctrl_state", None)
        return table_gates(record, qubits, operation.params, values, f"{place}, in {operation.name}", state=state)
    special = _SPECIAL.get(kind)
    if special is not None:
        return special(operation, qubits, place, values)
    if isinstance(operation, ControlledGate):
        count, base = operation.num_ctrl_qubits, operation.base_gate
        on = qubits[count:]
        # A gate with ancillas (an MCX chain) is more than its base under control: that one goes by its definition.
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
        return definition_gates(definition, qubits, f"{place}, in {operation.name}", values)
    matrix = _matrix(operation) if len(qubits) <= _WIDEST_MATRIX else None
    if matrix is None:
        raise unknown(operation, place)
    return [unitary_gate(matrix, qubits, operation.name)]


def with_numbers(operation: Any, values: Values, place: str) -> Any:
    """Return an operation whose parameters are numbers: itself, or a copy.

    A definition that a gate was given keeps its parameters; one that its class makes is made of the numbers.
    """
    if not any(isinstance(param, ParameterExpression) for param in operation.params):
        return operation
    try:
        numbers = [
            values.number(param, f"{place}, in {operation.name}") if isinstance(param, ParameterExpression) else param
            for param in operation.params
        ]
    except Varies:
        if _has_definition(operation):  # whose own parameters may vary
            return operation
        raise
    copied = copy.copy(operation)
    if isinstance(copied, ControlledGate):  # whose parameters are its base's
        copied.base_gate = copy.copy(copied.base_gate)
    copied.params = numbers
    return copied


def definition_of(operation: Any, place: str) -> Any:
    """Return what an operation is made of, None if nothing; its class may make that just now."""
    with at_border(lambda why: BasicAerError(f"What '{operation.name}' ({place}) is made of cannot be read: {why}.")):
        return operation.definition


def _has_definition(operation: Any) -> bool:
    """Tell whether a gate carries its definition, as one that was made of a circuit does, or its class makes it."""
    return getattr(operation, "_definition", None) is not None


def _base_gates(base: Any, qubits: tuple[int, ...], place: str, values: Values) -> list[Gate]:
    if isinstance(base, library.UGate) and len(base.params) == 4:  # what a CU under more controls calls its base
        *angles, phase = (values.read(param, f"{place}, in {base.name}") for param in base.params)
        return [
            *record_gates(BY_NAME["global_phase"], (), [phase], None),
            *record_gates(BY_CLASS[library.UGate], qubits, angles, None),
        ]
    return gates_of(base, qubits, place, values)


def unknown(operation: Any, place: str) -> BasicAerError:
    """Return the error for an operation that nothing here knows."""
    if operation.name in _NOISE:
        return BasicAerError(
            f"'{operation.name}' ({place}) is noise, which is not simulated; remove it, or use a simulator of noise."
        )
    qubits = f"{operation.num_qubits} qubit{'' if operation.num_qubits == 1 else 's'}"
    return BasicAerError(
        f"Unknown instruction '{operation.name}' on {qubits} ({place}): it is not a supported gate and has neither a "
        f"definition nor a unitary matrix of up to {_WIDEST_MATRIX} qubits; decompose it, or use a UnitaryGate."
    )


def definition_gates(definition: Any, qubits: tuple[int, ...], place: str, values: Values) -> list[Gate]:
    """Return the gates of a circuit that has nothing but unitary operations."""
    number = {bit: qubits[i] for i, bit in enumerate(definition.qubits)}
    gates = phase_gates(definition.global_phase, place, values)
    for item in definition.data:
        if item.name != "barrier":
            gates += gates_of(item.operation, tuple(number[bit] for bit in item.qubits), place, values)
    return gates


def phase_gates(angle: Any, place: str, values: Values) -> list[Gate]:
    """Return a circuit's global phase as a gate, if it has any."""
    if not isinstance(angle, ParameterExpression) and not angle:
        return []
    return table_gates(BY_NAME["global_phase"], (), [angle], values, f"global phase of {place}")


def _matrix(operation: Any) -> Any:
    try:
        matrix = np.asarray(operation.to_matrix(), complex)
    except (AttributeError, QiskitError, TypeError, ValueError):  # it has none, or a user's own class makes none
        return None
    return matrix if is_unitary(matrix, operation.num_qubits) else None


def is_unitary(matrix: Any, n_qubits: int) -> bool:
    """Tell whether this is a unitary matrix of so many qubits, as nearly as Qiskit wants it."""
    size = 2**n_qubits
    if matrix.shape != (size, size):
        return False
    # The squared Frobenius norm of M*M less the identity, without making that: it is checked for each gate.
    if size <= _EXACTLY_TO:
        product = matrix.conj().T.dot(matrix)
        deviation = np.vdot(product, product).real - 2 * np.vdot(matrix, matrix).real + size
    else:  # an estimate by random vectors (Hutchinson 1990), which reads the matrix but does not multiply it by itself
        vectors = np.random.default_rng(0).normal(size=(size, _VECTORS))
        off = matrix.T.dot(matrix.dot(vectors).conj()) - vectors
        deviation = np.vdot(off, off).real / _VECTORS
    return bool(deviation < size * _UNITARY_TO**2)  # and False where an entry is not finite


def _synthesised(operation: Any, qubits: tuple[int, ...], place: str, values: Values) -> list[Gate]:
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
    return definition_gates(circuit, qubits, f"{place}, in {operation.name}", values)


def _unitary(operation: Any, qubits: tuple[int, ...], place: str, _values: Values) -> list[Gate]:
    matrix = operation.params[0]
    if not is_unitary(matrix, len(qubits)):
        raise BasicAerError(f"The matrix of 'unitary' ({place}) is not unitary; its columns must be orthonormal.")
    return [unitary_gate(matrix, qubits)]


def _diagonal(operation: Any, qubits: tuple[int, ...], place: str, _values: Values) -> list[Gate]:
    factors = np.array(operation.params, complex)
    if not np.allclose(abs(factors), 1, rtol=0, atol=_UNITARY_TO):
        raise BasicAerError(f"The entries of 'diagonal' ({place}) must be numbers of modulus 1.")
    return [Gate("diagonal", "Z" * len(qubits), qubits, Form.DIAGONAL, factors)]


def _permutation(operation: Any, qubits: tuple[int, ...], _place: str, _values: Values) -> list[Gate]:
    return permuted([int(i) for i in operation.pattern], qubits, table_gate("swap", (0, 1)))


def _pauli(operation: Any, qubits: tuple[int, ...], _place: str, _values: Values) -> list[Gate]:
    return pauli_string(operation.params[0][::-1], qubits)  # a label is written highest qubit first


def _pauli_evolution(operation: Any, qubits: tuple[int, ...], place: str, values: Values) -> list[Gate]:
    """Return the product formula that the gate carries, term by term.

    It is the gate's synthesis that says what is run, as in `transpile`; for a sum of terms that do not commute that is
    an approximation of the exponential, and `MatrixExponential` is the synthesis for the exact one.
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
            return [g for p, on, angle in terms for g in _rotation(p, [qubits[i] for i in on], angle)]
    return definition_gates(definition_of(operation, place), qubits, inside, values)


def _pauli_product_rotation(operation: Any, qubits: tuple[int, ...], place: str, values: Values) -> list[Gate]:
    letters = operation.pauli().to_label().lstrip("-")[::-1]  # the sign is in the angle already
    return _rotation(letters, qubits, values.read(operation.params[0], f"{place}, in {operation.name}"))


def _rotation(letters: str, qubits: Sequence[int], angle: float | Varying) -> list[Gate]:
    """Return a Pauli rotation; of one that varies, the gate that carries the angle is one of the table."""
    if not isinstance(angle, Varying):
        return pauli_rotation(letters, qubits, angle)
    before, (name, on, factor), after = pauli_rotation_parts(letters, qubits)
    turned = Varying(factor * angle.first, Apply("mul", (Constant(factor), angle.expression)))
    return [*before, *record_gates(BY_NAME[name], on, [turned], None), *after]


def _annotated(operation: Any, qubits: tuple[int, ...], place: str, values: Values) -> list[Gate]:
    controls = sum(m.num_ctrl_qubits for m in operation.modifiers if isinstance(m, ControlModifier))
    base, on = operation.base_op, qubits[controls:]
    gates = gates_of(base, on, place, values)
    for modifier in operation.modifiers:  # the first is applied first; later controls stand before earlier ones
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
