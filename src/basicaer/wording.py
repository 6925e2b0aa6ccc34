"""Puts sizes, times, numbers of things and unknown names into the words of tables and messages."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from basicaer.errors import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["counted", "duration", "readable", "unknown_name"]

_PLURALS = {"dictionary": "dictionaries", "entry": "entries", "matrix": "matrices", "pass": "passes"}
_SHORTEST_FRAGMENT = 3  # a name of fewer letters is not searched for inside other names
_SIMILARITY = 0.75  # from 0 to 1, as `difflib` measures it: from here on one name is suggested in place of another
_LONGEST_NAME = 100


def readable(size: float) -> str:
    """Return a number of bytes in the largest unit that it reaches, in three digits.

    >>> readable(3 * 2**20)
    '3 MiB'
    """
    if size >= 2**80:
        return f"2**{int(size).bit_length() - 1} bytes"
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if size < 1024 or unit == "PiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.3g} {unit}" if size < 1000 else f"{size:.0f} {unit}"


def duration(seconds: float) -> str:
    """Return a time in a unit that suits it, in two digits or a few more.

    >>> duration(0.0123)
    '12 ms'
    """
    for unit, least in (("days", 172_800), ("h", 7200), ("min", 120), ("s", 1), ("ms", 1e-3)):
        if seconds >= least * 0.995:
            size = {"days": 86_400, "h": 3600, "min": 60}.get(unit, least)
            return f"{_two_digits(seconds / size)} {unit}"
    return f"{_two_digits(seconds * 1e6)} us"


def _two_digits(number: float) -> str:
    return f"{number:.0f}" if number >= 9.95 or not number else f"{number:.2g}"


def counted(number: int, what: str) -> str:
    """Return a number of things, given in the singular.

    >>> counted(2, "pass")
    '2 passes'
    """
    return f"{number} {what if number == 1 else _PLURALS.get(what, f'{what}s')}"


def unknown_name(kind: str, name: str, known: Iterable[str], accepted: Iterable[str] = ()) -> str:
    """Return the sentence for a name that is not known, with the name that was probably meant.

    Parameters
    ----------
    kind
        What the name should be a name of, such as ``"backend"``.
    known
        The names that the sentence lists if none of them is similar.
    accepted
        More names that may be suggested; they are not listed.
    """
    # Cutting a long name also bounds the search. The name is made printable here, since the sentence may go into an
    # exception of another type than BasicAerError, which would do so itself.
    name = printable(name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "...")
    known = sorted(known)
    possible = [*known, *sorted(accepted)]
    similar = difflib.get_close_matches(name, possible, n=1, cutoff=_SIMILARITY) or [
        one for one in possible if len(name) >= _SHORTEST_FRAGMENT and name in one
    ]
    hint = f"did you mean '{similar[0]}'?" if similar else f"known are {', '.join(known)}."
    return f"Unknown {kind} '{name}': {hint}"
