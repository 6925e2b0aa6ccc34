"""Every error that can be made, wherever it may act, does what Qiskit's superoperators say."""

import pytest

from basicaer import noise
from noise_constructors import CALLS, PAIRS, check_error

# Three of the places of each error by default, and each place with several errors.
OFTEN = {pair for number, pair in enumerate(sorted(PAIRS)) if number % 4 == 0}


@pytest.mark.parametrize(
    ("name", "site"), [pytest.param(*pair, marks=[] if pair in OFTEN else pytest.mark.slow) for pair in PAIRS]
)
def test_an_error_acts_wherever_it_can(name, site):
    check_error(CALLS[name](noise), site)
