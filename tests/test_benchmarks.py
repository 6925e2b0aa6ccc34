"""The benchmarks: each module can be imported, the harness keeps its promises on a clock that the test moves, and each
benchmark runs once at its smallest size. No measured time is looked at."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import geometric_mean
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
RESULTS = BENCHMARKS / "results"
MODULES = sorted(
    ".".join(path.relative_to(BENCHMARKS).with_suffix("").parts).removesuffix(".__init__")
    for path in BENCHMARKS.rglob("*.py")
)

IMPORT_EACH_FIRST = """
import importlib, sys
for name in sys.argv[1:]:
    for loaded in [loaded for loaded in sys.modules if loaded.partition(".")[0] in {"harness", "peers", "gpu"}]:
        del sys.modules[loaded]
    importlib.import_module(name)
"""
IMPORT_ON_A_BORROWED_MACHINE = """
import importlib, sys
THERE = {*sys.stdlib_module_names, "numpy", "click", "psutil", "threadpoolctl", "basicaer", "harness", "gpu"}

class NothingElse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in THERE:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NothingElse())
sys.modules["qiskit"] = None
import gpu.__main__  # before Qiskit has its stand-in, as `python -m gpu` does
gpu.without_qiskit.import_without_qiskit()
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def python(*words):
    done = subprocess.run(
        [sys.executable, *map(str, words)], cwd=BENCHMARKS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(autouse=True)
def benchmarks_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)


@pytest.fixture
def clock():
    return Clock()


class Clock:
    """A clock that stands still but for what is run."""

    def __init__(self):
        self.now = 0.0
        self.ran = []

    def __call__(self):
        return self.now

    def runs(self, name, *seconds):
        """Return a run that takes this long, each time the next of these, and the last from then on."""
        left = list(seconds)

        def run():
            self.ran.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return run

    def seconds_of(self, run):
        from harness.timing import stopwatch

        return stopwatch(run, self)


class Entry:
    def __init__(self, setting, run):
        self.setting, self.run = setting, run


# Modules.


def test_every_module_can_be_imported_before_all_others():
    assert {"harness.timing", "peers.systems.qsim", "gpu.series", "latency", "test_speed"} <= set(MODULES)
    python("-c", IMPORT_EACH_FIRST, *MODULES)


def test_the_modules_for_a_gpu_need_no_more_than_their_readme_says():
    names = [name for name in MODULES if name.partition(".")[0] in {"gpu", "harness"}]
    python("-c", IMPORT_ON_A_BORROWED_MACHINE, *names)


# The READMEs.


@pytest.mark.parametrize("folder", [BENCHMARKS, BENCHMARKS / "gpu"], ids=lambda folder: folder.name)
def test_every_file_and_option_that_a_readme_names_exists(folder):
    from gpu.__main__ import main as gpu
    from peers.__main__ import main as peers

    text = (folder / "README.md").read_text("utf-8")
    code = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^    (.*python -m .*)$", text, re.MULTILINE)
    files = {word for piece in code for word in piece.split() if re.fullmatch(r"[\w/]+(\.(py|md|toml)|/)", word)}
    options = {word for piece in code for word in piece.split() if re.fullmatch(r"--[\w-]+", word)}
    assert files
    assert options
    assert {name for name in files if not any((start / name).exists() for start in (folder, BENCHMARKS, ROOT))} == set()
    known = {name for command in (gpu, peers) for param in command.params for name in param.opts}
    assert options - known - {"--smallest", "--help"} == set()


# The harness.


def test_runs_are_timed_in_turn(clock):
    from harness.timing import in_turn

    entries = {"a": clock.runs("a", 1.0, 2.0), "b": clock.runs("b", 3.0)}
    assert in_turn(entries, clock.seconds_of, rounds=3, clock=clock) == {"a": [1.0, 2.0, 2.0], "b": [3.0, 3.0, 3.0]}
    assert clock.ran == ["a", "b"] * 3


@pytest.mark.parametrize(("until", "rounds"), [(0.0, 1), (2.5, 2), (3.0, 3), (100.0, 5)])
def test_no_round_is_begun_that_would_end_too_late_but_one_is_always_run(clock, until, rounds):
    from harness.timing import in_turn

    seconds = in_turn({"a": clock.runs("a", 1.0)}, clock.seconds_of, rounds=5, until=until, clock=clock)
    assert len(seconds["a"]) == rounds


@pytest.mark.parametrize(("each", "rounds"), [(1.0, 2), (0.125, 4), (0.001, 50)])
def test_short_runs_get_more_rounds_up_to_a_number(clock, each, rounds):
    from harness.timing import in_turn

    seconds = in_turn({"a": clock.runs("a", each)}, clock.seconds_of, rounds=2, least_seconds=0.5, clock=clock)
    assert len(seconds["a"]) == rounds


def test_each_simulator_takes_part_in_its_fastest_setting(clock):
    from harness.timing import choose_settings

    wide = Entry("wide", clock.runs("wide", 0.1, 0.01))  # the first run includes what is made once
    narrow = Entry("narrow", clock.runs("narrow", 0.05))
    only = Entry("", clock.runs("only", 7.0))
    chosen = choose_settings([("a", [narrow, wide]), ("b", [only])], lambda entry: clock.seconds_of(entry.run))
    assert chosen.entries == {"a": wide, "b": only}
    assert chosen.settings == {"a": "wide"}
    assert chosen.tried == pytest.approx({"a, narrow": 0.05, "a, wide": 0.01})
    assert chosen.first_seconds == pytest.approx({"a": 0.1, "b": 7.0})
    assert clock.ran == ["narrow"] * 3 + ["wide"] * 3 + ["only"]  # a long run is not repeated


def test_a_peer_that_cannot_run_is_named_and_our_own_error_is_raised(clock):
    from harness.timing import choose_settings

    def broken():
        raise ValueError("no memory")

    good = Entry("good", clock.runs("good", 1.0))
    candidates = [("a", [Entry("broken", broken), good]), ("b", [Entry("", broken)])]
    chosen = choose_settings(candidates, lambda entry: clock.seconds_of(entry.run))
    assert chosen.entries == {"a": good}
    assert chosen.failed == {"a, broken": "no memory", "b": "no memory"}
    with pytest.raises(ValueError, match="no memory"):
        choose_settings([("basicaer", [Entry("", broken)])], lambda entry: clock.seconds_of(entry.run))


def test_ratios_are_those_of_single_rounds(clock):
    from harness.timing import in_turn, median_ratios, pair_ratios

    entries = {"basicaer": clock.runs("basicaer", 1.0, 2.0, 8.0), "a": clock.runs("a", 3.0, 4.0, 40.0)}
    seconds = in_turn(entries, clock.seconds_of, rounds=3, clock=clock)
    assert median_ratios(seconds) == {"a": 3.0}  # the ratio of the medians is 2
    assert pair_ratios(seconds, "basicaer", "a") == [1 / 3, 0.5, 0.2]


def test_a_verdict_is_one_line_with_goal_and_measurement():
    from harness.goals import at_least, at_most

    pairs = [0.57, 0.44, 0.49]
    goal = at_most(0.5, "of Aer's time")
    assert str(goal.verdict(pairs, counted="pairs")) == (
        "goal: at most 0.5 of Aer's time; measured 0.49 (0.44-0.57, 3 pairs): met"
    )
    largest = goal.verdict(pairs, counted="pairs", summary=max)
    assert str(largest).endswith("measured 0.57 (0.44-0.57, 3 pairs): missed")
    assert str(at_most(3, "s").verdict([3.0])) == "goal: at most 3 s; measured 3: met"
    mean = at_least(2, "times as fast").verdict([1.0, 8.0], counted="families", summary=geometric_mean)
    assert str(mean) == "goal: at least 2 times as fast; measured 2.83 (1-8, 2 families): met"
    assert not at_least(2, "times as fast").verdict([1.9]).is_met


def test_results_are_found_again_by_the_same_version_only(tmp_path):
    from harness.results import Results

    def results(source, *, fresh=False):
        return Results("try", tmp_path, {"source": source, "machine": "m"}, fresh=fresh)

    point = {"family": "qft", "n": 4}
    results("old").add(point | {"peers": ["a"], "seconds": 1})
    assert not results("new").has(point)
    results("new").add(point | {"peers": ["a", "b"], "seconds": 2})
    assert results("new").has(point, ["b"])
    assert not results("new").has(point, ["c"])
    assert not results("new").has(point | {"n": 5})
    assert not results("new", fresh=True).has(point)
    assert [record["seconds"] for record in results("new").known(n=[4, 5])] == [2]
    assert not results("new").known(n=[5])
    assert len(list(tmp_path.glob("try-*-m.jsonl"))) == 1


def test_a_wrong_state_ends_the_program_and_a_global_phase_does_not():
    from harness.fidelity import require_same_state

    expected = np.array([0.6, 0.8j])
    require_same_state("a", expected * 1j, expected, "double", "a circuit")
    for wrong in (expected.conj(), 0.9 * expected, 1.1 * expected):
        with pytest.raises(SystemExit, match=r"a \(single\) was given or made a wrong circuit"):
            require_same_state("a", wrong, expected, "single", "a circuit")


def test_a_source_that_is_gone_is_not_left_out_of_the_digest():
    from harness.results import source_digest

    assert source_digest("benchmarks/gpu/ours.py") != source_digest()
    with pytest.raises(FileNotFoundError, match=r"gone\.py"):
        source_digest("benchmarks/gone.py")


def test_tables_are_aligned_in_a_terminal_and_on_a_page():
    from harness.table import laid_out

    rows = [["family", "Aer 24"], ["qft", "5.0"]]
    assert laid_out(rows, markdown=False) == "family  Aer 24\nqft        5.0"
    assert laid_out(rows, markdown=True) == "| family | Aer 24 |\n| --- | ---: |\n| qft | 5.0 |"


# Results.


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(RESULTS.glob("peers-*.jsonl")), ids=lambda path: path.stem)
def test_results_of_any_age_can_be_put_into_tables_judged_and_drawn(path, tmp_path):
    from families import TITLES
    from harness.picture import draw
    from harness.results import load
    from peers.goals import verdicts
    from peers.picture import panels
    from peers.table import ratio_table

    shutil.copy(path, tmp_path)
    records = load(tmp_path, "peers")
    assert len(records) == len(path.read_text("utf-8").splitlines())
    families = {record["family"] for record in records}
    table = ratio_table(records, markdown=True)
    assert {TITLES[family] for family in families} <= {line.split("|")[1].strip() for line in table.splitlines()}
    header, peers = table.splitlines()[0], {name for record in records for name in record["seconds"]} - {"basicaer"}
    assert all(f"{peer} 24" in header for peer in peers & {"Aer", "Qulacs", "Lightning"})
    judged = "\n".join(verdicts(records))
    of_aer = "24 qubits, double: goal: at least 8 times as fast as Aer, as a geometric mean over the families"
    assert (of_aer in judged) == ("Aer" in peers)
    assert panels(records).keys() == {TITLES[family] for family in families}
    assert all("basicaer" in {line.label for line in panel.lines} for panel in panels(records).values())
    draw(panels(records), tmp_path / "old.png", ylabel="seconds", caption="")
    assert (tmp_path / "old.png").read_bytes().startswith(b"\x89PNG")


def test_every_family_has_a_title():
    from families import FAMILIES, TITLES

    assert list(TITLES) == list(FAMILIES)


def test_each_simulator_has_its_newest_time_and_what_it_was_measured_with():
    from harness.results import days, newest
    from peers.picture import panels
    from peers.table import ratio_table

    point = {"family": "qft", "precision": "double", "n": 20}
    old = point | {"date": "2026-01-02", "seconds": {"basicaer": [4], "Aer": [8], "Qulacs": [6]}}
    new = point | {"date": "2026-01-05", "seconds": {"basicaer": [2], "Aer": [6]}, "ratios": {"Aer": 3}}
    records = [new, old | {"ratios": {"Aer": 2, "Qulacs": 1.5}}]
    (merged,) = newest(records)
    assert merged["seconds"] == {"basicaer": [2], "Aer": [6], "Qulacs": [6]}
    assert merged["ratios"] == {"Aer": 3, "Qulacs": 1.5}
    assert {line.label: line.points for line in panels(records)["QFT"].lines} == {
        "basicaer": {20: 2},
        "Aer": {20: 6},
        "Qulacs": {20: 6},
    }
    assert ratio_table(records, markdown=False).splitlines()[1].split() == ["QFT", "3.0", "1.5"]
    assert days(records) == "2026-01-02 to 2026-01-05"


def test_the_work_of_other_programs_is_what_neither_this_one_did_nor_nobody(monkeypatch):
    import psutil
    from peers.machine import OtherWork

    class Times(NamedTuple):
        user: float
        idle: float

    # Of two cores in ten seconds: 12 s idle, 3 s of this program and of processes that it started, 5 s of others.
    whole = iter([Times(100.0, 100.0), Times(108.0, 112.0)])
    before = SimpleNamespace(user=1.0, system=1.0, children_user=1.0, children_system=2.0)
    own = iter([before, SimpleNamespace(user=2.5, system=1.5, children_user=1.5, children_system=2.5)])
    monkeypatch.setattr(psutil, "cpu_times", lambda: next(whole))
    monkeypatch.setattr(psutil, "Process", lambda: SimpleNamespace(cpu_times=lambda: next(own)))
    assert OtherWork().fraction() == pytest.approx(5 / 20)


@pytest.mark.slow
def test_a_record_has_all_fields_that_the_committed_ones_have(tmp_path):
    words = ["-m", "peers", "--families", "ghz", "--sizes", 3, "--peers", "BasicSimulator", "--rounds", 1]
    told = python(*words, "--results", tmp_path)
    (path,) = tmp_path.glob("peers-*.jsonl")
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [record["precision"] for record in records] == ["double", "single"]
    newest = max(RESULTS.glob("peers-*.jsonl"))
    committed = json.loads(newest.read_text("utf-8").splitlines()[-1])
    for record in records:
        assert record.keys() >= committed.keys()
    assert records[0]["ratios"].keys() == {"BasicSimulator"}
    assert "3 qubits, double: goal: at least 0.95 times as fast as each peer" in told
    assert (tmp_path / "peers.png").exists()
    python(*words, "--results", tmp_path)  # continues where it was, which is at the end
    assert len(path.read_text("utf-8").splitlines()) == len(records)


def test_a_gpu_is_judged_by_the_range_of_its_card_and_by_cuda_peers():
    from gpu.goals import verdicts
    from gpu.picture import panels

    start = {
        "seconds": {"basicaer": [0.008], "cuStateVec": [0.032]},
        "ratios": {"cuStateVec": 4.0},
        "limit_seconds": 0.004,
    }
    record = {"family": "qft", "n": 28, "precision": "double", "card": "NVIDIA H200, 139 GiB", "random": start}
    lines = verdicts({"family": [record]})
    assert "at least 3 times as fast as cuStateVec, as a geometric mean over the families; measured 4: met" in lines[0]
    assert "at least 1 times as fast as cuStateVec, on every family; measured 4: met" in lines[1]
    assert lines[2] == (
        "qft, double: goal: at most 9 ms for qft on 28 qubits from a random state, on an H200; measured 8: met"
    )
    assert len(verdicts({"family": [record | {"card": "Tesla T4, 15 GiB"}]})) == 2
    assert panels([record])["qft"].band == (28, 5, 9)
    assert panels([record | {"n": 20}])["qft"].band is None


# Each benchmark once.


@pytest.mark.slow
def test_each_part_runs_at_its_smallest_size_and_is_judged_and_kept(tmp_path):
    every = ("--benchmark-only", "-m", "slow or not slow")
    told = python("-m", "pytest", ".", *every, "--smallest", "--results", tmp_path, "-q", "-p", "no:cacheprovider")
    judged = {line.split(":")[0] for line in told.splitlines() if " goal: " in line}
    names = ["test_run[ghz-2]", "test_one_after_another", "test_a_plan_of_many_gates[10000]", "test_a_million_shots"]
    assert {*names, "test_memory_of_a_million_gates", "test_family[qft-16]"} <= judged
    assert f"{len(judged)} passed" in told
    (path,) = tmp_path.iterdir()
    kept = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert {line["name"] for line in kept} == judged
    needed = {"date", "machine", "processor", "versions", "busy_elsewhere", "part", "goal", "measured", "is_met"}
    assert all(needed <= line.keys() for line in kept)  # of which the pages make their tables


def test_the_time_to_cancel_is_measured_and_kept(tmp_path):
    told = python("latency.py", "--sizes", 12, "--trials", 3, "--results", tmp_path)
    assert [line.split(":")[0] for line in told.splitlines()] == ["gates 12", "measurements 12"]
    kept = RESULTS / "cancel-latency.jsonl"
    committed = json.loads(kept.read_text("utf-8").splitlines()[-1])
    for path in tmp_path.glob("*.jsonl"):  # none if every job ended before it was cancelled
        assert path.name == kept.name
        assert all(json.loads(line).keys() == committed.keys() for line in path.read_text("utf-8").splitlines())
