"""Sequences of gates under control or raised to a power, and permutations as sequences of swaps."""

from __future__ import annotations

from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.compile.gates import BY_NAME
from basicaer.compile.values import Varies
from basicaer.engine.bits import deposit_bits, has_bit
from basicaer.engine.program import Form, Formula, Gate
from basicaer.engine.unitaries import eigen_decomposition, inverse
from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["controlled", "formula_numbers", "matrix_of", "permuted", "power", "unitary_gate"]

_WIDEST_POWER = 6  # qubits; gates on more qubits are not multiplied into a matrix to take its power
_FEW_GATES = 64  # a power of at most this many gates is written out
_MOST_GATES = 10**6
# An angle that is no simple fraction of a turn is rounded to 1e-16, which becomes 1e-7 in a power as high as this.
_HIGHEST_POWER = 10**9
_HIGHEST_ORDER = 1024
_SAME_TURN = 1e-14
_BRANCH_CUT = np.pi * 1e-12  # radians beyond pi


def controlled(gates: Sequence[Gate], controls: tuple[int, ...], control_state: int) -> list[Gate]:
    """Return the gates, each acting only where `controls` have the values in the bits of `control_state`.

    A phase becomes a phase of the control qubits, so that a controlled sequence is exact.
    """
    offset = len(controls)
    return [
        gate._replace(
            controls=controls + gate.controls,
            control_state=control_state | deposit_bits(gate.control_state, range(offset, offset + len(gate.controls))),
        )
        for gate in gates
    ]


def formula_numbers(formula: Formula, parameters: Sequence[float]) -> NDArray[Any]:
    """Return the numbers of a gate inside a loop, for the values that its parameters have there."""
    record = BY_NAME[formula.gate]
    numbers = record.inverse(parameters) if formula.inverted else record.data(parameters)
    return numbers.conj() if formula.conjugated else numbers


def unitary_gate(matrix: Any, qubits: tuple[int, ...], name: str = "unitary") -> Gate:
    """Return a matrix as a gate; on no qubits it is a phase."""
    own = np.array(matrix, complex)  # a copy, since the caller may change their matrix later
    if not qubits:
        return Gate("global_phase", "", (), Form.DIAGONAL, own.reshape(1))
    return Gate(name, "G" * len(qubits), qubits, Form.MATRIX, own)


def power(
    gates: Sequence[Gate], exponent: float, qubits: tuple[int, ...], description: str, poll: Callable[[], None]
) -> list[Gate]:
    """Return a power of a sequence on `qubits`; the principal one if the exponent is not a whole number.

    Parameters
    ----------
    description
        The sequence in words, for messages: "'rx' (circuit 'x')".
    poll
        Called before a matrix is made of the gates.

    Raises
    ------
    BasicAerError
        If the exponent is not finite or too high; or if there are too many qubits for a matrix, and the exponent is not
        whole or the power has too many gates.
    """
    if not (isinstance(exponent, int) or isfinite(exponent)):
        raise BasicAerError(f"The power {exponent} of {description} must be a finite number.")
    is_whole = isinstance(exponent, int) or exponent.is_integer()
    if is_whole:
        once, times = (list(gates) if exponent >= 0 else inverse(gates)), abs(int(exponent))
        if len(once) * times <= _FEW_GATES:
            return once * times
        if len(once) == 1 and once[0].form is not Form.MATRIX and once[0].formula is None:
            return [once[0]._replace(data=_power_of_numbers(once[0], times, description))]
        if len(qubits) > _WIDEST_POWER and len(once) * times <= _MOST_GATES:
            return once * times
    if len(qubits) > _WIDEST_POWER:
        can = f"whole powers of at most {_MOST_GATES} gates" if is_whole else "whole powers"
        raise BasicAerError(
            f"The power {exponent} of {description} cannot be taken on {len(qubits)} qubits; on more than "
            f"{_WIDEST_POWER} there are {can} only."
        )
    poll()
    vectors, values = eigen_decomposition(matrix_of(gates, qubits))
    if is_whole:
        exponent = _lowest_exponent(values, int(exponent), description)
    # The phases are multiplied, not the eigenvalues, so that even a high power is as unitary as the matrix. As in
    # Qiskit's roots, the phase of -1 is pi, also if rounding has put it just beyond the branch cut.
    phases = np.angle(values * np.exp(-1j * _BRANCH_CUT)) + _BRANCH_CUT
    raised = vectors * np.exp(1j * exponent * phases) @ vectors.conj().T
    return [unitary_gate(raised, qubits, "power")]


def _lowest_exponent(values: NDArray[np.complexfloating], exponent: int, description: str) -> int:
    """Return the lowest exponent, from 0 on, that gives the same power of numbers of modulus 1.

    That is lower than `exponent` only if the numbers have an order: an exponent for which all powers are 1.

    Raises
    ------
    BasicAerError
        If they have none, and the exponent is so high that it would make the rounding of their phases large.
    """
    turns = np.angle(values) / (2 * np.pi)
    orders = np.arange(1, _HIGHEST_ORDER + 1)
    multiples = np.multiply.outer(orders, turns)
    fits = np.abs(multiples - np.rint(multiples)).max(axis=1, initial=0.0) < _SAME_TURN * orders
    if fits.any():
        return exponent % int(orders[fits.argmax()])
    if abs(exponent) > _HIGHEST_POWER:
        raise BasicAerError(
            f"The power {exponent} of {description} cannot be taken: the result would depend on digits of the angles "
            f"beyond double precision; take a power of at most {_HIGHEST_POWER}."
        )
    return exponent


def _power_of_numbers(gate: Gate, times: int, description: str) -> NDArray[Any]:
    """Return the numbers of a power of a permutation or diagonal gate; exact where they are 1, -1, i and -i."""
    size = len(gate.data)
    square = gate.data  # the gate applied 2**place times
    if gate.form is Form.DIAGONAL:
        times = _lowest_exponent(square, times, description)
    total = np.arange(size) if gate.form is Form.PERMUTATION else np.ones(size, complex)
    for place in range(times.bit_length()):
        if gate.form is Form.PERMUTATION:
            total = square[total] if has_bit(times, place) else total
            square = square[square]
        else:
            total = total * square if has_bit(times, place) else total
            square = square * square
            square /= np.abs(square)  # keeps it unitary however often it is squared
    return total


def matrix_of(gates: Sequence[Gate], qubits: tuple[int, ...]) -> NDArray[np.complex128]:
    """Return the matrix of a sequence; bit j of a row or column is ``qubits[j]``."""
    if any(gate.formula is not None for gate in gates):
        raise Varies
    place = {qubit: j for j, qubit in enumerate(qubits)}
    matrix = np.eye(2 ** len(qubits), dtype=complex)
    for gate in gates:
        targets, controls = (tuple([place[qubit] for qubit in some]) for some in (gate.targets, gate.controls))
        rows = _rows(len(qubits), targets, controls, gate.control_state)
        match gate.form:
            case Form.MATRIX:
                matrix[rows] = np.tensordot(gate.data, matrix[rows], 1)
            case Form.DIAGONAL:
                matrix[rows] *= gate.data[:, None, None]
            case Form.PERMUTATION:
                matrix[rows[gate.data]] = matrix[rows]
    return matrix


@lru_cache(maxsize=256)
def _rows(n_qubits: int, targets: tuple[int, ...], controls: tuple[int, ...], control_state: int) -> NDArray[np.int64]:
    """Return ``rows[i, j]``: the basis states whose targets have the value i, and which the controls let through."""
    others = [qubit for qubit in range(n_qubits) if qubit not in targets and qubit not in controls]
    rest = deposit_bits(np.arange(2 ** len(others)), others) + deposit_bits(control_state, controls)
    rows: NDArray[np.int64] = deposit_bits(np.arange(2 ** len(targets)), targets)[:, None] + rest
    rows.flags.writeable = False  # it is shared
    return rows


def permuted(pattern: Sequence[int], qubits: Sequence[int], swap: Gate) -> list[Gate]:
    """Return swaps that bring the state of ``qubits[pattern[i]]`` to ``qubits[i]`` for every i.

    Parameters
    ----------
    swap
        A swap of any two qubits, to be repeated on others.
    """
    holds = list(range(len(pattern)))  # holds[i] = the place whose state is now at place i
    gates = []
    for place, wanted in enumerate(pattern):
        source = holds.index(wanted)
        if source != place:
            gates.append(swap._replace(targets=(qubits[place], qubits[source])))
            holds[place], holds[source] = holds[source], holds[place]
    return gates
