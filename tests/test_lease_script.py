"""`benchmarks/gpu/lease.sh`, the steps for a machine with a card, as far as they go without one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emulated_gpu import why_unavailable

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "benchmarks" / "gpu" / "lease.sh"
# A Python that has no network and makes no predictions: what `pip` and `predict` are asked for is written down, and a
# wheel that is downloaded has SIZE bytes. With WAIT, a program that is given as text never ends.
PYTHON = """#!{python}
import os, sys
from pathlib import Path
words = sys.argv[1:]
with Path({calls!r}).open("a") as file:
    print(*words, "with", os.environ["PYTHONPATH"], file=file)
if words[:3] == ["-m", "pip", "download"]:
    folder = Path(words[words.index("-d") + 1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("qiskit-2.6.2.whl", "click-8.5.1.whl", "scipy-1.18.1.whl"):
        with (folder / name).open("wb") as file:
            file.write(bytes(int(os.environ.get("SIZE", "1"))))
elif words[0] == "-c" and "WAIT" in os.environ:
    os.execvp("tail", ["tail", "-f", "/dev/null"])
elif words[:2] != ["-m", "pip"] and words[:3] != ["-m", "gpu", "predict"]:
    os.execv({python!r}, [{python!r}, *words])
"""
NO_CUPY = "raise ImportError('no CuPy in this test')"

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the script is for machines with Linux"),
    pytest.mark.slow,  # each test starts several processes
]


@pytest.fixture
def lease(tmp_path):
    """A function that runs the script, whose folder is `tmp_path / "lease"`; it returns the completed process."""
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python3"
    python.write_text(PYTHON.format(python=sys.executable, calls=str(tmp_path / "calls")), "utf-8")
    python.chmod(0o755)
    (tmp_path / "cupy").mkdir()
    (tmp_path / "cupy" / "__init__.py").write_text(NO_CUPY, "utf-8")

    def run(*words, **env):
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        env = os.environ | {"PATH": path, "PYTHONPATH": f"{ROOT / 'src'}:{tmp_path}", "LEASE": "lease"} | env
        words = [SCRIPT, *map(str, words)]
        return subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    return run


def record(card, family, zero, random, **more):
    starts = {
        start: {"seconds": {"basicaer": [seconds]}, "launches": 7}
        for start, seconds in (("zero", zero), ("random", random))
    }
    point = {
        "card": card,
        "kind": "family",
        "family": family,
        "n": 28,
        "precision": "double",
        "copy_bytes_per_s": 4.3e12,
    }
    return point | starts | more


def write(path, *records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in records), "utf-8")


def calls(folder, module):
    """Return the words that followed `python3 -m` and the module's name, call by call."""
    lines = (folder / "calls").read_text("utf-8").splitlines()
    head = f"-m {module} "
    return [line.removeprefix(head).partition(" with ")[0] for line in lines if line.startswith(head)]


def wheels(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_step_that_is_not_there_is_answered_with_those_that_are(lease):
    done = lease("mesure")
    assert done.returncode == 2
    assert "The steps, the most valuable first: test, measure, compare, peers, rest." in done.stderr
    assert "set -euo" not in done.stderr


def test_what_is_brought_has_the_circuits_and_fits(lease, tmp_path):
    done = lease("prepare")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "lease" / "circuits" / "circuits.pickle").exists()
    assert wheels(tmp_path / "lease" / "wheels") == ["click-8.5.1.whl", "qiskit-2.6.2.whl"]
    assert len(wheels(tmp_path / "lease-peers")) == 3
    assert calls(tmp_path, "gpu predict") == [f"--cards h200 --results {tmp_path}/lease/predicted"]
    wanted, peer = calls(tmp_path, "pip download")
    assert "qiskit>=2,<3" in wanted
    assert peer.endswith("custatevec-cu13")
    assert "lease-peers: 1 MiB" in done.stdout


def test_what_does_not_fit_is_not_brought(lease, tmp_path):
    done = lease("prepare", SIZE=str(65 << 20))
    assert done.returncode == 1
    assert done.stderr.endswith(f"{tmp_path}/lease has more than 64 MiB\n")


@pytest.mark.skipif(why_unavailable() is not None, reason=why_unavailable() or "")
def test_points_are_kept_with_the_output_and_not_measured_again(lease, tmp_path):
    lease("prepare")
    words = ["--emulated", "--families", "ghz", "--sizes", 10, "--parts", "families", "--rounds", 1]
    done = lease("measure", "first", *words, "--precisions", "double")
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (tmp_path / "first").glob("gpu-*.jsonl")
    before = path.read_text("utf-8")
    assert json.loads(before)["family"] == "ghz"
    log = (tmp_path / "first" / "measure.log").read_text("utf-8")
    assert log == done.stdout
    assert "No point was both measured and predicted" in log

    write(tmp_path / "lease" / "results" / path.name, json.loads(before))
    done = lease("measure", *words, OUT="second")
    assert done.returncode == 0, done.stdout + done.stderr
    after = (tmp_path / "second" / path.name).read_text("utf-8")
    assert after.startswith(before)
    assert [json.loads(line)["precision"] for line in after.splitlines()] == ["double", "single"]


@pytest.mark.skipif(why_unavailable() is not None, reason=why_unavailable() or "")
def test_no_point_is_begun_when_the_time_is_nearly_up(lease, tmp_path):
    lease("prepare")
    done = lease("rest", "out", "--emulated", "--families", "ghz", "--sizes", 10, LEASE_SECONDS="60")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The time is up; the next run continues from here." in done.stdout
    assert not list((tmp_path / "out").glob("gpu-*.jsonl"))
    (brought,) = calls(tmp_path, "pip install")
    assert brought.split()[-1:] == [f"{tmp_path}/lease/wheels/click-8.5.1.whl"]
    assert "qiskit" not in brought


@pytest.mark.skipif(why_unavailable() is not None, reason=why_unavailable() or "")
def test_the_step_for_peers_ends_at_once_without_them(lease, tmp_path):
    lease("prepare")
    done = lease("peers", "out", "--emulated", "--families", "ghz", "--sizes", 10, "--custatevec", "nowhere.so")
    assert done.returncode == 1
    assert "Error: cuStateVec cannot be used here: nowhere.so: cannot open shared object file" in done.stdout
    assert not list((tmp_path / "out").glob("gpu-*.jsonl"))
    peers, _ = calls(tmp_path, "pip install")
    assert {Path(word).name for word in peers.split() if word.startswith(f"{tmp_path}/lease-peers/")} == {
        "click-8.5.1.whl",
        "qiskit-2.6.2.whl",
        "scipy-1.18.1.whl",
    }


def test_a_step_whose_time_is_up_is_interrupted(lease):
    done = lease("test", "out", LEASE_SECONDS="1", WAIT="1")
    assert done.returncode in {124, 137}


def test_tests_that_cannot_run_fail_the_step(lease, tmp_path):
    lease("prepare")
    done = lease("test", "out")
    assert done.returncode == 1
    assert (tmp_path / "out" / "test.log").read_text("utf-8") == done.stdout
    assert "GPU" in done.stdout  # why they cannot run depends on the machine: it has no driver, or CuPy is missing
    (brought,) = calls(tmp_path, "pip install")
    assert f"{tmp_path}/lease/wheels/qiskit-2.6.2.whl" in brought.split()


def test_predictions_are_compared_with_what_was_measured(lease, tmp_path):
    write(
        tmp_path / "lease" / "predicted" / "predicted-gpu-2026-11-30-nvidia-h200.jsonl",
        record("NVIDIA H200 (predicted)", "qft", 0.005, 0.006),
        record("NVIDIA H200 (predicted)", "tfim", 0.02, 0.03),
        record("NVIDIA H100 80GB (predicted)", "qft", 1.0, 1.0),
    )
    measured = [
        record("NVIDIA H200, 139 GiB", "qft", 9.0, 9.0),  # an older point
        record("NVIDIA H200, 139 GiB", "qft", 0.004, 0.008, copy_bytes_per_s=4.1e12),
        record("NVIDIA H200, 139 GiB", "tfim", 0.02, 0.02),
        record("NVIDIA H200, 139 GiB", "grid", 0.02, 0.02),
    ]
    measured[1]["random"]["launches"] = 9
    write(tmp_path / "home" / "gpu-2026-12-01-nvidia-h200-139-gib.jsonl", *measured)
    done = lease("compare", "home")
    assert done.returncode == 0, done.stdout
    rows = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert rows[1:] == [
        "qft double 28 zero 5 4 +25% 7",
        "tfim double 28 zero 20 20 +0% 7",
        "qft double 28 random 6 8 -25% 7 predicted, 9 run",
        "tfim double 28 random 30 20 +50% 7",
        "",
        "double, from zero: error +12% in the geometric mean, +25% at most",
        "double, from random: error +6% in the geometric mean, +50% at most",
        "copying: 4.3 TB/s predicted, 4.1 to 4.3 TB/s measured",
    ]

    done = lease("compare", "home", "--card", "NVIDIA H100 80GB")
    assert "qft double 28 zero 1e+03 4" in " ".join(done.stdout.split())
    done = lease("compare", "home", "--card", "NVIDIA A100 40GB")
    assert done.returncode == 1
    assert "has 2 points" not in done.stdout
    assert "3 points of NVIDIA H200, 139 GiB" in done.stdout
