"""Chooses between statevectors, one for each history of errors, and one density matrix.

The choice depends on the program and the number of shots only, never on a machine or a timing: the numbers that shots
draw depend on it, and so the outcomes with a given seed.
"""

from __future__ import annotations

from math import exp, expm1, log
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from basicaer.engine.frames import passage
from basicaer.engine.noise import known_shares
from basicaer.engine.program import (
    Channel,
    For,
    Measure,
    OverShots,
    Phase,
    Reset,
    SavedQuantity,
    Segment,
    While,
    children,
    walk,
)
from basicaer.options import Method
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from basicaer.engine.program import Block, Gate, Program, Save

__all__ = ["MethodChoice", "choose_method", "expected_states", "of_statevectors_only"]

_MOST_QUBITS = 12  # 256 MiB: a larger density matrix must be asked for
_SMALL, _SMALL_BRANCHING = 10, 6  # qubits up to which exact values are worth a density matrix in any case
_STATE_SHARE = 0.6  # a density matrix takes as long as this many states for each of its rows
_DEPENDENT_SHARE = 0.3  # the same if errors depend on the states, which have to be read for them
_LEAST_SHARE = 1e-300
_ITERATIONS = 64  # are assumed for a loop that depends on outcomes


class MethodChoice(NamedTuple):
    """How a program is simulated, and why so; no reason where there is nothing to choose."""

    method: Method
    reason: str = ""

    @property
    def is_density(self) -> bool:
        """Whether a density matrix is evolved."""
        return self.method is Method.DENSITY_MATRIX

    @property
    def axes(self) -> int:
        """How many times the qubits of a program the evolved state has."""
        return 2 if self.is_density else 1

    @property
    def metadata(self) -> dict[str, str]:
        """What a result says of it, if there was anything to choose."""
        return {"method": str(self.method), "method_reason": self.reason} if self.reason else {}


def choose_method(wanted: Method, program: Program, shots: int, *, exactly: bool = False) -> MethodChoice:
    """Return how a program is simulated.

    Parameters
    ----------
    exactly
        Whether exact expectation values are better than those of shots, whatever the program saves.
    """
    if wanted is not Method.AUTOMATIC:
        return MethodChoice(wanted, f"method='{wanted}' was asked for")
    if not any(isinstance(operation, Channel) for operation in walk(program.body)):
        return MethodChoice(Method.STATEVECTOR)
    single = next((save for save in program.saves if of_statevectors_only(save) or _is_of_shots(save)), None)
    if single is not None:
        return MethodChoice(Method.STATEVECTOR, f"{single.form} reads the state of a shot")
    n_qubits = program.state_qubits
    if n_qubits > _MOST_QUBITS:
        return MethodChoice(Method.STATEVECTOR, f"density matrices of over {_MOST_QUBITS} qubits must be asked for")
    states, branches = expected_states(program, shots)
    small = _SMALL if branches == 1 else _SMALL_BRANCHING
    if n_qubits <= small and (exactly or program.saves):
        return MethodChoice(Method.DENSITY_MATRIX, f"values are exact, at up to {counted(small, 'qubit')}")
    dependent = any(isinstance(one, Channel) and one.depends_on_state for one in walk(program.body))
    many = (_DEPENDENT_SHARE if dependent else _STATE_SHARE) * 2**n_qubits * branches
    said = f"{counted(shots, 'shot')} should have about {counted(round(states), 'different state')}"
    if states > many:
        return MethodChoice(Method.DENSITY_MATRIX, f"{said}; a density matrix is faster")
    return MethodChoice(Method.STATEVECTOR, f"{said}; a density matrix is slower")


def of_statevectors_only(save: Save) -> bool:
    """Tell whether a save reads what a density matrix does not have: amplitudes."""
    return save.quantity is SavedQuantity.AMPLITUDES


def _is_of_shots(save: Save) -> bool:
    return save.over_shots is OverShots.EACH or save.over_shots is OverShots.LAST


def expected_states(program: Program, shots: int) -> tuple[float, float]:
    """Return about how many different states the shots of a program have, and how many density matrices.

    Both are expected numbers. Shots part at errors and, where a measurement or reset is not at the end, at its
    outcomes, which are taken to be equally likely. Shots with at most one error may have it in common; those with more
    are taken to differ.
    """
    none, ones = 0.0, []  # log of the probability of no error, and that of each error, as a share of that of none
    known: dict[int, tuple[float, list[float]]] = {}  # known[id(operators)], as `_shares` returns them
    outcomes = branches = 1.0
    for operation, times in _sites(program):
        match operation:
            case Measure():
                outcomes, branches = (min(count * 2.0 ** min(times, 64), shots) for count in (outcomes, branches))
            case Reset():
                outcomes = min(outcomes * 2.0 ** min(times, 64), shots)
            case Channel():
                key = id(operation.operators)
                if key not in known:
                    known[key] = _shares(operation)
                usual, others = known[key]
                none += times * log(max(usual, _LEAST_SHARE))
                ones += [(share / max(usual, _LEAST_SHARE), times) for share in others if share]
    p_none = exp(none)
    p_one = sum(p_none * ratio * times for ratio, times in ones)
    states = -expm1(-shots * p_none) + max(1 - p_none - p_one, 0.0) * shots
    states += sum(-expm1(-shots * p_none * ratio) * times for ratio, times in ones)
    return min(states * outcomes, shots), branches


def _shares(channel: Channel) -> tuple[float, list[float]]:
    """Return how likely the most likely operator of a channel is, about, and how likely each of the others is."""
    known = len(channel.probabilities)
    shares, others = known_shares(channel).tolist(), channel.operators[known:]
    if len(others) > 1:  # the one that is most likely whatever the state has its least probability, the others the rest
        least = max(float(np.linalg.eigvalsh(one.conj().T @ one)[0]) for one in others)
        least = min(max(least, 0.0), shares[known])
        rest = (shares[known] - least) / (len(others) - 1)
        shares = [*shares[:known], least, *([rest] * (len(others) - 1))]
    usual = max(shares)
    shares.remove(usual)
    return usual, shares


def _sites(program: Program) -> Iterator[tuple[Measure | Reset | Channel, float]]:
    """Yield the operations at which shots part, and how often each runs."""
    if any(not isinstance(operation, Segment | Phase | Channel) for operation in program.body):
        yield from _sites_of(program.body, 1.0)
        return
    # Pauli errors that change no gate after them flip outcomes at most, and leave the state as it is.
    changes = False
    for operation in reversed(program.body):
        if isinstance(operation, Channel):
            if changes or operation.depends_on_state or bool((operation.paulis < 0).any()):
                yield operation, 1.0
        elif isinstance(operation, Segment) and not changes:
            changes = not all(map(_is_clifford, operation.gates))


def _is_clifford(gate: Gate) -> bool:
    """Tell whether a gate takes all Paulis to Paulis, so that it stays as it is if they move past it."""
    passed = passage(gate)
    return passed is not None and passed.is_clifford


def _sites_of(block: Block, times: float) -> Iterator[tuple[Measure | Reset | Channel, float]]:
    for operation in block:
        match operation:
            case Measure() | Reset() | Channel():
                yield operation, times
            case For():
                for body in operation.bodies:
                    yield from _sites_of(body, times * operation.repeats)
            case While(_, body):
                yield from _sites_of(body, times * _ITERATIONS)
            case _:
                for child in children(operation):
                    yield from _sites_of(child, times)
