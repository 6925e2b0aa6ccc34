"""Derivatives from reduced transition matrices: what is left to do in small matrices once a product has been undone.

A transition matrix is ``R = sum over the other qubits of |ket><bra|``, so that ``<bra| A |ket>`` is the trace of
``A R``. One such matrix, taken after a product of gates, gives the sums of all its gates: right after one of them it is
``P* R P``, where P is the product of the gates that come later (Jones and Gacon 2020, arXiv:2009.02823, for gates that
are undone one by one).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.engine.bits import deposit_bits, lowest_bits, shifted_down
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.device import Generators

__all__ = ["ProductSums", "SmallGate"]


class SmallGate(NamedTuple):
    """A gate of a product.

    Attributes
    ----------
    number
        What the gate is called in results.
    form, data
        Its form and numbers; None if they differ from set to set.
    targets, controls, control_state
        The bits that it acts on; the wires of the product come first, then its selectors.
    """

    number: int
    form: Form
    data: NDArray[Any] | None
    targets: tuple[int, ...]
    controls: tuple[int, ...]
    control_state: int


class _Step(NamedTuple):
    """A gate whose sums are wanted, or whose numbers differ from set to set.

    Attributes
    ----------
    number
        The gate.
    places
        ``places[i, j, r]`` is where entry (i, j) of the gate's matrix stands in a flat matrix of the product, for all
        r; for a diagonal ``places[i, r]``. Entries that are 0, since they join values of selectors, have the place
        behind the last one.
    wanted
        Whether its sums are wanted.
    axes
        For a matrix on some of the wires, the axes of transition matrices, of two values each, in an order in which
        those of its targets come first: of the rows, then of the columns; and the order that takes this back. None for
        other gates. The first three axes stay where they are.
    read
        The places, with the last one in place of that behind it: what is read there is multiplied by 0.
    """

    number: int
    places: NDArray[np.intp]
    wanted: bool
    axes: tuple[tuple[int, ...], tuple[int, ...]] | None
    read: NDArray[np.intp]


class ProductSums:
    """The sums of the gates of a product, but for the numbers.

    Parameters
    ----------
    gates
        The gates in the order in which they act.
    wires, selectors
        How many there are of each.
    wanted
        The gates whose sums are wanted.
    """

    def __init__(self, gates: Sequence[SmallGate], wires: int, selectors: int, wanted: Collection[int]) -> None:
        self._wires = wires
        self._shape = (2**selectors, 2**wires, 2**wires)
        self._identity = np.zeros(np.prod(self._shape) + 1, complex)  # flat, and the place behind the last entry
        self._identity[:-1].reshape(self._shape)[:] = np.eye(2**wires)
        first = next(place for place, gate in enumerate(gates) if gate.number in wanted)
        self._steps: list[_Step | NDArray[np.complex128]] = []  # last first; runs of other gates are one matrix
        for gate in reversed(gates[first:]):
            places, own = _places(gate, wires, selectors)
            if gate.data is None or gate.number in wanted:
                read = np.minimum(places, len(self._identity) - 2)
                self._steps.append(_Step(gate.number, places, gate.number in wanted, _axes(gate, wires), read))
                continue
            matrix = self._matrices(places, own[None])[0]
            if self._steps and not isinstance(self._steps[-1], _Step):
                self._steps[-1] = self._steps[-1] @ matrix
            else:
                self._steps.append(matrix)

    def _matrices(self, places: NDArray[np.intp], data: NDArray[Any]) -> NDArray[np.complex128]:
        """Return ``matrices[s, v]`` on all wires, of a gate with the entries ``data[s]``."""
        flat = np.repeat(self._identity[None], len(data), axis=0)
        flat[:, places] = data[..., None]
        return flat[:, :-1].reshape(-1, *self._shape)

    def sums(
        self,
        transitions: NDArray[np.complex128],
        numbers: Callable[[int], NDArray[Any]],
        generators: Generators,
    ) -> dict[int, NDArray[np.complex128]]:
        """Return ``sums[g][b, s, a]``, the trace of generator a of gate g with the transition matrix after that gate.

        Parameters
        ----------
        transitions
            ``transitions[b, s, v, i, j]`` after all gates: for bra b and set s, where the selectors have the value v.
        numbers
            Returns ``data[s]``, the numbers of a gate in each set.
        """
        found: dict[int, NDArray[np.complex128]] = {}
        for step in self._steps:
            if not isinstance(step, _Step):
                transitions = _undone(transitions, step)
                continue
            if step.wanted:
                found[step.number] = _traces(transitions, step, generators[step.number])
            if step is not self._steps[-1]:
                transitions = self._before(step, transitions, numbers(step.number))
        return found

    def _before(self, step: _Step, transitions: NDArray[np.complex128], data: NDArray[Any]) -> NDArray[np.complex128]:
        """Return the transition matrices before a gate from those after it; it has the numbers ``data[s]``."""
        if step.axes is not None:
            return _conjugated(transitions, data, step.axes, self._wires)
        if step.places.ndim == 2:  # a diagonal
            diagonal = np.ones((len(data), self._shape[0] * self._shape[1]), complex)
            diagonal[:, step.places // self._shape[1]] = data[..., None]
            diagonal = diagonal.reshape(-1, *self._shape[:2])
            return transitions * diagonal.conj()[..., None] * diagonal[..., None, :]
        return _undone(transitions, self._matrices(step.places, data))


def _traces(
    transitions: NDArray[np.complex128], step: _Step, generators: Sequence[NDArray[Any]]
) -> NDArray[np.complex128]:
    """Return ``sums[b, s, a]`` of a gate, given the transition matrices after it."""
    flat = transitions.reshape(*transitions.shape[:2], -1)
    # Sums are over a last axis that is contiguous, so that no rounding depends on the numbers of bras and sets.
    reduced = flat.take(step.read, axis=2).sum(axis=-1)  # reduced[b, s, i, j] or, for a diagonal, reduced[b, s, i]
    sums = np.empty((*reduced.shape[:2], len(generators)), complex)
    for angle, own in enumerate(generators):  # own[s, i, j] or own[s, i]
        terms = reduced * (own if own.ndim == 2 else own.swapaxes(-1, -2))
        sums[:, :, angle] = terms.reshape(*terms.shape[:2], -1).sum(axis=-1)
    return sums


def _undone(transitions: NDArray[np.complex128], matrices: NDArray[Any]) -> NDArray[np.complex128]:
    """Return ``M* T M`` for transition matrices T and matrices M of a product."""
    undone: NDArray[np.complex128] = matrices.conj().swapaxes(-1, -2) @ transitions @ matrices
    return undone


def _conjugated(
    transitions: NDArray[np.complex128],
    matrices: NDArray[Any],
    axes: tuple[tuple[int, ...], tuple[int, ...]],
    wires: int,
) -> NDArray[np.complex128]:
    """Return what `_undone` does, for ``matrices[s]`` on a few of the wires: rows and columns are changed together."""
    shape, size = transitions.shape[:3], matrices.shape[-1] ** 2
    bits = (2,) * (2 * wires)
    there, back = axes
    own = matrices.swapaxes(-1, -2)
    both = own.conj()[:, :, None, :, None] * own[:, None, :, None, :]
    together = transitions.reshape(*shape, *bits).transpose(there).reshape(*shape, size, -1)
    changed = both.reshape(-1, 1, size, size) @ together
    undone: NDArray[np.complex128] = changed.reshape(*shape, *bits).transpose(back).reshape(transitions.shape)
    return undone


def _axes(gate: SmallGate, wires: int) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Return the axes of a `_Step`."""
    if gate.form is not Form.MATRIX or gate.controls or max(gate.targets) >= wires:
        return None
    rows = [3 + wires - 1 - target for target in reversed(gate.targets)]
    first = [0, 1, 2, *rows, *(wires + axis for axis in rows)]
    there = (*first, *(axis for axis in range(3 + 2 * wires) if axis not in first))
    return there, tuple(there.index(axis) for axis in range(len(there)))


def _places(gate: SmallGate, wires: int, selectors: int) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Return where the entries of a gate stand in a flat matrix of its product, and its own entries.

    A permutation is taken for a matrix. If the gate has no numbers of its own, neither are the entries.
    """
    bits = wires + selectors
    others = [bit for bit in range(bits) if bit not in gate.targets and bit not in gate.controls]
    rest = deposit_bits(np.arange(2 ** len(others)), others) + deposit_bits(gate.control_state, gate.controls)
    index = deposit_bits(np.arange(2 ** len(gate.targets)), gate.targets)[:, None] + rest
    value, row = shifted_down(index, wires), lowest_bits(index, wires)
    data: NDArray[Any] = np.zeros(0) if gate.data is None else gate.data
    if gate.form is Form.DIAGONAL:
        return (value * 2**wires + row) * 2**wires + row, data
    if gate.form is Form.PERMUTATION:
        matrix = np.zeros((len(data), len(data)))
        matrix[data, np.arange(len(data))] = 1
        data = matrix
    places = (value[:, None] * 2**wires + row[:, None]) * 2**wires + row[None]
    return np.where(value[:, None] == value[None], places, 2 ** (selectors + 2 * wires)), data
