"""Results on disk: one JSON line for each point, in a file for each benchmark, day and machine."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import basicaer
from harness.environment import commit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks" / "results"
Record = dict[str, Any]


class Results:
    """The results of one benchmark, of which those of the version that is here can be found again.

    Parameters
    ----------
    name
        What the files' names begin with.
    version
        The fields that records must have in common to stand in one table: the sources, the machine and its packages.
    fresh
        Measure again what the results already have for this version.
    """

    def __init__(self, name: str, folder: Path | None, version: Record, *, fresh: bool = False) -> None:
        self.name, self.folder, self.version, self.fresh = name, folder or FOLDER, version, fresh

    def has(self, point: Record, peers: Iterable[str] = ()) -> bool:
        """Tell whether a point needs no measuring: it has been measured with all these peers, and not `fresh`."""
        known = [] if self.fresh else load(self.folder, self.name, **self.version, **point)
        return any(set(peers) <= set(record["peers"]) for record in known)

    def add(self, found: Record) -> Record:
        """Write a record of now and of this version, and return it."""
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        record = {"date": now, "commit": commit(), **self.version, **found}
        append(self.folder / f"{self.name}-{now[:10]}-{record['machine']}.jsonl", record)
        return record

    def known(self, **allowed: Collection[Any]) -> list[Record]:
        """Return the records of this version, oldest first, whose fields have one of the values allowed for each."""
        records = load(self.folder, self.name, **self.version)
        return [record for record in records if all(record[key] in values for key, values in allowed.items())]


def append(path: Path, record: Record) -> None:
    """Add a record to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def load(folder: Path, name: str, **wanted: Any) -> list[Record]:
    """Return the records of a benchmark, of all days and oldest first, that have the wanted values."""
    lines = [line for path in sorted(folder.glob(f"{name}-*.jsonl")) for line in path.read_text("utf-8").splitlines()]
    records = map(json.loads, lines)
    return [record for record in records if all(record.get(key) == value for key, value in wanted.items())]


def latest(records: Iterable[Record]) -> list[Record]:
    """Return the last record of each family, precision and number of qubits."""
    return list({(r["family"], r["precision"], r["n"]): r for r in records}.values())


def newest(records: Iterable[Record]) -> list[Record]:
    """Return a record for each point with the last times and ratios of each simulator, whenever these were measured.

    What a simulator was measured in turn with stays in its ratio.
    """
    points: dict[Any, Record] = {}
    for record in sorted(records, key=lambda one: one["date"]):
        point = points.setdefault((record["family"], record["precision"], record["n"]), {})
        merged = {name: point.get(name, {}) | record[name] for name in ("seconds", "ratios")}
        point |= record | merged
    return list(points.values())


def days(records: Iterable[Record]) -> str:
    """Return the day of the records, or the first and the last."""
    found = sorted(record["date"][:10] for record in records)
    return found[0] if found[0] == found[-1] else f"{found[0]} to {found[-1]}"


def source_digest(*patterns: str) -> str:
    """Return a digest of the package and of the files that `patterns` name, relative to the checkout.

    The digest tells versions apart where the commit does not: a commit of results or of a README changes no time, and
    an edit that is not committed may.
    """
    files = sorted(Path(basicaer.__file__).parent.rglob("*.py"))
    for pattern in ("benchmarks/families.py", "benchmarks/harness/timing.py", *patterns):
        found = sorted(ROOT.glob(pattern))
        if not found:
            raise FileNotFoundError(f"No source file is called {pattern}, so results would not depend on it.")
        files += found
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def rounded(number: float) -> float:
    """Return a number with four significant digits, which is more than any time is worth."""
    return float(f"{number:.4g}")
