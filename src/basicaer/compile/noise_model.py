"""Finds the errors of a noise model for the instructions of a circuit.

A model is read from what its ``to_dict()`` returns, so that models of qiskit-aer can be used without importing it.
Reading the model of a large device takes long, and a circuit needs little of it. A model is therefore read once, and an
error is reduced to channels when an instruction first needs it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from basicaer.compile.noise_entries import channels_of_entry, is_qubit, probabilities_of, readout_of, width_of
from basicaer.errors import BasicAerError, at_border, shown
from basicaer.wording import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from basicaer.compile.channels import Channel

__all__ = ["ModelErrors", "NoiseEntry", "read_model"]

_TYPES = ("qerror", "plerror", "roerror")


class NoiseEntry(NamedTuple):
    """A quantum error of a model that makes the dictionary of an error only when it is needed.

    Attributes
    ----------
    name
        The name or label of the instructions.
    qubits
        The qubits of the instructions; None for instructions on all qubits.
    dictionary
        Returns the error in the layout of Aer, which has been checked.
    """

    name: str
    qubits: tuple[int, ...] | None
    dictionary: Callable[[], Mapping[str, Any]]


class ModelErrors:
    """The errors of a noise model, found by the name and the qubits of an instruction.

    Attributes
    ----------
    names : frozenset of str
        The names and labels of the instructions that have quantum errors.
    basis_gates : tuple of str or None
        The gates that circuits should be transpiled to, if the model says so.
    passes : tuple
        Qiskit's transpiler passes that put errors into a circuit, such as those of delays.
    wide_readouts : tuple of tuples of int
        The qubits of readout errors on more than one qubit.
    """

    def __init__(
        self,
        quantum: Sequence[tuple[str, tuple[int, ...] | None, _QuantumError]],
        readouts: Mapping[tuple[int, ...] | None, NDArray[np.float64]],
        basis_gates: tuple[str, ...] | None = None,
        passes: tuple[Any, ...] = (),
    ) -> None:
        self._quantum: dict[str, dict[tuple[int, ...] | None, list[_QuantumError]]] = {}
        for name, qubits, error in quantum:
            self._quantum.setdefault(name, {}).setdefault(qubits, []).append(error)
        self._readouts = dict(readouts)
        self._found: dict[tuple[str, tuple[int, ...]], tuple[Channel, ...]] = {}
        self.names = frozenset(self._quantum)
        self.basis_gates = basis_gates
        self.passes = passes
        self.of_circuits: Any = None  # what `CircuitNoise` keeps
        self.wide_readouts = tuple(qubits for qubits in self._readouts if qubits is not None and len(qubits) > 1)

    def after(self, name: str, qubits: tuple[int, ...]) -> tuple[Channel, ...]:
        """Return the channels of an instruction, in the order in which they act; none if it has no error.

        An error of exactly these qubits, in this order, replaces those of all qubits.

        Parameters
        ----------
        name
            The label of the instruction, or its name if it has no label.
        qubits
            Its qubits, as the circuit numbers them.

        Raises
        ------
        BasicAerError
            If the error cannot be read, or acts on more qubits than the instruction.
        """
        key = name, qubits
        found = self._found.get(key)
        if found is None:
            errors = self._quantum.get(name, {})
            chosen = errors.get(qubits) or errors.get(None, [])
            found = tuple(channel for error in chosen for channel in error.channels(len(qubits)))
            if chosen:
                self._found[key] = found
        return found

    def readout(self, qubits: tuple[int, ...]) -> NDArray[np.float64] | None:
        """Return the readout error of qubits that are measured together.

        Returns
        -------
        ndarray or None
            Row i has the probabilities of all recorded values if the true value is i. Bit j of a value is that of
            ``qubits[j]``.
        """
        matrix = self._readouts.get(qubits)
        return self._readouts.get(None) if matrix is None and len(qubits) == 1 else matrix


class _QuantumError:
    """A quantum error that is reduced when it is first needed."""

    def __init__(self, source: Mapping[str, Any] | Callable[[], Mapping[str, Any]], place: str) -> None:
        self._source = source
        self._place = place
        self._read: tuple[tuple[Channel, ...], int] | None = None

    def channels(self, n_qubits: int) -> tuple[Channel, ...]:
        """Return its channels on an instruction of `n_qubits` qubits."""
        if self._read is None:
            entry = self._source() if callable(self._source) else self._source
            with at_border(lambda reason: BasicAerError(f"{self._place} cannot be read: {reason}.")):
                self._read = channels_of_entry(entry, self._place), width_of(entry)
        channels, width = self._read
        if width > n_qubits:
            raise BasicAerError(
                f"{self._place} acts on {counted(width, 'qubit')}, and the instruction has {n_qubits}; name "
                "instructions with as many qubits as the error."
            )
        return channels


class _Kept(NamedTuple):
    """What has been read of a model, and how the model looked then."""

    model: weakref.ref[Any]
    parts: list[Any]
    errors: ModelErrors


_kept: dict[int, _Kept] = {}  # The keys are the ids of the models.


def read_model(model: Any) -> ModelErrors:
    """Return the errors of a noise model.

    A model that is an object is read once, and anew after it was changed. It counts as changed if its attributes, or
    dictionaries and lists in them, have other contents than before. An error inside of it that was itself changed
    in place goes unnoticed; those of Aer and of `basicaer.noise` are not meant to be changed. A dictionary is read each
    time.

    Parameters
    ----------
    model
        A `basicaer.noise.NoiseModel`, a noise model of Aer, or the dictionary that ``to_dict()`` of these returns, also
        after it was written to JSON and read again.

    Raises
    ------
    BasicAerError
        If it is no noise model, or one of its errors is wrong; the message names the error's number in the dictionary.
        What an error does is checked when an instruction needs it.
    """
    if isinstance(model, Mapping):
        return _read_dictionary(model, model.get("basis_gates"), ())
    if isinstance(model, type) or not callable(getattr(model, "to_dict", None)):
        raise BasicAerError(
            f"{shown(model)} is not a noise model; give a NoiseModel, or the dictionary that its to_dict() returns."
        )
    content = getattr(model, "content", None)  # one of ours
    parts = content() if callable(content) else _parts_of(model)
    known = _kept.get(id(model))
    if known is not None and known.model() is model and _same(known.parts, parts):
        return known.errors
    errors, place = _read_object(model), id(model)
    try:
        reference = weakref.ref(model, lambda _: _kept.pop(place, None))
    except TypeError:  # objects of its class cannot be referred to weakly
        return errors
    _kept[place] = _Kept(reference, parts, errors)
    return errors


def _parts_of(model: Any) -> list[Any]:
    """Return all that a model consists of, down to objects other than containers; they are compared by identity."""
    found: list[Any] = []
    to_do: list[Any] = [getattr(model, "__dict__", None)]
    opened: set[int] = set()  # ids, since a container may contain itself
    while to_do:
        part = to_do.pop()
        if id(part) in opened or not isinstance(part, dict | list | tuple | set | frozenset):
            found.append(part)
            continue
        opened.add(id(part))
        found.append(len(part))
        to_do.extend(part)
        if isinstance(part, dict):
            to_do.extend(part.values())
    return found


def _same(parts: list[Any], others: list[Any]) -> bool:
    plain = (str, int, float, complex)
    return len(parts) == len(others) and all(
        a is b or (isinstance(a, plain) and isinstance(b, plain) and a == b) for a, b in zip(parts, others, strict=True)
    )


def _read_object(model: Any) -> ModelErrors:
    basis_gates = getattr(model, "basis_gates", None)
    passes = tuple(getattr(model, "_custom_noise_passes", ()))
    entries = getattr(model, "noise_entries", None)
    if callable(entries):  # one of ours, whose errors have been checked
        quantum = [
            (one.name, one.qubits, _QuantumError(one.dictionary, _place_of(None, one.name, one.qubits)))
            for one in entries()
        ]
        return ModelErrors(quantum, model.readout_matrices(), _names_of(basis_gates), passes)
    with at_border(lambda reason: BasicAerError(f"The noise model {shown(model)} cannot be read: {reason}.")):
        dictionary = model.to_dict()
    if isinstance(dictionary, Mapping) and dictionary.get("type") in _TYPES:
        raise BasicAerError(f"{shown(model)} is a single error; add it to a NoiseModel by one of its methods.")
    if not isinstance(dictionary, Mapping):
        raise BasicAerError(f"{shown(model)} is not a noise model: its to_dict() returns {shown(dictionary)}.")
    return _read_dictionary(dictionary, basis_gates, passes)


def _names_of(basis_gates: Any) -> tuple[str, ...] | None:
    if basis_gates is None:
        return None
    if isinstance(basis_gates, str) or not isinstance(basis_gates, Sequence):
        raise BasicAerError(f"The noise model has basis_gates {shown(basis_gates)}, which must be a list of names.")
    return tuple(map(str, basis_gates))


def _read_dictionary(dictionary: Mapping[str, Any], basis_gates: Any, passes: tuple[Any, ...]) -> ModelErrors:
    entries = dictionary.get("errors")
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        raise BasicAerError(
            f"{shown(dictionary)} is not the dictionary of a noise model: it must have a list under 'errors'."
        )
    quantum: list[tuple[str, tuple[int, ...] | None, _QuantumError]] = []
    readouts: dict[tuple[int, ...] | None, NDArray[np.float64]] = {}
    for number, entry in enumerate(entries):
        place = f"Error {number} of the noise model"
        if not isinstance(entry, Mapping) or entry.get("type") not in _TYPES:
            raise BasicAerError(
                f"{place} is {shown(entry)}; it must be a dictionary whose 'type' is one of {', '.join(_TYPES)}."
            )
        names, all_qubits = _names_in(entry, place), _qubits_in(entry, place)
        is_readout = entry["type"] == "roerror"
        if is_readout and names != ["measure"]:
            raise BasicAerError(f"{place} is a readout error of {shown(names)}; readout errors belong to 'measure'.")
        for name in names:
            for qubits in all_qubits:
                here = _place_of(number, name, qubits)
                if is_readout:
                    readouts[qubits] = _readout(entry, qubits, here)
                else:
                    probabilities_of(entry, here)
                    quantum.append((name, qubits, _QuantumError(entry, here)))
    return ModelErrors(quantum, readouts, _names_of(basis_gates), passes)


def _readout(entry: Mapping[str, Any], qubits: tuple[int, ...] | None, place: str) -> NDArray[np.float64]:
    matrix = readout_of(entry.get("probabilities"), place)
    n_qubits = 1 if qubits is None else len(qubits)
    if len(matrix) != 2**n_qubits:
        raise BasicAerError(
            f"{place} has probabilities of {len(matrix)} values; for {counted(n_qubits, 'qubit')} there must be "
            f"{2**n_qubits}."
        )
    return matrix


def _place_of(number: int | None, name: str, qubits: tuple[int, ...] | None) -> str:
    """Return the beginning of a sentence about an error."""
    which = "The error" if number is None else f"Error {number}"
    where = f" on {'qubit' if len(qubits) == 1 else 'qubits'} {', '.join(map(str, qubits))}" if qubits else ""
    return f"{which} of the noise model, for '{name}'{where},"


def _names_in(entry: Mapping[str, Any], place: str) -> list[str]:
    names = entry.get("operations")
    if not isinstance(names, Sequence) or isinstance(names, str) or not all(isinstance(one, str) for one in names):
        raise BasicAerError(f"{place} has operations {shown(names)}, which must be a list of names of instructions.")
    if not names:
        raise BasicAerError(f"{place} names no instruction in 'operations'; name those that have the error.")
    return list(names)


def _qubits_in(entry: Mapping[str, Any], place: str) -> list[tuple[int, ...] | None]:
    given = entry.get("gate_qubits")
    if given is None:
        return [None]
    if not isinstance(given, Sequence) or not all(
        isinstance(qubits, Sequence) and qubits and all(map(is_qubit, qubits)) for qubits in given
    ):
        raise BasicAerError(f"{place} has gate_qubits {shown(given)}, which must be a list of lists of qubits.")
    twice = next((qubits for qubits in given if len(set(qubits)) < len(qubits)), None)
    if twice is not None:
        raise BasicAerError(f"{place} has gate_qubits {shown(twice)}, in which a qubit occurs twice; name each once.")
    return [tuple(int(qubit) for qubit in qubits) for qubits in given]
