"""The benchmark for GPUs, on the emulated one: every part of it runs, and no measured time is looked at."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import RXGate
from qiskit.quantum_info import Statevector

import reference
from basicaer.compile.lower import lower
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


def stand_in(folder, *flags, right="", wrong=""):
    """Build a stand-in for NVIDIA's library, in whose source `wrong` replaces `right`; it works on the emulated GPU."""
    source, library = folder / "stand_in.cpp", folder / "libcustatevec.so.1"
    text = (HERE / "custatevec_stand_in.cpp").read_text("utf-8")
    assert right in text
    source.write_text(text.replace(right, wrong) if right else text, "utf-8")
    done = subprocess.run(
        ["g++", "-std=c++17", "-O1", "-shared", "-fPIC", *flags, "-o", library, source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return library


@pytest.fixture(scope="module")
def custatevec(tmp_path_factory):
    return stand_in(tmp_path_factory.mktemp("library"))


def compared_with(library, results):
    """Return the record of a small circuit that was timed beside a library."""
    words = ["--emulated", "--results", results, "--custatevec", library, "--parts", "families"]
    gpu(*words, "--families", "uccsd", "--sizes", 6, "--precisions", "single", "--rounds", 1)
    (record,) = records(results)
    return record


@pytest.mark.slow
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
        ways = {setting.split(",")[1] for setting in record["tried"]}
        assert ways == {" custatevecApplyMatrix", " SVUpdater"}
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


@pytest.mark.slow
def test_a_cold_start_is_a_process_of_its_own(tmp_path):
    words = ["--emulated", "--results", tmp_path, "--parts", "cold", "--families", "ghz"]
    told = gpu(*words, "--sizes", 6, "--precisions", "double")
    (record,) = records(tmp_path)
    assert set(record["seconds"]) == {"compiling", "compiled"}
    assert record["seconds"]["compiled"]["together"] > 0
    assert "cold start, ghz 6 double: goal: at most 3 s from starting Python to the first result" in told


@pytest.mark.slow
def test_the_updater_takes_part_where_it_is_the_better_way(tmp_path):
    right = "custatevecComputeType_t compute, void* workspace,\n    size_t size) {"
    library = stand_in(tmp_path, right=right, wrong=f"{right}\n  return INVALID;")
    record = compared_with(library, tmp_path)
    assert record["settings"]["cuStateVec"].startswith("SVUpdater, which fuses")
    assert len(record["random"]["seconds"]["cuStateVec"]) == 1
    assert all(setting.startswith("cuStateVec, custatevecApplyMatrix, fused by us") for setting in record["failed"])


@pytest.mark.slow
def test_a_library_without_an_updater_takes_part_with_our_fusion(tmp_path):
    record = compared_with(stand_in(tmp_path, "-DOLD"), tmp_path)
    assert record["settings"]["cuStateVec"].startswith("custatevecApplyMatrix, fused by us")
    assert record["failed"] == {}


def test_gates_that_a_peer_fuses_itself_are_those_of_the_circuit(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    from gpu.fusing import unfused

    circuit = QuantumCircuit(6)
    circuit.h(range(6))
    circuit.append(RXGate(0.7).control(4, ctrl_state=9, annotated=False), [5, 0, 2, 4, 1])  # The planner splits it.
    circuit.swap(1, 5)
    circuit.mcp(0.3, [0, 1, 2, 3], 5)
    circuit.rzz(0.4, 1, 2)
    circuit.cry(0.5, 5, 3)
    (segment,) = lower(circuit, keep_idle=True).body
    matrices, wire_of = unfused(segment, 6)
    assert len(matrices) == len(circuit.data) - 1  # all but the swap
    state = reference.zero(6)
    for matrix in matrices:
        data = np.diag(matrix.data) if matrix.is_diagonal else matrix.data
        values = sum(value * 2**j for j, value in enumerate(matrix.values))
        state = reference.apply(state, data, matrix.targets, matrix.controls, values)
    expected = Statevector(circuit).data
    order = [5 - wire_of[q] for q in reversed(range(6))]
    np.testing.assert_allclose(state.reshape((2,) * 6).transpose(order).reshape(-1), expected, atol=1e-12)


WRONG = {
    "a matrix is read as its transpose": (
        "custatevecApplyMatrix",
        "numbers[row * rows + column]",
        "numbers[column * rows + row]",
    ),
    "wires are not where the state says": (
        "SVUpdater",
        "std::rotate(wires.begin(), wires.end() - 1, wires.end());",
        "",
    ),
    "controls are not looked at": ("SVUpdater", "gate.values.data(), controls.size()", "gate.values.data(), 0"),
    "what is queued is applied once": (
        "SVUpdater",
        "updater->queue.begin(), updater->queue.end()), OK",
        "updater->queue.begin(), updater->queue.end()), updater->queue.clear(), OK",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_peer_is_not_timed(tmp_path, wrong):
    who, right, broken = WRONG[wrong]
    library = stand_in(tmp_path, right=right, wrong=broken)
    words = ["--emulated", "--results", tmp_path, "--custatevec", library, "--parts", "families", "--families", "qft"]
    with pytest.raises(AssertionError, match=rf"cuStateVec, {who}, .* was given or made a wrong circuit"):
        gpu(*words, "--sizes", 6)


def test_the_stand_in_has_the_declarations_of_nvidias_header(tmp_path):
    headers = [path for path in installed("cuquantum", "include") if (path / "custatevecEx.h").exists()]
    toolkits = [*installed("nvidia", "*/include"), *Path("/usr/local").glob("cuda*/include")]
    cuda = [path for path in toolkits if (path / "crt" / "host_defines.h").exists()]
    if not headers or not cuda:
        pytest.skip("the wheel custatevec-cu13 or the headers of CUDA's runtime are not installed")
    stand_in(tmp_path, '-DHEADER="custatevecEx.h"', f"-I{headers[0]}", f"-I{cuda[0]}")


def installed(package, pattern):
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec else ()
    return [path for folder in folders for path in Path(folder).glob(pattern)]
