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
    """

    number: int
    places: NDArray[np.intp]
    wanted: bool


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
        self._shape = (2**selectors, 2**wires, 2**wires)
        self._identity = np.zeros(np.prod(self._shape) + 1, complex)  # flat, and the place behind the last entry
        self._identity[:-1].reshape(self._shape)[:] = np.eye(2**wires)
        first = next(place for place, gate in enumerate(gates) if gate.number in wanted)
        self._steps: list[_Step | NDArray[np.complex128]] = []  # last first; runs of other gates are one matrix
        for gate in reversed(gates[first:]):
            places, own = _places(gate, wires, selectors)
            if gate.data is None or gate.number in wanted:
                self._steps.append(_Step(gate.number, places, gate.number in wanted))
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
        wanted: list[_Step] = []
        later: list[NDArray[np.complex128]] = []  # later[w][s, v] = the product of the gates after wanted gate w
        product = np.eye(self._shape[-1], dtype=complex)[None, None]
        for step in self._steps:
            if not isinstance(step, _Step):
                product = product @ step
                continue
            if step.wanted:
                wanted.append(step)
                later.append(product)
                if step is self._steps[-1]:  # the first gate is one that is wanted
                    break
            product = product @ self._matrices(step.places, numbers(step.number))
        found: dict[int, NDArray[np.complex128]] = {}
        for group in _alike(wanted, generators):
            after = np.stack(np.broadcast_arrays(*(later[place] for place in group)))[:, None]
            undone = after.conj().swapaxes(-1, -2) @ transitions @ after
            # Sums are over a last axis that is contiguous, so that no rounding depends on the numbers of bras and sets.
            flat = undone.transpose(1, 2, 0, 3, 4, 5).reshape(*transitions.shape[:2], -1)
            places = np.stack([wanted[place].places for place in group])
            size = flat.shape[-1] // len(group)
            np.minimum(places, size - 1, out=places)  # what is read there is multiplied by 0
            places += size * np.arange(len(group)).reshape(-1, *[1] * (places.ndim - 1))
            reduced = np.take(flat, places, axis=2).sum(
                axis=-1
            )  # reduced[b, s, w, i, j] or, for diagonals, reduced[b, s, w, i]
            own = [generators[wanted[place].number] for place in group]
            sums = []
            for angle in range(len(own[0])):
                each = np.stack([some[angle] for some in own], axis=1)  # each[s, w, i, j] or each[s, w, i]
                if each.ndim > 3:  # not diagonal
                    each = each.swapaxes(-1, -2)
                terms = reduced * each
                sums.append(terms.reshape(*terms.shape[:3], -1).sum(axis=-1))
            for number, place in enumerate(group):
                found[wanted[place].number] = np.stack([one[:, :, number] for one in sums], axis=-1)
        return found


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


def _alike(wanted: Sequence[_Step], generators: Generators) -> list[list[int]]:
    """Return the places of gates whose sums can be taken together: they have the same size, and as many angles."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for place, step in enumerate(wanted):
        own = generators[step.number]
        groups.setdefault((step.places.shape, len(own)), []).append(place)
    return list(groups.values())
