"""Fuses the gates of a product into its matrices."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from basicaer.devices.cpu.gatewise import Gatewise
from basicaer.devices.cpu.permutations import source_indices
from basicaer.devices.numbers import GateNumbers
from basicaer.engine.bits import deposit_bits
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


__all__ = ["product_matrices"]

_ONE = (1.0, 0.0, 0.0, 1.0)


def product_matrices(
    gates: Iterable[GateNumbers], wires: Sequence[int], selectors: Sequence[int]
) -> NDArray[np.complexfloating]:
    """Return ``matrices[s, row, column]``, the matrix of all gates on `wires` if `selectors` have the value s.

    Bit j of a row or column is ``wires[j]``, and bit j of s is ``selectors[j]``.
    """
    fusing = _Fusing((*wires, *selectors), len(wires))
    for gate in gates:
        fusing.add(gate)
    return fusing.matrices()


class _Fusing:
    """Matrices to which gates are applied as to states; the bits of a row come first, then the selectors."""

    def __init__(self, wires: Sequence[int], k: int) -> None:
        self._place = {wire: j for j, wire in enumerate(wires)}
        self._k = k
        self._rows = _identities(len(wires), k).copy()  # _rows[row of all bits, column]
        # For each wire the product of the latest gates on it alone, row by row. It acts after all that is in `_rows`.
        self._single: dict[int, tuple[complex, complex, complex, complex]] = {}
        self._begun = False  # whether any gate has been applied

    def add(self, gate: GateNumbers) -> None:
        form, data, targets, controls, control_state = gate
        if len(targets) == 1 and not controls:
            # Matrices on one wire are multiplied number by number. To apply each to all rows takes ten times as long.
            a, b, c, d = self._single.get(targets[0], _ONE)
            if form is Form.MATRIX:
                (p, q), (r, s) = data.tolist()
                self._single[targets[0]] = p * a + q * c, p * b + q * d, r * a + s * c, r * b + s * d
            elif form is Form.DIAGONAL:
                p, s = data.tolist()
                self._single[targets[0]] = p * a, p * b, s * c, s * d
            elif data[0]:  # the gate exchanges the two basis states
                self._single[targets[0]] = c, d, a, b
            return
        for wire in targets + controls:
            if wire in self._single:
                self._apply_single(wire)
        place = self._place
        if form is Form.MATRIX and not self._begun and len(targets) == self._k == len(place):
            # The first gate, as wide as the product, is copied; multiplying it by identities would take much longer.
            rows = deposit_bits(np.arange(len(data)), [place[wire] for wire in targets])
            self._rows[rows[:, None], rows] = data
            self._begun = True
            return
        self._begun = True
        on_bits = tuple([place[wire] for wire in targets]), tuple([place[wire] for wire in controls])
        if form is Form.PERMUTATION:
            self._rows = self._rows.take(_source(len(place), *on_bits, control_state, tuple(data.tolist())), 0)
        else:
            k = self._k
            on_bits = tuple([k + bit for bit in on_bits[0]]), tuple([k + bit for bit in on_bits[1]])
            vector = self._rows.reshape(-1)
            Gatewise(len(place) + k, vector.dtype).apply(
                vector, GateNumbers(form, data, *on_bits, control_state), _no_poll
            )

    def matrices(self) -> NDArray[np.complexfloating]:
        for wire in list(self._single):
            self._apply_single(wire)
        return self._rows.reshape(-1, 2**self._k, 2**self._k)

    def _apply_single(self, wire: int) -> None:
        self._begun = True
        pairs = self._rows.reshape(-1, 2, 2 ** (self._place[wire] + self._k))
        matrix = np.array(self._single.pop(wire)).reshape(2, 2)
        self._rows = np.matmul(matrix, pairs).reshape(self._rows.shape)


@lru_cache
def _identities(bits: int, k: int) -> NDArray[np.complexfloating]:
    """Return identity matrices of 2**k columns one below another, 2**bits rows in all."""
    rows = np.tile(np.eye(2**k, dtype=complex), (2 ** (bits - k), 1))
    rows.flags.writeable = False  # it is shared
    return rows


@lru_cache(maxsize=4096)
def _source(
    bits: int, targets: tuple[int, ...], controls: tuple[int, ...], control_state: int, goes_to: tuple[int, ...]
) -> NDArray[np.intp]:
    """Return ``source[row]``, the row that a permutation of the targets' basis states brings to `row`."""
    gate = GateNumbers(Form.PERMUTATION, np.array(goes_to), targets, controls, control_state)
    source = source_indices(range(bits), [gate])
    source.flags.writeable = False  # it is shared
    return source


def _no_poll() -> None:
    """Do nothing, because a fused matrix is too small to poll in between."""
