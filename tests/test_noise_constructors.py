"""Every error that can be made, wherever it may act, does what Qiskit's superoperators say."""

import pytest

from basicaer import noise
from noise_constructors import CALLS, PAIRS, check_error


@pytest.mark.parametrize(("name", "site"), PAIRS)
def test_an_error_acts_wherever_it_can(name, site):
    check_error(CALLS[name](noise), site)
