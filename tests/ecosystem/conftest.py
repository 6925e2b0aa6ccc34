"""What runs here is written with other packages, and all of it runs: `nox -s ecosystem` installs them and starts it."""

import pytest

from basicaer import BasicAer
from none_skipped import pytest_make_collect_report, pytest_runtest_makereport  # noqa: F401


@pytest.fixture
def backend():
    """The simulator that counts, with the same outcomes every time."""
    return BasicAer.get_backend("qasm_simulator", seed_simulator=7)
