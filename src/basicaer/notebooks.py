"""What is shown otherwise in a notebook than in a terminal: bars, and interrupts in few lines."""

from __future__ import annotations

import contextlib
import linecache
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

__all__ = ["in_notebook", "interrupts_shortened", "shorten"]

_PACKAGE = os.path.dirname(__file__) + os.sep  # noqa: PTH120  # compared with names of files


def in_notebook() -> bool:
    """Tell whether output goes to a notebook; standard error does not say so, since it is no terminal there."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and "IPKernelApp" in shell.config


@contextlib.contextmanager
def interrupts_shortened(outcome: str) -> Iterator[None]:
    """Shorten an interrupt of a block as `shorten` does."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        shorten(interrupt, outcome)
        raise


def shorten(interrupt: KeyboardInterrupt, outcome: str) -> None:
    """Let IPython show an interrupt in three lines, of which the last is a sentence; otherwise it shows every frame."""
    interrupt._render_traceback_ = lambda: _lines(interrupt.__traceback__, outcome)  # type: ignore[attr-defined]  # IPython's name


def _lines(trace: TracebackType | None, outcome: str) -> list[str]:
    file, line = "", 0
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        file, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next
    return [f"KeyboardInterrupt in line {line}:", f"    {linecache.getline(file, line).strip()}", outcome]
