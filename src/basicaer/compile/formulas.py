"""Expressions of parameters as functions of arrays: their values in many sets at once.

Qiskit evaluates an expression for one set of values at a time, in some 10 microseconds. Here the text that it shows of
an expression is read, since its public interface has no other form of it. Names of parameters may contain anything, and
different versions write functions differently, so the values are compared with Qiskit's own at several points.
"""

from __future__ import annotations

import ast
import operator
import re
from math import isclose
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["formula_of"]

_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "abs": np.abs,
    "Abs": np.abs,
    "acos": np.arccos,
    "asin": np.arcsin,
    "atan": np.arctan,
    "conj": np.asarray,  # a real number is its own conjugate
    "conjugate": np.asarray,
    "cos": np.cos,
    "exp": np.exp,
    "log": np.log,
    "sign": np.sign,
    "sin": np.sin,
    "tan": np.tan,
}
_OPERATIONS: Mapping[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


class _Step(NamedTuple):
    """A step of an expression in postfix notation: the number of a parameter or a constant, or else a function."""

    what: int | np.float64 | None
    function: Callable[..., Any] | None
    arguments: int


_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_SAME = 1e-12
_ENOUGH = 3  # points at which the values must agree


def formula_of(
    text: str, names: Sequence[str], points: Sequence[Sequence[float]], value_at: Callable[[Sequence[float]], float]
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]] | None:
    """Return a function of ``values[i, j]``, the value of parameter j in set i, which returns an expression's values.

    All values are NaN if the expression has none in some set, or if only complex numbers or infinity lead to one.

    Parameters
    ----------
    text
        The expression as Qiskit shows it.
    names
        The names of its parameters.
    points
        Values of the parameters at which the function is compared with the expression.
    value_at
        Returns the expression's value at such a point; NaN if it has none.

    Returns
    -------
    callable or None
        None if the text cannot be read, or the values are not the same at all points, or there are too few points at
        which both have any.
    """
    try:
        steps = _postfix(ast.parse(_as_python(text, names), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None

    def formula(values: NDArray[np.float64]) -> NDArray[np.float64]:
        try:
            with np.errstate(all="raise", under="ignore"):
                found = _evaluated(steps, values)
        except FloatingPointError:  # on the way to some value, which may nevertheless be finite
            return np.full(len(values), np.nan)
        return np.broadcast_to(np.asarray(found, float), len(values))

    agreeing = 0
    for point in points:
        (own,), theirs = formula(np.array([point], float)).tolist(), value_at(point)
        if np.isfinite(own) and np.isfinite(theirs):
            if not isclose(own, theirs, rel_tol=_SAME, abs_tol=_SAME):
                return None
            agreeing += 1
    return formula if agreeing >= min(_ENOUGH, len(points)) else None


def _as_python(text: str, names: Sequence[str]) -> str:
    """Return a text in which ``v[j]`` stands for the parameter with the name ``names[j]``.

    Raises
    ------
    ValueError
        If it contains anything else but functions, numbers and arithmetic.
    """
    by_length = sorted(range(len(names)), key=lambda j: len(names[j]), reverse=True)
    function, number = "|".join(_FUNCTIONS), _NUMBER
    name = "|".join(re.escape(names[j]) for j in by_length if names[j]) or r"(?!)"
    token = re.compile(rf"\s*(?:(?P<kept>(?:{function})(?=\()|\*\*|[-+*/()])|(?P<name>{name})|(?P<number>{number}))\s*")
    written, at = [], 0
    while at < len(text):
        found = token.match(text, at)
        if found is None:
            raise ValueError(text)
        if found["name"] is not None:
            written.append(f"v[{names.index(found['name'])}]")
        else:
            written.append(found["kept"] or repr(float(found["number"])))
        at = found.end()
    return "".join(written)


def _postfix(tree: ast.expr) -> list[_Step]:
    """Return an expression in postfix notation, which is evaluated without recursion, however long the expression is.

    Raises
    ------
    ValueError
        If it contains anything else but functions, numbers and arithmetic.
    """
    steps: list[_Step] = []
    left: list[ast.expr] = [tree]
    while left:  # from the end to the beginning
        node = left.pop()
        match node:
            case ast.Subscript(slice=ast.Constant(value=int(number))):
                steps.append(_Step(number, None, 0))
            case ast.Constant(value=float(value)):
                steps.append(_Step(np.float64(value), None, 0))
            case ast.BinOp(left=first, op=operation, right=second) if type(operation) in _OPERATIONS:
                steps.append(_Step(None, _OPERATIONS[type(operation)], 2))
                left += [first, second]
            case ast.UnaryOp(op=operation, operand=operand) if type(operation) in _OPERATIONS:
                steps.append(_Step(None, _OPERATIONS[type(operation)], 1))
                left.append(operand)
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
                steps.append(_Step(None, _FUNCTIONS[name], 1))
                left.append(argument)
            case _:
                raise ValueError(ast.dump(node))
    return steps[::-1]


def _evaluated(steps: Iterable[_Step], values: NDArray[np.float64]) -> Any:
    """Return the value of an expression for arrays of its parameters."""
    stack: list[Any] = []
    for what, function, arguments in steps:
        if function is None:
            stack.append(values[:, what] if isinstance(what, int) else what)
        else:
            taken = stack[len(stack) - arguments :]
            del stack[len(stack) - arguments :]
            stack.append(function(*taken))
    return stack[0]
