"""Random circuits with control flow, own gates, variables and parameters, each from its number: `program(17)`.

They are small enough that `exact.paths` follows every outcome. Imports nothing of basicaer.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import CASE_DEFAULT, BoxOp, Clbit, Parameter, ParameterVector, Qubit
from qiskit.circuit.classical import expr, types

import exact
from random_gates import GateDrawing
from random_values import Scope, ValueDrawing

MOST_STEPS = 2500  # of all paths of one set of values
MOST_DRAWS = 6  # measurements and resets on a path, loops counted


class Program(NamedTuple):
    """A circuit and what to run it with.

    ``sets[i]`` has a value for each of its parameters and input variables; ``paths[i]`` are its paths with these.
    """

    number: int
    circuit: QuantumCircuit
    sets: list[dict[Any, Any]]
    paths: list[list[exact.Path]]

    @property
    def binds(self):
        """All values in the form of `parameter_binds`."""
        return {key: [values[key] for values in self.sets] for key in self.sets[0]}

    @property
    def parameters(self):
        return [key for key in self.sets[0] if isinstance(key, Parameter)]

    @property
    def inputs(self):
        return [key for key in self.sets[0] if isinstance(key, expr.Var)]


def program(number):
    """Return the program of a number, always the same."""
    for attempt in count():
        circuit, sets = _Drawing(np.random.default_rng([number, attempt])).program()
        with contextlib.suppress(exact.TooLongError):
            return Program(number, circuit, sets, [exact.paths(circuit, values, MOST_STEPS) for values in sets])
    raise AssertionError


def _has_loop_variables():
    """Tell whether a for loop may have a variable, as it may in newer versions of Qiskit."""
    body = QuantumCircuit(1)
    try:
        QuantumCircuit(1).for_loop(range(2), body.add_input("i", types.Uint(1)), body, [0], [])
    except Exception:  # noqa: BLE001  # Qiskit's own, of several kinds
        return False
    return True


LOOP_VARIABLES = _has_loop_variables()


class _Drawing(GateDrawing, ValueDrawing):
    def __init__(self, random):
        super().__init__(random)
        self.draws_left = MOST_DRAWS
        self.loop_parameters = []  # of all loops
        self.only_gates = self.chance(0.08)  # and boxes of them

    def program(self):
        n_qubits, n_bits = self.whole(1, 4), self.whole(0, 4)
        in_registers = self.whole(0, n_bits)
        registers = []
        while in_registers:
            registers.append(ClassicalRegister(self.whole(1, in_registers), self.name("c")))
            in_registers -= registers[-1].size
        loose = [Clbit() for _ in range(n_bits - sum(len(one) for one in registers))]
        circuit = QuantumCircuit(QuantumRegister(n_qubits, "q"), *self.some_of(registers, len(registers)), loose)
        if n_bits > 1 and self.chance(0.1):
            registers.append(ClassicalRegister(name=self.name("c"), bits=self.some_of(circuit.clbits, 2)))
            circuit.add_register(registers[-1])
        n_free = self.whole(0, 3) if self.chance(0.7) else 0
        self.free = [Parameter(self.name("p")) for _ in range(n_free)]
        if self.chance(0.3):
            self.free = list(ParameterVector(self.name("p"), n_free))
        scope = Scope(circuit, circuit.qubits, circuit.clbits, registers)
        if not self.only_gates and self.chance(0.25):
            scope.variables += [circuit.add_input(self.name("i"), self.type()) for _ in range(self.whole(1, 2))]
        if not self.only_gates and self.chance(0.3):
            scope.variables += [self.variable(scope) for _ in range(self.whole(1, 2))]
        if self.chance(0.3):
            circuit.global_phase = self.angle(scope)
        for _ in range(self.whole(3, 15)):
            self.instruction(scope)
        if n_bits and not self.only_gates and self.chance(0.6):
            size = self.whole(1, min(n_qubits, n_bits))
            circuit.measure(self.some_of(circuit.qubits, size), self.some_of(circuit.clbits, size))
        return circuit, self.sets(circuit)

    def sets(self, circuit):
        own = [parameter for parameter in self.free if parameter in circuit.parameters]
        inputs = list(circuit.iter_input_vars())
        size = (3 if self.chance(0.2) else 2) if own or inputs else 1
        return [{key: self.value(key) for key in (*own, *inputs)} for _ in range(size)]

    def value(self, key):
        if isinstance(key, Parameter):
            return self.plain_angle()
        if key.type.kind is types.Uint:
            return self.whole(0, 2**key.type.width - 1)
        return self.chance(0.5) if key.type.kind is types.Bool else round(self.random.uniform(-2, 2), 3)

    # Instructions.

    def instruction(self, scope):
        if self.only_gates:
            self.box(scope) if scope.depth < 3 and self.chance(0.2) else self.gate(scope)
            return
        kinds = [(self.gate, 10), (self.measurement, 2), (self.preparation, 1), (self.store, 2), (self.idling, 1)]
        if scope.depth < 3:
            kinds += [(self.if_else, 3), (self.switch, 1), (self.for_loop, 3), (self.while_loop, 1), (self.box, 1)]
        if scope.in_loop:
            kinds.append((self.jump, 2))
        weights = np.array([weight for _, weight in kinds])
        kinds[self.random.choice(len(kinds), p=weights / weights.sum())][0](scope)

    def block(self, scope):
        for _ in range(self.whole(0, 3) if self.chance(0.1) else self.whole(1, 3)):
            self.instruction(scope)

    def bodies(self, scope, number, **changes):
        """Return bodies made by hand, and the qubits and bits of the scope that all of them are for."""
        qubits = self.some_of(scope.qubits, self.whole(1, len(scope.qubits)))
        bits = self.some_of(scope.bits, self.whole(0, len(scope.bits)))
        inner = replace(scope, registers=[], own_body=True, depth=scope.depth + 1, **changes)
        scopes = [self.body(inner, qubits, bits) for _ in range(number)]
        for one in scopes:
            self.block(one)
        return [one.circuit for one in scopes], qubits, bits

    def body(self, scope, qubits, bits):
        circuit = QuantumCircuit([Qubit() for _ in qubits], [Clbit() for _ in bits], captures=scope.variables)
        if self.chance(0.2):
            circuit.global_phase = self.angle(scope)
        return replace(scope, circuit=circuit, qubits=circuit.qubits, bits=circuit.clbits)

    def inside(self, scope, **changes):
        """Return the scope of what a builder adds to the same circuit."""
        return replace(scope, depth=scope.depth + 1, **changes)

    def idling(self, scope):
        if self.chance(0.5):
            scope.circuit.barrier(self.some_of(scope.qubits, self.whole(1, len(scope.qubits))))
        else:
            scope.circuit.delay(100, self.one_of(scope.qubits))

    def measurement(self, scope):
        if scope.bits and self.draws_left >= scope.times:
            self.draws_left -= scope.times
            scope.circuit.measure(self.one_of(scope.qubits), self.one_of(scope.bits))

    def preparation(self, scope):
        """Add a reset or an initialize; now and then one that is inside of an instruction."""
        if self.draws_left < 2 * scope.times:
            return
        kind = self.whole(0, 4)
        circuit = scope.circuit
        if kind == 0:
            self.draws_left -= scope.times
            circuit.reset(self.one_of(scope.qubits))
        elif kind == 1 and scope.bits:
            self.draws_left -= 2 * scope.times
            inner = QuantumCircuit(1, 1, global_phase=self.angle(scope))
            inner.measure(0, 0)
            self.standard_gate(replace(scope, circuit=inner, qubits=inner.qubits))
            inner.reset(0)
            circuit.append(inner.to_instruction(), [self.one_of(scope.qubits)], [self.one_of(scope.bits)])
        elif kind == 2:
            self.draws_left -= scope.times
            circuit.initialize(self.one_of("01+-rl"), self.one_of(scope.qubits))
        elif kind == 3:
            self.draws_left -= 2 * scope.times
            on = self.some_of(scope.qubits, min(2, len(scope.qubits)))
            circuit.initialize(self.whole(0, 2 ** len(on) - 1), on)
        else:
            on = self.some_of(scope.qubits, self.whole(1, min(2, len(scope.qubits))))
            self.draws_left -= len(on) * scope.times
            circuit.initialize(self.vector(2 ** len(on)), on)

    def store(self, scope):
        circuit, kind = scope.circuit, self.whole(0, 3)
        if kind == 0 and scope.bits:
            circuit.store(self.one_of(scope.bits), self.boolean(scope, 1))
        elif kind == 1 and scope.registers:
            register = self.one_of(scope.registers)
            circuit.store(register, self.uint(scope, register.size, 2))
        elif kind == 2 and scope.registers:
            register = self.one_of(scope.registers)
            circuit.store(expr.index(register, self.whole(0, register.size - 1)), self.boolean(scope, 1))
        elif scope.variables and (variable := self.one_of(scope.variables)) is not None:
            circuit.store(variable, self.of_type(scope, variable.type, 2))
        elif self.chance(0.3):
            scope.variables.append(self.variable(scope))

    def variable(self, scope):
        type_ = self.type()
        return scope.circuit.add_var(self.name("v"), self.of_type(scope, type_, 1))

    # Control flow.

    def if_else(self, scope):
        condition = self.condition(scope)
        if condition is None:
            return
        if self.chance(0.4):
            (then, *otherwise), qubits, bits = self.bodies(scope, self.whole(1, 2))
            scope.circuit.if_else(condition, then, otherwise[0] if otherwise else None, qubits, bits)
            return
        with scope.circuit.if_test(condition) as otherwise:
            self.block(self.inside(scope))
        if self.chance(0.5):
            with otherwise:
                self.block(self.inside(scope))

    def switch(self, scope):
        if scope.registers and self.chance(0.4):
            target = register = self.one_of(scope.registers)
            width = register.size
        elif scope.bits and self.chance(0.4):
            target, width = self.one_of(scope.bits), 1
        else:
            width = self.whole(1, 3)
            target = self.uint(scope, width, 2)
        labels = self.some_of(range(2**width), min(2**width, self.whole(1, 3)))
        groups = [labels[:1], labels[1:]] if len(labels) > 1 else [labels]
        has_default = self.chance(0.5)
        if self.chance(0.4):
            circuits, qubits, bits = self.bodies(scope, len(groups) + has_default)
            cases = list(zip([tuple(group) for group in groups], circuits, strict=False))
            if has_default:
                cases.append((CASE_DEFAULT, circuits[-1]))
            scope.circuit.switch(target, cases, qubits, bits)
            return
        with scope.circuit.switch(target) as case:
            for group in groups:
                with case(*group):
                    self.block(self.inside(scope))
            if has_default:
                with case(case.DEFAULT):
                    self.block(self.inside(scope))

    def for_loop(self, scope):
        values = self.one_of([range(2), range(1, 4), range(3, 0, -1), [0, 2, 5], [1], range(0), range(0, -4, -3)])
        changes = {"in_loop": True, "times": scope.times * max(len(values), 1)}
        if LOOP_VARIABLES and min(values, default=0) >= 0 and self.chance(0.1):
            self.loop_over_variable(scope, values, changes)
            return
        parameter = self.loop_parameter(scope) if self.chance(0.7) else None
        if parameter is not None:
            changes["loop_parameters"] = [*scope.loop_parameters, parameter]
        if self.chance(0.4):
            (circuit,), qubits, bits = self.bodies(scope, 1, **changes)
            scope.circuit.for_loop(values, parameter, circuit, qubits, bits)
            return
        with scope.circuit.for_loop(values, parameter):
            self.block(self.inside(scope, **changes))

    def loop_over_variable(self, scope, values, changes):
        circuit = QuantumCircuit([Qubit() for _ in scope.qubits], [Clbit() for _ in scope.bits])
        variable = circuit.add_input(self.name("v"), types.Uint(3))
        inner = replace(scope, circuit=circuit, qubits=circuit.qubits, bits=circuit.clbits, registers=[], own_body=True)
        inner.variables[:] = [variable]
        self.block(replace(inner, depth=scope.depth + 1, **changes))
        scope.circuit.for_loop(values, variable, circuit, scope.qubits, scope.bits)

    def loop_parameter(self, scope):
        """Return a parameter for a loop: a new one, or that of a loop that is over."""
        over = [one for one in self.loop_parameters if one not in scope.loop_parameters]
        if not over or self.chance(0.7):
            over = [Parameter(self.name("l"))]
            self.loop_parameters += over
        return self.one_of(over)

    def while_loop(self, scope):
        """Add a loop that counts, so that it ends."""
        circuit, most = scope.circuit, self.whole(1, 3)
        counter = circuit.add_var(self.name("v"), expr.lift(0, types.Uint(2)))
        goes_on = expr.less(counter, most)
        if self.chance(0.6):
            goes_on = self.one_of([expr.logic_and, expr.logic_and, expr.bit_and])(goes_on, self.boolean(scope, 2))
        with circuit.while_loop(goes_on):
            circuit.store(counter, expr.add(counter, 1))
            self.block(self.inside(scope, in_loop=True, times=scope.times * most))

    def box(self, scope):
        if self.chance(0.4):
            (circuit,), qubits, bits = self.bodies(scope, 1, in_loop=False)
            scope.circuit.append(BoxOp(circuit), qubits, bits)
            return
        with scope.circuit.box():
            self.block(self.inside(scope, in_loop=False))

    def jump(self, scope):
        """Add a break or continue, mostly where a condition holds."""
        name = self.one_of(["break_loop", "continue_loop"])
        condition = self.condition(scope)
        if condition is None:
            return
        if scope.own_body:
            body = QuantumCircuit([Qubit() for _ in scope.qubits], [Clbit() for _ in scope.bits])
            getattr(body, name)()
            scope.circuit.if_test(condition, body, scope.qubits, scope.bits)
        else:
            with scope.circuit.if_test(condition):
                self.gate(scope)
                getattr(scope.circuit, name)()
