"""The circuits as segments of gates: lowered here, or read from where `collect` has written them.

Machines with a card often have no Qiskit. The families need it; the planner and the device do not.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

from basicaer.engine.program import Segment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_FILE = "circuits.pickle"


class Circuits:
    """Segments by family and number of qubits.

    Parameters
    ----------
    collected
        ``collected[family, n]`` is the segment; None to lower circuits when they are asked for, which needs Qiskit.
    """

    def __init__(self, collected: Mapping[tuple[str, int], Segment] | None = None) -> None:
        self._collected = collected

    @classmethod
    def read(cls, folder: Path) -> Circuits:
        """Return what `write_circuits` wrote."""
        return cls(pickle.loads((folder / _FILE).read_bytes()))  # noqa: S301  # the user's own file

    @property
    def families(self) -> list[str]:
        """Names of the families."""
        if self._collected is not None:
            return list(dict.fromkeys(family for family, _ in self._collected))
        from families import FAMILIES

        return list(FAMILIES)

    def segment(self, family: str, n: int) -> Segment:
        """Return a circuit's gates; raise KeyError for a size that was not collected."""
        return _lowered(family, n) if self._collected is None else self._collected[family, n]


def write_circuits(folder: Path, families: Iterable[str], sizes: Iterable[int]) -> Path:
    """Write the segments of all families and sizes into one file, and return its path."""
    collected = {(family, n): _lowered(family, n) for n in sizes for family in families}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _FILE
    path.write_bytes(pickle.dumps(collected))
    return path


def _lowered(family: str, n: int) -> Segment:
    from families import FAMILIES

    from basicaer.compile.lower import lower

    program = lower(FAMILIES[family](n), keep_idle=True)  # Every simulator gets n qubits, also those without gates.
    (segment,) = (operation for operation in program.body if isinstance(operation, Segment))
    return segment
