"""Permutations of basis states that are affine over GF(2), such as any sequence of X, CX and swaps.

They cost a GPU nothing: they become part of the map by which amplitudes next move through memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from basicaer.engine.bits import bit_at, combine, has_bit, highest_position, mask_of, parity, positions_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["Affine", "affine_rows"]


def affine_rows(goes_to: NDArray[Any]) -> list[tuple[int, bool]] | None:
    """Return a permutation of basis states as ``(mask, flip)`` for each bit, or None if it is not affine.

    Bit j of ``goes_to[i]`` is the parity of ``i & mask``, flipped if `flip`.
    """
    values = goes_to.tolist()
    bits = highest_position(len(values))
    columns = [values[bit_at(p)] ^ values[0] for p in range(bits)]
    image = [values[0]]
    for column in columns:  # image[i] = what i becomes if the permutation is affine
        image += [other ^ column for other in image]
    if image != values:
        return None
    return [(mask_of(p for p in range(bits) if has_bit(columns[p], j)), has_bit(values[0], j)) for j in range(bits)]


class Affine:
    """A permutation of basis states: each wire of a tile becomes the parity of some wires, perhaps flipped.

    Wires outside of the tile stay what they are, but those of the tile may depend on them.

    Parameters
    ----------
    wires
        Those of the tile.
    """

    def __init__(self, wires: Iterable[int]) -> None:
        self._wires = tuple(wires)
        self._parity = {wire: bit_at(wire) for wire in self._wires}  # _parity[wire] = mask of the parity it becomes
        self._changed: set[int] = set()  # wires that become the parity of other wires
        self._flips: set[int] = set()  # wires that are also flipped

    @property
    def is_identity(self) -> bool:
        """Whether every wire stays what it is."""
        return not self._changed and not self._flips

    def disturbs(self, wires: Iterable[int]) -> bool:
        """Tell whether any of some wires does not simply stay what it is."""
        return any(wire in self._changed or wire in self._flips for wire in wires)

    def made_of(self, wire: int) -> tuple[int, bool]:
        """Return what a wire has become: the mask of the wires whose parity it is, and whether that is flipped."""
        return self._parity.get(wire, bit_at(wire)), wire in self._flips

    def flip(self, target: int, controls: Mapping[int, bool]) -> None:
        """Apply X to `target`, where the control has its value if there is one; there is one at most."""
        for control, value in controls.items():
            self._add(target, control)
            if not value:
                self._flips ^= {target}
        if not controls:
            self._flips ^= {target}

    def permute(self, targets: Sequence[int], rows: Sequence[tuple[int, bool]]) -> None:
        """Apply a permutation as `affine_rows` gives it."""
        parities = [self._parity[wire] for wire in targets]
        flipped = mask_of(j for j, wire in enumerate(targets) if wire in self._flips)
        for wire, (mask, flip) in zip(targets, rows, strict=True):
            self._set(wire, combine(mask, parities))
            self._flips = self._flips | {wire} if parity(mask & flipped) != flip else self._flips - {wire}

    def _add(self, target: int, control: int) -> None:
        """Add a wire to another, modulo 2."""
        self._set(target, self._parity[target] ^ self._parity.get(control, bit_at(control)))
        if control in self._flips:
            self._flips ^= {target}

    def _set(self, wire: int, mask: int) -> None:
        self._parity[wire] = mask
        if mask == bit_at(wire):
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
        return columns, combine(mask_of(self._flips), position)

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
        flip = combine(mask_of(self._flips), columns)
        for new in self._changed:
            for outside in positions_of(self._parity[new] & ~inside):
                columns[outside] = columns.get(outside, 0) ^ columns[new]
        return columns, flip

    def _solved(self) -> dict[int, int]:
        """Return for each wire of the tile, as it was, the mask of the wires, as they are, whose parity it is.

        Wires outside of the tile are left aside.
        """
        solved = {wire: bit_at(wire) for wire in self._wires}
        changed = sorted(self._changed)
        if not changed:
            return solved
        inside = mask_of(self._wires)
        same = inside & ~mask_of(changed)
        # Solve for those that change by elimination. Each row is two masks: the parity of some old wires that change is
        # the parity of some new wires.
        rows = []
        for wire in changed:
            mask = self._parity[wire] & inside
            rows.append((mask & ~same, bit_at(wire) ^ mask & same))
        for number, wire in enumerate(changed):
            pivot = next(row for row in range(number, len(rows)) if has_bit(rows[row][0], wire))
            rows[number], rows[pivot] = rows[pivot], rows[number]
            old, new = rows[number]
            for row, (other_old, other_new) in enumerate(rows):
                if has_bit(other_old, wire) and row != number:
                    rows[row] = other_old ^ old, other_new ^ new
        for wire, (_, made_of) in zip(changed, rows, strict=True):  # a row's old wires are now the one wire alone
            solved[wire] = made_of
        return solved
