"""Permutations of basis states that are affine over GF(2), such as any sequence of X, CX and swaps.

They cost a GPU nothing: they become part of the map by which amplitudes next move through memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from basicaer.engine.bits import has_bit, mask_of, positions_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["Affine", "affine_rows"]


def affine_rows(goes_to: NDArray[Any]) -> list[tuple[int, bool]] | None:
    """Return a permutation of basis states as ``(mask, flip)`` for each bit, or None if it is not affine.

    Bit j of ``goes_to[i]`` is the parity of ``i & mask``, flipped if `flip`.
    """
    values = goes_to.tolist()
    bits = len(values).bit_length() - 1
    columns = [values[2**p] ^ values[0] for p in range(bits)]
    image = [values[0]]
    for column in columns:  # image[i] = what i becomes if the permutation is affine
        image += [other ^ column for other in image]
    if image != values:
        return None
    return [(mask_of(p for p in range(bits) if has_bit(columns[p], j)), has_bit(values[0], j)) for j in range(bits)]


class Affine:
    """What the wires of a tile become: each the parity of some wires, in the tile or outside of it, perhaps flipped.

    Parameters
    ----------
    wires
        Those of the tile.
    """

    def __init__(self, wires: Iterable[int]) -> None:
        self._wires = tuple(wires)
        self._parity = {wire: mask_of((wire,)) for wire in self._wires}  # masks of wires, also outside of the tile
        self._changed: set[int] = set()  # wires whose parity is not their own
        self._flips: set[int] = set()

    @property
    def is_identity(self) -> bool:
        """Whether every wire stays what it is."""
        return not self._changed and not self._flips

    def disturbs(self, wires: Iterable[int]) -> bool:
        """Tell whether any of some wires does not simply stay what it is."""
        return any(wire in self._changed or wire in self._flips for wire in wires)

    def traced(self, wire: int) -> tuple[int, bool]:
        """Return what a wire has become: the mask of the wires whose parity it is, and whether that is flipped."""
        return self._parity.get(wire, mask_of((wire,))), wire in self._flips

    def flip(self, target: int, controls: Mapping[int, bool]) -> None:
        """Apply X to `target` where the one control, if there is one, has its value."""
        for control, value in controls.items():
            self._add(target, control)
            if not value:
                self._flips ^= {target}
        if not controls:
            self._flips ^= {target}

    def permute(self, targets: Sequence[int], rows: Sequence[tuple[int, bool]]) -> None:
        """Apply a permutation as `affine_rows` gives it."""
        parity = [self._parity[wire] for wire in targets]
        flipped = [wire in self._flips for wire in targets]
        for wire, (mask, flip) in zip(targets, rows, strict=True):
            new, odd = 0, flip
            for j in positions_of(mask):
                new ^= parity[j]
                odd ^= flipped[j]
            self._set(wire, new)
            self._flips = self._flips | {wire} if odd else self._flips - {wire}

    def _add(self, target: int, control: int) -> None:
        self._set(target, self._parity[target] ^ self._parity.get(control, mask_of((control,))))
        if control in self._flips:
            self._flips ^= {target}

    def _set(self, wire: int, parity: int) -> None:
        self._parity[wire] = parity
        if parity == mask_of((wire,)):
            self._changed.discard(wire)
        else:
            self._changed.add(wire)

    def images(self, position: Mapping[int, int]) -> tuple[dict[int, int], int]:
        """Return where amplitudes go.

        Parameters
        ----------
        position
            For each wire of the tile, a mask that is combined into an amplitude's place where the wire is 1 afterwards.

        Returns
        -------
        columns
            For each wire, in the tile or outside of it, the mask that is combined where it was 1 before.
        flip
            The mask that is always combined.
        """
        columns = dict.fromkeys(self._wires, 0)
        for wire in self._wires:
            for source in positions_of(self._parity[wire]):
                columns[source] = columns.get(source, 0) ^ position[wire]
        flip = 0
        for wire in self._flips:
            flip ^= position[wire]
        return columns, flip

    def sources(self, position: Mapping[int, int]) -> tuple[dict[int, int], int]:
        """Return where amplitudes come from: as `images`, with before and afterwards exchanged.

        `position` is for wires as they were; the columns are for wires of the tile as they are afterwards, and for
        wires outside of it, which stay what they are.
        """
        columns = dict.fromkeys(self._wires, 0)
        for wire, made_of in self._solved().items():
            for new in positions_of(made_of):
                columns[new] ^= position[wire]
        inside = mask_of(self._wires)
        flip = 0
        for new in self._changed | self._flips:
            for outside in positions_of(self._parity[new] & ~inside):
                columns[outside] = columns.get(outside, 0) ^ columns[new]
            if new in self._flips:
                flip ^= columns[new]
        return columns, flip

    def _solved(self) -> dict[int, int]:
        """Return of which new wires of the tile each old one is the parity, what is outside of it left aside."""
        solved = {wire: mask_of((wire,)) for wire in self._wires}
        changed = sorted(self._changed)
        if not changed:
            return solved
        inside = mask_of(self._wires)
        same = inside & ~mask_of(changed)
        # Solve for those that change by elimination: rows (parity of old wires that change, what makes it of new ones).
        rows = []
        for wire in changed:
            parity = self._parity[wire] & inside
            rows.append((parity & ~same, mask_of((wire,)) ^ parity & same))
        for number, wire in enumerate(changed):
            bit = mask_of((wire,))
            pivot = next(row for row in range(number, len(rows)) if rows[row][0] & bit)
            rows[number], rows[pivot] = rows[pivot], rows[number]
            parity, made_of = rows[number]
            for row, (p, m) in enumerate(rows):
                if p & bit and row != number:
                    rows[row] = p ^ parity, m ^ made_of
        for wire, (_, made_of) in zip(changed, rows, strict=True):  # each row's parity is now its own old wire
            solved[wire] = made_of
        return solved
