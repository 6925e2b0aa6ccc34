"""What a circuit does, exactly: every outcome of every measurement followed, one path after another.

Naive and slow, and imports nothing of basicaer. Of Qiskit it takes the matrices of single standard gates with numbers
and what a circuit says of itself, but never its binding of parameters: a parameter is looked up where it is read. Bit c
of an outcome is classical bit c.
"""

from __future__ import annotations

import copy
import math
import operator
from collections import defaultdict
from functools import cache, lru_cache, partial
from typing import NamedTuple

import numpy as np
from qiskit.circuit import (
    CASE_DEFAULT,
    AnnotatedOperation,
    ClassicalRegister,
    Clbit,
    ControlledGate,
    ControlModifier,
    Gate,
    Instruction,
    InverseModifier,
    Parameter,
    ParameterExpression,
    library,
)
from qiskit.circuit.classical import expr, types
from qiskit.quantum_info import Operator, Pauli, Statevector

from reference import bit

_IMPOSSIBLE = 1e-12  # a path of less probability is not followed


class Path(NamedTuple):
    """One way through a circuit: ``vector[i]`` is the amplitude of basis state i, in norm 1."""

    probability: float
    vector: np.ndarray
    bits: int
    variables: dict  # by `expr.Var`
    draws: int  # how many measurements and resets were met

    def with_bit(self, number, value):
        return self._replace(bits=self.bits & ~(1 << number) | bool(value) << number)


class TooLongError(Exception):
    """More steps than were allowed."""


def paths(circuit, values=None, most_steps=100_000):
    """Return every path of a circuit whose probability is not next to nothing.

    Parameters
    ----------
    values
        Of its parameters and its input variables, by `Parameter` and `expr.Var`.
    most_steps
        Instructions on all paths together.
    """
    values = values or {}
    start = np.zeros(2**circuit.num_qubits, complex)
    start[0] = 1
    inputs = {key: value for key, value in values.items() if isinstance(key, expr.Var)}
    scope = _Scope(
        {qubit: q for q, qubit in enumerate(circuit.qubits)},
        {bit: c for c, bit in enumerate(circuit.clbits)},
        {key: value for key, value in values.items() if key not in inputs},
    )
    ends = _Walker(most_steps).block(circuit, scope, Path(1.0, start, 0, inputs, 0))
    return [path for _, path in ends]


def outcome_probabilities(circuit, values=None):
    """Return {outcome: probability} of all classical bits at the end."""
    total = defaultdict(float)
    for path in paths(circuit, values):
        total[path.bits] += path.probability
    return dict(total)


class _Scope(NamedTuple):
    """What a circuit's qubits, bits and parameters stand for."""

    qubits: dict
    clbits: dict
    values: dict

    def inside(self, circuit, item, **new):
        """Return what those of a body or definition stand for."""
        return _Scope(
            {inner: self.qubits[outer] for inner, outer in zip(circuit.qubits, item.qubits, strict=True)},
            {inner: self.clbits[outer] for inner, outer in zip(circuit.clbits, item.clbits, strict=True)},
            self.values | new.get("values", {}),
        )


class _Walker:
    """Lists of (None, "break_loop" or "continue_loop", path) are where a piece of a circuit is left."""

    def __init__(self, most_steps):
        self.steps_left = most_steps

    def block(self, circuit, scope, path):
        factor = np.exp(1j * number(circuit.global_phase, scope.values))
        ends = [(None, path._replace(vector=path.vector * factor))]
        for item in circuit.data:
            after = []
            for leaving, here in ends:
                after += [(leaving, here)] if leaving else self.step(item, scope, here)
            ends = after
        return ends

    def step(self, item, scope, path):
        self.steps_left -= 1
        if self.steps_left < 0:
            raise TooLongError
        operation, on = item.operation, tuple([scope.qubits[qubit] for qubit in item.qubits])
        if isinstance(operation, Gate) or not isinstance(operation, Instruction):
            return [(None, path._replace(vector=applied(matrix_of(operation, scope.values), path.vector, on)))]
        if operation.name in {"break_loop", "continue_loop"}:
            return [(operation.name, path)]
        if hasattr(operation, "blocks"):
            return self.control_flow(item, operation, scope, path)
        return [(None, end) for end in self.simple(item, operation, on, scope, path)]

    def simple(self, item, operation, on, scope, path):
        """Return the paths after an instruction that is neither a gate nor control flow."""
        if operation.name == "measure":
            (number_of_bit,) = (scope.clbits[bit] for bit in item.clbits)
            return [end.with_bit(number_of_bit, outcome) for outcome, end in _measured(path, on[0])]
        if operation.name == "reset":
            return _after_reset(path, on)
        if operation.name == "initialize":
            amplitudes = _amplitudes(operation)
            column = np.zeros((len(amplitudes), len(amplitudes)), complex)
            column[:, 0] = amplitudes  # of a matrix that need not be one, since the qubits are |0> now
            return [end._replace(vector=applied(column, end.vector, on)) for end in _after_reset(path, on)]
        if operation.name == "store":
            return [self.stored(operation.lvalue, evaluate(operation.rvalue, scope, path), scope, path)]
        if getattr(operation, "_directive", False) or operation.name == "delay":
            return [path]
        ends = self.block(operation.definition, scope.inside(operation.definition, item), path)
        return [end for _, end in ends]

    def stored(self, goal, value, scope, path):
        if isinstance(goal, expr.Index):
            old, place = evaluate(goal.target, scope, path), evaluate(goal.index, scope, path)
            value = old - bit(old, place) * 2**place + int(value) * 2**place
            goal = goal.target
        if isinstance(goal.var, Clbit):
            return path.with_bit(scope.clbits[goal.var], value)
        if isinstance(goal.var, ClassicalRegister):
            for i, member in enumerate(goal.var):
                path = path.with_bit(scope.clbits[member], bit(value, i))
            return path
        return path._replace(variables={**path.variables, goal: value})

    def control_flow(self, item, operation, scope, path):
        def body(block, path, values=None):
            return self.block(block, scope.inside(block, item, values=values or {}), path)

        match operation.name:
            case "box":
                return body(operation.blocks[0], path)
            case "if_else":
                chosen = 0 if _condition(operation.condition, scope, path) else 1
                return body(operation.blocks[chosen], path) if chosen < len(operation.blocks) else [(None, path)]
            case "switch_case":
                value = _target(operation.target, scope, path)
                for labels, block in operation.cases_specifier():
                    if value in labels or CASE_DEFAULT in labels:
                        return body(block, path)
                return [(None, path)]
            case "while_loop":
                block = operation.blocks[0]
                return self.loop(path, lambda here: _condition(operation.condition, scope, here), partial(body, block))
            case "for_loop":
                return self.for_loop(path, operation.params, body)
        raise NotImplementedError(operation.name)

    def for_loop(self, path, params, body):
        values, variable, block = params
        ends, going = [], [path]
        for value in values:
            bound = {variable: value} if isinstance(variable, Parameter) else {}
            after = []
            for here in going:
                stored = {variable: value} if isinstance(variable, expr.Var) else {}
                after += body(block, here._replace(variables=here.variables | stored), bound)
            ends += [(None, end) for leaving, end in after if leaving == "break_loop"]
            going = [end for leaving, end in after if leaving != "break_loop"]
        return ends + [(None, here) for here in going]

    def loop(self, path, condition, body):
        ends, going = [], [path]
        while going:
            after = []
            for here in going:
                self.steps_left -= 1
                if condition(here):
                    after += body(here)
                else:
                    ends.append((None, here))
            if self.steps_left < 0:
                raise TooLongError
            ends += [(None, end) for leaving, end in after if leaving == "break_loop"]
            going = [end for leaving, end in after if leaving != "break_loop"]
        return ends


# Of states.


@cache
def _places(n, on):
    """Return ``places[i, j]``: the index whose bits on some qubits are those of j, i being that of the other bits."""
    inside = [sum(bit(j, k) << q for k, q in enumerate(on)) for j in range(2 ** len(on))]
    outside = [i for i in range(2**n) if not any(bit(i, q) for q in on)]
    return np.array([[i + j for j in inside] for i in outside])


def applied(matrix, vectors, on):
    """Apply a matrix whose row bit j is qubit ``on[j]`` to a vector, or to each column of a matrix."""
    places = _places(len(vectors).bit_length() - 1, on)
    result = np.empty_like(vectors)
    if vectors.ndim == 1:
        result[places] = vectors[places] @ matrix.T
    else:
        result[places] = matrix @ vectors[places]
    return result


def _measured(path, qubit):
    """Yield each outcome of a measurement that can be, and the path on which it was seen."""
    for outcome in (0, 1):
        kept = np.zeros_like(path.vector)
        places = _places(len(path.vector).bit_length() - 1, (qubit,))[:, outcome]
        kept[places] = path.vector[places]
        chance = np.linalg.norm(kept) ** 2
        if (probability := path.probability * chance) >= _IMPOSSIBLE:
            yield outcome, path._replace(probability=probability, vector=kept / math.sqrt(chance), draws=path.draws + 1)


def _after_reset(path, on):
    ends = [path]
    for qubit in on:
        measured = [pair for end in ends for pair in _measured(end, qubit)]
        flip = np.array([[0, 1], [1, 0]])
        ends = [end._replace(vector=applied(flip, end.vector, (qubit,))) if one else end for one, end in measured]
    return ends


def _amplitudes(operation):
    first = operation.params[0]
    if isinstance(first, str):
        return Statevector.from_label("".join(operation.params)).data
    if len(operation.params) == 2**operation.num_qubits:
        return np.array(operation.params, complex)
    return np.eye(2**operation.num_qubits)[int(np.real(first))]


# Of gates.


def number(param, values):
    """Return the value of a gate's parameter."""
    if not isinstance(param, ParameterExpression):
        return param
    return float(param.bind({parameter: values[parameter] for parameter in param.parameters}).numeric())


def matrix_of(operation, values):
    """Return the matrix of a gate, bit j of a row being its qubit j."""
    kind = getattr(operation, "base_class", type(operation))
    if isinstance(operation, AnnotatedOperation):
        return _modified(matrix_of(operation.base_op, values), operation.modifiers)
    if isinstance(operation, ControlledGate) and kind is not library.CUGate:
        return _controlled(matrix_of(operation.base_gate, values), operation.num_ctrl_qubits, operation.ctrl_state)
    if kind is library.UnitaryGate:
        return operation.params[0]
    if kind is library.PauliEvolutionGate:
        return _evolution(operation.operator, number(operation.time, values))
    params = [number(param, values) for param in operation.params]
    if kind.__module__.startswith("qiskit.circuit.library.standard_gates"):
        return _standard(kind, tuple(params), getattr(operation, "ctrl_state", None))
    varies = any(isinstance(param, ParameterExpression) for param in operation.params)
    if varies and (kind._define is not Instruction._define or operation.definition is None):  # it is made of numbers
        operation = copy.copy(operation)
        operation.params, operation._definition = params, None
    return _of_definition(operation, values)


@lru_cache(maxsize=10_000)
def _standard(kind, params, ctrl_state):
    gate = kind(*params) if ctrl_state is None else kind(*params, ctrl_state=ctrl_state)
    return Operator(gate).data


def _of_definition(gate, values):
    """Return the matrix of a gate by its definition or, if it has none, as itself says."""
    definition = gate.definition
    if definition is None:
        return np.asarray(gate.to_matrix(), complex)
    places = {qubit: q for q, qubit in enumerate(definition.qubits)}
    matrix = np.eye(2**gate.num_qubits) * np.exp(1j * number(definition.global_phase, values))
    for item in definition.data:
        if not getattr(item.operation, "_directive", False):
            matrix = applied(matrix_of(item.operation, values), matrix, tuple([places[qubit] for qubit in item.qubits]))
    return matrix


def _controlled(matrix, controls, state):
    size = 2**controls * len(matrix)
    whole = np.eye(size, dtype=complex)
    on = np.arange(len(matrix)) * 2**controls + (2**controls - 1 if state is None else state)
    whole[np.ix_(on, on)] = matrix
    return whole


def _modified(matrix, modifiers):
    for modifier in modifiers:
        if isinstance(modifier, InverseModifier):
            matrix = matrix.conj().T
        elif isinstance(modifier, ControlModifier):
            matrix = _controlled(matrix, modifier.num_ctrl_qubits, modifier.ctrl_state)
        else:
            matrix = np.linalg.matrix_power(matrix, modifier.power)
    return matrix


def _evolution(paulis, time):
    """Return exp(-i t H) where the Paulis of H commute."""
    matrix = np.eye(2**paulis.num_qubits)
    for label, factor in paulis.to_list():
        angle = time * factor.real
        matrix = matrix @ (math.cos(angle) * np.eye(len(matrix)) - 1j * math.sin(angle) * Pauli(label).to_matrix())
    return matrix


# Of classical expressions.


def _condition(condition, scope, path):
    if isinstance(condition, tuple):
        return _target(condition[0], scope, path) == condition[1]
    return evaluate(condition, scope, path)


def _target(target, scope, path):
    if isinstance(target, Clbit):
        return bit(path.bits, scope.clbits[target])
    if isinstance(target, ClassicalRegister):
        return sum(bit(path.bits, scope.clbits[member]) * 2**i for i, member in enumerate(target))
    return evaluate(target, scope, path)


_BINARY = {
    "BIT_AND": operator.and_,
    "BIT_OR": operator.or_,
    "BIT_XOR": operator.xor,
    "LOGIC_AND": lambda a, b: bool(a and b),
    "LOGIC_OR": lambda a, b: bool(a or b),
    "EQUAL": operator.eq,
    "NOT_EQUAL": operator.ne,
    "LESS": operator.lt,
    "LESS_EQUAL": operator.le,
    "GREATER": operator.gt,
    "GREATER_EQUAL": operator.ge,
    "SHIFT_LEFT": lambda a, b: a * 2**b,
    "SHIFT_RIGHT": lambda a, b: a // 2**b,
    "ADD": operator.add,
    "SUB": operator.sub,
    "MUL": operator.mul,
}


def evaluate(node, scope=None, path=None):
    """Return the value of an expression; what it does not read may be left out."""
    match node:
        case expr.Value():
            return node.value
        case expr.Var():
            of_circuit = isinstance(node.var, Clbit | ClassicalRegister)
            return _target(node.var, scope, path) if of_circuit else path.variables[node]
        case expr.Index():
            return bool(bit(evaluate(node.target, scope, path), evaluate(node.index, scope, path)))
        case expr.Cast():
            value = evaluate(node.operand, scope, path)
            if node.type.kind is types.Uint:
                return int(value) % 2**node.type.width
            return bool(value) if node.type.kind is types.Bool else float(value)
        case expr.Unary():
            value = evaluate(node.operand, scope, path)
            if node.op.name == "NEGATE":
                return -value
            return not value if node.type.kind is types.Bool else 2**node.type.width - 1 - value
    left, right = evaluate(node.left, scope, path), evaluate(node.right, scope, path)
    is_uint = node.type.kind is types.Uint
    if node.op.name == "DIV":
        return left // right if is_uint else left / right
    value = _BINARY[node.op.name](left, right)
    return value % 2**node.type.width if is_uint else value
