"""The footprints of operations: the qubits and classical bits that they touch, or the whole state."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from basicaer.engine.classical import Apply, Bits, Expression
from basicaer.engine.program import (
    Channel,
    If,
    Measure,
    Operation,
    Prepare,
    Readout,
    Reset,
    Save,
    SavedQuantity,
    Segment,
    SetState,
    Store,
    Switch,
    While,
    children,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Footprint", "footprint"]


class Footprint(NamedTuple):
    """The state qubits that are acted on and the classical bits that are read or written.

    `everything` is whether the whole state is replaced or read.
    """

    qubits: frozenset[int]
    bits: frozenset[int]
    everything: bool = False

    def joined(self, others: Iterable[Footprint]) -> Footprint:
        """Return the union of this footprint and others."""
        qubits, bits, everything = set(self.qubits), set(self.bits), self.everything
        for other in others:
            qubits |= other.qubits
            bits |= other.bits
            everything |= other.everything
        return Footprint(frozenset(qubits), frozenset(bits), everything)


_NONE: frozenset[int] = frozenset()


def footprint(operation: Operation) -> Footprint:
    """Return the footprint of an operation and of all operations inside it."""
    match operation:
        case Segment(gates):
            here = Footprint(frozenset(q for g in gates for q in (*g.targets, *g.controls)), _NONE)
        case Measure(qubit, bits):
            here = Footprint(frozenset((qubit,)), frozenset(bits))
        case Channel(qubits):
            here = Footprint(frozenset(qubits), _NONE)
        case Readout(bits):
            here = Footprint(_NONE, frozenset(bit for of_qubit in bits for bit in of_qubit))
        case Reset(qubit):
            here = Footprint(frozenset((qubit,)), _NONE)
        case Prepare(qubits, _):
            here = Footprint(frozenset(qubits), _NONE)
        case Save(quantity=SavedQuantity.OUTCOMES):  # reads no state, so earlier measurements may still wait
            here = Footprint(_NONE, _NONE)
        case SetState() | Save():  # the state that is saved depends on all measurements before
            here = Footprint(_NONE, _NONE, everything=True)
        case Store(expression, bits, _):
            here = Footprint(_NONE, _bits_read(expression) | frozenset(bits))
        case If(condition, _, _) | While(condition, _) | Switch(condition, _):
            here = Footprint(_NONE, _bits_read(condition))
        case _:
            here = Footprint(_NONE, _NONE)
    return here.joined(footprint(inner) for block in children(operation) for inner in block)


def _bits_read(expression: Expression) -> frozenset[int]:
    match expression:
        case Bits(positions, _):
            return frozenset(positions)
        case Apply(_, operands, _):
            return frozenset().union(*(_bits_read(operand) for operand in operands))
        case _:
            return _NONE
