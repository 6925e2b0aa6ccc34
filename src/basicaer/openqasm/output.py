"""The simpler program that a program becomes, as it is made; its bits, and what they hold as far as that is known."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from openqasm3 import ast

from basicaer.openqasm.decisions import Bit, Branch, Truth, combine
from basicaer.openqasm.importer import Decision
from basicaer.openqasm.sources import error_at
from basicaer.openqasm.symbols import BitRegister, Loop

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from basicaer.openqasm.checks import Check

__all__ = ["Left", "Output"]

_MOST_STATEMENTS = 1_000_000  # that are worked out or made


class Left(Exception):  # noqa: N818  # how control flows, not a fault
    """The rest of a block of the circuit is never reached."""


class Output:
    """What has been made so far, and the choices and loops of the circuit that the next statement stands in.

    Parameters
    ----------
    check
        Is shown every declaration before anything of its size is made.
    names
        The names that the program uses.
    """

    def __init__(self, check: Check, names: Iterable[str]) -> None:
        self._check = check
        self._names = set(names)
        self._statements = 0  # worked out or made so far
        self._made: list[Any] = []  # where the next statement goes
        self._declarations: list[Any] = []  # of bits that the statement at the top needs in front of it
        self._loops: list[Loop] = []  # that the next statement stands in, the innermost last
        self._regions = 0  # choices and loops of the circuit that the next statement stands in
        self._depth = 0  # the same, and those that may have been left before it is reached
        self._written: list[dict[Bit, bool | None]] = [{}]  # for each region, what the bits written in it held before
        self._count_of_bits = 0
        self._own: dict[int, list[BitRegister]] = {}  # bits made for a node of the tree, in use or not
        self._owner: dict[Bit, BitRegister] = {}  # of each of those bits, the register
        self._used: set[BitRegister] = set()

    def _make(self, node: Any, *statements: Any) -> None:
        """Add statements to the result; they stand where the node stands."""
        self._count(node, len(statements))
        for statement in statements:
            statement.span = node.span
        self._made.extend(statements)

    def _count(self, node: Any, more: int) -> None:
        self._statements += more
        if self._statements > _MOST_STATEMENTS:
            raise error_at(node, f"more than {_MOST_STATEMENTS} statements would have to be worked out; use fewer")

    @contextmanager
    def _made_apart(self) -> Iterator[list[Any]]:
        """Collect what is made into a list of its own."""
        outer, self._made = self._made, []
        try:
            yield self._made
        finally:
            self._made = outer

    def _make_if(self, node: Any, truth: Truth, then: list[Any], otherwise: list[Any]) -> None:
        if not then:
            truth, then, otherwise = combine(lambda one: not one, truth), otherwise, []
        if then:
            condition = Decision(truth)
            condition.span = node.span
            self._make(node, ast.BranchingStatement(condition, then, otherwise))

    def _make_cases(self, node: Any, cases: Any) -> None:
        if isinstance(cases, Branch):
            halves = []
            for half in (cases.low, cases.high):
                with self._made_apart() as made:
                    self._make_cases(node, half)
                halves.append(made)
            truth = Branch(cases.bit, low=False, high=True, cases=2)
            self._make_if(node, truth, halves[1], halves[0])
        else:
            self._make(node, *cases)

    def _once(self, node: Any, block: list[Any]) -> ast.ForInLoop:
        once = ast.ForInLoop(
            ast.IntType(None), ast.Identifier(self._free_name("once")), ast.DiscreteSet([ast.IntegerLiteral(0)]), block
        )
        once.span = node.span
        return once

    @contextmanager
    def _region(self) -> Iterator[tuple[list[Any], dict[Bit, bool | None]]]:
        """Make what may be run or not; afterwards the bits that it writes hold what they held before."""
        outer = self._depth
        self._regions += 1
        self._depth += 1
        self._written.append({})
        written = self._written[-1]
        try:
            with self._made_apart() as made, suppress(Left):
                yield made, written
        finally:
            self._regions -= 1
            self._depth = outer
            self._written.pop()
            for bit, content in written.items():
                bit.content = content
            if (
                self._loops
                and self._loops[-1].is_written_out
                and (self._loops[-1].is_broken or self._loops[-1].is_continued)
            ):
                self._depth += 1  # what follows is run if the loop has not been left

    def _write(self, bit: Bit, content: bool | None) -> None:  # noqa: FBT001  # what a bit holds
        self._written[-1].setdefault(bit, bit.content)
        bit.content = content

    def _forget(self, bits: Iterable[Bit]) -> None:
        for bit in bits:
            self._write(bit, None)

    def _new_bits(self, node: Any, name: str, size: int | None) -> BitRegister:
        """Declare bits of the circuit."""
        written = ast.BitType(None if size is None else ast.IntegerLiteral(size))
        declaration = ast.ClassicalDeclaration(written, ast.Identifier(name))
        declaration.span = node.span
        self._check.visit(declaration)
        first, self._count_of_bits = self._count_of_bits, self._count_of_bits + (1 if size is None else size)
        indices = [None] if size is None else range(size)
        bits = tuple(Bit(name, index, first + i) for i, index in enumerate(indices))
        self._count(node, 1)
        self._declarations.append(declaration)
        return BitRegister(bits, is_single=size is None)

    def _own_bits(self, node: Any, name: str, size: int | None) -> BitRegister:
        """Return bits of the circuit for a name inside of a function or a block: those of an earlier time, if free."""
        registers = self._own.setdefault(id(node), [])
        width = (1 if size is None else size, size is None)
        for register in registers:
            if register not in self._used and (len(register.bits), register.is_single) == width:
                break
        else:
            register = self._new_bits(node, self._free_name(name), size)
            registers.append(register)
            self._owner.update(dict.fromkeys(register.bits, register))
        self._used.add(register)
        for bit in register.bits:
            self._write(bit, None)
        return register

    def _free_name(self, name: str) -> str:
        """Return a name that the program does not use."""
        number = 0
        free = name
        while free in self._names:
            number += 1
            free = f"{name}_{number}"
        self._names.add(free)
        return free
