"""Orders of a tile's bits: what they promise to the products that run in them."""

import numpy as np
import pytest

from basicaer.devices.cpu.arrangement import arranged, facing, is_ready


def random_products(random, bits):
    """Groups of bits, each with other bits as selectors."""
    products = []
    for _ in range(int(random.integers(1, 7))):
        k, d = int(random.integers(1, min(4, len(bits)) + 1)), int(random.integers(0, 3))
        chosen = random.permutation(bits).tolist()
        products.append((tuple(chosen[:k]), tuple(chosen[k : k + d])))
    return products


@pytest.mark.parametrize("size", range(1, 14))
def test_the_first_product_is_ready_in_the_order_that_is_chosen(size):
    for seed in range(40):
        random = np.random.default_rng([size, seed])
        order = random.permutation(size).tolist()
        products = random_products(random, order)
        chosen = arranged(order, products)
        assert sorted(chosen) == sorted(order)
        assert is_ready(chosen, *products[0])


@pytest.mark.parametrize(
    ("order", "group", "selectors", "ready"),
    [
        pytest.param([5, 6, 7, 8, 9, 2, 0, 1, 3, 4], (0, 1, 2), (3,), True, id="on rows of 32"),
        pytest.param([5, 6, 7, 8, 2, 0, 1, 9, 3, 4], (0, 1, 2), (3,), False, id="on rows of 16"),
        pytest.param([5, 6, 7, 8, 9, 2, 0, 1, 3, 4], (0, 1, 2), (5,), False, id="above a selector"),
        pytest.param([5, 6, 7, 8, 9, 2, 0, 3, 1, 4], (0, 1, 2), (), False, id="with another bit between"),
        pytest.param([2, 0, 1, 5, 6, 7, 8, 9, 3, 4], (0, 1, 2), (3,), True, id="at the low end"),
        pytest.param([2, 0, 1, 5, 6, 3, 7, 8, 9, 4], (0, 1, 2), (3,), False, id="a selector too near"),
        pytest.param([2, 0, 1, 5, 3], (0, 1, 2), (3,), True, id="no farther away in so small a tile"),
        pytest.param([5, 2, 0, 1, 3], (0, 1, 2), (3,), True, id="on the longest rows of a small tile"),
    ],
)
def test_a_product_is_ready(order, group, selectors, ready):
    assert is_ready(order, group, selectors) == ready


def moves(order, products):
    """How often the bits have to be put into another order for products to run one after another."""
    count = 0
    for number, (group, selectors) in enumerate(products):
        if not is_ready(order, group, selectors):
            order = arranged(order, products[number:])
            count += 1
            assert is_ready(order, group, selectors)
        following = products[number + 1] if number + 1 < len(products) else None
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
    assert moves(list(range(16)), [((8, 10, 12), (9,)), ((9, 11, 15), (14,))]) == 2


def test_bits_that_no_product_gets_ready_by_moving_stay_where_they_are():
    """The third product needs 15, which is out of reach by then, so 3 and 5 are left among the others."""
    chosen = arranged(list(range(16)), [((9, 15, 11, 13), ()), ((10, 11, 14, 12), ()), ((15, 3, 5), ())])
    assert chosen == [0, 1, 2, 3, 4, 5, 10, 12, 14, 9, 11, 13, 15, 6, 7, 8]


def test_a_single_product_comes_to_the_low_end_and_the_other_bits_keep_their_order():
    assert arranged(list(range(8)), [((6, 2), ())]) == [2, 6, 0, 1, 3, 4, 5, 7]
    assert arranged(list(range(8)), [((6, 2), (1,))]) == [2, 6, 0, 3, 4, 5, 7, 1]


def test_what_the_next_product_at_the_low_end_uses_too_is_left_lowest():
    order = list(range(16))
    assert facing(order, (0, 1, 2, 3), ((2, 9, 12), ()))[:4] == [2, 0, 1, 3]
    assert facing(order, (0, 1, 2, 3), None) == order
