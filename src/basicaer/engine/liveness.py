"""Finds the classical bits that are still read after each place of a program: only these make shots differ.

The usual backward analysis of compilers (Aho et al., Compilers, section 9.2.5), on structured code. A bit is *live*
before an operation if its value there may be read by a condition, a store, or a save that tells the bits apart, before
it is written again. Recording a bit for the result does not count as reading it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from basicaer.engine.bits import all_ones, mask_of
from basicaer.engine.classical import Apply, Bits
from basicaer.engine.program import (
    Break,
    Continue,
    For,
    If,
    Measure,
    Readout,
    Save,
    SavedQuantity,
    Segment,
    Store,
    Switch,
    While,
)

if TYPE_CHECKING:
    from basicaer.engine.classical import Expression
    from basicaer.engine.program import Block, Operation, Program

__all__ = ["Liveness"]


class Liveness:
    """The live bits of a program, as masks."""

    def __init__(self, program: Program) -> None:
        self._all = all_ones(program.bits)
        self._before: dict[int, list[int]] = {}  # _before[id(block)] = live bits before each operation, and at the end
        self._block(program.body, 0, _Loop(0, 0))

    def before(self, block: Block, at: int) -> int:
        """Return the bits that are live before the operation ``block[at]``, or at the end of the block.

        For a block that is run at several places, those that are live at any of them.
        """
        return self._before[id(block)][at]

    def _block(self, block: Block, after: int, loop: _Loop) -> int:
        """Return the bits that are live before a block, where those in `after` are live at its end."""
        live = [after]
        for operation in reversed(block):
            live.append(self._operation(operation, live[-1], loop))
        live.reverse()
        known = self._before.get(id(block), [0] * len(live))
        self._before[id(block)] = [a | b for a, b in zip(known, live, strict=True)]
        return live[0]

    def _operation(self, operation: Operation, after: int, loop: _Loop) -> int:
        match operation:
            case Measure(_, bits):
                return after & ~mask_of(bits)
            case Readout(bits):
                recorded = mask_of(bit for of_qubit in bits for bit in of_qubit)
                return after | recorded if after & recorded else after
            case Store(expression, bits):
                return after & ~mask_of(bits) | _read_by(expression)
            case Save(conditional=True, quantity=quantity) if quantity is not SavedQuantity.OUTCOMES:
                return self._all
            case Segment(open=True, gates=gates):
                parameters = [one for gate in gates if gate.formula is not None for one in gate.formula.parameters]
                return after | _read_by(*parameters)
            case If(condition, then, otherwise):
                return self._block(then, after, loop) | self._block(otherwise, after, loop) | _read_by(condition)
            case Switch(target, cases):
                live = after | _read_by(target)  # possibly no case matches the value
                for _, block in cases:
                    live |= self._block(block, after, loop)
                return live
            case For(bodies):
                return self._until_stable(bodies, after, 0)
            case While(condition, body):
                return self._until_stable((body,), after, _read_by(condition))
            case Break():
                return loop.after
            case Continue():
                return loop.next_iteration
            case _:
                return after

    def _until_stable(self, bodies: tuple[Block, ...], after: int, condition: int) -> int:
        """Return the bits that are live before a loop, from any body of which any other may follow."""
        live = after | condition
        for body in bodies:  # results from an earlier pass over an enclosing loop still hold
            live |= self._before.get(id(body), [0])[0]
        while True:
            before = live
            for body in bodies:
                live |= self._block(body, live, _Loop(after, live))
            if live == before:
                return live


class _Loop(NamedTuple):
    """The bits that are live after the innermost loop, and where its next iteration begins."""

    after: int
    next_iteration: int


def _read_by(*expressions: Expression) -> int:
    """Return a mask of the bits that expressions read."""
    mask = 0
    for expression in expressions:
        match expression:
            case Bits(positions):
                mask |= mask_of(positions)
            case Apply(_, operands):
                mask |= _read_by(*operands)
    return mask
