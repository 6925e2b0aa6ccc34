"""Derivatives from reduced transition matrices: what is left to do in small matrices once a product has been undone.

A transition matrix is ``R = sum over the other qubits of |ket><bra|``, so that ``<bra| A |ket>`` is the trace of
``A R``. One such matrix, taken after a product of gates, gives the sums of all its gates (Jones and Gacon 2020,
arXiv:2009.02823, for gates that are undone one by one).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.engine.bits import deposit_bits
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["SmallGate", "sums_of_product"]


class SmallGate(NamedTuple):
    """A gate of a product.

    Attributes
    ----------
    number
        What the gate is called in results.
    form, data
        Its numbers: ``data[s]`` for set s.
    targets, controls, control_state
        The bits that it acts on; the wires of the product come first, then its selectors.
    """

    number: int
    form: Form
    data: NDArray[Any]
    targets: tuple[int, ...]
    controls: tuple[int, ...]
    control_state: int


def sums_of_product(
    transitions: NDArray[np.complex128],
    gates: Sequence[SmallGate],
    generators: Mapping[int, Sequence[NDArray[np.complex128]]],
) -> dict[int, NDArray[np.complex128]]:
    """Return ``sums[g][b, s, a]``, the trace of generator a of gate g with the transition matrix after that gate.

    Parameters
    ----------
    transitions
        ``transitions[b, s, v, i, j]`` after all gates: for bra b and set s, where the selectors have the value v.
    gates
        The gates in the order in which they act; those after the last that has generators may be left out only if the
        matrices are taken before them.
    generators
        See `basicaer.engine.device.Generators`.
    """
    left = sum(gate.number in generators for gate in gates)
    n_bras, sets, values, size, _ = transitions.shape
    bits = (values * size).bit_length() - 1
    low = size.bit_length() - 1
    found: dict[int, NDArray[np.complex128]] = {}
    for gate in reversed(gates):
        if not left:
            break
        if gate.number in generators:
            reduced = _reduced(transitions, bits, low, gate)
            found[gate.number] = np.stack(
                [_traces(reduced, one, gate.form) for one in generators[gate.number]], axis=-1
            )
            left -= 1
            if not left:
                break
        shape = n_bras, sets, values * size, size
        for _ in range(2):  # (U* R)* is R* U, of which the second round makes U* R U
            rows = _undone(transitions.reshape(shape), bits, gate)
            transitions = rows.reshape(n_bras, sets, values, size, size).conj().swapaxes(-1, -2)
    return found


def _traces(reduced: NDArray[Any], generator: NDArray[np.complex128], form: Form) -> NDArray[np.complex128]:
    traces: NDArray[np.complex128]
    if form is Form.DIAGONAL:
        traces = (np.einsum("bsii->bsi", reduced) * generator).sum(axis=-1)
    else:
        traces = (reduced * generator.swapaxes(-1, -2)).sum(axis=(-1, -2))
    return traces


def _reduced(transitions: NDArray[Any], bits: int, low: int, gate: SmallGate) -> NDArray[Any]:
    """Return ``reduced[b, s, i, j]`` on the gate's targets, where its controls are on.

    Entries in which targets differ that are selectors are not there; they are left 0, since the gate is diagonal there.
    """
    rows = _by_value(bits, gate.targets, gate.controls, gate.control_state)
    # rows[i, r] = the index with value i of the targets and r of what is left
    size = transitions.shape[-1]
    value, row = rows >> low, rows & (size - 1)
    same = value[:, None] == value[None]  # whether two targets' values have the same selectors
    reduced = transitions[:, :, value[:, None], row[:, None], row[None]]
    summed: NDArray[np.complex128] = np.where(same, reduced, 0).sum(axis=-1)
    return summed


def _undone(rows: NDArray[Any], bits: int, gate: SmallGate) -> NDArray[Any]:
    """Return the inverse of a gate applied to rows, which stand for the wires and above them the selectors."""
    where = _by_value(bits, gate.targets, gate.controls, gate.control_state)
    acted = rows[:, :, where]
    if gate.form is Form.DIAGONAL:
        acted *= gate.data.conj()[..., None, None]
    elif gate.form is Form.PERMUTATION:
        acted = acted[:, :, gate.data[0]]
    else:
        inverse = gate.data.conj().swapaxes(-1, -2)
        acted = (inverse @ acted.reshape(*acted.shape[:3], -1)).reshape(acted.shape)
    changed = rows.copy() if gate.controls else np.empty_like(rows)
    changed[:, :, where] = acted
    return changed


@lru_cache(maxsize=4096)
def _by_value(bits: int, targets: tuple[int, ...], controls: tuple[int, ...], control_state: int) -> NDArray[np.int64]:
    """Return ``index[i, r]`` of the bits: targets have the value i, controls are on, and r numbers the others."""
    others = [bit for bit in range(bits) if bit not in targets and bit not in controls]
    rest = deposit_bits(np.arange(2 ** len(others)), others) + deposit_bits(control_state, controls)
    index: NDArray[np.int64] = deposit_bits(np.arange(2 ** len(targets)), targets)[:, None] + rest
    index.flags.writeable = False  # it is shared
    return index
