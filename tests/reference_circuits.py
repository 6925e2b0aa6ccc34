"""Exact probabilities of circuits with measurement and control flow: every branch followed, gates by Qiskit.

Imports nothing of basicaer. Bit c of an outcome is classical bit c.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from qiskit.circuit import CASE_DEFAULT, ClassicalRegister, Clbit
from qiskit.circuit.classical import expr, types
from qiskit.circuit.library import XGate
from qiskit.quantum_info import Operator, Statevector

import reference


def outcome_probabilities(circuit, inputs=None, most_iterations=40):
    """Return {outcome: probability} of all classical bits at the end."""
    numbers = {bit: i for i, bit in enumerate(circuit.clbits)}
    start = (1.0, reference.zero(circuit.num_qubits), dict.fromkeys(range(circuit.num_clbits), 0), dict(inputs or {}))
    walker = _Walker(most_iterations)
    ends = walker.block(circuit, {q: i for i, q in enumerate(circuit.qubits)}, numbers, start)
    total = defaultdict(float)
    for _, (probability, _, bits, _) in ends:
        total[sum(value * 2**bit for bit, value in bits.items())] += probability
    return dict(total)


class _Walker:
    def __init__(self, most_iterations):
        self.most_iterations = most_iterations

    def block(self, circuit, qubits, clbits, branch):
        """Return [(None, "break" or "continue", branch)] after the circuit."""
        branches = [(None, branch)]
        for item in circuit.data:
            after = []
            for leaving, here in branches:
                after += [(leaving, here)] if leaving else self.step(item, qubits, clbits, here)
            branches = after
        return branches

    def step(self, item, qubits, clbits, branch):
        probability, vector, bits, variables = branch
        operation, name = item.operation, item.operation.name
        on = [qubits[q] for q in item.qubits]
        if name in {"barrier", "delay"}:
            return [(None, branch)]
        if name in {"measure", "reset"}:
            ends = []
            for outcome in (0, 1):
                kept = np.array(vector).reshape(-1, 2, 2 ** on[0])
                kept[:, 1 - outcome] = 0
                chance = np.linalg.norm(kept) ** 2
                if chance < 1e-12:
                    continue
                after, now = kept.reshape(-1) / np.sqrt(chance), dict(bits)
                if name == "measure":
                    now[clbits[item.clbits[0]]] = outcome
                elif outcome:
                    after = Statevector(after).evolve(XGate(), on).data
                ends.append((None, (probability * chance, after, now, variables)))
            return ends
        if name in {"break_loop", "continue_loop"}:
            return [(name, branch)]
        if name == "store":
            value = self.value(operation.rvalue, clbits, branch)
            return [(None, self.stored(operation.lvalue, value, clbits, branch))]
        if hasattr(operation, "blocks"):
            return self.control_flow(item, operation, qubits, clbits, branch)
        return [(None, (probability, Statevector(vector).evolve(Operator(operation), on).data, bits, variables))]

    def body(self, circuit, item, qubits, clbits, branch):
        inner_qubits = {inner: qubits[outer] for inner, outer in zip(circuit.qubits, item.qubits, strict=True)}
        inner_clbits = {inner: clbits[outer] for inner, outer in zip(circuit.clbits, item.clbits, strict=True)}
        return self.block(circuit, inner_qubits, inner_clbits, branch)

    def control_flow(self, item, operation, qubits, clbits, branch):
        match operation.name:
            case "box":
                return self.body(operation.blocks[0], item, qubits, clbits, branch)
            case "if_else":
                chosen = 0 if self.condition(operation.condition, clbits, branch) else 1
                if chosen < len(operation.blocks):
                    return self.body(operation.blocks[chosen], item, qubits, clbits, branch)
                return [(None, branch)]
            case "switch_case":
                value = self.target(operation.target, clbits, branch)
                for labels, block in operation.cases_specifier():
                    if value in labels or CASE_DEFAULT in labels:
                        return self.body(block, item, qubits, clbits, branch)
                return [(None, branch)]
            case "while_loop":
                rounds = [
                    (operation.blocks[0], lambda here: self.condition(operation.condition, clbits, here), None)
                ] * self.most_iterations
            case "for_loop":
                values, variable, body = operation.params
                rounds = []
                for value in values:
                    bound, before = body, None
                    if isinstance(variable, expr.Var):
                        before = (variable, value)
                    elif variable is not None and variable in body.parameters:
                        bound = body.assign_parameters({variable: value})
                    rounds.append((bound, lambda _here: True, before))
        going, ended = [branch], []
        for body, condition, before in rounds:
            still = []
            for here in going:
                if not condition(here):
                    ended.append((None, here))
                    continue
                if before is not None:
                    here = (*here[:3], {**here[3], before[0]: before[1]})  # noqa: PLW2901
                for leaving, end in self.body(body, item, qubits, clbits, here):
                    if leaving == "break_loop":
                        ended.append((None, end))
                    else:
                        still.append(end)
            going = still
        return ended + [(None, here) for here in going]

    def condition(self, condition, clbits, branch):
        if isinstance(condition, tuple):
            return self.target(condition[0], clbits, branch) == condition[1]
        return self.value(condition, clbits, branch)

    def target(self, target, clbits, branch):
        if isinstance(target, Clbit):
            return branch[2][clbits[target]]
        if isinstance(target, ClassicalRegister):
            return sum(branch[2][clbits[bit]] * 2**i for i, bit in enumerate(target))
        return self.value(target, clbits, branch)

    def stored(self, goal, value, clbits, branch):
        probability, vector, bits, variables = branch
        bits, variables = dict(bits), dict(variables)
        if isinstance(goal, expr.Index):
            old, place = self.value(goal.target, clbits, branch), self.value(goal.index, clbits, branch)
            value = old - reference.bit(old, place) * 2**place + int(value) * 2**place
            goal = goal.target
        if isinstance(goal.var, Clbit):
            bits[clbits[goal.var]] = int(value)
        elif isinstance(goal.var, ClassicalRegister):
            for i, bit in enumerate(goal.var):
                bits[clbits[bit]] = reference.bit(value, i)
        else:
            variables[goal] = value
        return probability, vector, bits, variables

    def value(self, node, clbits, branch):
        if isinstance(node, expr.Value):
            return node.value
        if isinstance(node, expr.Var):
            return (
                branch[3][node]
                if not isinstance(node.var, Clbit | ClassicalRegister)
                else self.target(node.var, clbits, branch)
            )
        if isinstance(node, expr.Index):
            return bool(reference.bit(self.value(node.target, clbits, branch), self.value(node.index, clbits, branch)))
        if isinstance(node, expr.Cast):
            value = self.value(node.operand, clbits, branch)
            if node.type.kind is types.Bool:
                return bool(value)
            return float(value) if node.type.kind is types.Float else int(value) % 2**node.type.width
        if isinstance(node, expr.Unary):
            a = self.value(node.operand, clbits, branch)
            if node.op.name == "NEGATE":
                return -a
            if node.type.kind is types.Bool:
                return not a
            return 2**node.type.width - 1 - a
        a, b = self.value(node.left, clbits, branch), self.value(node.right, clbits, branch)
        value = {
            "BIT_AND": lambda: a & b,
            "BIT_OR": lambda: a | b,
            "BIT_XOR": lambda: a ^ b,
            "LOGIC_AND": lambda: bool(a and b),
            "LOGIC_OR": lambda: bool(a or b),
            "EQUAL": lambda: a == b,
            "NOT_EQUAL": lambda: a != b,
            "LESS": lambda: a < b,
            "LESS_EQUAL": lambda: a <= b,
            "GREATER": lambda: a > b,
            "GREATER_EQUAL": lambda: a >= b,
            "SHIFT_LEFT": lambda: a * 2**b,
            "SHIFT_RIGHT": lambda: a // 2**b,
            "ADD": lambda: a + b,
            "SUB": lambda: a - b,
            "MUL": lambda: a * b,
            "DIV": lambda: a // b if node.type.kind is types.Uint else a / b,
        }[node.op.name]()
        return value % 2**node.type.width if node.type.kind is types.Uint else value
