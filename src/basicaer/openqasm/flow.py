"""Choices and loops: known ones are followed, those that depend on measurements stay a part of the circuit."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from openqasm3 import ast

from basicaer.openqasm.assignments import Assignments
from basicaer.openqasm.decisions import Bit, Branch, Truth, combine
from basicaer.openqasm.expressions import valueless
from basicaer.openqasm.importer import Decision
from basicaer.openqasm.output import Left
from basicaer.openqasm.sources import error_at
from basicaer.openqasm.symbols import Loop, Variable
from basicaer.openqasm.trees import names_in, written_in
from basicaer.openqasm.values import NoValueError, Value, converted, number_of, truth_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


__all__ = ["Flow"]


class _Break(Exception):  # noqa: N818
    """The loop that is being written out ends."""


class _Continue(Exception):  # noqa: N818
    """The iteration that is being written out ends."""


class Flow(Assignments):
    """Works out choices and loops."""

    def _condition(self, node: Any) -> Truth:
        truth: Truth = self._expressions.decided(node, truth_of)
        return truth

    def _branch(self, node: Any, truth: Truth, then: Callable[[], None], otherwise: Callable[[], None]) -> None:
        """Follow one of two blocks; make both if a measurement decides."""
        if isinstance(truth, bool):
            (then if truth else otherwise)()
            return
        made = []
        written: set[Bit | Variable] = set()
        for work in (then, otherwise):
            with self._region() as (block, cells):
                work()
            made.append(block)
            written.update(cells)
        self._forget(written)
        self._make_if(node, truth, *made)

    def _switch(self, node: ast.SwitchStatement) -> None:
        target = self._expressions.decided(node.target, _as_integer)
        cases = [
            ({self._expressions.integer(label, "a case") for label in labels}, block) for labels, block in node.cases
        ]
        seen: set[int] = set()
        for labels, _ in cases:
            for label in sorted(labels & seen):
                raise error_at(node, f"two cases of this switch stand for {label}; write it in one of them")
            seen |= labels

        def go(number: int) -> None:
            if number == len(cases):
                self._block(node.default.statements if node.default is not None else ())
                return
            labels, block = cases[number]
            self._spend(node, target.cases if isinstance(target, Branch) else 1)
            truth = combine(lambda value: value in labels, target)
            self._branch(node, truth, lambda: self._block(block.statements), lambda: go(number + 1))

        go(0)

    def _for(self, node: ast.ForInLoop) -> None:
        type_ = self._expressions.type_of(node.type)
        name = node.identifier.name

        def iteration(value: Value) -> None:
            with valueless(node):
                constant = Variable(type_, converted(value, type_))
            with self._scope() as scope:
                scope[name] = constant
                self._block(node.block)

        values = self._expressions.values_in(node.set_declaration)
        self._written_out(node, (partial(iteration, value) for value in values))

    def _while(self, node: ast.WhileLoop) -> None:
        """Write a loop out while its condition is known; make a loop from where it depends on a measurement.

        A loop that only a break ends becomes a loop unless it changes variables, which may decide when it ends.
        """
        changed = (self._symbol(ast.Identifier(name)) for name in written_in(node.block))
        is_endless = not names_in(node.while_condition) and not any(isinstance(one, Variable) for one in changed)

        def iterations() -> Iterator[Callable[[], None]]:
            while True:
                before = len(self._made)
                truth = self._condition(node.while_condition)
                if truth is False:
                    return
                if isinstance(truth, bool) and not is_endless:
                    yield lambda: self._block(node.block)
                    continue
                if len(self._made) != before:
                    raise error_at(node, "a function in the condition of a loop cannot do anything to qubits or bits")
                yield lambda: self._make_while(node)
                return

        self._written_out(node, iterations())

    def _make_while(self, node: ast.WhileLoop) -> None:
        loop = Loop(is_written_out=False, regions=self._regions + 1)
        self._loops.append(loop)
        try:
            while True:  # repeat until no value is assumed that an earlier iteration may have changed
                truth = self._condition(node.while_condition)
                with self._region() as (made, written):
                    self._block(node.block)
                if not self._forget(written):
                    break
        finally:
            self._loops.pop()
        if truth is True and loop.broken_at is None:
            raise error_at(node, "this loop never ends")
        condition = Decision(truth)
        condition.span = node.span
        self._make(node, ast.WhileLoop(condition, made))

    def _written_out(self, node: Any, iterations: Iterable[Callable[[], None]]) -> None:
        """Make the iterations of a loop one after another.

        Where a measurement decides whether the loop is left, all of it becomes a loop of one iteration, which can be
        left; where one decides whether an iteration is left, that iteration becomes such a loop.
        """
        loop = Loop(is_written_out=True, regions=self._regions)
        depth = self._depth
        self._loops.append(loop)
        made: list[Any] = []
        try:
            with self._journal() as written, suppress(_Break):
                for iteration in iterations:
                    self._count(node, 1)
                    self._iteration(node, loop, iteration, made)
        finally:
            self._loops.pop()
            self._depth = depth
            self._forget_since(loop.broken_at, written)
            self._make_all(node, made if loop.broken_at is None else [self._once(node, made)])

    def _iteration(self, node: Any, loop: Loop, work: Callable[[], None], made: list[Any]) -> None:
        depth = self._depth
        loop.continued_at = None
        try:
            with self._journal() as written, self._made_apart() as block, suppress(_Continue):
                work()
        finally:
            self._forget_since(loop.continued_at, written)
            made.extend(block if loop.continued_at is None else [self._once(node, block)])
        if loop.broken_at is None:
            self._depth = depth

    def _forget_since(self, moment: int | None, written: Iterable[Bit | Variable]) -> None:
        """Forget what was written after a measurement may have left the loop."""
        if moment is not None:
            self._forget([cell for cell in written if self._last_write[cell] > moment])

    def _leave(self, node: ast.BreakStatement | ast.ContinueStatement) -> NoReturn:
        loop = self._loops[-1]
        is_break = isinstance(node, ast.BreakStatement)
        is_certain = self._regions == loop.regions and (loop.continued_at is None or not is_break)
        if loop.is_written_out and is_certain:
            raise _Break if is_break else _Continue
        if loop.is_written_out and (loop.continued_at if is_break else loop.broken_at) is not None:
            raise error_at(
                node, "'break' and 'continue' cannot both depend on a measurement in one loop; use one of them"
            )
        if is_break and loop.broken_at is None:
            loop.broken_at = self._writes
        elif not is_break and loop.continued_at is None:
            loop.continued_at = self._writes
        self._make(node, ast.BreakStatement() if is_break or loop.is_written_out else ast.ContinueStatement())
        raise Left


def _as_integer(value: Value) -> int:
    number = number_of(value)
    if not isinstance(number, int):
        raise NoValueError("the value that a switch tests must be an integer")
    return number
