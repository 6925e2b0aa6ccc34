"""What the benchmarks that pytest runs share: the machine's limits, the verdicts on goals, and ``--smallest``."""

from __future__ import annotations

import os

import pytest
from peers.machine import measure_limits

VERDICTS = pytest.StashKey[list[str]]()


def pytest_addoption(parser):
    parser.addoption(
        "--smallest",
        action="store_true",
        help="run each benchmark once, at its smallest size, to see that it works; its numbers mean nothing then",
    )


def pytest_configure(config):
    config.stash[VERDICTS] = []


def pytest_collection_modifyitems(config, items):
    """With ``--smallest``, keep only the first of each benchmark's parameters, which are listed smallest first."""
    if config.getoption("smallest"):
        first = {(item.path, item.originalname): item for item in reversed(items)}
        config.hook.pytest_deselected(items=[item for item in items if item not in first.values()])
        items[:] = reversed(first.values())


def pytest_terminal_summary(terminalreporter, config):
    if config.stash[VERDICTS]:
        terminalreporter.section("goals")
        for line in config.stash[VERDICTS]:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def limits():
    """How fast this machine copies and multiplies, measured in the same run."""
    return measure_limits(os.cpu_count() or 1)


@pytest.fixture
def size(request):
    """Return a function that chooses between the usual number of anything and the one for ``--smallest``."""
    is_smallest = request.config.getoption("smallest")
    return lambda usual, *, smallest: smallest if is_smallest else usual


@pytest.fixture
def judge(request, benchmark):
    """Return a function that takes a goal and the arguments of its `verdict`, and keeps both beside the numbers."""

    def judged(goal, measured, **how):
        verdict = goal.verdict(measured, **how)
        benchmark.extra_info |= {"goal": str(goal), "verdict": verdict}
        request.config.stash[VERDICTS].append(f"{request.node.name}: {verdict}")

    return judged
