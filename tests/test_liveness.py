"""Live bits: those that anything later reads, compared with a search over all paths."""

import itertools

import numpy as np
import pytest

from basicaer.engine.classical import Apply, Bits, Constant
from basicaer.engine.liveness import Liveness
from basicaer.engine.program import (
    Break,
    Continue,
    For,
    If,
    Measure,
    OverShots,
    Program,
    Save,
    SavedQuantity,
    Store,
    Switch,
    While,
)

BITS = 3
ALL = 2**BITS - 1


def program(body):
    return Program("test", (0,), 1, BITS, BITS, tuple(body), ())


def reads(bit):
    return Bits((bit,), single=True)


def live(body, at=0):
    block = tuple(body)
    return Liveness(program(block)).before(block, at)


def test_a_bit_is_live_until_it_is_read_for_the_last_time():
    body = (Measure(0, (0,)), If(reads(0), (Measure(0, (1,)),)), Measure(0, (0,)))
    assert [live(body, at) for at in range(4)] == [0, 1, 0, 0]


def test_a_measurement_that_may_not_happen_does_not_end_it():
    body = (If(reads(1), (Measure(0, (0,)),)), If(reads(0), ()))
    assert live(body) == 0b11


def test_what_a_store_and_a_switch_read_is_live():
    total = Apply("bit_xor", (Bits((0,)), Bits((2,))), 1)
    assert live((Store(total, bits=(1,)), If(reads(1), ()))) == 0b101
    assert live((Switch(Bits((0, 1)), ((frozenset({1}), (Measure(0, (2,)),)),)), If(reads(2), ()))) == 0b111
    assert live((Switch(Bits((0, 1)), ((None, (Measure(0, (2,)),)),)), If(reads(2), ()))) & 0b11 == 0b11


def test_a_save_on_condition_of_the_bits_reads_all():
    save = Save("s", "", SavedQuantity.PROBABILITIES, (0,), (), OverShots.MEAN, conditional=True)
    assert live((save,)) == ALL
    assert live((save._replace(conditional=False),)) == 0


def test_a_loop_reads_in_its_next_iteration():
    body = (If(reads(0), ()), Measure(0, (1,)))
    inner = (While(reads(1), body),)
    assert live(inner) == 0b11
    assert Liveness(program(inner)).before(body, 1) == 0b01  # bit 1 is written before the condition


def test_break_and_continue_go_where_they_say():
    left = (Break(), If(reads(0), ()))
    assert live((For((left,), 2), If(reads(2), ()))) == 0b100
    again = (If(reads(1), (Continue(),)), If(reads(0), ()))
    assert live((For((again,), 2),)) == 0b11


# Any programs: a bit is live if flipping it can change which bits are read on some path.


def random_block(random, depth, *, in_loop):
    operations = []
    for _ in range(random.integers(1, 4)):
        bit, kind = int(random.integers(BITS)), random.integers(8 if depth else 4)
        match kind:
            case 0 | 1:
                operations.append(Measure(0, (bit,)))
            case 2:
                operations.append(Store(Apply("bit_not", (reads(bit),), 1), bits=(int(random.integers(BITS)),)))
            case 3:
                operations.append(Store(Constant(value=True), bits=(bit,)))
            case 4 | 5:
                blocks = [random_block(random, depth - 1, in_loop=in_loop) for _ in range(2)]
                operations.append(If(reads(bit), *blocks))
            case 6:
                operations.append(For((random_block(random, depth - 1, in_loop=True),), int(random.integers(1, 3))))
            case _:
                operations.append(While(reads(bit), random_block(random, depth - 1, in_loop=True)))
        if in_loop and random.random() < 0.2:
            operations.append(Break() if random.random() < 0.5 else Continue())
            break
    return tuple(operations)


def may_be_read(block, at, bit, follow, loop):
    """Whether a path from ``block[at]`` on reads a bit before it is written; `follow` tells it of the end."""
    if at == len(block):
        return follow()
    operation = block[at]

    def after():
        return may_be_read(block, at + 1, bit, follow, loop)

    match operation:
        case Measure(_, bits):
            return bit not in bits and after()
        case Store(expression, bits):
            return _reads(expression, bit) or (bit not in bits and after())
        case If(condition, then, otherwise):
            if _reads(condition, bit):
                return True
            return any(may_be_read(inner, 0, bit, after, loop) for inner in (then, otherwise))
        case Break():
            return loop[0]()
        case Continue():
            return loop[1]()
    condition = operation.condition if isinstance(operation, While) else None
    body = operation.body if isinstance(operation, While) else operation.bodies[0]
    seen = []

    def turn():
        if condition is not None and _reads(condition, bit):
            return True
        if seen:
            return after()
        seen.append(1)
        return may_be_read(body, 0, bit, turn, (after, turn)) or after()

    return turn()


def _reads(expression, bit):
    match expression:
        case Bits(positions):
            return bit in positions
        case Apply(_, operands):
            return any(_reads(one, bit) for one in operands)
        case _:
            return False


@pytest.mark.parametrize("seed", range(60))
def test_random_programs(seed):
    block = random_block(np.random.default_rng(seed), 3, in_loop=False)
    found = Liveness(program(block))
    for at, bit in itertools.product(range(len(block) + 1), range(BITS)):
        want = may_be_read(block, at, bit, lambda: False, None)
        assert bool(found.before(block, at) >> bit & 1) == want, (block, at, bit)
