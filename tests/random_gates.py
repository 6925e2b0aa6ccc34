"""Random unitary operations: standard gates, those of the library, and own ones that stand inside one another."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import (
    AnnotatedOperation,
    ControlModifier,
    Gate,
    InverseModifier,
    ParameterExpression,
    PowerModifier,
    library,
)
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import SparsePauliOp

from random_values import Choices

SPECIAL_ANGLES = (0.0, math.pi, -math.pi / 2, 2e-9, math.pi - 2e-9)  # the small ones measure 1 with 1e-18
STANDARD = [  # class, angles, qubits
    *((kind, 0, 1) for kind in (library.HGate, library.XGate, library.SXGate, library.TGate, library.YGate)),
    *((kind, 1, 1) for kind in (library.RXGate, library.RYGate, library.RYGate, library.RZGate, library.PhaseGate)),
    (library.U2Gate, 2, 1),
    (library.UGate, 3, 1),
    (library.RGate, 2, 1),
    *((kind, 0, 2) for kind in (library.CXGate, library.CXGate, library.CZGate, library.SwapGate, library.iSwapGate)),
    *((kind, 0, 2) for kind in (library.ECRGate, library.CHGate, library.DCXGate)),
    *((kind, 1, 2) for kind in (library.CRXGate, library.CPhaseGate, library.RZZGate)),
    *((kind, 1, 2) for kind in (library.RXXGate, library.RZXGate)),
    (library.CUGate, 4, 2),
    (library.XXPlusYYGate, 2, 2),
    *((kind, 0, 3) for kind in (library.CCXGate, library.CSwapGate, library.RCCXGate)),
    (library.GlobalPhaseGate, 1, 0),
]
CONTROLLED = {library.CXGate, library.CZGate, library.CHGate, library.CRXGate, library.CPhaseGate, library.CUGate}


class MadeOfNumbers(Gate):
    """A gate whose definition needs the numbers of its parameters."""

    def __init__(self, angle, other):
        super().__init__("made_of_numbers", 2, [angle, other])

    def _define(self):
        first, second = (float(param) for param in self.params)
        self.definition = QuantumCircuit(2, global_phase=math.sin(second))
        self.definition.ry(math.cos(first), 0)
        self.definition.crx(first * second, 0, 1)
        if first > second:
            self.definition.h(1)


class OnlyMatrix(Gate):
    """A gate that has a matrix and no definition."""

    def __init__(self, angle):
        super().__init__("only_matrix", 1, [angle])

    def __array__(self, dtype=None, copy=None):
        half = float(self.params[0]) / 2
        return np.array([[math.cos(half), 1j * math.sin(half)], [1j * math.sin(half), math.cos(half)]], dtype)


class GateDrawing(Choices):
    """Draws gates; angles are of the circuit's free parameters and of those of the loops around it."""

    def __init__(self, random):
        super().__init__(random)
        self.free = []
        self.gates = []  # drawn so far, to be used again: (operation, parameters)

    def plain_angle(self):
        return self.one_of(SPECIAL_ANGLES) if self.chance(0.1) else round(self.random.uniform(-3, 3), 3)

    def angle(self, scope):
        """Return a number, or an expression of the parameters that have a value in the scope."""
        known = [*self.free, *scope.loop_parameters, *scope.loop_parameters]
        if not known or self.chance(0.3):
            return self.plain_angle()
        one, other = self.one_of(known), self.one_of(known)
        return self.one_of([one, one, 0.5 * one + 0.25, -one, one + other, 0.3 * one * other, one.sin(), 0.7 - one / 3])

    def vector(self, size):
        found = self.random.normal(size=size) + 1j * self.random.normal(size=size)
        return found / np.linalg.norm(found)

    def gate(self, scope):
        """Add a unitary operation: a standard one, one that was drawn before, or a new one of any kind."""
        if self.chance(0.5):
            self.standard_gate(scope)
            return
        known = {*self.free, *scope.loop_parameters}
        fitting = [one for one, needed in self.gates if needed <= known and one.num_qubits <= len(scope.qubits)]
        if fitting and self.chance(0.4):
            operation = self.one_of(fitting)
        else:
            operation = self.operation(scope, min(3, len(scope.qubits)), 2)
            self.gates.append((operation, _parameters_of(operation)))
        scope.circuit.append(operation, self.some_of(scope.qubits, operation.num_qubits))

    def standard_gate(self, scope):
        fitting = [(kind, angles, n) for kind, angles, n in STANDARD if n <= len(scope.qubits)]
        kind, angles, n = self.one_of(fitting)
        keys = {"ctrl_state": self.whole(0, 1)} if kind in CONTROLLED and self.chance(0.3) else {}
        gate = kind(*(self.angle(scope) for _ in range(angles)), **keys)
        scope.circuit.append(gate, self.some_of(scope.qubits, n))

    def operation(self, scope, n, depth):
        """Return a unitary operation on at most n qubits that is not a standard gate."""
        kind = self.whole(0, 12)
        if kind == 12:
            return self.of_library(scope, n)
        if kind <= 3 or (n < 2 and kind > 9):
            return self.own_gate(scope, n, depth)
        if kind <= 5 and depth:
            return self.changed(scope, n, depth)
        if kind == 6:
            return OnlyMatrix(self.angle(scope))
        if kind == 7:
            paulis = self.one_of([["X"], ["Y"], ["ZZ", "IZ"], ["XX", "ZZ"], ["XY"]])
            if len(paulis[0]) <= n:
                factors = [round(self.random.uniform(-1, 1), 2) for _ in paulis]
                return library.PauliEvolutionGate(SparsePauliOp(paulis, factors), self.angle(scope))
        if kind == 8:
            size = self.whole(1, min(n, 2))
            matrix = np.array([self.vector(2**size) for _ in range(2**size)])
            return library.UnitaryGate(np.linalg.qr(matrix)[0])
        if kind == 9:
            return library.PermutationGate([int(i) for i in self.random.permutation(n)])
        if kind == 10:
            return MadeOfNumbers(self.angle(scope), self.angle(scope))
        if kind == 11:
            return self.ansatz(scope)
        return library.DiagonalGate(np.exp(1j * self.random.uniform(-3, 3, 2**n)).tolist())

    def own_gate(self, scope, n, depth):
        """Return a gate, now and then an instruction, made of a circuit with free parameters."""
        size = self.whole(1, n)
        circuit = QuantumCircuit(size, name=self.name("own"))
        if self.chance(0.3):
            circuit.global_phase = self.angle(scope)
        inner = replace(scope, circuit=circuit, qubits=circuit.qubits)
        for _ in range(self.whole(1, 3)):
            if depth and self.chance(0.3):
                operation = self.operation(scope, size, depth - 1)
                circuit.append(operation, self.some_of(circuit.qubits, operation.num_qubits))
            else:
                self.standard_gate(inner)
        is_gate = all(isinstance(item.operation, Gate) for item in circuit.data)
        return circuit.to_gate() if is_gate and self.chance(0.8) else circuit.to_instruction()

    def changed(self, scope, n, depth):
        """Return an operation that is controlled, inverted or repeated."""
        base = self.operation(scope, max(n - 1, 1), depth - 1)
        kinds = ["inverse", "power", "several"] + ["control"] * (base.num_qubits < n)
        kind = self.one_of(kinds)
        if not isinstance(base, Gate | AnnotatedOperation):
            return base
        if type(base) is Gate and self.chance(0.6):
            with contextlib.suppress(QiskitError, TypeError):  # for something inside, which has no numbers yet
                return self.changed_by_qiskit(base, kind)
        control = ControlModifier(1, self.whole(0, 1))
        modifiers = {
            "inverse": [InverseModifier()],
            "power": [PowerModifier(self.one_of([-1, 0, 2, 3]))],
            "control": [control],
            "several": [PowerModifier(2), *([control] if base.num_qubits < n else []), InverseModifier()],
        }
        return AnnotatedOperation(base, modifiers[kind])

    def changed_by_qiskit(self, base, kind):
        match kind:
            case "inverse":
                return base.inverse()
            case "control":
                return base.control(1, ctrl_state=self.whole(0, 1), annotated=False)
            case _:
                return base.repeat(self.whole(1, 3))

    def of_library(self, scope, n):
        chosen = self.whole(0, 5 if n > 1 else 2)
        match chosen:
            case 0:
                return library.PauliGate("".join(self.one_of("IXYZ") for _ in range(n)))
            case 1:
                return library.StatePreparation(self.vector(2**n))
            case 2:
                return library.QFTGate(n)
            case 3:
                return library.MCXGate(n - 1, ctrl_state=self.whole(0, 2 ** (n - 1) - 1))
            case 4:
                return library.MCPhaseGate(self.angle(scope), n - 1)
            case _:
                return library.RYGate(self.plain_angle()).control(n - 1, annotated=False)

    def ansatz(self, scope):
        make = self.one_of([library.real_amplitudes, library.efficient_su2])
        circuit = make(2, reps=1)
        circuit.assign_parameters([self.angle(scope) for _ in circuit.parameters], inplace=True)
        return circuit.to_gate()


def _parameters_of(operation):
    """Return the parameters that stand in an operation, whichever way it keeps them."""
    if isinstance(operation, AnnotatedOperation):
        return _parameters_of(operation.base_op)
    params = [param for param in operation.params if isinstance(param, ParameterExpression)]
    return {parameter for param in params for parameter in param.parameters}
