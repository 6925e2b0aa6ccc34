"""Random OpenQASM 3 programs on basis states, whose only outcome the same program in Python says.

What measurements decide is known to Python and not to us, so every way of treating it is compared. A program may be
refused, but only because a variable depends on a measurement.
"""

import os

import numpy as np
import pytest

from basicaer import BasicAer, BasicAerError
from basicaer.openqasm.loading import load_circuit

QUBITS = 3
MANY = int(os.environ.get("BASICAER_FUZZED", "2000"))


class Writer:
    """Writes a random program in OpenQASM and in Python, line by line."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.openqasm, self.python = [], []
        self.loops = 0

    def pick(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def write(self, depth, openqasm, python):
        self.openqasm.append("  " * depth + openqasm)
        self.python.append("    " * depth + python)

    def number(self):
        value = self.pick("n", "m", "1", "2", "(n + m)", "(3 - n)")
        return value, value

    def condition(self):
        """A condition over numbers, over measured bits, or both."""
        i, j, number = int(self.rng.integers(QUBITS)), int(self.rng.integers(QUBITS)), int(self.rng.integers(8))
        value, _ = self.number()
        return self.pick(
            (f"{value} > 1", f"{value} > 1"),
            (f"c[{i}]", f"c[{i}]"),
            (f"!c[{i}]", f"not c[{i}]"),
            (f"c[{i}] && !c[{j}]", f"c[{i}] and not c[{j}]"),
            (f"uint(c) >= {number}", f"as_number(c) >= {number}"),
            (f"c == {number} || {value} == 2", f"as_number(c) == {number} or {value} == 2"),
        )

    def statement(self, depth, in_loop):
        i, j = (int(k) for k in self.rng.choice(QUBITS, 2, replace=False))
        kinds = ["x", "x", "index", "cx", "measure", "assign", "store", "store", "call"]
        kinds += ["if", "if", "for", "while", "switch"] * (depth < 4)
        kinds += ["leave"] * in_loop
        match self.pick(*kinds):
            case "x":
                self.write(depth, f"x q[{i}];", f"q[{i}] ^= 1")
            case "index":
                value, _ = self.number()
                self.write(depth, f"x q[{value} % {QUBITS}];", f"q[math.trunc(math.fmod({value}, {QUBITS}))] ^= 1")
            case "cx":
                self.write(depth, f"cx q[{i}], q[{j}];", f"q[{j}] ^= q[{i}]")
            case "measure":
                self.write(depth, f"c[{i}] = measure q[{j}];", f"c[{i}] = q[{j}]")
            case "assign":
                name, value = self.pick("n", "m"), self.number()[0]
                self.write(depth, f"{name} = {value};", f"{name} = {value}")
            case "store":
                condition, in_python = self.condition()
                text, python = self.pick(
                    (f"c[{i}] = {condition};", f"c[{i}] = int({in_python})"),
                    ("c = rotl(c, 1);", "c[:] = [c[-1], *c[:-1]]"),
                    (f"c[{i}] = c[{i}] ^ c[{j}];", f"c[{i}] ^= c[{j}]"),
                    ("c = ~c;", "c[:] = [1 - bit for bit in c]"),
                )
                self.write(depth, text, python)
            case "call":
                text, python = self.pick(
                    (f"c[{i}] = read(q[{j}]);", f"c[{i}] = read(q, {j})"),
                    (f"flip(c[{i}], q[{j}]);", f"flip(c[{i}], q, {j})"),
                    (f"n = larger(n, {i});", f"n = larger(n, {i})"),
                )
                self.write(depth, text, python)
            case "if":
                condition, in_python = self.condition()
                self.write(depth, f"if ({condition}) {{", f"if {in_python}:")
                self.block(depth + 1, in_loop)
                self.write(depth, "} else {", "else:")
                self.block(depth + 1, in_loop)
                self.write(depth, "}", "")
            case "for":
                self.loops += 1
                self.write(depth, f"for int k{self.loops} in [0:2] {{", f"for k{self.loops} in range(3):")
                self.block(depth + 1, in_loop=True)
                self.write(depth, "}", "")
            case "while":  # of two iterations at most, whatever is continued
                self.loops += 1
                name = f"w{self.loops}"
                condition, in_python = self.pick(("true", "True"), (f"c[{i}]", f"c[{i}]"))
                counter = self.pick("bits", "number")
                if counter == "number":
                    self.write(depth, f"int {name} = 0;", f"{name} = 0")
                    self.write(depth, f"while ({condition} && {name} < 2) {{", f"while {in_python} and {name} < 2:")
                    self.write(depth + 1, f"{name} += 1;", f"{name} += 1")
                else:
                    self.write(depth, f"c[{i}] = measure q[{i}];", f"c[{i}] = q[{i}]")
                    self.write(depth, f"while (c[{i}]) {{", f"while c[{i}]:")
                    self.write(depth + 1, f"c[{i}] = 0;", f"c[{i}] = 0")
                    self.write(depth + 1, f"x q[{j}];", f"q[{j}] ^= 1")
                    self.write(depth, "}", "")
                    return
                self.block(depth + 1, in_loop=True)
                self.write(depth, "}", "")
            case "switch":
                text, python = self.pick(("int(c)", "as_number(c)"), ("n", "n"))
                self.write(depth, f"switch ({text}) {{ case 0, 2 {{", f"if {python} in (0, 2):")
                self.block(depth + 1, in_loop=False)
                self.write(depth, "} default {", "else:")
                self.block(depth + 1, in_loop=False)
                self.write(depth, "} }", "")
            case "leave":
                word = self.pick("break", "continue")
                condition, in_python = self.condition()
                self.write(depth, f"if ({condition}) {{ {word}; }}", f"if {in_python}: {word}")

    def block(self, depth, in_loop):
        self.write(depth, "", "pass")
        for _ in range(self.rng.integers(1, 4)):
            self.statement(depth, in_loop)


OPENQASM = """OPENQASM 3.0;
include "stdgates.inc";
def read(qubit r) -> bit { bit b; b = measure r; x r; return b; }
def flip(bit b, qubit r) { if (b) { x r; } }
def larger(int a, int b) -> int { if (a > b) { return a; } return b; }
qubit[3] q; bit[3] c; int n = 1; int m = 2;
"""
PYTHON = """
import math
def as_number(bits): return sum(bit << i for i, bit in enumerate(bits))
def read(q, i): q[i] ^= 1; return 1 - q[i]
def flip(b, q, i): q[i] ^= b
def larger(a, b): return max(a, b)
q, c, n, m = [0, 0, 0], [0, 0, 0], 1, 2
"""


def outcome_of(python):
    names = {}
    exec(python, names)  # noqa: S102  # written above
    return "".join(map(str, names["c"] + names["d"]))


def check(seed, path):
    """Whether a program runs, to the outcome that Python says; otherwise it is refused for a reason that may be."""
    writer = Writer(seed)
    for _ in range(6):
        writer.statement(0, in_loop=False)
    text = "\n".join([OPENQASM, *writer.openqasm, "bit[3] d; d = measure q;"])
    path.write_text(text, "utf-8")
    want = outcome_of("\n".join([PYTHON, *writer.python, "d = q"]))
    refusal = ""
    try:
        circuit = load_circuit(path)
    except BasicAerError as error:
        refusal = error.message
    if refusal:
        allowed = ("depends on a measurement", "depend on a measurement")
        assert any(words in refusal for words in allowed), f"{refusal}\n{text}"
        return False
    counts = BasicAer.get_backend("qasm_simulator").run(circuit, shots=3).result(timeout=30).get_counts()
    registers = [register for register in circuit.cregs if register.name in {"c", "d"}]  # without bits of functions
    places = [circuit.find_bit(bit).index for register in registers for bit in register]
    got = {"".join(outcome.replace(" ", "")[-1 - place] for place in places) for outcome in counts}
    assert got == {want}, text
    return True


@pytest.mark.parametrize("part", range(4))
def test_random_programs_have_the_outcome_that_python_says(part, tmp_path):
    ran = sum(check(seed, tmp_path / "program.qasm") for seed in range(10 * part, 10 * part + 10))
    assert ran > 2


@pytest.mark.slow
def test_many_random_programs_have_the_outcome_that_python_says(tmp_path):
    assert sum(check(seed, tmp_path / "program.qasm") for seed in range(1000, 1000 + MANY)) > MANY // 6
