"""One state on two ranks against the same state in one process, with as many threads in all; and how soon ranks stop.

Each rank has half of the cores and of the state. What is left is the exchange of amplitudes through shared memory, and
passes that a plan of the whole state does not have.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from harness.goals import at_most

pytestmark = [
    pytest.mark.skipif(find_spec("mpi4py") is None, reason="mpi4py is not installed"),
    pytest.mark.skipif(shutil.which("mpiexec") is None, reason="there is no mpiexec"),
]

FAMILIES, QUBITS, RANKS, ROUNDS = ("qft", "ansatz_cx_chain", "volume"), 24, 2, 7
GOAL = at_most(1.3, "of the time of one process with as many threads")
STOPPED = at_most(0.05, "s from cancel on one rank until all have ended")
MOST_SECONDS = 1800


@pytest.mark.parametrize("family", FAMILIES)
def test_two_ranks_and_one_process(benchmark, judge, size, family):
    n, rounds = size(QUBITS, smallest=20), size(ROUNDS, smallest=1)
    script = Path(__file__).with_name("ranks_in_turn.py")
    command = ["mpiexec", "-n", str(RANKS), sys.executable, "-m", "mpi4py", str(script), family, str(n), str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS, check=True)  # noqa: S603
    seconds = json.loads(done.stdout)
    judge(GOAL, [ranks / one for ranks, one in zip(seconds["ranks"], seconds["one"], strict=True)], counted="pairs")
    judge(STOPPED, seconds["stopped"], summary=max)
    benchmark.extra_info["seconds"] = seconds
    benchmark.pedantic(lambda: None)
