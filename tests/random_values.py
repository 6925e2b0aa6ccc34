"""Random choices, and random classical values and conditions of what may be used where they are drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from qiskit.circuit.classical import expr, types

if TYPE_CHECKING:
    from qiskit import ClassicalRegister, QuantumCircuit
    from qiskit.circuit import Clbit, Parameter, Qubit


@dataclass
class Scope:
    """Where something is drawn: what may be used there."""

    circuit: QuantumCircuit
    qubits: list[Qubit]
    bits: list[Clbit]
    registers: list[ClassicalRegister] = field(default_factory=list)
    variables: list[expr.Var] = field(default_factory=list)
    loop_parameters: list[Parameter] = field(default_factory=list)
    in_loop: bool = False
    own_body: bool = False  # whether the circuit is a body made by hand, to which no builder adds
    times: int = 1  # how often it is run, at most
    depth: int = 0

    def __post_init__(self):
        self.variables = list(self.variables)


class Choices:
    """Small random choices, all from one generator."""

    def __init__(self, random):
        self.random = random
        self.names = count()

    def chance(self, probability):
        return self.random.random() < probability

    def whole(self, low, high):
        """Return a number from low to high, both included."""
        return int(self.random.integers(low, high + 1))

    def one_of(self, choices):
        return choices[self.whole(0, len(choices) - 1)]

    def some_of(self, choices, size):
        return [choices[i] for i in self.random.permutation(len(choices))[:size]]

    def name(self, kind):
        return f"{kind}{next(self.names)}"


class ValueDrawing(Choices):
    """Draws classical types, conditions and expressions."""

    def type(self):
        kind = self.whole(0, 4)
        return types.Bool() if kind == 0 else types.Float() if kind == 1 else types.Uint(self.whole(1, 4))

    def condition(self, scope):
        """Return a condition of any kind; None where there is nothing that it could be of."""
        kind = self.whole(0, 3)
        if kind == 0 and scope.registers:
            register = self.one_of(scope.registers)
            return register, self.whole(0, 2**register.size - 1)
        if kind == 1 or (scope.own_body and scope.bits and self.chance(0.5)):
            return (self.one_of(scope.bits), self.whole(0, 1)) if scope.bits else None
        return self.boolean(scope, 3)

    def of_type(self, scope, type_, depth):
        if type_.kind is types.Bool:
            return self.boolean(scope, depth)
        return self.real(scope, depth) if type_.kind is types.Float else self.uint(scope, type_.width, depth)

    def leaf(self, scope, kind, width=None):
        """Return a variable, bit or register of a type, cast if needed; None if there is none."""
        found = [one for one in scope.variables if one.type.kind is kind]
        if kind is types.Bool:
            found += scope.bits
        if kind is types.Uint:
            found += scope.registers
        if not found:
            return None
        chosen = expr.lift(self.one_of(found))
        return chosen if width is None or chosen.type.width == width else expr.cast(chosen, types.Uint(width))

    def boolean(self, scope, depth):
        kind = self.whole(0, 9) if depth else 0
        if kind <= 3:
            leaf = self.leaf(scope, types.Bool)
            return expr.lift(self.chance(0.5)) if leaf is None else leaf
        if kind == 4:
            return expr.logic_not(self.boolean(scope, depth - 1))
        if kind == 5:
            return expr.cast(self.uint(scope, self.whole(1, 3), depth - 1), types.Bool())
        if kind == 6:
            width = self.one_of([1, 2, 4])
            place = expr.bit_and(self.uint(scope, 3, depth - 1), width - 1) if self.chance(0.5) else width - 1
            return expr.index(self.uint(scope, width, depth - 1), place)
        if kind == 7:
            both = self.real(scope, depth - 1), self.real(scope, depth - 1)
            return self.one_of([expr.less, expr.greater_equal])(*both)
        if kind == 8:
            width = self.whole(1, 4)
            both = self.uint(scope, width, depth - 1), self.uint(scope, width, depth - 1)
            compare = [expr.less, expr.less_equal, expr.greater, expr.greater_equal, expr.equal, expr.not_equal]
            return self.one_of(compare)(*both)
        both = self.boolean(scope, depth - 1), self.boolean(scope, depth - 1)
        joined = [expr.logic_and, expr.logic_or, expr.bit_and, expr.bit_or, expr.bit_xor, expr.equal, expr.not_equal]
        return self.one_of(joined)(*both)

    def uint(self, scope, width, depth):
        kind = self.whole(0, 8) if depth else 0
        if kind <= 3:
            leaf = self.leaf(scope, types.Uint, width) if self.chance(0.8) else None
            return expr.lift(self.whole(0, 2**width - 1), types.Uint(width)) if leaf is None else leaf
        if kind == 4:
            return expr.bit_not(self.uint(scope, width, depth - 1))
        if kind == 5:
            shift = self.one_of([expr.shift_left, expr.shift_right])
            return shift(self.uint(scope, width, depth - 1), self.uint(scope, self.whole(1, 3), depth - 1))
        if kind == 6:
            return expr.cast(self.boolean(scope, depth - 1), types.Uint(width))
        if kind == 7:
            divisor = expr.lift(self.whole(1, 2**width - 1), types.Uint(width))
            return expr.div(self.uint(scope, width, depth - 1), divisor)
        both = self.uint(scope, width, depth - 1), self.uint(scope, width, depth - 1)
        return self.one_of([expr.bit_and, expr.bit_or, expr.bit_xor, expr.add, expr.sub, expr.mul])(*both)

    def real(self, scope, depth):
        if not depth or self.chance(0.4):
            leaf = self.leaf(scope, types.Float)
            return expr.lift(round(self.random.uniform(-2, 2), 3)) if leaf is None else leaf
        if self.chance(0.3):
            return expr.cast(self.uint(scope, 3, depth - 1), types.Float())
        both = self.real(scope, depth - 1), self.real(scope, depth - 1)
        return self.one_of([expr.add, expr.sub, expr.mul])(*both)
