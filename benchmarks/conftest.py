"""What the benchmarks that pytest runs share: the machine's limits, the verdicts on goals, ``--smallest``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from harness.environment import versions
from harness.results import Results
from peers.machine import OtherWork, blas, machine_name, measure_limits, processor

PACKAGES = ("basicaer", "numpy", "qiskit", "qiskit-aer", "pennylane-lightning", "qulacs", "qsimcirq")
VERDICTS = pytest.StashKey[list[str]]()


def pytest_addoption(parser):
    parser.addoption(
        "--smallest",
        action="store_true",
        help="run each benchmark once, at its smallest size, to see that it works; its numbers mean nothing then",
    )
    parser.addoption("--results", type=Path, metavar="FOLDER", help="write the verdicts into a folder")


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


@pytest.fixture(scope="session")
def kept(request):
    """Where verdicts are written; None if they are not."""
    folder = request.config.getoption("results")
    if folder is None:
        return None
    version = {"machine": machine_name(), "processor": processor(), "blas": blas(), "versions": versions(PACKAGES)}
    return Results("parts", folder, version)


@pytest.fixture
def judge(request, benchmark, kept):
    """Return a function that takes a goal and the arguments of its `verdict`, and keeps both beside the numbers."""
    others = OtherWork()

    def judged(goal, measured, **how):
        verdict = goal.verdict(measured, **how)
        benchmark.extra_info |= {"goal": verdict.goal, "verdict": str(verdict)}
        request.config.stash[VERDICTS].append(f"{request.node.name}: {verdict}")
        if kept is not None:
            name = {"part": request.node.path.stem.removeprefix("test_"), "name": request.node.name}
            kept.add(name | verdict._asdict() | {"busy_elsewhere": round(others.fraction(), 2)})

    return judged
