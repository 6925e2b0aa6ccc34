"""What is shown otherwise in a notebook than in a terminal: bars, and interrupts and errors in few lines."""

from __future__ import annotations

import contextlib
import sys
import traceback
from typing import TYPE_CHECKING, TypeVar

from basicaer.errors import in_few_lines, users_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["in_notebook", "interrupts_shortened", "shorten", "shortened"]

_Error = TypeVar("_Error", bound=Exception)


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


def shortened(error: _Error) -> _Error:
    """Return an exception of Python's own, which is about to be raised, so that IPython shows it like one of ours."""
    if "IPython" in sys.modules:
        # The lines and not the frames are kept, since these hold the job.
        lines = in_few_lines(error, reversed(list(traceback.walk_stack(sys._getframe(1)))))  # noqa: SLF001
        error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]  # IPython's name
    return error


def shorten(interrupt: KeyboardInterrupt, outcome: str) -> None:
    """Let IPython show an interrupt in three lines, of which the last is a sentence; otherwise it shows every frame."""
    interrupt._render_traceback_ = lambda: _lines(interrupt, outcome)  # type: ignore[attr-defined]  # IPython's name


def _lines(interrupt: KeyboardInterrupt, outcome: str) -> list[str]:
    last = users_lines(traceback.walk_tb(interrupt.__traceback__))[-1:]
    where = [words for _, line, code in last for words in (f"KeyboardInterrupt in line {line}:", f"    {code}")]
    return [*where, outcome]
