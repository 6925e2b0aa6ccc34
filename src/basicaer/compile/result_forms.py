"""How saved values appear in a result: as the objects of Qiskit, or the dictionaries, that Aer's results have."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from qiskit.quantum_info import DensityMatrix, Operator, Statevector
from qiskit.result import ProbDistribution

from basicaer.engine.bits import deposit_bits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

__all__ = [
    "ARRAY",
    "DENSITY_MATRIX",
    "NUMBER",
    "OPERATOR",
    "PROBABILITIES_DICT",
    "STATEVECTOR",
    "STATEVECTOR_DICT",
    "ResultForm",
    "as_qiskit",
    "dictionary_entries",
]

_ZERO = 1e-15  # an entry below this in modulus is left out of a dictionary
_ENTRIES_BETWEEN_POLLS = 2**16


def _unchanged(found: Any) -> Any:
    return found


class ResultForm(NamedTuple):
    """The form of one save's values in a result.

    Attributes
    ----------
    of_value
        Converts one value; so too a state that a simulator returns anyway under the label of the save.
    of_shots
        Converts a list of converted values, one for each shot.
    key
        Converts an index to its key in a dictionary of the entries that are not zero; None if values become no
        dictionary.
    of_only_dictionary
        Converts a dictionary that holds all of a save, rather than one shot or one value of the classical bits.
    """

    of_value: Callable[[Any], Any] = _unchanged
    of_shots: Callable[[list[Any]], Any] = _unchanged
    key: Callable[[int], Any] | None = None
    of_only_dictionary: Callable[[dict[Any, Any]], Any] = _unchanged


def _statevector(state: Any) -> Any:
    """Return a state in Qiskit's type, which has double precision and the host's memory only; others as they are."""
    return Statevector(state) if isinstance(state, np.ndarray) and state.dtype == np.complex128 else state


def _operator(unitary: NDArray[Any]) -> Operator:
    """Return a unitary in Qiskit's type; it is given as a matrix, or as the columns of one after another."""
    if unitary.ndim == 1:
        size = round(unitary.size**0.5)
        unitary = unitary.reshape(size, size).T
    return Operator(unitary)


ARRAY = ResultForm()
NUMBER = ResultForm(float, np.array)
STATEVECTOR = ResultForm(_statevector)
OPERATOR = ResultForm(_operator)
DENSITY_MATRIX = ResultForm(DensityMatrix)
STATEVECTOR_DICT = ResultForm(key=hex)
PROBABILITIES_DICT = ResultForm(key=int, of_only_dictionary=ProbDistribution)


def as_qiskit(form: ResultForm, values: Any, places: Sequence[int] | None, poll: Callable[[], None]) -> Any:
    """Return saved values as Aer's results have them; poll now and then.

    Parameters
    ----------
    values
        One value, a list with one for each shot, or a dictionary of either by the value of the classical bits.
    places
        ``places[j]`` is the bit of a key that bit j of an index becomes; None if that is bit j.
    """
    found = _converted(form, values, places, poll)
    is_only_dictionary = form.key is not None and not isinstance(values, dict | list)
    return form.of_only_dictionary(found) if is_only_dictionary else found


def _converted(form: ResultForm, values: Any, places: Sequence[int] | None, poll: Callable[[], None]) -> Any:
    poll()
    if isinstance(values, dict):
        return {bits: _converted(form, value, places, poll) for bits, value in values.items()}
    if isinstance(values, list):  # shots may share a value, so each gets a copy
        return form.of_shots([_converted(form, copy.copy(value), places, poll) for value in values])
    if form.key is not None:
        return {form.key(index): value for index, value in _not_zero(values, places, poll)}
    return form.of_value(values)


def _not_zero(
    values: NDArray[Any], places: Sequence[int] | None, poll: Callable[[], None]
) -> Iterator[tuple[int, Any]]:
    """Yield the index and value of each entry that is not zero; poll now and then."""
    in_order = places is None or list(places) == list(range(len(places)))
    for start in range(0, len(values), _ENTRIES_BETWEEN_POLLS):
        poll()
        part = values[start : start + _ENTRIES_BETWEEN_POLLS]
        found = np.flatnonzero(np.abs(part) >= _ZERO)
        indices = (found + start).tolist()
        if places is not None and not in_order:  # Python integers, since keys may have more than 64 bits
            indices = [deposit_bits(index, places) for index in indices]
        yield from zip(indices, part[found].tolist(), strict=True)


def dictionary_entries(form: ResultForm, values: Any, poll: Callable[[], None]) -> int:
    """Return how many entries the dictionaries have that `as_qiskit` makes of saved values; poll now and then."""
    if form.key is None:
        return 0
    if isinstance(values, dict | list):
        parts = values.values() if isinstance(values, dict) else values
        return sum(dictionary_entries(form, part, poll) for part in parts)
    entries = 0
    for start in range(0, len(values), _ENTRIES_BETWEEN_POLLS):
        poll()
        entries += int(np.count_nonzero(np.abs(values[start : start + _ENTRIES_BETWEEN_POLLS]) >= _ZERO))
    return entries
