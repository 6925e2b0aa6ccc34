"""What is shown otherwise in a notebook than in a terminal: bars, and interrupts in few lines."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from basicaer.errors import users_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["in_notebook", "interrupts_shortened", "shorten"]


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
    interrupt._render_traceback_ = lambda: _lines(interrupt, outcome)  # type: ignore[attr-defined]  # IPython's name


def _lines(interrupt: KeyboardInterrupt, outcome: str) -> list[str]:
    last = users_lines(interrupt)[-1:]
    where = [words for _, line, code in last for words in (f"KeyboardInterrupt in line {line}:", f"    {code}")]
    return [*where, outcome]
