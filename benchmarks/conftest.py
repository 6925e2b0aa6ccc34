"""What the benchmarks of ours share: the limits of this machine, measured in the same run."""

from __future__ import annotations

import os

import pytest
from peers.machine import measure_limits


@pytest.fixture(scope="session")
def limits():
    return measure_limits(os.cpu_count() or 1)
