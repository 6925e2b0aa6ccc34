"""The simpler program that is made from a program: its statements, its bits and, as far as known, their contents."""

from __future__ import annotations

import math
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from openqasm3 import ast

from basicaer.openqasm.decisions import Bit, Branch, Truth, combine
from basicaer.openqasm.importer import Decision
from basicaer.openqasm.sources import error_at
from basicaer.openqasm.symbols import LOST, BitRegister, Loop, Variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from basicaer.openqasm.checks import Check

__all__ = ["Left", "Output"]

_MOST_STATEMENTS = 1_000_000  # statements that are worked out or made
_MOST_STEPS = 20_000_000  # steps to work them out: one for each operation and for each element or bit that is copied


class Left(Exception):  # noqa: N818  # a way of control flow, not a fault
    """The rest of a block of the circuit is never reached."""


class Output:
    """What has been made so far, and the choices and loops of the circuit around the next statement.

    Parameters
    ----------
    check
        Checks every declaration before anything of its size is made.
    names
        The names that the program uses.
    """

    def __init__(self, check: Check, names: Iterable[str]) -> None:
        self._check = check
        self._names = set(names)
        self._statements = 0  # statements worked out or made so far
        self._steps = 0  # steps that this took
        self._made: list[Any] = []  # the block to which the next statement is added
        self._declarations: list[Any] = []  # declarations of bits that must precede the top-level statement
        self._loops: list[Loop] = []  # loops around the next statement, the innermost last
        self._regions = 0  # number of choices and loops of the circuit around the next statement
        self._depth = 0  # the same, plus loops that may have been left before it is reached
        self._written: list[dict[Bit | Variable, Any]] = [{}]  # earlier contents of the cells written in each region
        self._writes = 0
        self._last_write: dict[Bit | Variable, int] = {}  # _last_write[cell] = number of the latest write to it
        self._count_of_bits = 0
        self._own: dict[int, list[BitRegister]] = {}  # registers made for each node of the tree, used or not
        self._owner: dict[Bit, BitRegister] = {}  # _owner[bit] = its register
        self._used: set[BitRegister] = set()

    def _make(self, node: Any, *statements: Any) -> None:
        """Add statements to the result, with the place of the node."""
        self._count(node, len(statements))
        for statement in statements:
            statement.span = node.span
        self._made.extend(statements)

    def _count(self, node: Any, more: int) -> None:
        self._statements += more
        if self._statements > _MOST_STATEMENTS:
            raise error_at(node, f"more than {_MOST_STATEMENTS} statements would have to be worked out; use fewer")

    def _spend(self, node: Any, steps: int) -> None:
        """Count the steps that a statement takes, however few statements it makes."""
        self._steps += steps
        if self._steps > _MOST_STEPS:
            words = f"working this program out takes more than {_MOST_STEPS} steps; use fewer or smaller values"
            raise error_at(node, words)

    @contextmanager
    def _made_apart(self) -> Iterator[list[Any]]:
        """Collect what is made into a list of its own."""
        outer, self._made = self._made, []
        try:
            yield self._made
        finally:
            self._made = outer

    def _make_all(self, node: Any, block: list[Any]) -> None:
        """Add what was made apart."""
        self._count(node, len(block))
        self._made.extend(block)

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
    def _region(self) -> Iterator[tuple[list[Any], dict[Bit | Variable, Any]]]:
        """Collect statements that may be run or not; afterwards, what they write has its earlier content again."""
        outer = self._depth
        self._regions += 1
        self._depth += 1
        try:
            with self._journal() as written, self._made_apart() as made, suppress(Left):
                yield made, written
        finally:
            self._regions -= 1
            self._depth = outer
            for cell, content in written.items():
                _set(cell, content)
            if self._loops and self._loops[-1].may_be_left:
                self._depth += 1

    def _write(self, cell: Bit | Variable, content: Any) -> None:
        """Note what a bit or a variable holds from here on; None for a bit whose content is unknown."""
        self._note(cell)
        _set(cell, content)

    def _note(self, cell: Bit | Variable) -> None:
        """Remember what a bit or a variable holds before it is written."""
        if cell not in self._written[-1]:
            self._written[-1][cell] = self._content_of(cell)
        self._writes += 1
        self._last_write[cell] = self._writes

    def _content_of(self, cell: Bit | Variable) -> Any:
        if isinstance(cell, Bit):
            return cell.content
        self._spend(None, math.prod(cell.type.shape))
        return _copied(cell.value)  # copied, since elements are written in place

    def _forget(self, cells: Iterable[Bit | Variable]) -> bool:
        """Note that measurements decide what these hold from here on; tell whether any was known."""
        known = [
            cell for cell in cells if (cell.content if isinstance(cell, Bit) else cell.value) is not _unknown(cell)
        ]
        for cell in known:
            self._write(cell, _unknown(cell))
        return bool(known)

    @contextmanager
    def _journal(self) -> Iterator[dict[Bit | Variable, Any]]:
        """Collect what is written, with what it held before; it counts as written around this, too."""
        self._written.append({})
        try:
            yield self._written[-1]
        finally:
            for cell, content in self._written.pop().items():
                self._written[-1].setdefault(cell, content)

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


def _copied(value: Any) -> Any:
    return [_copied(one) for one in value] if isinstance(value, list) else value


def _unknown(cell: Bit | Variable) -> Any:
    return None if isinstance(cell, Bit) else LOST


def _set(cell: Bit | Variable, content: Any) -> None:
    if isinstance(cell, Bit):
        cell.content = content
    else:
        cell.value = content
