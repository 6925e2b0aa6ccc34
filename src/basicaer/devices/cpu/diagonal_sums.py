"""Sums of ``conj(bra) * ket`` over the values of the wires of diagonal gates, which their derivatives need.

The sums with the signs of a product of Zs on some wires, of all that are needed, are taken at once, as a Walsh-Hadamard
transform would give them. Those of a gate on few wires follow from the signs of all products of Zs on its wires.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.engine.bits import deposit_bits, extract_bits, lowest_bits, mask_of, parities, parity, shifted_down

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.cpu.diagonals import Diagonals, NumberedGate
    from basicaer.devices.cpu.set_numbers import SetNumbers
    from basicaer.engine.device import Generators

__all__ = ["DiagonalSums"]

_MOST_SIGNED_WIRES = 6  # the values of a gate on more wires are summed by themselves
_LOWER_BITS = 6  # bits of a tile whose signs are applied last, when the others have been summed


class DiagonalSums:
    """What is summed for some of the diagonal gates that are applied together.

    Parameters
    ----------
    diagonals
        The gates that are applied together.
    gates
        Those whose sums are wanted.
    """

    def __init__(self, diagonals: Diagonals, gates: Sequence[NumberedGate]) -> None:
        self._bit, self._place = diagonals.bit, diagonals.place
        self._bits = len(diagonals.order)
        self._signed = [one for one in gates if len(one.wires) <= _MOST_SIGNED_WIRES]
        self._wide = [one for one in gates if len(one.wires) > _MOST_SIGNED_WIRES]
        masks: dict[tuple[int, int], int] = {}  # masks[inside, outside] = its number
        self._columns = []  # for each signed gate the numbers of the masks of all subsets of its wires
        for _, gate in self._signed:
            wires = (*gate.targets, *gate.controls)
            of_gate = []
            for subset in range(2 ** len(wires)):
                chosen = [wire for j, wire in enumerate(wires) if extract_bits(subset, (j,))]
                key = (
                    mask_of(self._bit[wire] for wire in chosen if wire in self._bit),
                    mask_of(self._place[wire] for wire in chosen if wire not in self._bit),
                )
                of_gate.append(masks.setdefault(key, len(masks)))
            self._columns.append(of_gate)
        inside = np.array([mask for mask, _ in masks], np.int64)
        self._outside = [mask for _, mask in masks]
        low = min(self._bits, _LOWER_BITS)
        upper, self._upper = np.unique(shifted_down(inside, low), return_inverse=True)
        index = np.arange(2 ** (self._bits - low))
        self._upper_signs = _signs(upper, index)
        self._lower_signs = _signs(lowest_bits(inside, low), np.arange(2**low))
        self._rows = [self._wide_rows(one) for one in self._wide]

    def _wide_rows(self, one: NumberedGate) -> tuple[NDArray[np.int64], tuple[int, ...], tuple[int, ...], int, int]:
        """Return where a wide gate acts.

        That is ``index[v, r]``, the indices of a tile whose controls are on, where the targets within the tile have the
        value v; which targets these are, and which are not; and the mask of the controls outside of the tile, with
        those that must be set.
        """
        gate = one.gate
        inside = tuple([j for j, wire in enumerate(gate.targets) if wire in self._bit])
        outside = tuple([j for j, wire in enumerate(gate.targets) if wire not in self._bit])
        here = [j for j, wire in enumerate(gate.controls) if wire in self._bit]
        there = [j for j, wire in enumerate(gate.controls) if wire not in self._bit]
        targets = [self._bit[gate.targets[j]] for j in inside]
        controls = [self._bit[gate.controls[j]] for j in here]
        others = [bit for bit in range(self._bits) if bit not in targets and bit not in controls]
        rest = deposit_bits(np.arange(2 ** len(others)), others)
        rest = rest + deposit_bits(extract_bits(gate.control_state, here), controls)
        index = deposit_bits(np.arange(2 ** len(targets)), targets)[:, None] + rest
        places = [self._place[gate.controls[j]] for j in there]
        return index, inside, outside, mask_of(places), deposit_bits(extract_bits(gate.control_state, there), places)

    def found(
        self, ket: NDArray[Any], bra: NDArray[Any], room: NDArray[Any], base: int
    ) -> tuple[int, NDArray[np.complex128]]:
        """Return 0 and the sums over a tile: those with signs, followed by those of the wide gates."""
        if ket.dtype == np.complex128:
            products = np.conjugate(bra, out=room)
            products *= ket
        else:
            products = bra.conj().astype(np.complex128)
            products *= ket
        summed = []
        if self._outside:
            low = self._lower_signs.shape[1]
            numbers = products.reshape(len(ket), -1, low).view(np.float64)
            upper = np.matmul(self._upper_signs, numbers).view(np.complex128)  # upper[s, mask, value of the lower bits]
            signs = [-1 if parity(mask & base) else 1 for mask in self._outside]
            summed.append((upper[:, self._upper] * self._lower_signs).sum(axis=-1) * signs)
        for one, (index, inside, outside, mask, on) in zip(self._wide, self._rows, strict=True):
            values = np.zeros((len(ket), 2 ** len(one.gate.targets)), complex)
            if mask & base == on:
                number = deposit_bits(extract_bits(base, [self._place[one.gate.targets[j]] for j in outside]), outside)
                where = deposit_bits(np.arange(len(index)), inside) + number
                values[:, where] = products[:, index].sum(axis=-1)
            summed.append(values)
        return 0, np.concatenate(summed, axis=-1)

    def sums(
        self, totals: Mapping[int, NDArray[np.complex128]], numbers: SetNumbers, generators: Generators
    ) -> dict[int, NDArray[np.complex128]]:
        """Return ``sums[g][b, s, a]`` of the gates from ``totals[0][b, s, ...]``, what `found` gives in all tiles."""
        del numbers  # the sums are the same before and after the gates
        total = totals[0]
        found = {}
        for (number, gate), columns in zip(self._signed, self._columns, strict=True):
            values = np.arange(2 ** len(gate.targets))
            values = values + deposit_bits(
                gate.control_state, [len(gate.targets) + j for j in range(len(gate.controls))]
            )
            signs = _signs(values, np.arange(len(columns))) / len(columns)
            # No product of matrices: its rounding would depend on the number of sets.
            marginal = (np.take(total, columns, axis=2)[:, :, None] * signs).sum(axis=-1)
            found[number] = _of_generators(marginal, generators[number])
        start = len(self._outside)
        for number, gate in self._wide:
            end = start + 2 ** len(gate.targets)
            found[number] = _of_generators(total[:, :, start:end], generators[number])
            start = end
        return found


def _of_generators(marginal: NDArray[np.complex128], generators: Sequence[NDArray[Any]]) -> NDArray[np.complex128]:
    """Return ``sums[b, s, a]`` from ``marginal[b, s, v]``, the sum over the amplitudes where targets are v."""
    return np.stack([(marginal * one).sum(axis=-1) for one in generators], axis=-1)


def _signs(masks: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return ``signs[m, i]``: -1 if an odd number of the bits in mask m are set in value i, else 1."""
    signs: NDArray[np.float64] = 1 - 2 * parities(np.bitwise_and.outer(masks, values)).astype(np.float64)
    return signs
