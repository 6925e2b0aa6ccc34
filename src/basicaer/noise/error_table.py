"""The errors of the instructions of one name: that of all qubits, and those of certain qubits that replace it there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from basicaer.errors import warn
from basicaer.noise.base import BaseQuantumError
from basicaer.noise.readout_error import ReadoutError
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

__all__ = ["ErrorTable", "Qubits"]

Qubits = tuple[int, ...]
_Error = TypeVar("_Error", BaseQuantumError, ReadoutError)


@dataclass
class ErrorTable(Generic[_Error]):
    """Errors by qubits.

    Attributes
    ----------
    of_all
        The error of all qubits, if there is one.
    of_some
        The errors of certain qubits. One that does nothing exempts its qubits from the error of all.
    """

    of_all: _Error | None = None
    of_some: dict[Qubits, _Error] = field(default_factory=dict)

    def on(self, qubits: Qubits) -> _Error | None:
        """Return the error that acts on some qubits."""
        return self.of_some.get(qubits, self.of_all)

    def put(
        self,
        error: _Error,
        qubits: Qubits | None,
        *,
        composed: Callable[[_Error, _Error], _Error] | None = None,
        warn_of: str | None = None,
    ) -> None:
        """Put an error in place of the one that is there.

        Parameters
        ----------
        qubits
            None for all of them.
        composed
            Returns the error that is the one before and then the new one, if both act.
        warn_of
            The name of the instructions in warnings; None if there should be none.
        """
        before = self.of_all if qubits is None else self.of_some.get(qubits)
        new = error if before is None or composed is None else composed(before, error)
        if qubits is not None:
            self.of_some[qubits] = new
        else:
            self.of_all = new
        if warn_of is None:
            return
        if before is not None and not before.ideal():
            where = "all qubits" if qubits is None else _named([qubits])
            how = "replaces it" if composed is None else "acts after it"
            warn(f"{warn_of} on {where} had an error already; the new error {how}.")
        if qubits is None and self.of_some:
            warn(
                f"{warn_of} has errors of its own on {_named(self.of_some)}; the error of all qubits does not act "
                "there."
            )

    def noisy_qubits(self) -> list[Qubits]:
        """Return the qubits that have errors of their own which do anything."""
        return [qubits for qubits, error in self.of_some.items() if not error.ideal()]

    def alone_and_together(self) -> set[int]:
        """Return the qubits that have an error alone and one together with others."""
        return {q for qubits in self.of_some if len(qubits) > 1 for q in qubits if (q,) in self.of_some}

    def is_ideal(self) -> bool:
        """Tell whether no error does anything."""
        return self.of_all is None and not self.noisy_qubits()

    def matters(self, qubits: Qubits | None) -> bool:
        """Tell whether an error does anything: act, or exempt its qubits from the error of all or from those alone."""
        if qubits is None or self.of_all is not None or not self.of_some[qubits].ideal():
            return True
        return not self.alone_and_together().isdisjoint(qubits)

    def __iter__(self) -> Iterator[tuple[Qubits | None, _Error]]:
        """Yield all errors with their qubits, first that of all qubits under None."""
        if self.of_all is not None:
            yield None, self.of_all
        yield from self.of_some.items()

    def where(self) -> str:
        """Return the words for the qubits that have errors."""
        if self.of_all is None:
            return counted(len(self.noisy_qubits()), "tuple") + " of qubits"
        return f"all qubits ({counted(len(self.of_some), 'exception')})" if self.of_some else "all qubits"


def _named(all_qubits: Collection[Qubits]) -> str:
    """Return the words for some tuples of qubits, such as "qubits 0-1, 3"."""
    listed = ", ".join("-".join(map(str, qubits)) for qubits in all_qubits)
    return f"qubit{'s' if '-' in listed or ',' in listed else ''} {listed}"
