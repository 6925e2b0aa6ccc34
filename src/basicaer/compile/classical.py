"""Lowers Qiskit's classical expressions and conditions to those of `basicaer.engine.classical`."""

from __future__ import annotations

from fractions import Fraction
from math import isfinite
from typing import TYPE_CHECKING, Any

from qiskit.circuit import ClassicalRegister, Clbit
from qiskit.circuit.classical import expr, types

from basicaer.engine.classical import Apply, Bits, Constant, Expression, Variable
from basicaer.errors import BasicAerError, shown
from basicaer.wording import counted

if TYPE_CHECKING:
    from basicaer.compile.scope import Scope

__all__ = ["lower_condition", "lower_expression", "lower_index", "lower_target"]

_DECIMAL_PLACES = {"s": 0, "ms": 3, "us": 6, "ns": 9, "ps": 12}  # how many places each unit is below the second


def lower_condition(condition: Any, scope: Scope) -> Expression:
    """Lower a condition: an expression, or a bit or register together with the value that it must have."""
    if isinstance(condition, tuple):
        target, value = condition
        wanted = bool(value) if isinstance(target, Clbit) else int(value)
        return Apply("equal", (lower_target(target, scope), Constant(wanted)))
    return lower_expression(condition, scope)


def lower_target(target: Any, scope: Scope) -> Expression:
    """Lower the target of a switch or a store: a bit, a register or an expression."""
    if isinstance(target, Clbit):
        return Bits((_bit(target, scope),), single=True)
    if isinstance(target, ClassicalRegister):
        return Bits(tuple(_bit(bit, scope) for bit in target))
    return lower_expression(target, scope)


def lower_expression(node: Any, scope: Scope) -> Expression:
    """Lower one expression.

    Raises
    ------
    BasicAerError
        For a stretch and a duration in ``dt``, which have no length on a simulator, and for an unknown kind of node.
    """
    match node:
        case expr.Value():
            return Constant(_value(node, scope))
        case expr.Var():
            if isinstance(node.var, Clbit | ClassicalRegister):
                return lower_target(node.var, scope)
            return Variable(scope.slot(node), node.name or "")
        case expr.Cast():
            operand = lower_expression(node.operand, scope)
            return Apply(_cast(node.type, scope), (operand,), _width(node.type))
        case expr.Unary() | expr.Binary():
            nodes = (node.operand,) if isinstance(node, expr.Unary) else (node.left, node.right)
            operands = tuple(lower_expression(operand, scope) for operand in nodes)
            name, width = node.op.name.lower(), _width(node.type)
            if name == "bit_not" and node.type.kind is types.Bool:
                name = "logic_not"
            if name == "shift_left":
                operands = (*operands, Constant(width or 0))
            return Apply(name, operands, width)
        case expr.Index():
            return Apply("index", lower_index(node, scope))
        case _:
            raise BasicAerError(
                f"A {type(node).__name__.lower()} cannot be evaluated ({scope.place}): "
                "a simulator has no schedule that would give it a length."
            )


def lower_index(node: Any, scope: Scope) -> tuple[Expression, Expression]:
    """Lower the target and the position of an index. A position that is computed is checked when the program runs.

    Raises
    ------
    BasicAerError
        If a constant position is beyond the width.
    """
    width, position = node.target.type.width, lower_expression(node.index, scope)
    if not isinstance(position, Constant):
        position = Apply("position", (position, Constant(width)))
    elif int(position.value) >= width:
        raise BasicAerError(
            f"An expression takes bit {shown(position.value)} of {counted(width, 'bit')}, numbered from 0 "
            f"({scope.place})."
        )
    return lower_expression(node.target, scope), position


def _bit(bit: Any, scope: Scope) -> int:
    if bit not in scope.bits:
        raise BasicAerError(f"A condition reads a classical bit that is not in its circuit ({scope.place}).")
    return scope.bits[bit]


def _width(type_: Any) -> int | None:
    return type_.width if type_.kind is types.Uint else None


def _cast(type_: Any, scope: Scope) -> str:
    names = {types.Bool: "to_bool", types.Uint: "to_uint", types.Float: "to_float"}
    if type_.kind not in names:
        raise BasicAerError(f"There is no cast to {type_} ({scope.place}).")
    return names[type_.kind]


def _value(node: Any, scope: Scope) -> Any:
    if node.type.kind is not types.Duration:
        return node.value
    unit = node.value.unit()
    if unit not in _DECIMAL_PLACES:
        raise BasicAerError(f"A duration in '{unit}' has no length on a simulator ({scope.place}); give it in seconds.")
    if not isfinite(node.value.value()):
        raise BasicAerError(f"A duration of {node.value.value()} {unit} is not a length of time ({scope.place}).")
    return Fraction(node.value.value()) / 10 ** _DECIMAL_PLACES[unit]
