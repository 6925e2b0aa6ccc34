"""What a program has saved of its state on the way, gathered over shots and branches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from basicaer.engine.program import OverShots

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from basicaer.engine.program import Save

__all__ = ["ALL_SHOTS", "Saved"]

ALL_SHOTS = -1
"""Stands in place of a value of the classical bits for what is saved without regard to them."""


class Saved:
    """What has been saved so far.

    Parameters
    ----------
    records
        Where to go on: what `records` was then.

    Attributes
    ----------
    records
        By label and by the value of the classical bits, or `ALL_SHOTS`: for the last shot ``[shot, value]``; for each a
        list of ``[shots, value]``; for mean and sum ``[how many shots, sum over them]``.
    """

    def __init__(self, records: dict[str, dict[int, Any]] | None = None) -> None:
        self.records: dict[str, dict[int, Any]] = records or {}

    def add(self, save: Save, bits: int, shots: NDArray[np.int64], count: float, value: Any) -> None:
        """Add the value that some shots have seen while their classical bits were `bits`.

        Parameters
        ----------
        shots
            Their numbers, ascending, where the save is of single shots; only the last one matters if it is of the last.
        count
            How many there are, or their probability.
        """
        key = bits if save.conditional else ALL_SHOTS
        record = self.records.setdefault(save.label, {})
        match save.over_shots:
            case OverShots.LAST:
                last = int(shots[-1])
                if key not in record or record[key][0] <= last:
                    record[key] = [last, value]
            case OverShots.EACH:
                record.setdefault(key, []).append([shots, value])
            case _:
                before, total = record.get(key, (0, 0.0))
                record[key] = [before + count, total + count * value]

    def finished(self, saves: Iterable[Save]) -> dict[str, dict[int, Any]]:
        """Return the values by label and by classical bits; of each shot a list, in the order of shots."""
        return {save.label: self._finished(save) for save in saves if save.label in self.records}

    def _finished(self, save: Save) -> dict[int, Any]:
        record = self.records[save.label]
        match save.over_shots:
            case OverShots.LAST:
                return {key: value for key, (_, value) in record.items()}
            case OverShots.EACH:
                return {key: _in_order(parts) for key, parts in record.items()}
            case OverShots.MEAN:
                return {key: total / count for key, (count, total) in record.items()}
            case OverShots.SUM:
                return {key: total for key, (_, total) in record.items()}


def _in_order(parts: Iterable[tuple[NDArray[np.int64], Any]]) -> list[Any]:
    seen = [(shot, number, value) for number, (shots, value) in enumerate(parts) for shot in shots.tolist()]
    seen.sort(key=lambda one: one[:2])
    return [value for _, _, value in seen]
