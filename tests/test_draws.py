"""Numbers that shots draw: each by its name, whatever else is drawn."""

import numpy as np
import pytest

from basicaer.engine.draws import FINAL, Draws, generator, seed_of_experiment, seeds_of_experiments

SHOTS = 1000
ALL = np.arange(SHOTS)
NAMES = [(FINAL, ()), (1, ()), (2, ()), (1, (0,)), (1, (1,)), (1, (0, 0)), (1, (0, 1)), (1, (1, 0)), (2**63 + 5, (3,))]


def test_at_the_end_shots_draw_what_the_generator_of_the_seed_gives():
    assert Draws(7, SHOTS).of_shots(FINAL, (), ALL).tolist() == generator(7).random(SHOTS).tolist()


@pytest.mark.parametrize("place", [FINAL, 3])
@pytest.mark.parametrize("shots", [[0], [999], [1, 2, 3], [3, 4], [5, 900], [*range(17, 60, 5)], [*range(400, 700)]])
def test_what_a_shot_draws_does_not_depend_on_the_others(place, shots):
    draws = Draws(7, SHOTS)
    together = draws.of_shots(place, (4,), ALL)
    alone = draws.of_shots(place, (4,), np.array(shots))
    assert alone.tolist() == together[list(shots)].tolist()
    assert len(draws.of_shots(place, (), np.array([], int))) == 0


@pytest.mark.parametrize("count", [1, 3, 4, 7])
@pytest.mark.parametrize("shots", [[0], [999], [3, 4], [5, 900], [*range(17, 60, 5)], [*range(400, 700)]])
def test_what_a_shot_reads_at_the_end_does_not_depend_on_the_others(shots, count):
    draws = Draws(7, SHOTS)
    together = draws.of_readouts(ALL, count)
    assert together.shape == (SHOTS, count)
    assert draws.of_readouts(np.array(shots), count).tolist() == together[shots].tolist()
    assert draws.of_readouts(np.array([], int), count).shape == (0, count)
    assert not np.isin(together, draws.of_shots(FINAL, (), np.arange(SHOTS * count))).any()


def test_draws_of_different_names_have_nothing_in_common():
    draws = Draws(7, SHOTS)
    table = np.array([draws.of_shots(place, loops, ALL) for place, loops in NAMES])
    for other in (8, 7 + 2**64):
        table = np.vstack([table, [Draws(other, SHOTS).of_shots(place, loops, ALL) for place, loops in NAMES]])
    assert len(np.unique(table)) == table.size
    correlations = np.corrcoef(table) - np.eye(len(table))
    assert abs(correlations).max() < 5 / SHOTS**0.5
    assert abs(table.mean(axis=1) - 0.5).max() < 5 * (1 / 12 / SHOTS) ** 0.5


def test_splits_are_drawn_by_the_name_of_what_is_split():
    draws = Draws(7, 10)
    names = [(1, (), b"a"), (1, (), b"b"), (2, (), b"a"), (1, (1,), b"a"), (FINAL, (), b"a")]
    found = [draws.of_split(*name).random() for name in names]
    assert len(set(found)) == len(names)
    draws.of_shots(1, (), np.arange(3))
    assert [draws.of_split(*name).random() for name in names] == found


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**32, 2**63 - 1, 2**96 + 5, 2**128 - 1, 2**128, 2**200 + 12345])
@pytest.mark.parametrize("positions", [range(0), range(1), range(5), range(3, 40), range(2**32 - 2, 2**32)])
def test_seeds_that_are_made_together_are_those_of_numpys_seed_sequence(seed, positions):
    assert seeds_of_experiments(seed, positions) == [seed_of_experiment(seed, position) for position in positions]


def test_seeds_of_experiments_differ_and_the_first_is_the_jobs():
    seeds = [seed_of_experiment(7, position) for position in range(100)]
    assert seeds[0] == 7
    assert len(set(seeds)) == 100
