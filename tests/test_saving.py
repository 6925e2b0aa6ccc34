"""Jobs on disk: a saved job goes on where it was and ends with the same outcome; a damaged one is refused."""

import ast
import contextlib
import dataclasses
import errno
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np
import psutil
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Instruction, Parameter
from qiskit.circuit.classical import expr, types
from qiskit.quantum_info import Kraus, Pauli
from typing_extensions import TypeAliasType

from basicaer import BasicAer
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.engine import monitor as monitor_module
from basicaer.engine import suspended, trajectories
from basicaer.engine.monitor import Monitor
from basicaer.engine.suspended import Suspension
from basicaer.errors import BasicAerError, BasicAerWarning, Cancelled
from basicaer.library import (
    save_density_matrix,
    save_expectation_value,
    save_outcome_probabilities,
    save_probabilities_dict,
    save_statevector_dict,
)
from basicaer.persistence import codec
from basicaer.persistence import folder as folder_module
from basicaer.persistence import lock as lock_module
from basicaer.persistence import persister as persister_module
from basicaer.persistence.codec import decoded, encoded
from basicaer.persistence.folder import JobFolder
from basicaer.persistence.job_persister import JobPersister
from basicaer.persistence.persister import load_job, saved_new
from basicaer.simulation import Persistence
from basicaer.simulators import base
from basicaer.simulators import running as running_module
from basicaer.simulators.running import run_resumed, run_simulation
from conftest import DEVICES
from jobs import GUARD, Clock, check_alike, submitted

BACKEND = BasicAer.get_backend("qasm_simulator")
NEVER = 1e9  # seconds between two saves


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch):
    """Writing through to the disk takes most of the time of so many small saves."""
    monkeypatch.setattr(folder_module.os, "fsync", lambda _file: None)


@pytest.fixture(params=["CPU-tiny-tiles", "GPU-emulated"])
def device(request, monkeypatch):
    device = DEVICES[request.param]()
    monkeypatch.setattr(running_module, "choose_device", lambda *_, **__: (device, "a test wants it"))
    return device


def layers(n, seed=0, *, measured=True, depth=4):
    angles = np.random.default_rng(seed)
    circuit = QuantumCircuit(n, name=f"layers {seed}")
    for layer in range(depth):
        for q in range(n):
            circuit.u(*angles.uniform(0, 3, 3), q)
            circuit.cx(q, (q + 1 + layer % (n - 1)) % n)
    if measured:
        circuit.measure_all()
    return circuit


def branching(n=7):
    """Measurements in the middle, loops and variables, so that several branches wait and share the random numbers."""
    circuit = QuantumCircuit(n, 4, name="branching")
    kept = circuit.add_var("kept", expr.lift(0, types.Uint(8)))
    for round_ in range(2):
        circuit.compose(layers(n, round_, measured=False, depth=1), inplace=True)
        circuit.measure(round_, round_)
        with circuit.if_test((circuit.clbits[round_], 1)):
            circuit.h(range(n))
            circuit.store(kept, expr.lift(round_, types.Uint(8)))
        circuit.reset(n - 1)
    angle = Parameter("angle")
    for values, of in (((2, 1), angle / 3), (range(2), (angle + 0.2).sin())):
        with circuit.for_loop(values, angle):
            circuit.rx(of, range(3))
            circuit.cx(range(2), range(2, 4))
    circuit.measure(3, 3)
    return circuit


def saving_on_the_way():
    """Branches that save numbers and dictionaries, before and after they part."""
    circuit = branching(6)
    made = circuit.copy_empty_like(name="saving on the way")
    for place, item in enumerate(circuit.data):
        made.append(item)
        if place % 9 == 0:
            save_expectation_value(made, Pauli("XZ"), [0, 5], f"mean {place}")
            save_probabilities_dict(made, [1, 2], f"each {place}", pershot=True, conditional=True)
            save_statevector_dict(made, f"last {place}")
    save_outcome_probabilities(made)
    return made


def with_errors(n=6):
    """Errors that depend on the state, in shots that have others too and measure on the way."""
    damping = [np.diag([1, 0.8**0.5]), np.array([[0, 0.2**0.5], [0, 0]])]
    mixed = [0.9**0.5 * np.eye(2), 0.1**0.5 * np.array([[0, 1], [1, 0]])]
    circuit = QuantumCircuit(n, n, name="errors")
    for round_ in range(2):
        circuit.compose(layers(n, round_, measured=False, depth=1), inplace=True)
        for qubit in range(n):
            circuit.append(Kraus(mixed if qubit % 2 else damping), [qubit])
        if not round_:
            circuit.measure(0, 0)
    circuit.measure(range(1, n), range(1, n))
    return circuit


def misread(circuit):
    """The circuit with errors of reading, two qubits together, and then one of them once more."""
    one = np.array([[0.9, 0.1], [0.3, 0.7]])
    circuit.append(Instruction("roerror", 0, 2, list(np.kron(one, one))), [], circuit.clbits[:2])
    circuit.append(Instruction("roerror", 0, 1, list(one)), [], circuit.clbits[1:2])
    return circuit


def with_errors_and_feedback(n=4):
    """Shots that share density matrices, and save something of these."""
    circuit = with_errors(n)
    circuit.data = circuit.data[: 1 - n]
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.h(range(1, n))
        circuit.cx(1, 2)
    save_expectation_value(circuit, Pauli("XZ"), [0, 3], "mean")
    save_probabilities_dict(circuit, [1, 2], "each", pershot=True)
    circuit.reset(3)
    circuit.compose(layers(n, 4, measured=False, depth=1), inplace=True)
    circuit.measure(range(n), range(n))
    return circuit


def work_of(circuits, *, shots=200, memory=False, backend=BACKEND, **options):
    caught = []

    class Caught(Exception):  # noqa: N818
        pass

    def submitted(_backend, _qobj, prepare, _settings):
        caught.append(prepare())
        raise Caught

    made = type(backend)()
    of_most = {"shots": shots, "memory": memory, "seed_simulator": 5}
    options |= {name: value for name, value in of_most.items() if hasattr(made.options, name)}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(base, "submitted", submitted)
        with pytest.raises(Caught):
            made.run(circuits, **options)
    return caught[0]


class CancelledAtPoll(Monitor):
    """Is cancelled at a poll of this number."""

    def __init__(self, polls):
        super().__init__()
        self.polls = polls

    def poll(self):
        self.polls -= 1
        if self.polls == 0:
            self.cancel()
        super().poll()


class StopsAfter(Monitor):
    """Ends the work, as losing the machine would, after so many saves."""

    def __init__(self, saves=None):
        super().__init__()
        self.saves = saves

    def saved(self):
        if self.saves is not None:
            self.saves -= 1
            if self.saves == 0:
                raise Cancelled


def run(work, persistence=None, monitor=None, job_id="job 1"):
    def pass_done(suspension, suspended, state):
        original(suspension, suspended, state)
        if isinstance(monitor, StopsAfter):
            monitor.saved()

    token = monitor_module.current_monitor.set(monitor or Monitor())
    original = Suspension.pass_done
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Suspension, "pass_done", pass_done)
            if persistence is None or Path(persistence.folder, "job.save").exists():
                return run_simulation(job_id, dataclasses.replace(work, persistence=persistence))
            with saved_new(Path(persistence.folder), job_id) as save:
                save(work)
            return run_simulation(job_id, dataclasses.replace(work, persistence=persistence))
    finally:
        monitor_module.current_monitor.reset(token)


def outcome(result):
    return [
        (one.name, one.data.to_dict() if not hasattr(one.data, "statevector") else one.data.statevector.tolist())
        for one in result.results
    ]


SHOTS_WITH_ERRORS = 200
CIRCUITS = {
    "straight": lambda: [layers(9, depth=8)],
    "misread": lambda: [misread(layers(9, depth=8))],
    "several": lambda: [layers(6, 1), layers(9, 2), layers(7, 3)],
    "branching": lambda: [branching()],
    "saving on the way": lambda: [saving_on_the_way()],
    "errors": lambda: [with_errors()],
    "density matrices": lambda: [with_errors_and_feedback()],
}
METHODS = {"errors": "statevector", "density matrices": "density_matrix"}


@pytest.mark.parametrize(
    ("kind", "memory"),
    [
        ("straight", False),
        ("misread", True),
        ("several", True),
        ("branching", False),
        ("branching", True),
        ("saving on the way", False),
        ("errors", True),
    ],
)
def test_a_job_that_was_lost_at_any_save_ends_with_the_same_outcome(kind, memory, device, tmp_path):
    work = work_of(CIRCUITS[kind](), shots=60, memory=memory, method=METHODS.get(kind, "automatic"))
    want = outcome(run(work))
    lost = 0
    for saves in (1, 2, 6, 13):
        folder = tmp_path / str(saves)
        try:
            run(work, Persistence(str(folder), 0.0), StopsAfter(saves))
        except Cancelled:
            lost += 1
        else:
            break
        job_id, again = load_job(folder)
        assert job_id == "job 1"
        if saves == 2:  # this one is lost twice
            with pytest.raises(Cancelled):
                run(again, Persistence(str(folder), 0.0), StopsAfter(2))
        got = run(again, Persistence(str(folder), NEVER))
        check_alike(outcome(got), want, f"after {saves} saves")
        # Going on with a job that has ended gives its result at once.
        assert outcome(run(again, Persistence(str(folder), 0.0))) == outcome(got)
    assert lost > 2


def test_statevectors_are_kept_exactly(device, tmp_path):
    backend = BasicAer.get_backend("statevector_simulator")
    work = work_of([layers(9, measured=False), layers(8, 2, measured=False)], backend=backend, shots=1)
    want = run(work)
    with pytest.raises(Cancelled):
        run(work, Persistence(str(tmp_path / "job"), 0.0), StopsAfter(3))
    got = run(load_job(tmp_path / "job")[1], Persistence(str(tmp_path / "job"), 0.0))
    for one, other in zip(got.results, want.results, strict=True):
        # A GPU makes the constants of gates that were saved in another way, so that their last digit may differ.
        least = 0 if isinstance(device, NumpyDevice) else 1e-15
        assert np.abs(one.data.statevector - other.data.statevector).max() <= least


def with_errors_drawn_first(n=6):
    circuit = with_errors(n)
    circuit.data = [item for item in circuit.data if item.name != "measure"]
    save_expectation_value(circuit, Pauli("XZ"), [0, 3], "mean")
    save_expectation_value(circuit, Pauli("Z"), [1], "each", pershot=True)
    circuit.measure(range(n), range(n))
    return circuit


class Counted:
    """How many states are run for proposals of errors, and how many shots end, on their way through stretches."""

    def __init__(self, monkeypatch):
        self.proposals = self.shots = 0
        find_ratios, finish = trajectories._Run._find_ratios, trajectories._Run._finish

        def counted_ratios(run, stretch, part, drawn, rows, *others):
            self.proposals += len(rows)
            find_ratios(run, stretch, part, drawn, rows, *others)

        def counted_shots(run, part):
            finish(run, part)
            self.shots += len(part.shots)

        monkeypatch.setattr(trajectories._Run, "_find_ratios", counted_ratios)
        monkeypatch.setattr(trajectories._Run, "_finish", counted_shots)
        monkeypatch.setattr(trajectories, "MOST_AMPLITUDES", 2**6 * 5)  # some states at a time, and more than one time


@pytest.mark.parametrize("share", [0.1, 0.7, 1.0])
def test_shots_whose_errors_are_drawn_first_go_on_where_they_were(share, device, tmp_path, monkeypatch):
    work = work_of([with_errors_drawn_first()], memory=True, shots=SHOTS_WITH_ERRORS)
    counted = Counted(monkeypatch)
    want = outcome(run(work))
    whole = counted.proposals
    saves = StopsAfter(10**9)
    run(work, Persistence(str(tmp_path / "whole"), 1e9), saves)
    saves = round(share * (10**9 - saves.saves))
    counted.proposals = counted.shots = 0
    with pytest.raises(Cancelled):
        run(work, Persistence(str(tmp_path / "job"), 0.0), StopsAfter(saves))
    before = counted.proposals
    assert before > 0
    _, again = load_job(tmp_path / "job")
    check_alike(outcome(run(again, Persistence(str(tmp_path / "job"), 0.0))), want, f"after {saves} saves")
    if share < 1:  # otherwise the job stops before the last ones are counted
        assert counted.shots == SHOTS_WITH_ERRORS  # each of them once
    # What is known of a state is not known of the same state in a later attempt any more, if the job was lost before.
    assert counted.proposals < whole + 0.2 * min(before, whole - before) + 10


def test_shots_are_saved_when_their_job_is_cancelled(tmp_path, monkeypatch):
    work = work_of([with_errors_drawn_first()], memory=True, shots=SHOTS_WITH_ERRORS)
    want = outcome(run(work))
    counted = Counted(monkeypatch)
    for polls in range(50, 450, 100):
        folder, monitor = tmp_path / str(polls), CancelledAtPoll(polls)
        with pytest.raises(Cancelled):
            run(work, Persistence(str(folder), 1e9), monitor)
        assert (folder / "running.save").exists()
        before, counted.shots = counted.shots, 0
        _, again = load_job(folder)
        check_alike(outcome(run(again, Persistence(str(folder), 1e9))), want, f"after {polls} polls")
        assert counted.shots == SHOTS_WITH_ERRORS - before
        counted.shots = 0


def test_shots_go_on_on_another_device(tmp_path, monkeypatch):
    work = work_of([with_errors_drawn_first()], memory=True, shots=SHOTS_WITH_ERRORS)
    counted = Counted(monkeypatch)
    want = outcome(run(work))
    whole, counted.proposals = counted.proposals, 0
    with pytest.raises(Cancelled):
        run(work, Persistence(str(tmp_path), 0.0), StopsAfter(40))
    before = counted.proposals
    device = DEVICES["GPU-emulated"]()
    monkeypatch.setattr(running_module, "choose_device", lambda *_, **__: (device, "a test wants it"))
    check_alike(outcome(run(load_job(tmp_path)[1], Persistence(str(tmp_path), 0.0))), want)
    assert before > 0.4 * whole
    assert counted.proposals < whole + 0.2 * before


# What is written, and what is refused.


def test_every_kind_of_value_comes_back():
    work = work_of([branching()], initial_statevector=np.eye(2**7)[3])
    values = [work, 1.5, float("inf"), 3 + 4j, Fraction(1, 3), None, True, "text", (1, [2, {"three": frozenset({4})}])]
    arrays = []
    written = json.loads(json.dumps(encoded(values, arrays)))
    again = decoded(written, arrays)
    assert repr(again) == repr(values)
    assert again[0].experiments[0].initial.dtype == complex


def test_a_type_may_be_the_alias_of_another():
    """From 2.5 on, NumPy's NDArray is one, with Python 3.12 and newer."""
    scalar = TypeVar("scalar")
    alias = TypeAliasType("alias", np.ndarray[Any, np.dtype[scalar]], type_params=(scalar,))
    assert codec._is_of(np.ones(2, int), alias[np.integer])
    assert not codec._is_of(np.ones(2), alias[np.integer])
    assert not codec._is_of([1], alias[np.integer])


def test_what_cannot_be_saved_is_named():
    with pytest.raises(BasicAerError, match="an object of type Clock; take it out of the circuit's metadata"):
        encoded({"metadata": Clock()}, [])


@pytest.fixture
def lost(tmp_path, device):
    """A saved job, and its work."""
    work = work_of([layers(8, 1), layers(7, 2)])
    folder = tmp_path / "job"
    with pytest.raises(Cancelled):
        run(work, Persistence(str(folder), 0.0), StopsAfter(3))
    return folder, work


def go_on(folder):
    job_id, work = load_job(folder)
    return run(work, Persistence(str(folder), 0.0), job_id=job_id)


@pytest.fixture
def half_done(tmp_path, device):
    """The folder of a saved job whose first circuit has ended, and whose second was running."""
    folder = tmp_path / "job"
    with pytest.raises(Cancelled):
        run(work_of([layers(3, depth=1), layers(8, 1)]), Persistence(str(folder), 0.0), StopsAfter(3))
    assert sorted(path.stem for path in folder.iterdir()) == ["circuit-0", "job", "lock", "running"]
    return folder


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


HARMED = {
    "empty": lambda _: b"",
    "shorter": lambda content: content[:-3],
    "longer": lambda content: content + b"0",
    "the first line": lambda content: flipped(content, 9),
    "the middle": lambda content: flipped(content, len(content) // 2),
    "the end": lambda content: flipped(content, len(content) - 1),
}


@pytest.mark.parametrize("name", ["job", "circuit-0", "running"])
@pytest.mark.parametrize("how", HARMED)
def test_a_damaged_file_is_refused(half_done, name, how):
    path = half_done / f"{name}.save"
    path.write_bytes(HARMED[how](path.read_bytes()))
    with pytest.raises(BasicAerError, match=rf"is damaged \({name}: "):
        go_on(half_done)


def test_a_save_that_is_gone_costs_what_was_in_it(lost):
    folder, work = lost
    (folder / "running.save").unlink()
    assert outcome(go_on(folder)) == outcome(run(work))
    (folder / "job.save").unlink()
    with pytest.raises(BasicAerError, match="holds no saved job"):
        go_on(folder)


def test_a_save_of_a_circuit_that_has_ended_since_is_passed_over(lost, tmp_path):
    """A process may be killed when that is saved and before the other is removed."""
    folder, work = lost
    running = (folder / "running.save").read_bytes()
    want = outcome(go_on(folder))
    assert not (folder / "running.save").exists()
    (folder / "running.save").write_bytes(running)
    assert outcome(go_on(folder)) == want == outcome(run(work))


@pytest.mark.parametrize("names", [["running"], ["circuit-0"], ["circuit-0", "circuit-1"]])
def test_another_jobs_saves_are_refused(tmp_path, device, names):
    """Its circuits have the same names, seeds and shots, and its counts would be other ones."""
    folders = [tmp_path / name for name in ("mine", "other")]
    for shift, folder in enumerate(folders):
        circuits = [layers(7, shift, depth=2), layers(8, shift)]
        for circuit in circuits:
            circuit.name = "same"
        lost = StopsAfter(3 if names == ["running"] else None)
        with contextlib.suppress(Cancelled):
            run(work_of(circuits), Persistence(str(folder), 0.0), lost, job_id=folder.name)
    for name in names:
        shutil.copy(folders[1] / f"{name}.save", folders[0])
    with pytest.raises(BasicAerError, match=rf"is damaged .*{names[0]}.save belongs to another job.*; (run|delete)"):
        go_on(folders[0])


@pytest.mark.parametrize(("name", "other"), [("circuit-0", "circuit-1"), ("circuit-0", "running"), ("running", "job")])
def test_a_save_under_another_name_is_refused(half_done, name, other):
    shutil.copy(half_done / f"{name}.save", half_done / f"{other}.save")
    with pytest.raises(BasicAerError, match=rf"{other}.save was written under another name"):
        go_on(half_done)


@pytest.mark.parametrize("saves", [1, 4])
def test_each_circuit_that_has_ended_is_written_once(tmp_path, device, monkeypatch, saves):
    written, real = [], JobFolder._write_file

    def noted(self, path, parts):
        written.append(path.name)
        real(self, path, parts)

    monkeypatch.setattr(JobFolder, "_write_file", noted)
    names = [f"circuit-{position}.save" for position in range(3)]
    work = work_of([layers(4, 1, depth=1)] * 3)
    with contextlib.suppress(Cancelled):
        run(work, Persistence(str(tmp_path / "job"), 0.0), StopsAfter(saves))
    run(work, Persistence(str(tmp_path / "job"), 1e9))
    assert [name for name in written if "circuit" in name] == [f"{name}.new" for name in names]
    assert sorted(path.name for path in (tmp_path / "job").iterdir()) == [*names, "job.save", "lock"]


ARRAYS = {
    "in rows": np.zeros,
    "in columns": lambda shape: np.arange(np.prod(shape)).reshape(shape).T,
    "every second": lambda shape: np.ones((*shape, 2))[..., 1],
    "backwards": lambda shape: np.arange(np.prod(shape), dtype=">i8").reshape(shape)[::-1],
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_a_job_is_stopped_while_large_arrays_are_written_and_read(tmp_path, kind):
    polls, array = [], ARRAYS[kind]((2**10, 2**11))
    store = JobFolder(tmp_path, lambda: polls.append(1))
    pieces = array.nbytes // folder_module._PIECE
    store.write("circuit-0", "job 1", {}, [array])
    assert len(polls) > pieces
    polls.clear()
    (read,) = store.read("circuit-0").arrays
    assert len(polls) > 2 * pieces  # once for the checksum
    assert np.array_equal(read, array)
    assert read.dtype == array.dtype


def test_a_state_is_that_of_its_record_even_if_another_has_replaced_it(tmp_path):
    """Of several ranks that resume a job, the first may save it again before the last has read its state."""
    store = JobFolder(tmp_path, lambda: None)
    for old, new in ((1.0, 2.0), (3.0, None)):
        store.write("running", "job 1", {}, [], [np.full(4, old)])
        record = store.read("running")
        if new is None:
            store.remove("running")
        else:
            store.write("running", "job 1", {}, [], [np.full(4, new)])
        assert np.frombuffer(b"".join(record.state)).tolist() == [old] * 4


def test_a_file_is_closed_when_its_state_was_read_or_its_record_goes(tmp_path):
    store, count = JobFolder(tmp_path, lambda: None), psutil.Process().num_fds
    store.write("running", "job 1", {}, [], [np.zeros(4)])
    before = count()
    records = [store.read("running") for _ in range(3)]
    assert count() == before + 3
    b"".join(records[0].state)
    assert count() == before + 2
    del records
    assert count() == before


@pytest.mark.parametrize("poll", [1, 2, 3])
def test_nothing_is_left_of_a_save_that_was_cancelled(tmp_path, poll):
    left = [poll]

    def cancel():
        left[0] -= 1
        if not left[0]:
            raise Cancelled

    with pytest.raises(Cancelled):
        JobFolder(tmp_path, cancel).write("circuit-0", "job 1", {}, [np.zeros(2**21)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["arrays", "state"])
def test_a_save_is_written_through_to_the_disk_before_it_has_its_name(tmp_path, monkeypatch, name):
    seen = []
    monkeypatch.setattr(folder_module.os, "fsync", lambda _: seen.extend(path.name for path in tmp_path.iterdir()))
    numbers = {"arrays": ([np.zeros(4)], ()), "state": ([], [np.zeros(4)])}[name]
    JobFolder(tmp_path, lambda: None).write("circuit-0", "job 1", {}, *numbers)
    assert seen == ["circuit-0.save.new"]


def test_a_folder_without_a_job_is_refused(tmp_path):
    with pytest.raises(BasicAerError, match="holds no saved job; give the checkpoint_dir of one"):
        load_job(tmp_path)


@pytest.mark.parametrize("name", ["job.save", "job.json"])
def test_a_job_that_another_version_has_saved_in_its_own_form_is_refused(tmp_path, name):
    (tmp_path / name).write_text('{"format": "basicaer saved job 2"}', "utf-8")
    with pytest.raises(BasicAerError, match=f"{name} is not in the format that this version of basicaer writes"):
        load_job(tmp_path)


def test_a_folder_with_anything_in_it_is_not_written_to(tmp_path, device):
    (tmp_path / "precious").touch()
    with pytest.raises(BasicAerError, match="is not empty; give a new folder"):
        run(work_of([layers(5)]), Persistence(str(tmp_path), 0.0))
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, device):
    (tmp_path / "file").touch()
    with pytest.raises(BasicAerError, match="cannot be written"):
        run(work_of([layers(5)]), Persistence(str(tmp_path / "file" / "job"), 0.0))


def test_a_file_in_place_of_a_folder_is_refused_by_run(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BasicAerError, match=r"checkpoint_dir .* is not a folder; give a new one"):
        BACKEND.run(layers(5), checkpoint_dir=tmp_path / "file")


def test_another_version_is_refused_and_another_numpy_warned_of(lost, monkeypatch):
    folder, _ = lost
    with monkeypatch.context() as other:
        other.setattr(persister_module, "__version__", "99.0")
        with pytest.raises(BasicAerError, match=r"was saved by basicaer .*, this is 99.0; install that version"):
            load_job(folder)
    with monkeypatch.context() as other:
        other.setattr(persister_module.np, "__version__", "0.1")
        with pytest.warns(BasicAerWarning, match="saved with NumPy .*, this is 0.1; the last digits may differ"):
            load_job(folder)


def test_where_the_plan_is_another_one_the_circuit_that_ran_starts_anew_with_a_warning(lost, monkeypatch):
    folder, work = lost
    want = outcome(run(work))
    monkeypatch.setattr(suspended, "_digest", lambda _plan: "another")
    with pytest.warns(
        BasicAerWarning, match=r"continues on the \w+ .*of another kind: circuit 'layers 1' starts from the beginning"
    ):
        assert outcome(go_on(folder)) == want


def test_on_a_card_that_holds_tiles_otherwise_the_circuit_that_ran_starts_anew(lost, monkeypatch):
    folder, work = lost
    want = outcome(run(work))
    real = JobPersister._continuation

    def on_another_card(self, *args):
        return real(self, *args)._replace(device="GPU (tiles of 13, 4 and 3 bits)")

    monkeypatch.setattr(JobPersister, "_continuation", on_another_card)
    with pytest.warns(BasicAerWarning, match=r"saved on the GPU \(tiles of 13, 4 and 3 bits\) and continues on the"):
        assert outcome(go_on(folder)) == want


def test_on_another_device_the_circuit_that_ran_starts_anew_with_a_warning(lost, device):
    folder, work = lost
    want = outcome(run(work))
    device.name = "TPU"
    try:
        with pytest.warns(
            BasicAerWarning, match=r"continues on the TPU.*: circuit 'layers 1' starts from the beginning"
        ):
            assert outcome(go_on(folder)) == want
    finally:
        del device.name


def test_a_full_disk_does_not_end_the_job_and_the_save_before_stays(tmp_path, device, monkeypatch):
    work, folder = work_of([layers(7)]), tmp_path / "job"
    want = outcome(run(work))
    written, real = [], JobFolder._write_file

    def full(self, path, parts):
        written.append(path.name)
        if written.count("running.save.new") >= 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, path, parts)

    monkeypatch.setattr(JobFolder, "_write_file", full)
    with pytest.warns(BasicAerWarning, match=r"could not be saved in .*No space left on device.*it goes on"):
        assert outcome(run(work, Persistence(str(folder), 0.0))) == want
    monkeypatch.setattr(JobFolder, "_write_file", real)
    assert sorted(path.name for path in folder.iterdir()) == ["job.save", "lock", "running.save"]
    assert outcome(go_on(folder)) == want


@pytest.mark.parametrize("saves", [0, 2, 4])
@pytest.mark.parametrize("made_again", [False, True])
def test_a_job_whose_folder_was_deleted_is_not_saved_in_the_folder_of_another(
    tmp_path, device, monkeypatch, saves, made_again
):
    """Before it begins, while a circuit runs, and where one has ended."""
    work, folder = work_of([layers(6, 1), layers(7, 2)]), tmp_path / "job"
    want = outcome(run(work))
    pass_done, done, files = Suspension.pass_done, [], []

    def replace_folder():
        shutil.rmtree(folder)
        if made_again:
            with saved_new(folder, "another job") as save:
                save(work_of([layers(5)]))
            files.extend((path.name, path.read_bytes()) for path in sorted(folder.iterdir()))

    def replaced_after(suspension, suspended, state):
        pass_done(suspension, suspended, state)
        done.append(None)
        if len(done) == saves:
            replace_folder()

    monitor = Monitor()
    with saved_new(folder, "job 1") as save:
        save(work)
    if not saves:
        replace_folder()
    token = monitor_module.current_monitor.set(monitor)
    monkeypatch.setattr(Suspension, "pass_done", replaced_after)
    with pytest.warns(BasicAerWarning, match="is not saved any more, since .* was deleted or holds another") as caught:
        found = run_simulation("job 1", dataclasses.replace(work, persistence=Persistence(str(folder), 0.0)))
    monitor_module.current_monitor.reset(token)
    assert outcome(found) == want
    assert len(caught) == 1
    assert monitor.saved_in is None
    assert [(path.name, path.read_bytes()) for path in sorted(folder.glob("*"))] == files


def test_a_folder_that_is_deleted_while_it_is_written_to_keeps_no_save(tmp_path, device, monkeypatch):
    work, folder, real = work_of([layers(4, seed) for seed in range(2)]), tmp_path / "job", JobFolder._write_file

    def deleted(self, path, parts):
        real(self, path, parts)
        if path.name.startswith("circuit"):
            shutil.rmtree(folder)

    monkeypatch.setattr(JobFolder, "_write_file", deleted)
    with pytest.warns(BasicAerWarning) as caught:
        found = run(work, Persistence(str(folder), 1e9))
    assert outcome(found) == outcome(run(work))
    (told,) = (str(one.message) for one in caught)
    assert "was deleted or holds another job" in told


@pytest.mark.filterwarnings("ignore:The job could not be saved")
def test_what_a_full_disk_did_not_take_is_saved_before_what_comes_after_it(tmp_path, device, monkeypatch):
    work, folder, real = work_of([layers(4, seed) for seed in range(4)]), tmp_path / "job", JobFolder._write_file
    fails = [False, True, True, False]  # to save each of the circuits
    written = []

    def full(self, path, parts):
        if path.name.startswith("circuit") and fails.pop(0):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, path, parts)
        written.append(path.name.removesuffix(".save.new"))

    monkeypatch.setattr(JobFolder, "_write_file", full)
    fails += [False] * 9
    want = outcome(run(work, Persistence(str(folder), 1e9)))
    assert written == ["job", *(f"circuit-{position}" for position in range(4))]
    assert outcome(go_on(folder)) == want == outcome(run(work))


def test_where_warnings_are_errors_a_save_that_fails_is_told_as_that(lost, monkeypatch):
    def full(*_given):
        raise OSError(errno.ENOSPC, "No space left on device")

    job_id, work = load_job(lost[0])
    monkeypatch.setattr(JobFolder, "write", full)
    with pytest.raises(
        BasicAerWarning, match=r"could not be saved in .*No space left on device"
    ):  # as all warnings here
        run_resumed(job_id, dataclasses.replace(work, persistence=Persistence(str(lost[0]), 0.0)))


def test_where_warnings_are_errors_a_lock_that_cannot_be_is_told_as_that(tmp_path):
    store = JobFolder(tmp_path, lambda: None)
    with pytest.raises(BasicAerWarning, match="without locks"), store.damage_reported("job"):
        raise BasicAerWarning("a file system without locks")


# A job that does not fit here.


def wide(n):
    circuit = QuantumCircuit(n, 1, name="wide")
    circuit.h(range(n))
    circuit.measure(0, 0)
    return circuit


def saving_much():
    circuit = wide(12)
    save_density_matrix(circuit, range(12))
    return circuit


TOO_MUCH = {"state": (wide(22), 1), "saves": (saving_much(), 1), "shots": (wide(4), 2**20)}


@pytest.mark.parametrize("kind", TOO_MUCH)
def test_a_job_that_does_not_fit_here_is_refused_as_run_refuses_it(tmp_path, monkeypatch, kind):
    circuit, shots = TOO_MUCH[kind]
    with saved_new(tmp_path, "job 1") as save:
        save(work_of([wide(3), circuit], shots=shots, device="CPU"))
    load_job(tmp_path)
    monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _: 2**24)
    monkeypatch.setattr("basicaer.devices.memory.free_host_bytes", lambda: 2**24)
    with pytest.raises(BasicAerError, match=r"Circuit 'wide' needs .* are free") as of_run:
        BACKEND.run(circuit, shots=shots, device="CPU", checkpoint_dir=tmp_path / "new")
    with pytest.raises(BasicAerError) as of_resume:
        load_job(tmp_path)
    spill = r", spill=FOLDER keeps it in a file of 64 MiB( \(about .*?\))?"  # an option that resume does not have
    assert of_resume.value.message == re.sub(spill, "", of_run.value.message)
    for position in range(2):
        (tmp_path / f"circuit-{position}.save").touch()
    load_job(tmp_path)  # what has ended needs no state any more


# Whose folder it is.


@pytest.fixture
def halted(one_thread, monkeypatch, tmp_path):
    """A job that is being saved and has done its first pass; and its folder."""
    here, go = threading.Event(), threading.Event()
    pass_done = Suspension.pass_done

    def wait_after_it(suspension, suspended, state):
        pass_done(suspension, suspended, state)
        here.set()
        assert go.wait(GUARD)

    monkeypatch.setattr(Suspension, "pass_done", wait_after_it)
    folder = tmp_path / "job"
    job = BACKEND.run(layers(11), device="CPU", executor=one_thread, checkpoint_dir=folder, checkpoint_every=1e-9)
    assert here.wait(GUARD)
    yield job, folder
    go.set()
    assert job.result(GUARD).success


def test_a_job_that_runs_is_not_resumed_and_its_folder_not_given_to_another(halted):
    _, folder = halted
    before = sorted(folder.rglob("*"))
    with pytest.raises(BasicAerError, match=r"A running job is being saved in .*; wait until it has ended, or cancel"):
        BasicAer.resume(folder)
    with pytest.raises(BasicAerError, match="is not empty; give a new folder"):
        BACKEND.run(layers(5), checkpoint_dir=folder)
    assert sorted(folder.rglob("*")) == before


def test_a_folder_is_free_when_its_job_has_been_cancelled(one_thread, monkeypatch, tmp_path):
    pass_done = Suspension.pass_done

    def cancel_after_it(suspension, suspended, state):
        pass_done(suspension, suspended, state)
        monitor_module.current_monitor.get().cancel()

    monkeypatch.setattr(Suspension, "pass_done", cancel_after_it)
    job = BACKEND.run(layers(11), device="CPU", executor=one_thread, checkpoint_dir=tmp_path, checkpoint_every=1e-9)
    job.wait_for_final_state(GUARD)
    assert job.cancelled()
    monkeypatch.undo()
    assert BasicAer.resume(tmp_path).result(GUARD).success


def test_of_two_jobs_with_one_folder_the_second_is_refused_in_words(manual, tmp_path):
    options = {"executor": manual, "checkpoint_dir": tmp_path, "seed_simulator": 1}
    first = BACKEND.run(layers(5), **options)
    with pytest.raises(BasicAerError, match="is not empty; give a new folder"):
        BACKEND.run(layers(5), **options)
    manual.run_all()
    assert first.result(0).success
    again, and_again = (BasicAer.resume(tmp_path, executor=manual) for _ in "ab")
    manual.run_all()
    assert again.result(0).get_counts() == and_again.result(0).get_counts() == first.result(0).get_counts()


def test_a_folder_that_cannot_be_written_is_refused_by_run(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BasicAerError, match=r"checkpoint_dir .*file.job cannot be written: Not a directory\.$"):
        BACKEND.run(layers(5), checkpoint_dir=tmp_path / "file" / "job")


def test_a_job_that_is_cancelled_while_it_waits_can_be_resumed(tmp_path, one_thread, held):
    submitted(held, executor=one_thread)
    job = BACKEND.run(layers(5), executor=one_thread, checkpoint_dir=tmp_path, seed_simulator=1)
    assert job.cancel()
    held.go.set()
    assert BasicAer.resume(tmp_path).result(GUARD).get_counts() == of_seed_1()


def test_what_an_executor_does_not_take_leaves_its_folder_to_others(tmp_path):
    closed = ThreadPoolExecutor(1)
    closed.shutdown()
    with pytest.raises(RuntimeError):
        BACKEND.run(layers(5), executor=closed, checkpoint_dir=tmp_path)
    again = BACKEND.run(layers(5), checkpoint_dir=tmp_path, seed_simulator=1)
    assert again.result(GUARD).get_counts() == of_seed_1()


def of_seed_1():
    return BACKEND.run(layers(5), seed_simulator=1).result(GUARD).get_counts()


def test_of_two_jobs_that_find_a_folder_empty_at_once_one_gets_it(tmp_path, device, monkeypatch):
    other = JobFolder(tmp_path, lambda: None)
    lock = JobFolder.lock

    def after_another(store):
        monkeypatch.setattr(JobFolder, "lock", lock)
        other.begin("job 2", {}, [])
        other.unlock()
        lock(store)

    monkeypatch.setattr(JobFolder, "lock", after_another)
    with pytest.raises(BasicAerError, match="is not empty; give a new folder"):
        run(work_of([layers(5)]), Persistence(str(tmp_path), 0.0))


@pytest.mark.skipif(os.name != "posix", reason="locks are called otherwise there")
def test_where_there_are_no_locks_jobs_are_saved_with_a_warning(tmp_path, device, monkeypatch):
    def cannot(_file):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(lock_module, "_lock", cannot)
    work = work_of([layers(7)])
    with pytest.warns(BasicAerWarning, match="file system without locks .Function not implemented.; make sure"):
        got = run(work, Persistence(str(tmp_path / "job"), 0.0))
    assert outcome(got) == outcome(run(work))


def test_a_lock_that_fails_in_another_way_is_told(tmp_path, device, monkeypatch):
    def fails(_file):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(lock_module, "_lock", fails)
    with pytest.raises(BasicAerError, match=r"cannot be written: .*Input/output error"):
        run(work_of([layers(7)]), Persistence(str(tmp_path / "job"), 0.0))


FORK = """
import os, sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar
from basicaer.persistence.lock import FolderLock
lock, other = FolderLock(Path(sys.argv[1])), FolderLock(Path(sys.argv[1]))
assert lock.acquire() and lock.acquire() and not other.acquire()
(ready, begins), (ends, end) = os.pipe(), os.pipe()
if os.fork() == 0:
    os.close(end)
    os.write(begins, b"!")
    os.read(ends, 1)  # until the parent has ended
    os._exit(0)
os.read(ready, 1)
os.close(lock._file)  # as if it were killed here: nothing of ours is done
assert other.acquire()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_a_forked_child_does_not_keep_its_parents_lock(tmp_path):
    subprocess.run([sys.executable, "-c", FORK, str(tmp_path / "lock")], timeout=60, check=True)


def test_a_folder_is_meant_as_it_was_when_the_job_was_submitted(manual, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    BACKEND.run(layers(5), executor=manual, checkpoint_dir="job")
    monkeypatch.chdir("/")
    manual.run_all()
    assert (tmp_path / "job" / "job.save").is_file()


def test_saves_are_as_far_apart_as_was_asked_for(tmp_path, device, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(persister_module, "time", clock)
    saved = []
    JobFolder(tmp_path, lambda: None).begin("job 1", {}, [])
    persister = JobPersister(tmp_path, "job 1", 10.0, Monitor())
    monkeypatch.setattr(persister, "_write", lambda name, *_: saved.append((name, clock.now)))
    suspended, state = SimpleNamespace(_asdict=dict), SimpleNamespace(layout=dict, amplitude_parts=list)
    for seconds in (3, 6, 2, 9, 1):
        clock.now += seconds
        persister.persist(lambda: suspended, state)
    assert saved == [("running", clock.now - 10), ("running", clock.now)]


def killed_circuits():
    """Circuits that take some tenths of a second, saves and all."""
    return [layers(13, 1, depth=50), layers(16, 2, depth=50)]


BEGINS = """
import sys
sys.path.insert(0, {tests!r})
from test_saving import BACKEND, killed_circuits
print("begins", flush=True)
BACKEND.run(killed_circuits(), shots=300, seed_simulator=5, device="CPU", checkpoint_dir={folder!r},
            checkpoint_every=0.001).result()
"""
GOES_ON = """
from basicaer import BasicAer
print("begins", flush=True)
BasicAer.resume({folder!r}, checkpoint_every=0.001).result()
"""


def killed_and_resumed(folder, delays):
    """Kill a process with a job after each of the delays, and go on each time.

    Returns the counts at last, None if the job was not even written down, and how many processes were killed at work.
    """
    code, killed = BEGINS, 0
    for delay in delays:
        filled_in = code.format(tests=str(Path(__file__).parent), folder=str(folder))
        process = subprocess.Popen([sys.executable, "-c", filled_in], stdout=subprocess.PIPE, text=True)
        with process:
            assert process.stdout.readline() == "begins\n"
            try:
                process.wait(delay)
            except subprocess.TimeoutExpired:
                process.kill()
        killed += process.returncode == -signal.SIGKILL
        assert process.returncode in {0, -signal.SIGKILL}
        if not (folder / "job.save").is_file():
            return None, killed
        code = GOES_ON
    return BasicAer.resume(folder).result().get_counts(), killed


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9 on this platform")
def test_a_job_whose_process_is_killed_ends_with_the_same_counts(tmp_path):
    want = BACKEND.run(killed_circuits(), shots=300, seed_simulator=5, device="CPU").result().get_counts()
    got, _ = killed_and_resumed(tmp_path / "job", [0.15, 0.1])
    assert got in (None, want)


FULL = """
import resource, sys
sys.path.insert(0, {tests!r})
from test_saving import BACKEND, killed_circuits
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20 - 1, 2**20 - 1))  # no file may be larger, and the second state is
counts = BACKEND.run(killed_circuits(), shots=300, seed_simulator=5, device="CPU", checkpoint_dir={folder!r},
                     checkpoint_every=0.001).result().get_counts()
print(counts)
"""


@pytest.mark.skipif(importlib.util.find_spec("resource") is None, reason="there are no limits on files here")
def test_where_no_more_can_be_written_the_job_ends_as_it_would_and_can_be_resumed_from_before(tmp_path):
    folder = tmp_path / "job"
    code = FULL.format(tests=str(Path(__file__).parent), folder=str(folder))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "BasicAerWarning: The job could not be saved" in done.stderr
    assert "File too large" in done.stderr
    want = BACKEND.run(killed_circuits(), shots=300, seed_simulator=5, device="CPU").result().get_counts()
    assert ast.literal_eval(done.stdout) == want
    assert BasicAer.resume(folder).result().get_counts() == want


def test_the_progress_of_a_resumed_circuit_begins_where_it_was(device, tmp_path, monkeypatch):
    seen, begin_at = [], Monitor.begin_at

    def begin(monitor, passes):
        begin_at(monitor, passes)
        seen.append(monitor.passes)

    monkeypatch.setattr(Monitor, "begin_at", begin)
    folder = tmp_path / "job"
    with pytest.raises(Cancelled):
        run(work_of([layers(10)]), Persistence(str(folder), 0.0), StopsAfter(2))
    go_on(folder)
    assert seen == [2]
