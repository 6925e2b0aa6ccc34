"""The values of parameters while a circuit is lowered: numbers, or counters of for loops.

Circuits are not bound by Qiskit: its `assign_parameters` shares the gates of control-flow bodies between a circuit and
its bound copies, so that binding one changes the others. Instead a parameter is looked up whenever a number is read.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from math import isclose, isfinite, nan, prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from qiskit.circuit import Parameter, ParameterExpression

from basicaer.compile.formulas import formula_of
from basicaer.engine.classical import Apply, Constant, Lookup, Variable
from basicaer.errors import BasicAerError, JobTimeLimitError, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.classical import Expression

__all__ = [
    "Counter",
    "ManyValues",
    "NoNumberError",
    "ReadingTimeLimit",
    "Values",
    "Varies",
    "Varying",
    "formula_for",
    "scattered",
    "sum_of_multiples",
    "value_at",
]

_LEAST_LIMIT = 0.1  # seconds; the job itself keeps shorter time limits, since it can tell how far it got
_GOLDEN = (5**0.5 - 1) / 2
_SAME = 1e-9
_PROBES = ((0.9, 0.0), (-0.8, 0.0), (1.0, 1.0), (7.0, -0.5), (30.0, 0.1))  # scale and shift of numbers from 0 to 1
_LARGEST_TABLE = 10**6  # numbers; computed one by one, they take some seconds, and they need 8 MB
_FEW_NUMBERS = 16  # these are computed one by one in less time than it takes to read a formula
_NUMBERS_AT_ONCE = 2**14  # numbers computed between two polls, which takes a millisecond


class ReadingTimeLimit:
    """The time limit for reading circuits; to be called between two pieces of work.

    Parameters
    ----------
    seconds
        The time limit, counted from now; None for no limit.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._seconds = seconds
        self._deadline = None if seconds is None else time.monotonic() + max(seconds, _LEAST_LIMIT)

    def __call__(self) -> None:
        """Check the time.

        Raises
        ------
        JobTimeLimitError
            If the time limit has passed.
        """
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise JobTimeLimitError.after(
                f"The circuits were still being read at the time limit of {self._seconds:g} s",
                "give a longer timeout= or none, or smaller circuits",
            )


class Counter:
    """The parameter of a for loop: a variable of the program that takes `values` one after another.

    Attributes
    ----------
    is_read
        Whether any number that depends on it has been read.
    """

    def __init__(self, slot: int, name: str, values: Sequence[int]) -> None:
        self.variable = Variable(slot, name)
        self.values = values
        self.is_read = False


class NoNumberError(BasicAerError):
    """Raised when an expression is not a finite real number for the values of its parameters."""


class Varying(NamedTuple):
    """A number that depends on counters: its value for their first values, and an expression that gives all values."""

    first: float
    expression: Expression


class Varies(Exception):  # noqa: N818  # not an error: it requests that the for loop be unrolled
    """Raised when a single number is needed, and it depends on the counter of a for loop."""


class Values:
    """The values of a circuit's parameters.

    Parameters
    ----------
    of_parameters
        The number or the counter of each parameter.
    poll
        Called now and then during long work.
    """

    def __init__(
        self, of_parameters: Mapping[Parameter, float | Counter] | None = None, poll: Callable[[], None] = lambda: None
    ) -> None:
        self._of_parameters = dict(of_parameters or {})
        self.poll = poll

    def __contains__(self, parameter: object) -> bool:
        return parameter in self._of_parameters

    def with_value(self, parameter: Parameter, value: Counter | float) -> Values:
        """Return these values with one more, which replaces any other value of the same parameter."""
        return Values({**self._of_parameters, parameter: value}, self.poll)

    def number(self, param: Any, place: str) -> float:
        """Return a parameter of an instruction as a number.

        Parameters
        ----------
        param
            A number, a parameter or an expression of parameters.
        place
            The place of the instruction, for messages.

        Raises
        ------
        Varies
            If it depends on the counter of a for loop.
        BasicAerError
            If it has no value, or its value is not a finite real number.
        """
        number = self.read(param, place)
        if isinstance(number, Varying):
            raise Varies
        return number

    def read(self, param: Any, place: str) -> float | Varying:
        """Return a parameter of an instruction as a number, or as one that varies in a for loop.

        A plain number may be infinite; its gate refuses it in a message that names the gate.

        Raises
        ------
        BasicAerError
            If it has no value, or an expression's value is not a finite real number.
        """
        if type(param) is float:  # nearly all parameters are
            return param
        if not isinstance(param, ParameterExpression):
            return _as_float(param, param, place, {})
        numbers: dict[Parameter, float] = {}
        counters: dict[Parameter, Counter] = {}
        for parameter in param.parameters:
            value = self._value_of(parameter, place)
            if isinstance(value, Counter):
                counters[parameter] = value
            else:
                numbers[parameter] = value
        if not counters:
            return value_at(param, numbers, place)
        firsts = {parameter: counter.values[0] for parameter, counter in counters.items()}
        first = value_at(param, numbers | firsts, place)
        expression = self._expression(_bound(param, numbers, place) if numbers else param, counters, place)
        if isinstance(expression, Constant):  # for example 0 times the parameter, which OpenQASM 3's loops contain
            return first
        for counter in counters.values():
            counter.is_read = True
        return Varying(first, expression)

    def _value_of(self, parameter: Parameter, place: str) -> float | Counter:
        value: float | Counter | None = self._of_parameters.get(parameter)
        if value is None:
            raise BasicAerError(
                f"Parameter '{parameter.name}' ({place}) has no value; bind it with assign_parameters or "
                "parameter_binds."
            )
        return value

    def _expression(self, param: Any, counters: Mapping[Parameter, Counter], place: str) -> Expression:
        """Return an expression of counters for the program: a sum of multiples if it is one, else a table."""
        some = [[counter.values[at] for counter in counters.values()] for at in (0, -1)]
        multiples = sum_of_multiples(param, list(counters), some, place, self.poll)
        if multiples is not None:
            total: Expression = Constant(multiples[0])
            for counter, factor in zip(counters.values(), multiples[1], strict=True):
                if factor:
                    total = Apply("add", (total, Apply("mul", (Constant(factor), counter.variable))))
            return total
        shape = [len(counter.values) for counter in counters.values()]
        if prod(shape) > _LARGEST_TABLE:
            raise BasicAerError(
                f"'{param}' ({place}) takes {prod(shape)} values in its for loops, and only sums of multiples of a "
                f"loop's parameter may take more than {_LARGEST_TABLE}; use shorter loops."
            )
        table = np.empty(prod(shape))
        values = [np.array(counter.values) for counter in counters.values()]
        formula = formula_for(param, list(counters), place) if len(table) > _FEW_NUMBERS else None
        expression = ManyValues(param, list(counters), formula)
        for start in range(0, len(table), _NUMBERS_AT_ONCE):
            part = np.arange(start, min(start + _NUMBERS_AT_ONCE, len(table)))
            rows = [own[at] for own, at in zip(values, np.unravel_index(part, shape), strict=True)]
            self.poll()
            table[part] = expression.at(np.column_stack(rows), place, self.poll)
        return Lookup(
            table.reshape(shape),
            tuple(counter.variable for counter in counters.values()),
            tuple(counter.values for counter in counters.values()),
        )


def sum_of_multiples(
    param: ParameterExpression,
    parameters: Sequence[Parameter],
    rows: Iterable[Sequence[float]],
    place: str,
    poll: Callable[[], None],
) -> tuple[float, list[float]] | None:
    """Return an expression as a constant and a factor for each parameter; None if it seems to be no such sum.

    It is one if its derivatives are constant, and its values agree with them at several points. Constant derivatives
    alone do not suffice: a sign jumps, and so does the arc tangent of a tangent.

    Parameters
    ----------
    rows
        Values of the parameters at which the sum must agree with the expression, besides some fixed ones.
    """
    factors = []
    for parameter in parameters:
        poll()
        try:
            slope = 1.0 if isinstance(param, Parameter) else param.gradient(parameter)
        except Exception:  # noqa: BLE001  # Qiskit has no derivative of it, and raises errors of any type
            return None
        if isinstance(slope, ParameterExpression):
            return None
        factors.append(float(slope))
    wide = [[scale * (0.5 - one) for one in scattered(len(parameters))] for scale in (1.0, -30.0, 1000.0, -30000.0)]
    try:
        constant = value_at(param, dict.fromkeys(parameters, 0), place)
        for row in [*rows, *wide]:
            poll()
            total = constant + sum(factor * value for factor, value in zip(factors, row, strict=True))
            if not isclose(
                total, value_at(param, dict(zip(parameters, row, strict=True)), place), rel_tol=_SAME, abs_tol=_SAME
            ):
                return None
    except NoNumberError:
        return None
    return constant, factors


class ManyValues(NamedTuple):
    """An expression of parameters, to be evaluated for many sets of their values.

    Attributes
    ----------
    formula
        See `formula_for`; with None it is evaluated set by set.
    """

    param: ParameterExpression
    parameters: Sequence[Parameter]
    formula: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None

    def at(
        self,
        rows: NDArray[Any],
        place: str,
        poll: Callable[[], None],
        in_row: Callable[[int], AbstractContextManager[None]] = lambda _number: nullcontext(),
    ) -> NDArray[np.float64]:
        """Return the value for each row of values of the parameters; what is done for single rows is done `in_row`."""
        found = np.full(len(rows), nan)
        if self.formula is not None:
            poll()
            found = self.formula(rows.astype(float)).copy()
        for number in np.flatnonzero(~np.isfinite(found)).tolist():  # all, or those that may have no value
            poll()
            with in_row(number):
                values = dict(zip(self.parameters, rows[number].tolist(), strict=True))
                found[number] = value_at(self.param, values, place)
        return found


def formula_for(
    param: ParameterExpression, parameters: Sequence[Parameter], place: str
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]] | None:
    """Return a function of ``values[i, j]``, the value of parameter j in set i; see `formula_of`."""

    def value(point: Sequence[float]) -> float:
        try:
            return value_at(param, dict(zip(parameters, point, strict=True)), place)
        except NoNumberError:
            return nan

    points = [[scale * (shift + one) for one in scattered(len(parameters))] for scale, shift in _PROBES]
    return formula_of(str(param), [one.name for one in parameters], points, value)


def scattered(count: int, first: int = 1) -> list[float]:
    """Return different numbers between 0 and 1, of which no two have a simple ratio."""
    return [(first + number) ** 2 * _GOLDEN % 1 for number in range(count)]


def _bound(param: Any, values: Mapping[Any, Any], place: str) -> Any:
    try:
        return param.bind(values)
    except Exception as error:  # Qiskit raises errors of any type if an expression has no value there
        raise _no_number(param, place, values) from error


def value_at(param: ParameterExpression, values: Mapping[Parameter, float], place: str) -> float:
    """Return the value of an expression for values of its parameters.

    Raises
    ------
    NoNumberError
        If it is not a finite real number.
    """
    if isinstance(param, Parameter):
        return _finite(values[param], param, place, values)
    return _finite(_bound(param, values, place), param, place, values)


def _finite(value: Any, param: Any, place: str, values: Mapping[Any, Any]) -> float:
    number = _as_float(value, param, place, values)
    if not isfinite(number):
        raise _no_number(param, place, values)
    return number


def _as_float(value: Any, param: Any, place: str, values: Mapping[Any, Any]) -> float:
    try:
        return float(value)
    except Exception as error:  # a complex number, text, or an object of the user's own
        raise _no_number(param, place, values) from error


def _no_number(param: Any, place: str, values: Mapping[Any, Any]) -> NoNumberError:
    at = ", ".join(f"{parameter.name} = {value!r}" for parameter, value in values.items())
    return NoNumberError(
        f"'{param if values else shown(param)}' ({place}) must be a finite real number"
        + (f", and is none at {at}." if at else ".")
    )
