"""One program for each feature of OpenQASM 3: its only outcome, derived by hand, or the words that refuse it.

The page on OpenQASM shows this table; `test_openqasm3_language.py` runs it. A program begins behind the version and
``include "stdgates.inc";`` in the same line.
"""

# ruff: noqa: E501  # a program stands in one line

from typing import NamedTuple


class Program(NamedTuple):
    """A feature by its chapter of the specification, a program that uses it, and what happens."""

    chapter: str
    feature: str
    text: str
    outcome: str = ""  # as get_counts() has it, registers joined
    refused: str = ""  # words of the message
    inputs: str = ""  # NAME=NUMBER


HEADER = 'OPENQASM 3.0; include "stdgates.inc"; '
STANDARD_GATES = {  # the numbers of parameters and of qubits that each takes
    name: counts
    for counts, names in {
        (0, 1): "x y z h s sdg t tdg sx id",
        (0, 2): "cx cy cz ch swap CX",
        (0, 3): "ccx cswap",
        (1, 1): "p rx ry rz phase u1",
        (1, 2): "cp crx cry crz cphase",
        (2, 1): "u2",
        (3, 1): "u3 U",
        (4, 2): "cu",
    }.items()
    for name in names.split()
}

PROGRAMS = [
    Program("Comments and directives", "comments", "/* a */ qubit q; bit c; x q; // b\nc = measure q;", "1"),
    Program(
        "Comments and directives",
        "pragmas, which are ignored",
        "pragma user a\nqubit q; bit c; x q; c = measure q;",
        "1",
    ),
    Program(
        "Comments and directives",
        "annotations, which are ignored",
        "qubit q; bit c;\n@user a\nx q; c = measure q;",
        "1",
    ),
    Program("Types", "`qubit` and `bit`", "qubit q; bit c; x q; c = measure q;", "1"),
    Program("Types", "registers", "qubit[3] q; bit[3] c; x q[1]; c = measure q;", "010"),
    Program("Types", "`qreg` and `creg`", "qreg q[2]; creg c[2]; x q[1]; c = measure q;", "10"),
    Program("Types", "physical qubits", "bit c; x $1; c = measure $1;", "1"),
    Program("Types", "`const`", "const int n = 2; qubit[n] q; bit[n] c; x q[n - 1]; c = measure q;", "10"),
    Program("Types", "`int`", "int[8] i = 1; i = i + 1; qubit[3] q; bit[3] c; x q[i]; c = measure q;", "100"),
    Program("Types", "`int[n]` wraps", "int[3] i = 3; i += 3; qubit[3] q; bit[3] c; x q[i + 2]; c = measure q;", "001"),
    Program("Types", "`uint[n]` wraps", "uint[2] i = 3; i += 2; qubit[3] q; bit[3] c; x q[i]; c = measure q;", "010"),
    Program("Types", "`float`", "float[64] a = 1.5; a *= 2; qubit q; bit c; rx(a - 3 + pi) q; c = measure q;", "1"),
    Program(
        "Types", "`float[32]` is rounded", "float[32] a = 0.1; qubit q; bit c; if (a != 0.1) x q; c = measure q;", "1"
    ),
    Program("Types", "`angle`", "angle[32] a = pi; qubit q; bit c; rx(a) q; c = measure q;", "1"),
    Program(
        "Types", "`angle` is modulo 2π", "angle a = 5 * pi; qubit q; bit c; if (a < 4) rx(a) q; c = measure q;", "1"
    ),
    Program("Types", "`angle[n]` is rounded", "angle[2] a = 1.5; qubit q; bit c; rx(2 * a) q; c = measure q;", "1"),
    Program("Types", "`bool`", "bool b = true; qubit q; bit c; if (b && !false) x q; c = measure q;", "1"),
    Program(
        "Types",
        "`complex`",
        "complex[float[64]] z = 1 + 2im; z *= z; qubit q; bit c; rx(-pi * real(z) / 3) q; c = measure q;",
        "1",
    ),
    Program(
        "Types",
        "`bit` with a value",
        'bit[2] a = "10"; qubit[2] q; bit[2] c; if (a[1]) x q[1]; if (a[0]) x q[0]; c = measure q;',
        "1010",
    ),
    Program(
        "Types",
        "`duration`",
        "duration d = 2 * 50ns; qubit q; bit c; delay[d] q; if (d == 0.1us) x q; c = measure q;",
        "1",
    ),
    Program("Types", "`stretch`", "stretch s; qubit q; delay[s] q;", refused="'stretch' is not supported"),
    Program(
        "Types", "`durationof`", "qubit q; duration d = durationof({ x q; });", refused="'durationof' is not supported"
    ),
    Program(
        "Types",
        "arrays",
        "array[int[32], 3] a = {2, 0, 1}; a[1] = a[0]; qubit[3] q; bit[3] c; x q[a[1]]; c = measure q;",
        "100",
    ),
    Program(
        "Types",
        "arrays of arrays",
        "array[int, 2, 2] a = {{0, 1}, {2, 3}}; qubit[4] q; bit[4] c; x q[a[1][0]]; x q[a[-1, 1]]; c = measure q;",
        "1100",
    ),
    Program(
        "Types",
        "slices of arrays",
        "array[int, 4] a = {0, 1, 2, 3}; a[0:1] = a[2:3]; qubit[4] q; bit[4] c; for int i in a[0:1] { x q[i]; } c = measure q;",
        "1100",
    ),
    Program(
        "Types",
        "`sizeof`",
        "array[int, 2, 3] a; qubit[6] q; bit[6] c; x q[sizeof(a)]; x q[sizeof(a, 1)]; c = measure q;",
        "001100",
    ),
    Program(
        "Types",
        "casts",
        'const float a = 1.7; qubit[4] q; bit[4] c; x q[int(a)]; x q[int[8]("11")]; x q[int(true) - 1]; c = measure q;',
        "1011",
    ),
    Program("Types", "aliases", "qubit[4] q; bit[4] c; let a = q[1:2]; x a; c = measure q;", "0110"),
    Program(
        "Types",
        "concatenation",
        "qubit[2] r; qubit[2] q; bit[2] c; bit[2] d; let a = r[{1}] ++ q[{0}]; x a; c = measure r; d = measure q;",
        "0110",
    ),
    Program("Types", "index sets", "qubit[4] q; bit[4] c; x q[{0, 3}]; c = measure q;", "1001"),
    Program("Types", "ranges of indices", "qubit[4] q; bit[4] c; x q[0:2:3]; c = measure q;", "0101"),
    Program("Types", "negative indices", "qubit[4] q; bit[4] c; x q[-1]; x q[0:-3]; c = measure q;", "1011"),
    Program("Gates", "broadcasting", "qubit[2] r; qubit[2] q; bit[2] c; x r[0]; cx r, q; c = measure q;", "01"),
    Program("Gates", "`U` and `gphase`", "qubit q; bit c; U(pi, 0, pi) q; gphase(pi / 2); c = measure q;", "1"),
    Program(
        "Gates",
        "definitions",
        "gate g(a) r, q { rx(a / 2) r; rx(a / 2) r; cx r, q; } qubit[2] q; bit[2] c; g(pi) q[0], q[1]; c = measure q;",
        "11",
    ),
    Program(
        "Gates",
        "definitions with constants, loops and functions",
        "const int n = 2; gate g(a) q { for int i in [1:n] { rx(arcsin(sin(a)) * 2 / n) q; } } qubit q; bit c; g(pi / 2) q; c = measure q;",
        "1",
    ),
    Program("Gates", "`ctrl`", "qubit[3] q; bit[3] c; x q[0:1]; ctrl(2) @ x q[0], q[1], q[2]; c = measure q;", "111"),
    Program("Gates", "`negctrl`", "qubit[2] q; bit[2] c; negctrl @ x q[0], q[1]; c = measure q;", "10"),
    Program("Gates", "`inv`", "qubit q; bit c; h q; s q; inv @ s q; h q; x q; c = measure q;", "1"),
    Program(
        "Gates",
        "`pow`",
        "const float half = 1.0 / 2; qubit q; bit c; pow(half) @ x q; pow(half) @ x q; c = measure q;",
        "1",
    ),
    Program("Gates", "controlled phases", "qubit q; bit c; h q; ctrl @ gphase(pi) q; h q; c = measure q;", "1"),
    Program("Gates", "durations of gates", "qubit q; x[100ns] q;", refused="the duration of a gate is not supported"),
    Program("Quantum instructions", "`measure`", "qubit[2] q; bit[2] c; x q[1]; measure q -> c;", "10"),
    Program("Quantum instructions", "`measure` without bits", "qubit q; x q; measure q;", "1"),
    Program("Quantum instructions", "`reset`", "qubit q; bit c; x q; reset q; c = measure q;", "0"),
    Program(
        "Quantum instructions", "`barrier`", "qubit[2] q; bit[2] c; x q[0]; barrier q; barrier; c = measure q;", "01"
    ),
    Program(
        "Quantum instructions", "`delay` and `box`", "qubit q; bit c; box { delay[100ns] q; x q; } c = measure q;", "1"
    ),
    Program(
        "Expressions",
        "integers",
        "qubit[9] q; bit[9] c; x q[7 / 2]; x q[7 % 4 + 2]; x q[2 ** 3]; x q[1 << 2 >> 1]; c = measure q;",
        "100101100",
    ),
    Program(
        "Expressions",
        "negative quotients, towards zero",
        "qubit[3] q; bit[3] c; x q[-1 / 2]; x q[3 + -3 / 2]; c = measure q;",
        "101",
    ),
    Program(
        "Expressions",
        "bits of integers",
        "qubit[8] q; bit[8] c; x q[6 & 3]; x q[6 | 1]; x q[6 ^ 3]; x q[~(-2)]; c = measure q;",
        "10100110",
    ),
    Program(
        "Expressions",
        "comparisons",
        "qubit[3] q; bit[3] c; if (1 < 2 && 2 >= 2) x q[0]; if (1.5 != 2 || 1 / 0 == 1) x q[1]; c = measure q;",
        "011",
    ),
    Program(
        "Expressions",
        "bit strings",
        'const bit[4] a = "0110"; qubit[4] q; bit[4] c; for int i in [0:3] { if ((a << 1 | "0001")[i]) x q[i]; } c = measure q;',
        "1101",
    ),
    Program(
        "Expressions",
        "`popcount`, `rotl` and `rotr`",
        'qubit[4] q; bit[4] c; x q[popcount("1101")]; x q[uint(rotl("01", 1))]; x q[uint(rotr("01", 2))]; c = measure q;',
        "1110",
    ),
    Program(
        "Expressions",
        "functions",
        "qubit q; bit c; rx(2 * arccos(0.0) + sqrt(4) - 2 + sin(0) + log(exp(1)) - 1 + floor(0.5) + mod(4, 2)) q; c = measure q;",
        "1",
    ),
    Program(
        "Expressions", "constants", "qubit q; bit c; rx(τ / 2) q; rx(π - pi + euler - ℇ + tau) q; c = measure q;", "1"
    ),
    Program(
        "Classical instructions",
        "assignments",
        "int i = 3; i *= 2; i -= 5; i <<= 1; qubit[3] q; bit[3] c; x q[i]; c = measure q;",
        "100",
    ),
    Program(
        "Classical instructions",
        "assignments to bits",
        'qubit q; bit[2] c; bit[2] d = "10"; x q; c[0] = measure q; c[1] = 1; d = ~c ^ d;',
        "1011",
    ),
    Program(
        "Classical instructions",
        "assignments that exchange bits",
        "qubit q; bit[3] c; x q; c[0] = measure q; c = rotl(c, 1);",
        "010",
    ),
    Program(
        "Classical instructions",
        "`if`",
        "qubit[2] q; bit[2] c; x q[0]; c[0] = measure q[0]; if (c[0]) { x q[1]; } else { x q[0]; } c = measure q;",
        "11",
    ),
    Program(
        "Classical instructions",
        "any condition over up to 12 bits",
        "qubit[3] q; bit[3] c; bit d; x q[1:2]; c = measure q; if (uint(c) > 5 && popcount(c) == 2) x q[0]; d = measure q[0];",
        "1110",
    ),
    Program(
        "Classical instructions",
        "a condition over more bits",
        "qubit[13] q; bit[13] c; c = measure q; if (c < 5) x q[0];",
        refused="this depends on too many bits",
    ),
    Program(
        "Classical instructions",
        "equality of any registers",
        "qubit[40] q; bit[40] c; bit d; c = measure q; if (c == 0 && !(c == 1)) x q[0]; d = measure q[0];",
        "1" + "0" * 40,
    ),
    Program(
        "Classical instructions",
        "angles that depend on measurements",
        "qubit[2] q; bit[2] c; bit d; x q; c = measure q; reset q; rx(pi * int(c) / 3) q[0]; d = measure q[0];",
        "111",
    ),
    Program(
        "Classical instructions",
        "indices that depend on measurements",
        "qubit[2] q; bit c; bit[2] d; x q[0]; c = measure q[0]; x q[int(c)]; d = measure q;",
        "111",
    ),
    Program(
        "Classical instructions",
        "numbers that depend on measurements",
        "qubit q; bit c; c = measure q; int i = int(c);",
        refused="'i' would get a value that depends on a measurement",
    ),
    Program(
        "Classical instructions",
        "`for` over ranges",
        "qubit[5] q; bit[5] c; for int i in [4:-2:0] { x q[i]; } c = measure q;",
        "10101",
    ),
    Program(
        "Classical instructions",
        "`for` over sets and arrays",
        "array[int, 2] a = {0, 2}; qubit[4] q; bit[4] c; for int i in a { x q[i]; } for uint i in {3} { x q[i]; } c = measure q;",
        "1101",
    ),
    Program(
        "Classical instructions",
        "`for` over bits",
        'const bit[3] a = "110"; int i = 0; qubit[3] q; bit[3] c; for bit b in a { if (b) x q[i]; i += 1; } c = measure q;',
        "110",
    ),
    Program(
        "Classical instructions",
        "`while`",
        "int i = 0; qubit[3] q; bit[3] c; while (i < 2) { x q[i]; i += 1; } c = measure q;",
        "011",
    ),
    Program(
        "Classical instructions",
        "`while` over bits",
        "qubit[2] q; bit[2] c; x q; c = measure q; while (c[0] || c[1]) { x q; c = measure q; }",
        "00",
    ),
    Program(
        "Classical instructions",
        "`break`",
        "qubit[3] q; bit[3] c; bit d; x q[0]; for int i in [0:2] { d = measure q[i]; if (!d) break; x q[i + 1]; x q[i]; if (i == 1) break; } c = measure q;",
        "1100",
    ),
    Program(
        "Classical instructions",
        "`continue`",
        "qubit[3] q; bit[3] c; bit d; x q[1]; for int i in [0:2] { d = measure q[i]; if (d) continue; x q[i]; } c = measure q;",
        "0111",
    ),
    Program(
        "Classical instructions",
        "`break` and `continue` in one loop that is written out, where measurements decide both",
        "qubit[3] q; bit c; for int i in [0:2] { c = measure q[i]; if (c) break; x q[i]; c = measure q[i]; if (c) continue; }",
        refused="'break' and 'continue' cannot both depend on a measurement in one loop",
    ),
    Program(
        "Classical instructions",
        "`switch`",
        "qubit[2] q; bit[2] c; x q[1]; c = measure q; switch (int(c)) { case 0, 1 { x q[1]; } case 2 { x q[0]; } default { } } c = measure q;",
        "11",
    ),
    Program(
        "Classical instructions",
        "blocks",
        "int i = 0; qubit[2] q; bit[2] c; { int i = 1; x q[i]; } x q[i]; c = measure q;",
        "11",
    ),
    Program("Classical instructions", "`end`", "qubit q; bit c; x q; c = measure q; end; x q; c = measure q;", "1"),
    Program(
        "Classical instructions", "`extern`", "extern f(int) -> int;", refused="'extern' functions are not supported"
    ),
    Program(
        "Subroutines",
        "qubits",
        "def flip(qubit[2] q, qubit r) { x q[1]; x r; } qubit[3] q; bit[3] c; flip(q[0:1], q[2]); c = measure q;",
        "110",
    ),
    Program(
        "Subroutines",
        "numbers",
        "def turn(qubit q, angle a) { a = a / 2; rx(a) q; rx(a) q; } qubit q; bit c; turn(q, pi); c = measure q;",
        "1",
    ),
    Program(
        "Subroutines",
        "bits",
        "def flip(bit[2] b, qubit q) { if (b == 2) x q; } qubit[2] q; bit[2] c; x q[1]; c = measure q; flip(c, q[0]); c = measure q;",
        "11",
    ),
    Program(
        "Subroutines",
        "arrays",
        "def set(mutable array[int, 2] a, readonly array[int, #dim = 1] b) { a[0] = b[1]; } array[int, 2] a = {0, 0}; array[int, 2] b = {0, 1}; set(a, b); qubit[2] q; bit[2] c; x q[a[0]]; c = measure q;",
        "10",
    ),
    Program(
        "Subroutines",
        "results that are measured",
        "def read(qubit q) -> bit { bit b; x q; b = measure q; return b; } qubit q; bit c; c = read(q);",
        "1",
    ),
    Program(
        "Subroutines",
        "results in conditions",
        "def read(qubit q) -> bit { return measure q; } qubit[2] q; bit c; x q[0]; if (read(q[0])) x q[1]; c = measure q[1];",
        "11",
    ),
    Program(
        "Subroutines",
        "results that are numbers",
        "def twice(int a) -> int { return 2 * a; } qubit[3] q; bit[3] c; x q[twice(1)]; c = measure q;",
        "100",
    ),
    Program(
        "Subroutines",
        "recursion",
        "def factorial(int n) -> int { if (n < 2) return 1; return n * factorial(n - 1); } qubit[7] q; bit[7] c; x q[factorial(3)]; c = measure q;",
        "1000000",
    ),
    Program(
        "Subroutines",
        "a return that depends on a measurement",
        "def f(bit b) -> int { if (b) { return 1; } return 0; } bit c; f(c);",
        refused="whether a function returns here depends on a measurement",
    ),
    Program(
        "Input and output",
        "`input` of real numbers",
        "input float a; input angle b; qubit q; bit c; rx(a) q; rx(b) q; c = measure q;",
        "1",
        inputs="a=3 b=0.14159265358979312",
    ),
    Program(
        "Input and output",
        "`input` of integers and bits",
        "input int n; input bit[2] b; input bool t; qubit[n] q; bit[n] c; if (b[1] && t) x q[n - 1]; c = measure q;",
        "100",
        inputs="n=3 b=2 t=1",
    ),
    Program("Input and output", "`output`", "output bit c; output int n; n = 1; qubit q; x q; c = measure q;", "1"),
    Program("Pulses", "`cal`", "cal { }", refused="pulse calibrations ('cal') are not supported"),
    Program("Pulses", "`defcal`", "defcal x $0 { }", refused="pulse calibrations ('defcal') are not supported"),
]
