"""The results, one JSON line for each family, number of qubits and precision."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import basicaer

if TYPE_CHECKING:
    from collections.abc import Iterator

BENCHMARKS = Path(__file__).parents[1]
FOLDER = BENCHMARKS / "results"
Record = dict[str, Any]


def source_digest() -> str:
    """Return a digest of all that is timed and of how it is timed.

    Results count as those of one version by this and not by the commit: a commit of these very results, or of a README,
    changes no time, and a working tree that has not been committed does.
    """
    package = Path(basicaer.__file__).parent
    files = sorted(package.rglob("*.py"))
    files += [BENCHMARKS / "families.py", BENCHMARKS / "peers" / "contest.py", BENCHMARKS / "peers" / "gates.py"]
    files += sorted((BENCHMARKS / "peers" / "systems").glob("*.py"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def append(record: Record, folder: Path) -> None:
    """Add a record to the file of its day and machine."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"peers-{record['date'][:10]}-{record['machine']}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def load(folder: Path, **wanted: Any) -> list[Record]:
    """Return the records, of all days, that have these values; oldest first."""
    return [record for record in _all(folder) if all(record.get(key) == value for key, value in wanted.items())]


def _all(folder: Path) -> Iterator[Record]:
    for path in sorted(folder.glob("peers-*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            yield json.loads(line)
