"""What a quantum error is once it has been read: channels, in as few and as simple terms as possible.

A channel is a mixture of terms with fixed probabilities. Paulis are the cheapest terms to simulate, then resets and
unitaries, then Kraus operators, whose probabilities depend on the state. `reduced` therefore rewrites an error, without
changing the map of density matrices that it is:

- unitaries that are Paulis up to a phase become Paulis, Paulis that follow each other become one, and a Pauli that is
  followed by a reset is left out;
- Kraus operators that mix Paulis, or unitaries with fixed probabilities, become such terms;
- equal terms are merged, and those that hardly ever happen go to the identity;
- an operation that acts in all terms becomes a channel of its own, so that the rest may be a mixture of Paulis.
"""

from __future__ import annotations

import itertools
from math import expm1
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from basicaer.engine.bits import has_bit, parities

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["Channel", "ErrorOperation", "Term", "lindblad", "pauli", "reduced"]

_NEGLIGIBLE = 1e-12  # probabilities, and entries of a matrix in the Pauli basis, that count as 0
_WIDEST = 5  # qubits; wider matrices are not compared with Paulis, which takes 8**qubits steps
_LETTERS = "IXZY"  # bit 0 of a letter's place says whether it flips, bit 1 whether it changes signs


class ErrorOperation(NamedTuple):
    """One operation of an error.

    Attributes
    ----------
    kind
        ``"pauli"``: a Pauli string. ``"unitary"``: a matrix. ``"reset"``: a reset of one qubit to 0. ``"kraus"``: one
        of several operators, with probabilities that depend on the state.
    qubits
        The positions of its qubits among those of the instruction, which has the error; 0 is the instruction's first.
    letters
        Of a Pauli string: ``letters[j]`` of "XYZ" acts on ``qubits[j]``. Identities are left out.
    matrices
        Of a unitary: its matrix. Of Kraus operators: all of them. Bit j of a row or column is the value of
        ``qubits[j]``.
    """

    kind: Literal["pauli", "unitary", "reset", "kraus"]
    qubits: tuple[int, ...]
    letters: str = ""
    matrices: tuple[NDArray[np.complexfloating], ...] = ()


Term = tuple[ErrorOperation, ...]


class Channel(NamedTuple):
    """A mixture of terms.

    Attributes
    ----------
    probabilities
        ``probabilities[i]`` is that of ``terms[i]``; they sum to 1 up to rounding.
    terms
        The operations of each term, in the order in which they act. The term without operations, if there is one, is
        the first.
    """

    probabilities: tuple[float, ...]
    terms: tuple[Term, ...]


def pauli(letters: Mapping[int, str]) -> Term:
    """Return a Pauli string as a term, from the letter "IXYZ" of each position."""
    acts = [(position, letter) for position, letter in sorted(letters.items()) if letter != "I"]
    if not acts:
        return ()
    return (ErrorOperation("pauli", tuple(position for position, _ in acts), "".join(letter for _, letter in acts)),)


def lindblad(rates: Sequence[float], generators: Sequence[Term]) -> tuple[Channel, ...]:
    """Return the channels of a Pauli-Lindblad error, one for each generator that acts.

    The generator P with rate r is the channel that applies P with the probability ``(1 - exp(-2 r)) / 2``, and all
    these channels commute (van den Berg et al. 2023, arXiv:2201.09866, equation 4).
    """
    total: dict[Term, float] = {}
    for rate, generator in zip(rates, generators, strict=True):
        if generator:
            total[generator] = total.get(generator, 0.0) + rate
    chances = {generator: -expm1(-2 * rate) / 2 for generator, rate in total.items()}
    return tuple(Channel((1 - p, p), ((), term)) for term, p in chances.items() if p >= _NEGLIGIBLE)


def reduced(probabilities: Sequence[float], terms: Sequence[Term]) -> tuple[Channel, ...]:
    """Return a mixture of terms as channels that act one after another.

    Parameters
    ----------
    probabilities
        They must sum to 1, about; they are divided by their sum.
    terms
        Their Kraus operators must preserve the trace and their unitaries be unitary.
    """
    choices: dict[Any, list[tuple[float, Term]]] = {}
    mixture: list[tuple[float, Term]] = []
    for probability, term in zip(probabilities, terms, strict=True):
        for chosen in itertools.product(*(_choices_of(operation, choices) for operation in term)):
            weight = probability
            for chance, _ in chosen:
                weight *= chance
            mixture.append((weight, _tidy(itertools.chain.from_iterable(part for _, part in chosen))))
    mixture = _merged(mixture)
    first, terms = _split_off([term for _, term in mixture], last=False)
    last, terms = _split_off(terms, last=True)
    mixture = _merged((weight, _tidy(term)) for (weight, _), term in zip(mixture, terms, strict=True))
    between = _channel(mixture)
    acts = between.terms != ((),)
    return (*map(_certain, first), *([between] if acts else []), *map(_certain, last))


def _certain(operation: ErrorOperation) -> Channel:
    return Channel((1.0,), ((operation,),))


def _channel(mixture: Sequence[tuple[float, Term]]) -> Channel:
    return Channel(tuple(weight for weight, _ in mixture), tuple(term for _, term in mixture))


def _key(operation: ErrorOperation) -> tuple[Any, ...]:
    """Return what is equal for equal operations, and can be hashed."""
    return (*operation[:3], *(matrix.tobytes() for matrix in operation.matrices))


def _merged(mixture: Iterable[tuple[float, Term]]) -> list[tuple[float, Term]]:
    """Merge equal terms, give the identity what is negligible, and put it first."""
    weights: dict[Any, float] = {(): 0.0}
    terms: dict[Any, Term] = {(): ()}
    for weight, term in mixture:
        key = tuple(map(_key, term))
        weights[key] = weights.get(key, 0.0) + weight
        terms.setdefault(key, term)
    kept = {key: weight for key, weight in weights.items() if weight >= _NEGLIGIBLE}
    if () in kept:
        kept[()] += sum(weight for key, weight in weights.items() if key not in kept)
    total = sum(kept.values())
    return [(weight / total, terms[key]) for key, weight in kept.items()]


def _choices_of(operation: ErrorOperation, known: dict[Any, list[tuple[float, Term]]]) -> list[tuple[float, Term]]:
    """Return an operation as a mixture of simpler ones, if it is such, or else itself; `known` keeps what was found."""
    if not operation.matrices:
        return [(1.0, (operation,))]
    key = _key(operation)
    if key not in known:
        known[key] = _simpler(operation)
    return known[key]


def _simpler(operation: ErrorOperation) -> list[tuple[float, Term]]:
    if operation.kind == "unitary":
        return [(1.0, _simple_unitary(operation))]
    size = len(operation.matrices[0])
    weights = [float(np.vdot(matrix, matrix).real) / size for matrix in operation.matrices]
    matrices = [matrix for matrix, w in zip(operation.matrices, weights, strict=True) if w >= _NEGLIGIBLE]
    weights = [weight for weight in weights if weight >= _NEGLIGIBLE]
    if len(operation.qubits) <= _WIDEST:
        entries = np.array([_in_paulis(matrix).ravel() for matrix in matrices])
        chi = entries.T @ entries.conj()
        chances = chi.diagonal().real
        if np.abs(chi - np.diag(chi.diagonal())).max() < _NEGLIGIBLE:
            places = np.flatnonzero(chances >= _NEGLIGIBLE)
            return [(float(chances[at]), _pauli_at(*divmod(int(at), size), operation.qubits)) for at in places]
    for matrix, weight in zip(matrices, weights, strict=True):
        if np.abs(matrix.conj().T @ matrix - weight * np.eye(size)).max() >= _NEGLIGIBLE:
            return [(1.0, (operation._replace(matrices=tuple(matrices)),))]
    return [
        (weight, _simple_unitary(ErrorOperation("unitary", operation.qubits, matrices=(matrix / np.sqrt(weight),))))
        for matrix, weight in zip(matrices, weights, strict=True)
    ]


def _simple_unitary(operation: ErrorOperation) -> Term:
    """Return a unitary as a Pauli if it is one up to a phase."""
    if len(operation.qubits) > _WIDEST:
        return (operation,)
    entries = np.abs(_in_paulis(operation.matrices[0]))
    flips, signs = np.unravel_index(int(entries.argmax()), entries.shape)
    entries[flips, signs] = 0
    return (operation,) if entries.max() >= _NEGLIGIBLE else _pauli_at(int(flips), int(signs), operation.qubits)


def _in_paulis(matrix: NDArray[np.complexfloating]) -> NDArray[np.complexfloating]:
    """Return the entries of a matrix in the basis of Paulis, up to phases.

    Entry ``[x, z]`` belongs to the Pauli that flips the bits of x and changes the sign for the bits of z: that of a row
    i is ``matrix[i ^ x, i]`` times the sign of ``i & z``, averaged over all i.
    """
    index = np.arange(len(matrix))
    signs = 1 - 2 * parities(index[:, None] & index)
    entries: NDArray[np.complexfloating] = matrix[index[:, None] ^ index, index] @ signs / len(matrix)
    return entries


def _pauli_at(flips: int, signs: int, qubits: Sequence[int]) -> Term:
    return pauli({qubit: _LETTERS[has_bit(flips, j) + 2 * has_bit(signs, j)] for j, qubit in enumerate(qubits)})


def _tidy(operations: Iterable[ErrorOperation]) -> Term:
    """Return operations that act one after another in a form that is the same for more of those that do the same.

    Paulis and resets move to the right, past operations on other qubits. Of a qubit, they become a reset, if there is
    any, and one letter; what was before a reset does not matter, and a sign of what was reset is a global phase.
    """
    done: list[ErrorOperation] = []
    letters: dict[int, int] = {}  # The place in _LETTERS for each qubit.
    were_reset: set[int] = set()

    def write(qubits: Iterable[int]) -> None:
        qubits = sorted(qubits)
        done.extend(ErrorOperation("reset", (qubit,)) for qubit in qubits if qubit in were_reset)
        done.extend(pauli({qubit: _LETTERS[letters.pop(qubit)] for qubit in qubits if qubit in letters}))
        were_reset.difference_update(qubits)

    for operation in operations:
        if operation.kind == "reset":
            were_reset.update(operation.qubits)
            for qubit in operation.qubits:
                letters.pop(qubit, None)
        elif operation.kind == "pauli":
            for qubit, letter in zip(operation.qubits, operation.letters, strict=True):
                product = letters.get(qubit, 0) ^ _LETTERS.index(letter)
                letters[qubit] = product & 1 if qubit in were_reset else product
        else:
            write([qubit for qubit in operation.qubits if qubit in letters or qubit in were_reset])
            done.append(operation)
    write({*letters, *were_reset})
    return tuple(done)


def _split_off(terms: Sequence[Term], *, last: bool) -> tuple[list[ErrorOperation], list[Term]]:
    """Return the unitaries and Kraus operators that all terms end with, or begin with, and what is left of the terms.

    An operation counts as the last one if those after it act on other qubits, since it commutes with them.
    """
    found: list[ErrorOperation] = []
    rest = [list(term if last else term[::-1]) for term in terms]
    while True:
        ends = [_ends(term) for term in rest]
        shared = next((key for key in ends[0] if all(key in others for others in ends[1:])), None)
        if shared is None:
            left = [tuple(term if last else term[::-1]) for term in rest]
            return found[::-1] if last else found, left
        found.append(rest[0][ends[0][shared]])
        for term, others in zip(rest, ends, strict=True):
            del term[others[shared]]


def _ends(term: Sequence[ErrorOperation]) -> dict[Any, int]:
    """Return the places of the operations with matrices that could as well be the last ones."""
    found: dict[Any, int] = {}
    busy: set[int] = set()
    for place in reversed(range(len(term))):
        if term[place].matrices and busy.isdisjoint(term[place].qubits):
            found[_key(term[place])] = place
        busy.update(term[place].qubits)
    return found
