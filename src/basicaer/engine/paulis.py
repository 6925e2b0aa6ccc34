"""Products of Paulis as masks of bits; those that flip the same bits are computed together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["by_flips"]


def by_flips(masks: Sequence[tuple[int, int]]) -> dict[int, list[int]]:
    """Return for each x the places of the products that have it, where ``masks[place] = (x, z)`` is a product."""
    groups: dict[int, list[int]] = {}
    for place, (x, _) in enumerate(masks):
        groups.setdefault(x, []).append(place)
    return groups
