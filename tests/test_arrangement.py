"""Orders of a tile's bits: what they promise to the products that run in them."""

import numpy as np
import pytest

from basicaer.devices.arrangement import COMPONENT, arranged, facing, is_ready


def random_products(random, bits):
    """Groups of bits, each with other bits as selectors; the bit that is no wire selects nothing."""
    products = []
    for _ in range(int(random.integers(1, 7))):
        k, d = int(random.integers(1, min(4, len(bits)) + 1)), int(random.integers(0, 3))
        chosen = random.permutation(bits).tolist()
        products.append((tuple(chosen[:k]), tuple(bit for bit in chosen[k : k + d] if bit != COMPONENT)))
    return products


@pytest.mark.parametrize("size", range(1, 14))
def test_the_first_product_is_ready_in_the_order_that_is_chosen(size):
    for seed in range(40):
        random = np.random.default_rng([size, seed])
        bits = [*range(size - 1), COMPONENT] if seed % 2 else list(range(size))
        order = random.permutation(bits).tolist()
        products = random_products(random, bits)
        chosen = arranged(order, products)
        assert sorted(chosen) == sorted(order)
        group, selectors = products[0]
        places = sorted(map(chosen.index, group))
        assert places == list(range(places[0], places[0] + len(group)))
        assert all(chosen.index(wire) > places[-1] for wire in selectors)


def moves(order, products):
    """How often the bits have to be put into another order for products to run one after another."""
    count = 0
    for number, (group, selectors) in enumerate(products):
        if not is_ready(order, group, selectors):
            order = arranged(order, products[number:])
            count += 1
            assert is_ready(order, group, selectors)
        following = products[number + 1][0] if number + 1 < len(products) else None
        after = facing(order, group, following)
        where = [order.index(bit) for bit in group]
        assert sorted(after) == sorted(order)
        assert all(after[p] == order[p] for p in range(len(order)) if p not in where)
        order = after
    return count


@pytest.mark.parametrize(
    ("groups", "count"),
    [
        pytest.param([(15, 13, 11, 9), (14, 12, 10, 8)], 1, id="apart"),
        pytest.param([(15, 7, 9, 11), (8, 11, 13, 10), (10, 12, 14)], 1, id="each shares with the one before"),
        pytest.param([(12, 13, 14, 15), (8, 9, 10, 11)], 0, id="ready as they stand"),
        pytest.param([(9, 15, 11, 13), (10, 11, 14, 12), (8, 15, 7)], 2, id="one shares with the one before the last"),
    ],
)
def test_one_order_serves_as_many_products_as_it_can(groups, count):
    assert moves(list(range(16)), [(group, ()) for group in groups]) == count


def test_selectors_stand_above_all_groups_of_an_order():
    products = [((8, 10, 12), (5,)), ((9, 11, 13), (5, 14))]
    assert moves(list(range(16)), products) == 1
    assert moves(list(range(16)), [((8, 10, 12), (9,)), ((9, 11, 13), (14,))]) == 2


def test_bits_that_no_product_gets_ready_by_moving_stay_where_they_are():
    """The third product needs 15, which is out of reach by then, so 3 and 5 are left alone."""
    chosen = arranged(list(range(16)), [((9, 15, 11, 13), ()), ((10, 11, 14, 12), ()), ((15, 3, 5), ())])
    assert chosen[:9] == list(range(9))
