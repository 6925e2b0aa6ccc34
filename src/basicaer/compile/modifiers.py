"""Controlled, inverted and repeated sequences of gates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from basicaer.engine.bits import deposit_bits
from basicaer.engine.program import Form, Gate

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["controlled", "inverse", "permuted"]


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
    return [gate._replace(name=f"{gate.name}_dg", data=_inverse_data(gate)) for gate in reversed(gates)]


def _inverse_data(gate: Gate) -> np.ndarray:
    if gate.form is Form.PERMUTATION:
        return np.argsort(gate.data)
    return gate.data.conj().T  # of a diagonal, the transpose is itself


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
