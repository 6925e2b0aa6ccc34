"""Expressions of a circuit's parameters as columns of numbers, for many sets of values, and their derivatives."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from qiskit.circuit import Parameter, ParameterExpression

from basicaer.compile.values import ManyValues, NoNumberError, formula_for, sum_of_multiples
from basicaer.errors import BasicAerError, at_border

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["Columns", "Slopes", "columns_of", "in_set", "slopes_of"]

_ARITHMETIC = re.compile(r"([-+*/() .\d]|\de[-+]?\d)*")  # what is left of an expression without functions and names


class Columns(NamedTuple):
    """Numbers that depend on parameters, as columns of numbers for many sets of values.

    Attributes
    ----------
    plain
        For each column that is a parameter of the circuit its number among them, by the number of the column.
    sums
        Each column that is a sum of multiples of parameters: a constant, and factors by the numbers of parameters.
    others
        The expressions of the other columns, each after the numbers of its parameters.
    """

    plain: dict[int, int]
    sums: dict[int, tuple[float, dict[int, float]]]
    others: dict[int, tuple[list[int], ManyValues]]

    def at(self, values: NDArray[np.float64], place: str, poll: Callable[[], None]) -> NDArray[np.float64]:
        """Return ``columns[s, c]``, the number of column c in set s, where ``values[s, j]`` is that of parameter j."""
        columns = np.empty((len(values), len(self.plain) + len(self.sums) + len(self.others)))
        columns[:, list(self.plain)] = values[:, list(self.plain.values())]
        for column, (constant, factors) in self.sums.items():
            columns[:, column] = constant
            for number, factor in factors.items():  # one by one, since rounding must not depend on the number of sets
                columns[:, column] += factor * values[:, number]
        for column, (numbers, expression) in self.others.items():
            columns[:, column] = expression.at(values[:, numbers], place, poll, in_set)
        return columns


def columns_of(
    params: Sequence[Any], parameters: Sequence[Parameter], place: str, poll: Callable[[], None] = lambda: None
) -> Columns:
    """Return numbers and expressions of parameters as columns.

    Parameters
    ----------
    parameters
        The parameters, in the order of their values.
    place
        Where they occur, for messages.
    """
    number_of = {parameter: number for number, parameter in enumerate(parameters)}
    found = Columns({}, {}, {})
    for column, param in enumerate(params):
        if not isinstance(param, ParameterExpression):
            found.sums[column] = float(param), {}
        elif isinstance(param, Parameter):
            found.plain[column] = number_of[param]
        elif (multiples := _multiples(param, place, poll)) is not None:
            constant, factors = multiples
            found.sums[column] = constant, {number_of[one]: factor for one, factor in factors.items()}
        else:
            own = [one for one in parameters if one in param.parameters]
            numbers = [number_of[one] for one in own]
            found.others[column] = numbers, ManyValues(param, own, formula_for(param, own, place))
    return found


class Slopes(NamedTuple):
    """The derivatives of columns by parameters that are not 0.

    Attributes
    ----------
    rows, columns
        Derivative k is that of column ``rows[k]`` by parameter ``columns[k]``.
    constants
        ``constants[k]``; NaN where derivative k depends on values.
    varying
        The expressions of these, by their numbers, each after the numbers of its parameters.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    constants: NDArray[np.float64]
    varying: dict[int, tuple[list[int], ManyValues]]

    def at(self, values: NDArray[np.float64], place: str, poll: Callable[[], None]) -> NDArray[np.float64]:
        """Return ``slopes[s, k]``, the derivatives at each set of values."""
        slopes = np.repeat(self.constants[None], len(values), axis=0)
        for number, (own, expression) in self.varying.items():
            slopes[:, number] = expression.at(values[:, own], place, poll, in_set)
        return slopes


def slopes_of(columns: Columns, parameters: Sequence[Parameter], wanted: Collection[int], place: str) -> Slopes:
    """Return the derivatives of columns by the parameters with some numbers.

    Raises
    ------
    BasicAerError
        If an expression has no derivative.
    """
    found: list[tuple[int, int, float]] = []
    varying: dict[int, tuple[list[int], ManyValues]] = {}
    found += [(column, number, 1.0) for column, number in columns.plain.items() if number in wanted]
    for column, (_, factors) in columns.sums.items():
        found += [(column, number, factor) for number, factor in factors.items() if number in wanted]
    for column, (numbers, expression) in columns.others.items():
        for number, parameter in zip(numbers, expression.parameters, strict=True):
            if number not in wanted:
                continue
            slope = _derivative(expression.param, parameter, place)
            if isinstance(slope, ParameterExpression) and slope.parameters:
                own = [one for one in parameters if one in slope.parameters]
                of_own = [numbers[expression.parameters.index(one)] for one in own]
                varying[len(found)] = of_own, ManyValues(slope, own, formula_for(slope, own, place))
                found.append((column, number, np.nan))
            else:
                found.append((column, number, _real(slope, expression.param, place)))
    rows, numbers_of, constants = zip(*found, strict=True) if found else ((), (), ())
    return Slopes(np.array(rows, np.intp), np.array(numbers_of, np.intp), np.array(constants, float), varying)


def _derivative(param: ParameterExpression, parameter: Parameter, place: str) -> Any:
    with at_border(
        lambda why: BasicAerError(
            f"'{param}' ({place}) cannot be differentiated by '{parameter.name}', since Qiskit has no derivative of it "
            f"({why}); use other functions, or leave the parameter out of the parameters."
        )
    ):
        slope = param.gradient(parameter)
        if "Derivative(" in str(slope):  # older versions of Qiskit leave it to SymPy, which writes it so
            raise TypeError(slope)
        return slope


def _real(slope: Any, param: ParameterExpression, place: str) -> float:
    number = complex(slope)
    if number.imag:
        raise BasicAerError(f"'{param}' ({place}) has a complex derivative; use real expressions of parameters.")
    return number.real


@contextlib.contextmanager
def in_set(number: int) -> Iterator[None]:
    """Name the set in the error that an expression is not a number."""
    try:
        yield
    except NoNumberError as error:
        raise NoNumberError(f"Set {number} of the parameters: {error.message}") from error


def _multiples(
    param: ParameterExpression, place: str, poll: Callable[[], None]
) -> tuple[float, dict[Parameter, float]] | None:
    """Return an expression as a constant and factors of parameters; None if it is not sure to be such a sum.

    It is sure where no function is written in it: constant derivatives then leave nothing else.
    """
    names = sorted(param.parameters, key=lambda one: len(one.name), reverse=True)
    text = str(param)
    for parameter in names:
        text = text.replace(parameter.name, "")
    if not _ARITHMETIC.fullmatch(text):
        return None
    multiples = sum_of_multiples(param, names, (), place, poll)
    return None if multiples is None else (multiples[0], dict(zip(names, multiples[1], strict=True)))
