"""What a container or a batch system leaves to this process: memory and cores, and how many threads it should use.

Linux keeps limits in control groups, which are folders inside one another; each of them limits all that is inside.
"""

from __future__ import annotations

import contextlib
import math
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from basicaer.errors import BasicAerError, shown
from basicaer.options import possible_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["default_threads", "memory_left", "usable_cores"]

_ROOT = Path("/")
_THREADS = "BASICAER_NUM_THREADS"
# Read once, as OpenMP does: Dask sets the variable in the environment of its client as well, where it is for workers.
_openmp_threads = os.environ.get("OMP_NUM_THREADS", "")


def memory_left() -> float:
    """Return how many bytes the process's control groups still allow it; infinity if none of them has a limit."""

    def left(folder: Path, limit: str, use: str, cache_name: str) -> float:
        left = int((folder / limit).read_text()) - int((folder / use).read_text())
        rows = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return left + int(rows.get(cache_name, 0))  # the system drops this part of its cache when memory runs short

    newer = _least(left, "", "memory.max", "memory.current", "inactive_file")
    older = _least(left, "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    return max(min(newer, older), 0)


def usable_cores() -> int:
    """Return how many cores this process may use: those that it is bound to or, if less, the quota of its time."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(bound, math.ceil(min(_quota(), bound))))


def default_threads() -> int:
    """Return how many threads work on one state unless ``max_parallel_threads`` says.

    These are ``BASICAER_NUM_THREADS`` or, if it is not set, ``OMP_NUM_THREADS`` when `BasicAer` was imported: batch
    scripts set it, and so do Dask and joblib in their workers. Otherwise there is one for each usable core.

    Raises
    ------
    BasicAerError
        If ``BASICAER_NUM_THREADS`` is not a number of threads.
    """
    own = os.environ.get(_THREADS)
    if own:
        if not own.strip().isdecimal() or int(own) < 1:
            raise BasicAerError(f"{_THREADS} must be a whole number of at least 1, not {shown(own)}.")
        return possible_threads(int(own))
    outermost = _openmp_threads.partition(",")[0].strip()  # OpenMP takes one number for each level
    return possible_threads(int(outermost)) if outermost.isdecimal() and int(outermost) else usable_cores()


@cache
def _quota() -> float:
    """Return how many cores' time the control groups allow; infinity if none of them has a quota."""

    def newer(folder: Path) -> float:
        quota, period = (folder / "cpu.max").read_text().split()
        return int(quota) / int(period)

    def older(folder: Path) -> float:
        quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        return quota / period if quota > 0 else math.inf

    return min(_least(newer, ""), _least(older, "cpu"))


def _least(read: Callable[..., float], controller: str, *names: str) -> float:
    """Return the least that is read in any of the folders of the process's control group."""
    least = math.inf
    for folder in _folders(controller):
        # Most have no limit, which is written as "max", or no such file.
        with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
            least = min(least, read(folder, *names))
    return least


def _folders(controller: str) -> Iterator[Path]:
    """Yield the folders of the process's control group and all around it.

    Parameters
    ----------
    controller
        What is limited, for the older control groups, which have a tree for each; empty for the newer ones.
    """
    root = _ROOT / "sys/fs/cgroup" / controller
    yield root  # the group of a container, which sees no more than it
    try:
        lines = (_ROOT / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:  # "4:memory:/a/b", or "0::/a/b" for the newer ones
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controller in controllers.split(","):
            folder = root
            for name in Path(path.lstrip("/")).parts:
                folder /= name
                yield folder
