"""Hooks of pytest for folders in which nothing may be skipped: a program that is left out proves nothing."""

import pytest


def failed_where_skipped(report):
    """Return the report of a test or a file as that of a failure if it was skipped."""
    if report.skipped:
        report.outcome, report.longrepr = "failed", f"nothing may be skipped here: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    return failed_where_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    return failed_where_skipped((yield))
