"""The results, one JSON line each: a circuit at one size and precision, a question, a cold start."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peers.results import BENCHMARKS, FOLDER, Record

import basicaer

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FOLDER", "Record", "append", "load", "rounded", "source_digest"]


def source_digest() -> str:
    """Return a digest of all that is timed and of how: results count as one version's by this, not by the commit."""
    package = Path(basicaer.__file__).parent
    files = sorted(package.rglob("*.py"))
    files += sorted(path for path in BENCHMARKS.parent.glob("kernels/*.cu*"))
    files += [BENCHMARKS / "families.py"]
    files += [
        BENCHMARKS / "gpu" / f"{name}.py"
        for name in ("batches", "contest", "ours", "questions", "custatevec", "fusing", "aer")
    ]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def append(record: Record, folder: Path) -> None:
    """Add a record to the file of its day and card."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"gpu-{record['date'][:10]}-{record['machine']}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def load(folder: Path, **wanted: Any) -> list[Record]:
    """Return the records, of all days, that have these values; oldest first."""
    return [record for record in _all(folder) if all(record.get(key) == value for key, value in wanted.items())]


def rounded(number: float) -> float:
    """Return a number with four digits that count."""
    return float(f"{number:.4g}")


def _all(folder: Path) -> Iterator[Record]:
    for path in sorted(folder.glob("gpu-*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            yield json.loads(line)
