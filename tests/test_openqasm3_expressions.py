"""Expressions of OpenQASM 3 against Python and NumPy: random ones, and every value of the small types."""

import math

import numpy as np
import openqasm3
import pytest

from basicaer.openqasm.decisions import Bit, Branch, choose, combine
from basicaer.openqasm.expressions import CONSTANTS, Expressions
from basicaer.openqasm.values import Bits, NoValueError, Type, converted


def value_of(text, names=CONSTANTS):
    """The value of an expression."""
    (statement,) = openqasm3.parse(f"{text};").statements
    expressions = Expressions(lambda node: names[node.name], lambda call: pytest.fail(call.name.name), lambda *_: None)
    return expressions.known(statement.expression)


def towards_zero(a, b):
    return int(math.copysign(abs(a) // abs(b), a * b)) if a else 0


INTEGERS = {  # as OpenQASM has them, by operator
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": towards_zero,
    "%": lambda a, b: a - b * towards_zero(a, b),
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "<<": lambda a, b: a << b,
    ">>": lambda a, b: a >> b,
}
COMPARISONS = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


@pytest.mark.parametrize("name", INTEGERS | COMPARISONS)
def test_operators_on_small_integers(name):
    operator = (INTEGERS | COMPARISONS)[name]
    for a in range(-5, 6):
        for b in range(-5, 6):
            if (name in "/%" and b == 0) or (name in {"<<", ">>"} and b < 0):
                continue
            assert value_of(f"a {name} b", {"a": a, "b": b}) == operator(a, b), (a, b)


def random_expression(rng, depth):
    if depth == 0:
        number = int(rng.integers(-9, 10))
        return f"({number})", number
    (left, a), (right, b) = random_expression(rng, depth - 1), random_expression(rng, int(rng.integers(depth)))
    name = list(INTEGERS)[rng.integers(len(INTEGERS))]
    if (name in "/%" and b == 0) or (name in {"<<", ">>"} and not 0 <= b < 9):
        name = "-"
    return f"({left} {name} {right})", INTEGERS[name](a, b)


@pytest.mark.parametrize("seed", range(20))
def test_random_integer_expressions(seed):
    text, want = random_expression(np.random.default_rng(seed), 5)
    assert value_of(text) == want


def test_operators_bind_as_in_the_specification():
    assert value_of("2 + 3 * 2 ** 3 ** 1") == 26
    assert value_of("1 << 2 + 1") == 8
    assert value_of("1 | 2 ^ 3 & 2") == 1
    assert value_of("1 < 2 && 3 == 4 || !false") is True


@pytest.mark.parametrize("size", [1, 3, 8])
def test_integers_wrap_when_they_are_assigned(size):
    for number in range(-(2 ** (size + 1)), 2 ** (size + 1)):
        unsigned = number % 2**size
        assert converted(number, Type("uint", size)) == unsigned
        assert converted(number, Type("int", size)) == (unsigned - 2**size if unsigned >= 2 ** (size - 1) else unsigned)
        assert converted(converted(number, Type("bit", size)), Type("uint", size)) == unsigned


@pytest.mark.parametrize("number", [0.1, 1e-9, math.pi, -2.5, 1e30, 1e300])
def test_floats_are_rounded_as_numpy_does(number):
    with np.errstate(over="ignore"):
        assert converted(number, Type("float", 16)) == float(np.float16(number))
        assert converted(number, Type("float", 32)) == float(np.float32(number))
    assert converted(number, Type("float")) == converted(number, Type("float", 64)) == number


def test_angles_are_turns_of_so_many_bits():
    for size in (1, 4, 7):
        for number in np.linspace(-10, 10, 41):
            turned = converted(float(number), Type("angle", size))
            steps = turned / math.tau * 2**size
            assert steps == pytest.approx(round(steps))
            assert 0 <= turned < math.tau
            error = (turned - number + math.pi) % math.tau - math.pi
            assert abs(error) <= math.pi / 2**size + 1e-12


WIDTH = 3
OF_BITS = {
    "a & b": lambda a, b: a & b,
    "a | b": lambda a, b: a | b,
    "a ^ b": lambda a, b: a ^ b,
    "~a": lambda a, _: 7 - a,
    "a << 1": lambda a, _: 2 * a % 8,
    "a >> 2": lambda a, _: a // 4,
    "a << 4": lambda *_: 0,
    "rotl(a, 1)": lambda a, _: 2 * a % 8 + a // 4,
    "rotl(a, -1)": lambda a, _: a // 2 + 4 * (a % 2),
    "rotr(a, 1)": lambda a, _: a // 2 + 4 * (a % 2),
    "a[2:-1:0]": lambda a, _: int(f"{a:03b}"[::-1], 2),
    "a[{1, 0, 1}]": lambda a, _: a // 2 % 2 + 2 * (a % 2) + 4 * (a // 2 % 2),
    "popcount(a)": lambda a, _: f"{a:b}".count("1"),
    "a < b": lambda a, b: a < b,
    "a == b": lambda a, b: a == b,
    "a != 5": lambda a, _: a != 5,
    "a == 9": lambda *_: False,
    "a[1]": lambda a, _: a // 2 % 2,
    "a[-1] && b[0] || !a[0]": lambda a, b: (a > 3 and b % 2 == 1) or a % 2 == 0,
    "int[3](a)": lambda a, _: a - 8 if a > 3 else a,
    "uint(a) + uint(b)": lambda a, b: a + b,
    "bool(a)": lambda a, _: a != 0,
}


def number_in(value):
    return value.number() if isinstance(value, Bits) else value


@pytest.mark.parametrize("text", OF_BITS)
def test_bit_strings_of_every_value(text):
    for a in range(8):
        for b in range(8):
            names = {name: converted(number, Type("bit", WIDTH)) for name, number in (("a", a), ("b", b))}
            assert number_in(value_of(text, names)) == OF_BITS[text](a, b), (a, b)


@pytest.mark.parametrize("text", OF_BITS)
def test_bits_of_the_circuit_give_a_tree_with_the_same_values(text):
    """Each end of the tree is what the expression is worth for those bits."""
    bits = {name: [Bit(name, i, 3 * order + i) for i in range(WIDTH)] for order, name in enumerate("ab")}
    (statement,) = openqasm3.parse(f"{text};").statements

    def value_of_name(node):
        return Bits(map(expressions.truth_of_bit, bits[node.name]))

    expressions = Expressions(value_of_name, lambda call: pytest.fail(call.name.name), lambda *_: None)
    tree = expressions.decided(statement.expression)

    def at(value, held):
        while isinstance(value, Branch):
            value = value.high if held[value.bit] else value.low
        return Bits(at(one, held) for one in value) if isinstance(value, Bits) else value

    for a in range(8):
        for b in range(8):
            held = {bit: bool(n // 2**i % 2) for name, n in (("a", a), ("b", b)) for i, bit in enumerate(bits[name])}
            assert number_in(at(tree, held)) == OF_BITS[text](a, b), (a, b)


def test_a_tree_asks_for_no_bit_that_does_not_matter():
    one, two = Bit("c", 0, 0), Bit("c", 1, 1)
    first, second = (Branch(bit, low=False, high=True, cases=2) for bit in (one, two))
    assert choose(one, 3, 3) == 3
    assert combine(lambda a, b: a and not b, first, first) is False
    assert combine(lambda a, b: a or b, first, combine(lambda a: not a, first)) is True
    assert combine(lambda a, b: a and b, second, first) == Branch(one, low=False, high=second, cases=3)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("sin(1.0) ** 2 + cos(1.0) ** 2", 1),
        ("tan(arctan(2)) - arcsin(sin(0.5)) - arccos(cos(0.25))", 1.25),
        ("exp(log(3))", 3),
        ("ceiling(1.2) + floor(-1.2)", 0.0),
        ("mod(7, 4) + mod(-7, 4) + mod(7.5, 2)", 1.5),
        ("2 ** 10 + 2 ** -1", 1024.5),
        ("sqrt(2) * sqrt(2)", 2),
        ("real((1 + 2im) * (3 - 1im)) + imag(exp(pi * 1im / 2))", 6),
        ("7 / 2 + 7 / 2.0", 6.5),
        ("tau / π / euler * ℇ", 2),
        ("100ns / 1us", 0.1),
    ],
)
def test_functions_and_constants(text, want):
    assert value_of(text) == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize(
    ("type_", "value", "words"),
    [
        (Type("int"), math.inf, "an infinite number cannot become an integer"),
        (Type("float"), 1j, "a complex number cannot become a value of type 'float'"),
        (Type("bit"), 2, "the number 2 does not fit into one bit"),
        (Type("bit", 2), 1.5, "cannot become a value of type 'bit\\[2\\]'"),
        (Type("float"), Bits((True,)), "a bit string of 1 bit cannot become"),
        (Type("int"), [1], "an array cannot become a value of type 'int'"),
        (Type("int", 8, (2,)), [1], "an array of 2 elements cannot be made of 1"),
    ],
)
def test_values_that_cannot_be_converted(type_, value, words):
    with pytest.raises(NoValueError, match=words):
        converted(value, type_)
