"""What runs here is written with other packages, and all of it runs: `nox -s ecosystem` installs them and starts it."""

import pytest

from basicaer import BasicAer


@pytest.fixture
def backend():
    """The simulator that counts, with the same outcomes every time."""
    return BasicAer.get_backend("qasm_simulator", seed_simulator=7)


def failed_where_skipped(report):
    """A program that is left out proves nothing."""
    if report.skipped:
        report.outcome, report.longrepr = "failed", f"nothing may be skipped here: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    return failed_where_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    return failed_where_skipped((yield))
