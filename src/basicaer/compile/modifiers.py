"""Controlled, inverted and repeated sequences of gates."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.compile.gates import BY_NAME, inverted
from basicaer.compile.values import Varies
from basicaer.devices.cpu.fusion import eigen, product_matrices
from basicaer.devices.cpu.gatewise import GateNumbers
from basicaer.engine.bits import deposit_bits
from basicaer.engine.program import Form, Formula, Gate
from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["controlled", "formula_numbers", "inverse", "permuted", "power", "unitary_gate"]

_WIDEST_POWER = 6  # qubits of a sequence whose matrix is made to take a power of it
_FEW_GATES = 64  # a power of no more gates is written out
_MOST_GATES = 10**6
_HIGHEST_POWER = 10**9  # of angles that are no simple part of a turn: rounding them makes 1e-7 of it then
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


def inverse(gates: Sequence[Gate]) -> list[Gate]:
    """Return the inverse of a sequence."""
    return [
        gate._replace(
            name=f"{gate.name}_dg",
            data=inverted(gate.form, gate.data),
            formula=gate.formula and gate.formula._replace(inverted=not gate.formula.inverted),
        )
        for gate in reversed(gates)
    ]


def formula_numbers(formula: Formula, parameters: Sequence[float]) -> NDArray[Any]:
    """Return the numbers of a gate inside a loop at values of its parameters."""
    record = BY_NAME[formula.gate]
    return record.inverse(parameters) if formula.inverted else record.data(parameters)


def unitary_gate(matrix: Any, qubits: tuple[int, ...], name: str = "unitary") -> Gate:
    """Return a matrix as a gate; on no qubits it is a phase."""
    own = np.array(matrix, complex)  # the caller may go on to change theirs
    if not qubits:
        return Gate("global_phase", "", (), Form.DIAGONAL, own.reshape(1))
    return Gate(name, "G" * len(qubits), qubits, Form.MATRIX, own)


def power(
    gates: Sequence[Gate], exponent: float, qubits: tuple[int, ...], what: str, poll: Callable[[], None]
) -> list[Gate]:
    """Return a power of what a sequence on `qubits` does, the principal one where the exponent is not whole.

    Raises
    ------
    BasicAerError
        If the exponent is no number or too high, or the qubits are too many for a matrix, and the power is not whole or
        takes too many gates.
    """
    if not (isinstance(exponent, int) or isfinite(exponent)):
        raise BasicAerError(f"The power {exponent} of {what} must be a finite number.")
    is_whole = isinstance(exponent, int) or exponent.is_integer()
    if is_whole:
        once, times = (list(gates) if exponent >= 0 else inverse(gates)), abs(int(exponent))
        if len(once) * times <= _FEW_GATES:
            return once * times
        if len(once) == 1 and once[0].form is not Form.MATRIX and once[0].formula is None:
            return [once[0]._replace(data=_repeated(once[0], times, what))]
        if len(qubits) > _WIDEST_POWER and len(once) * times <= _MOST_GATES:
            return once * times
    if len(qubits) > _WIDEST_POWER:
        can = f"whole powers of at most {_MOST_GATES} gates" if is_whole else "whole powers"
        raise BasicAerError(
            f"The power {exponent} of {what} cannot be taken on {len(qubits)} qubits; on more than {_WIDEST_POWER} "
            f"there are {can} only."
        )
    poll()
    vectors, values = eigen(Gate("power", "G" * len(qubits), qubits, Form.MATRIX, _matrix(gates, qubits)))
    if is_whole:
        exponent = _lowest(values, int(exponent), what)
    # By the phases, so that the power is as unitary as the matrix however high it is. As Qiskit takes roots, the phase
    # of -1 is pi, also where rounding has put it just beyond.
    phases = np.angle(values * np.exp(-1j * _BRANCH_CUT)) + _BRANCH_CUT
    raised = vectors * np.exp(1j * exponent * phases) @ vectors.conj().T
    return [unitary_gate(raised, qubits, "power")]


def _lowest(values: NDArray[np.complexfloating], exponent: int, what: str) -> int:
    """Return the lowest exponent, from 0 on, that gives the same power of numbers of modulus 1, if they have an order.

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
            f"The power {exponent} of {what} cannot be taken: it would be made of digits of its angles that nobody "
            f"knows; take one of at most {_HIGHEST_POWER}."
        )
    return exponent


def _repeated(gate: Gate, times: int, what: str) -> NDArray[Any]:
    """Return the numbers of a permutation or diagonal gate that is applied `times` times; exact for 1, -1, i and -i."""
    size = len(gate.data)
    power = gate.data
    if gate.form is Form.DIAGONAL:
        times = _lowest(power, times, what)
    total = np.arange(size) if gate.form is Form.PERMUTATION else np.ones(size, complex)
    while times:
        odd, times = times % 2, times // 2
        if gate.form is Form.PERMUTATION:
            total = power[total] if odd else total
            power = power[power]
        else:
            total = total * power if odd else total
            power = power * power
            power /= np.abs(power)  # so that it stays unitary however often it is squared
    return total


def _matrix(gates: Sequence[Gate], qubits: tuple[int, ...]) -> NDArray[np.complexfloating]:
    """Return what gates do together; bit j of a row or column is ``qubits[j]``."""
    if any(gate.formula is not None for gate in gates):
        raise Varies
    numbers = [GateNumbers(g.form, g.data, g.targets, g.controls, g.control_state) for g in gates]
    matrix: NDArray[np.complexfloating] = product_matrices(numbers, qubits, ())[0]
    return matrix


def permuted(pattern: Sequence[int], qubits: Sequence[int], swap: Gate) -> list[Gate]:
    """Return swaps that bring the state of ``qubits[pattern[i]]`` to ``qubits[i]`` for every i.

    Parameters
    ----------
    swap
        A swap of any two qubits, to be repeated on others.
    """
    holds = list(range(len(pattern)))  # holds[i] = which place's state is now at place i
    gates = []
    for place, wanted in enumerate(pattern):
        source = holds.index(wanted)
        if source != place:
            gates.append(swap._replace(targets=(qubits[place], qubits[source])))
            holds[place], holds[source] = holds[source], holds[place]
    return gates
