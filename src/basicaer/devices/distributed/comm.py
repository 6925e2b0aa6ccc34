"""What the ranks of one job say to one another, and how all of them stop together.

Every rank calls the same methods in the same order. Each call is also a vote: a rank that cannot go on sends why in
place of its message, and all ranks leave that call with the same error. So none waits for one that has left.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from basicaer.devices.limits import default_threads, usable_cores
from basicaer.errors import BasicAerError, Cancelled, JobTimeLimitError, reason_of
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["Comm", "Host", "Transport", "check_equal"]

_SECONDS_BETWEEN_LOOKS = 2e-3  # a look for a warning takes microseconds
_MOST_NAMED = 2  # differences in a message
_SUMMED_AT_ONCE = 2**18  # numbers of each rank that are held at a time


class Transport(Protocol):
    """Carries what ranks send; see `Comm`. All methods but those about warnings are called by all ranks together."""

    rank: int
    size: int

    def gather(self, thing: Any) -> list[Any]:
        """Return what each rank has given, in the order of the ranks; things are copied."""

    def swap(self, partner: int, out: NDArray[Any], into: NDArray[Any]) -> None:
        """Send an array to a rank that calls this too, and fill another of the same size with what it sends."""

    def warn(self) -> None:
        """Let `is_warned` of all other ranks become true; called by one rank on its own, once."""

    def is_warned(self) -> bool:
        """Tell whether any other rank has warned this one."""

    def forget(self, ranks: Sequence[int]) -> None:
        """Take the warnings of these ranks off, once all ranks know of them."""

    def again(self) -> Transport:
        """Return another transport between the same ranks, whose messages are kept apart from this one's."""

    def close(self) -> None:
        """Give back what it holds."""


def check_equal(of_ranks: Sequence[Mapping[str, Any]]) -> None:
    """Check that all ranks have the same; all call this with the same.

    Parameters
    ----------
    of_ranks
        What each rank has, by what a message calls it.

    Raises
    ------
    BasicAerError
        Naming the ranks that differ from the first, and in what.
    """
    first = of_ranks[0]
    others = [str(rank) for rank, one in enumerate(of_ranks) if one != first]
    if others:
        which = f"{counted(len(others), 'rank').partition(' ')[2]} {', '.join(others)}"
        names = dict.fromkeys(name for one in of_ranks for name in (*first, *one))
        differ = [name for name in names if any(one.get(name) != first.get(name) for one in of_ranks)]
        raise BasicAerError(
            f"All ranks must run the same circuits on the same simulator with the same options and seed, but {which} "
            f"{'differs' if len(others) == 1 else 'differ'} from rank 0 in {' and '.join(differ[:_MOST_NAMED])}; let "
            "every rank run the same script with the same input."
        )


class _Failure(NamedTuple):
    """Why a rank cannot go on. Of several, the largest counts."""

    severity: int  # see `_severity`
    order: int  # minus the number of the rank: the first rank counts
    kind: type[BaseException]
    message: str
    reached: str  # this and the next are for a `JobTimeLimitError`
    saved_in: str | None

    @classmethod
    def of(cls, error: BaseException, rank: int) -> _Failure:
        """Return why a rank cannot go on."""
        reached = getattr(error, "reached", ""), getattr(error, "saved_in", None)
        return cls(_severity(error), -rank, type(error), reason_of(error), *reached)

    def elsewhere(self) -> BaseException:
        """Return the error that the other ranks raise."""
        if self.kind in {Cancelled, KeyboardInterrupt}:
            return self.kind()
        own = f"rank {-self.order}: {{}}"
        if not issubclass(self.kind, BasicAerError):
            return BasicAerError(own.format(f"{self.message}."))
        error = self.kind(own.format(f"{self.message}."))
        if isinstance(error, JobTimeLimitError):
            error.reached, error.saved_in = own.format(self.reached), self.saved_in
        return error


class _Warned(Cancelled):
    """Raised on a rank that another one has warned; why is known at the next vote."""


def _severity(error: BaseException) -> int:
    if isinstance(error, _Warned):
        return 0
    if isinstance(error, Cancelled | KeyboardInterrupt):
        return 1
    return 2 if isinstance(error, JobTimeLimitError) else 3


def _unnumbered(message: str) -> str:
    """Return a message without the numbers that Qiskit gives to circuits without a name, other ones on each rank."""
    return re.sub(r"\bcircuit-\d+(-\d+)?\b", "circuit", message)


class Host(NamedTuple):
    """The host of a rank: how many ranks it has, the number of this one among them, and the threads that each has."""

    ranks: int
    number: int
    threads: int


class Comm:
    """One rank among those that share the work of a job. `size` is a power of two, and `rank` the number of this one.

    Attributes
    ----------
    root
        What this one was made from by `again`; itself if it was not.
    swaps, sent_bytes
        How often this rank has exchanged amplitudes with another one, and how many bytes it has sent then.
    """

    def __init__(self, transport: Transport, root: Comm | None = None) -> None:
        self.root = self if root is None else root
        self._transport = transport
        self._has_begun = self._has_ended = False
        self._next_look = 0.0
        self._host: Host | None = None
        self.rank, self.size = transport.rank, transport.size
        self.swaps = self.sent_bytes = 0

    def gather(self, thing: Any = None, about: str = "") -> list[Any]:
        """Return what each rank has given, in the order of the ranks.

        Parameters
        ----------
        about
            What the things are, where ranks that run different programs may give different ones.

        Raises
        ------
        BasicAerError, Cancelled
            If any rank has failed, or if they do not give the same kind of thing; all ranks raise the same error.
        """
        replies = self._transport.gather((None, about, thing))
        failures = [failure for failure, *_ in replies if failure is not None]
        if failures:
            raise self._ended(failures).elsewhere()
        check_equal([{"what the program does next": about} for _, about, _ in replies])
        return [given for *_, given in replies]

    def sum(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sums over all ranks, added in the order of the ranks: the same bits on every rank and run."""
        total = np.empty_like(values)
        flat, summed = values.reshape(-1), total.reshape(-1)
        for start in range(0, max(flat.size, 1), _SUMMED_AT_ONCE):
            part = slice(start, start + _SUMMED_AT_ONCE)
            of_ranks = self.gather(flat[part])
            summed[part] = np.add.reduce(of_ranks)
        return total

    def broadcast(self, thing: Any) -> Any:
        """Return what rank 0 has given."""
        return self.gather(thing if self.rank == 0 else None, "what rank 0 has")[0]

    def swap(self, partner: int, out: NDArray[Any], into: NDArray[Any]) -> None:
        """Send an array to another rank, and receive one of the same size. All ranks swap, or none."""
        self.gather()
        self._transport.swap(partner, out, into)
        self.swaps += 1
        self.sent_bytes += out.nbytes

    @property
    def host(self) -> Host:
        """The host of this rank. All ranks ask for it together, the first time."""
        if self._host is None:  # no cached_property, for which a rank that is a thread would wait for another one
            self._host = self._found_host()
        return self._host

    def _found_host(self) -> Host:
        own = platform.node()
        names = self.gather(own, "hosts")
        here, cores = names.count(own), usable_cores()
        # Ranks that see all cores of the host share them; those that are bound to some have these for themselves.
        is_bound = cores < (os.cpu_count() or 1)
        threads = default_threads() if is_bound else min(default_threads(), max(cores // here, 1))
        return Host(here, names[: self.rank].count(own), threads)

    def look(self) -> None:
        """Leave the work if another rank has warned this one; may be called as often as a monitor is polled."""
        now = time.monotonic()
        if now >= self._next_look and not self._has_ended:
            self._next_look = now + _SECONDS_BETWEEN_LOOKS
            if self._transport.is_warned():
                raise _Warned

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Let all ranks end the work inside together, all with success or all with the same error.

        A rank that fails warns the others, which leave the pass that they are in at their next `look`. An error that
        comes from another rank names it.
        """
        self._has_begun = True
        try:
            yield
            self.gather()
        except BaseException as error:
            if not self._has_ended:
                self._fail(error)
            raise
        finally:
            self._transport.close()

    def again(self) -> Comm:
        """Return another one between the same ranks, for the work of one job."""
        return Comm(self._transport.again(), self.root)

    def leave_unbegun(self) -> None:
        """End the work of a job that this rank has never begun, because it was cancelled before; else do nothing."""
        if not self._has_begun:
            with contextlib.suppress(Exception), self.together():
                raise Cancelled

    def _fail(self, error: BaseException) -> None:
        """Tell all ranks why this one fails; raise what another one says if that counts more and is something else."""
        own = _Failure.of(error, self.rank)
        if own.severity:
            self._transport.warn()
        replies = self._transport.gather((own, "", None))
        counts = self._ended([failure for failure, *_ in replies if failure is not None])
        if (counts.kind, _unnumbered(counts.message)) != (own.kind, _unnumbered(own.message)):
            raise counts.elsewhere() from error

    def _ended(self, failures: Sequence[_Failure]) -> _Failure:
        """End, since ranks have failed; return the failure that counts."""
        self._has_ended = True
        self._transport.forget([-one.order for one in failures if one.severity])
        return max(failures, key=lambda one: one[:2])
