"""The benchmark for GPUs, on the emulated one: every part of it runs, and no measured time is looked at."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from emulated_gpu import why_unavailable

pytestmark = pytest.mark.skipif(why_unavailable() is not None, reason=why_unavailable() or "")

HERE = Path(__file__).parent
BENCHMARKS = HERE.parent / "benchmarks"
WITHOUT_QISKIT = "import runpy, sys; sys.modules['qiskit'] = None; runpy.run_module('gpu', run_name='__main__')"


def gpu(*words, python=("-m", "gpu")):
    command = [sys.executable, *python, *map(str, words)]
    done = subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def records(folder):
    (path,) = folder.glob("gpu-*.jsonl")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def custatevec(tmp_path_factory):
    """A stand-in for NVIDIA's library that works where the emulated GPU has its memory."""
    path = tmp_path_factory.mktemp("library") / "libcustatevec.so.1"
    source = HERE / "custatevec_stand_in.cpp"
    subprocess.run(["g++", "-std=c++17", "-O1", "-shared", "-fPIC", "-o", path, source], check=True)
    return path


def test_families_are_timed_from_both_starts_beside_custatevec_without_qiskit(tmp_path, custatevec):
    gpu("collect", tmp_path, "--sizes", "6,8")
    words = ["--emulated", "--results", tmp_path, "--circuits", tmp_path, "--custatevec", custatevec]
    words += ["--parts", "families", "--families", "qft,grover", "--sizes", "6,8", "--rounds", 2]
    told = gpu(*words, python=("-c", WITHOUT_QISKIT))
    found = records(tmp_path)
    assert [(r["family"], r["n"], r["precision"]) for r in found] == [
        (family, n, precision) for n in (6, 8) for family in ("qft", "grover") for precision in ("double", "single")
    ]
    for record in found:
        assert record["failed"] == {}
        for start in ("zero", "random"):
            assert {name: len(s) for name, s in record[start]["seconds"].items()} == {"basicaer": 2, "cuStateVec": 2}
    double = next(r for r in found if r["n"] == 8 and r["precision"] == "double")
    assert double["random"]["launches"] == 1
    assert double["random"]["bytes"] == 2 * 16 * 2**8
    assert double["zero"]["bytes"] == 16 * (2**8 + 1)  # of |0...0> one amplitude is read
    assert "8 qubits, double, from a random state: goal: at least 3 times as fast as cuStateVec, as a geometric" in told
    assert (tmp_path / "gpu.png").exists()

    gpu(*words)  # It continues where it was, which is at the end.
    assert len(records(tmp_path)) == len(found)


def test_the_pieces_of_a_pass_are_what_they_are_called(tmp_path):
    told = gpu("--emulated", "--results", tmp_path, "--parts", "questions", "--sizes", 13, "--precisions", "double")
    found = {record["what"]: record for record in records(tmp_path)}
    assert [found[f"{count} exchanges"]["exchanges"] for count in (1, 2, 4, 8)] == [1, 2, 4, 8]
    assert found["100 pairs"]["operations"] == 100
    assert {found[what]["goal"] for what in found if what.startswith("empty")} == {0.85, None}
    assert found["empty, lowest bits, straight"]["goal"] == 0.85
    assert "empty passes, double: goal: at least 0.85 of the copy bandwidth" in told


def test_a_batch_is_timed_against_circuits_one_after_another(tmp_path):
    words = ["--emulated", "--results", tmp_path, "--parts", "batches", "--families", "ghz", "--rounds", 1]
    told = gpu(*words, "--precisions", "double")
    (record,) = records(tmp_path)
    assert (record["n"], record["states"]) == (10, 8)
    assert {"seconds_in_batch", "seconds_alone", "seconds_to_bind"} <= record.keys()
    assert "us each together" in told
    assert "batches, double: goal: at most 1 of the time of the same circuits one after another" in told


def test_a_cold_start_is_a_process_of_its_own(tmp_path):
    words = ["--emulated", "--results", tmp_path, "--parts", "cold", "--families", "ghz"]
    told = gpu(*words, "--sizes", 6, "--precisions", "double")
    (record,) = records(tmp_path)
    assert set(record["seconds"]) == {"compiling", "compiled"}
    assert record["seconds"]["compiled"]["together"] > 0
    assert "cold start, ghz 6 double: goal: at most 3 s from starting Python to the first result" in told


def test_a_wrong_peer_is_not_timed(tmp_path, custatevec):
    broken = tmp_path / "broken.so"
    text = (HERE / "custatevec_stand_in.cpp").read_text("utf-8")
    right, wrong = "numbers[row * rows + column]", "numbers[column * rows + row]"
    assert right in text
    (tmp_path / "broken.cpp").write_text(text.replace(right, wrong), "utf-8")
    subprocess.run(["g++", "-std=c++17", "-O1", "-shared", "-fPIC", "-o", broken, tmp_path / "broken.cpp"], check=True)
    words = ["--emulated", "--results", tmp_path, "--custatevec", broken, "--parts", "families", "--families", "qft"]
    with pytest.raises(AssertionError, match=r"cuStateVec, .* was given or made a wrong circuit"):
        gpu(*words, "--sizes", 6)
