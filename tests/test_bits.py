"""The bit tricks of the Python side, against plain arithmetic; test_gpu_kernels.py compares those of CUDA to them."""

import numpy as np
import pytest

from basicaer.engine import bits


@pytest.mark.parametrize("position", [0, 1, 5, 63, 64, 200])
def test_a_single_bit_is_found_where_it_was_set(position):
    value = bits.bit_at(position)
    assert f"{value:b}" == "1" + "0" * position
    assert bits.lowest_position(value) == position
    assert list(bits.positions_of(value)) == [position]


@pytest.mark.parametrize("value", [*range(1, 40), 2**70 + 2**3, 2**64])
def test_positions_are_those_of_the_ones_in_binary(value):
    ones = [position for position, digit in enumerate(reversed(f"{value:b}")) if digit == "1"]
    assert list(bits.positions_of(value)) == ones
    assert bits.lowest_position(value) == ones[0]


@pytest.mark.parametrize("value", [*range(40), 2**70 + 2**3, 2**64])
@pytest.mark.parametrize("width", [0, 1, 3, 64])
def test_a_number_is_its_lowest_bits_and_those_above(value, width):
    assert bits.lowest_bits(value, width) == value % 2**width
    assert bits.shifted_down(value, width) == value // 2**width
    assert bits.shifted_up(value, width) == value * 2**width
    if width < 64 and value < 2**63:
        assert bits.lowest_bits(np.array([value]), width).tolist() == [value % 2**width]
        assert bits.shifted_down(np.array([value]), width).tolist() == [value // 2**width]


@pytest.mark.parametrize("position", [0, 1, 5, 20, 40])
def test_a_value_without_a_bit_has_all_others_in_order(position):
    values = [0, 1, 0b1011, 2**41 - 1, 0x155_5555_5555]
    want = [int(f"{v:064b}"[: 63 - position] + f"{v:064b}"[64 - position :], 2) for v in values]
    assert bits.without_bit(np.array(values), position).tolist() == want


@pytest.mark.parametrize("value", [0, 1, 2, 3, 4, 5, 2**64 - 1, 2**64, 2**200])
def test_the_highest_position_is_that_of_the_first_digit(value):
    assert bits.highest_position(value) == (len(f"{value:b}") - 1 if value else -1)


def test_the_highest_positions_of_an_array_are_those_of_its_numbers():
    values = [0, 1, 2, 3, 4, 2**31 - 1, 2**31, 2**52 + 1, 2**53 - 1]
    assert bits.highest_positions(np.array(values)).tolist() == [bits.highest_position(value) for value in values]


def test_masks_of_groups_have_the_bits_of_each_group():
    groups = [[], [3, 0], [62], [], [5]]
    places = [(position, number) for number, positions in enumerate(groups) for position in positions]
    positions, numbers = np.array(places).T
    assert bits.masks_of_groups(positions, numbers, 5).tolist() == [bits.mask_of(positions) for positions in groups]


@pytest.mark.parametrize("value", range(16))
def test_combining_single_bits_deposits_and_other_columns_add_modulo_2(value):
    places = (3, 0, 5, 1)
    assert bits.combine(value, [2**place for place in places]) == bits.deposit_bits(value, places)
    columns = {0: 6, 1: 3, 2: 6, 3: 0}
    wanted = [sum((column >> j & 1) * (value >> p & 1) for p, column in columns.items()) % 2 for j in range(3)]
    assert bits.combine(value, columns) == sum(bit * 2**j for j, bit in enumerate(wanted))
