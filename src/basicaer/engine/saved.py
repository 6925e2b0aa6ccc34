"""The values that a program has saved during the run, gathered over shots and branches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from basicaer.engine.program import OverShots

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from basicaer.engine.program import Save

__all__ = ["ALL_SHOTS", "Saved"]

ALL_SHOTS = -1
"""The key of values that are saved whatever the classical bits are; other keys are values of the classical bits."""


class Saved:
    """The values that have been saved so far.

    Parameters
    ----------
    records
        The `records` of a run that was suspended, to go on with.

    Attributes
    ----------
    records
        ``records[label][bits]``, where ``bits`` is the value of the classical bits or `ALL_SHOTS`: ``[shot, value]``
        for the last shot; a list of ``[shots, value]`` for each shot; ``[how many shots, sum]`` for mean and sum.
    """

    def __init__(self, records: dict[str, dict[int, Any]] | None = None) -> None:
        self.records: dict[str, dict[int, Any]] = records or {}

    def add(self, save: Save, bits: int, shots: NDArray[np.int64], count: float, value: Any) -> None:
        """Add the value that some shots have seen while their classical bits were `bits`.

        Parameters
        ----------
        shots
            The numbers of the shots, ascending, if single shots matter; for `OverShots.LAST`, only the last one does.
        count
            How many shots there are, or their probability.
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

    def join(self, of_ranks: Sequence[Mapping[str, Mapping[int, Any]]], saves: Iterable[Save]) -> None:
        """Replace the records by those of several ranks together, each of which has the shots of its own."""
        self.records = {}
        for save in saves:
            for records in of_ranks:
                for key, record in records.get(save.label, {}).items():
                    of_label = self.records.setdefault(save.label, {})
                    of_label[key] = _joined(save.over_shots, of_label[key], record) if key in of_label else record

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


def _joined(over_shots: OverShots, one: Any, other: Any) -> Any:
    """Return two records of different shots as one."""
    match over_shots:
        case OverShots.LAST:
            return max(one, other, key=lambda record: record[0])
        case OverShots.EACH:
            return [*one, *other]
        case _:
            return [one[0] + other[0], one[1] + other[1]]


def _in_order(parts: Iterable[tuple[NDArray[np.int64], Any]]) -> list[Any]:
    seen = [(shot, number, value) for number, (shots, value) in enumerate(parts) for shot in shots.tolist()]
    seen.sort(key=lambda one: one[:2])
    return [value for _, _, value in seen]
