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
from latency import percentile_99

pytestmark = [
    pytest.mark.skipif(find_spec("mpi4py") is None, reason="mpi4py is not installed"),
    pytest.mark.skipif(shutil.which("mpiexec") is None, reason="there is no mpiexec"),
]

FAMILIES, QUBITS, RANKS, ROUNDS = ("qft", "ansatz_cx_chain", "volume"), 24, 2, 7
GOAL = at_most(1.3, "of the time of one process with as many threads")
OF_AER = at_most(1, "of the time of Aer with two chunks and as many threads")
STOPPED = at_most(0.05, "s from cancel on one rank until all have ended")
MOST_SECONDS = 1800


def on_ranks(what, family, n, rounds):
    """Return what ranks have measured, as `ranks_in_turn.py` says."""
    script = Path(__file__).with_name("ranks_in_turn.py")
    command = [
        "mpiexec",
        "-n",
        str(RANKS),
        sys.executable,
        "-m",
        "mpi4py",
        str(script),
        what,
        family,
        str(n),
        str(rounds),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS, check=True)  # noqa: S603
    return json.loads(done.stdout)


@pytest.mark.parametrize("family", FAMILIES)
def test_two_ranks_and_one_process(benchmark, judge, size, family):
    seconds = on_ranks("times", family, size(QUBITS, smallest=20), size(ROUNDS, smallest=1))
    judge(GOAL, [ranks / one for ranks, one in zip(seconds["ranks"], seconds["one"], strict=True)], counted="pairs")
    benchmark.extra_info["seconds"] = seconds
    benchmark.pedantic(lambda: None)


@pytest.mark.skipif(find_spec("qiskit_aer") is None, reason="Aer is not installed")
@pytest.mark.parametrize("family", FAMILIES)
def test_two_ranks_and_aers_chunks(benchmark, judge, size, family):
    """Aer's wheel has no MPI: it has a thread for each of two chunks of the state, in one process."""
    seconds = on_ranks("chunks", family, size(QUBITS, smallest=20), size(2, smallest=1))
    judge(OF_AER, [ranks / aer for ranks, aer in zip(seconds["ranks"], seconds["aer"], strict=True)], counted="pairs")
    benchmark.extra_info["seconds"] = seconds
    benchmark.pedantic(lambda: None)


@pytest.mark.parametrize("family", FAMILIES)
def test_two_ranks_stop(benchmark, judge, size, family):
    seconds = on_ranks("stops", family, size(QUBITS, smallest=20), size(40, smallest=2))
    judge(STOPPED, seconds, counted="jobs", summary=percentile_99)
    benchmark.extra_info["seconds"] = seconds
    benchmark.pedantic(lambda: None)
