"""Saved jobs that somebody has written anew, checksums and all: refused in a sentence, or run to the right counts."""

import contextlib
import dataclasses
import hashlib
import io
import itertools
import json
import os
import shutil
import socket

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.classical import expr, types
from qiskit.quantum_info import Pauli

from basicaer import BasicAer
from basicaer.cli.results import print_results
from basicaer.engine import monitor as monitor_module
from basicaer.engine import trajectories
from basicaer.engine.monitor import Monitor
from basicaer.engine.program import Form, Gate, Segment
from basicaer.errors import BasicAerError, Cancelled
from basicaer.library import (
    save_amplitudes,
    save_density_matrix,
    save_expectation_value,
    save_expectation_value_variance,
    save_outcome_probabilities,
    save_probabilities_dict,
    save_statevector,
    save_unitary,
)
from basicaer.persistence import folder as folder_module
from basicaer.persistence.codec import decoded, encoded
from basicaer.persistence.folder import JobFolder
from basicaer.persistence.persister import load_job
from basicaer.simulation import Persistence
from basicaer.simulators import running as running_module
from basicaer.simulators.running import run_resumed
from conftest import DEVICES
from test_saving import StopsAfter, layers, outcome, run, with_errors_drawn_first, work_of

SHOTS = 40
LONGEST = 500  # letters of a sentence, but for the path of the folder
SHARE = float(os.environ.get("BASICAER_SOAK_SHARE", "1"))  # of the slow test


@pytest.fixture(scope="module", autouse=True)
def _small_and_quick():
    device = DEVICES["CPU-tiny-tiles"]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running_module, "choose_device", lambda *_, **__: (device, "a test wants it"))
        patch.setattr(folder_module.os, "fsync", lambda _file: None)
        yield


def all_sorts():
    """A circuit with some of all that a save may hold: branches, control flow, expressions, values saved on the way."""
    circuit = QuantumCircuit(5, 3, name="all sorts")
    kept = circuit.add_var("kept", expr.lift(0, types.Uint(8)))
    circuit.compose(layers(5, 1, measured=False, depth=1), inplace=True)
    circuit.measure(0, 0)
    save_expectation_value(circuit, Pauli("XZ"), [0, 2], "mean")
    save_probabilities_dict(circuit, [1, 2], "each", pershot=True, conditional=True)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.store(kept, expr.bit_or(kept, expr.lift(3, types.Uint(8))))
        circuit.h(range(5))
    with circuit.switch(kept) as case:
        with case(3):
            circuit.initialize([0, 1], 1)
        with case(case.DEFAULT):
            circuit.swap(0, 2)
    with circuit.for_loop(range(2)):
        circuit.reset(4)
        circuit.compose(layers(5, 2, measured=False, depth=1), inplace=True)
    save_statevector(circuit, "last")
    circuit.measure([1, 2], [1, 2])
    save_outcome_probabilities(circuit, "outcomes")
    return circuit


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A job that was lost in its second circuit, after branches had parted: its folder, and what it would give."""
    work = work_of([layers(4, 1, depth=1), all_sorts()], shots=SHOTS, memory=True)
    want = outcome(run(work))
    folder = tmp_path_factory.mktemp("saved") / "job"
    with pytest.raises(Cancelled):
        run(work, Persistence(str(folder), 0.0), StopsAfter(20))
    assert sorted(path.stem for path in folder.iterdir()) == ["circuit-0", "job", "lock", "running"]
    return folder, want


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved[0], tmp_path / "job")


def parts_of(folder, name):
    """Return the parts of a save: its first line, its JSON, and all numbers."""
    content = (folder / f"{name}.save").read_bytes()
    first, _, rest = content.partition(b"\n")
    length = json.loads(first)["length"]
    return first, rest[:length], rest[length : -len(checksum(b""))]


def body_of(folder, name):
    return json.loads(parts_of(folder, name)[1])


def checksum(content):
    return hashlib.blake2b(content, digest_size=16).hexdigest().encode()


def rewrite(folder, name, body=None, numbers=None, first=None):
    """Put other bytes into a save, and make its length and checksum right."""
    _, body_before, numbers_before = parts_of(folder, name)
    body = body_before if body is None else body
    first = json.dumps({"format": "basicaer saved job 7", "length": len(body)}).encode() if first is None else first
    content = first + b"\n" + body + (numbers_before if numbers is None else numbers)
    (folder / f"{name}.save").write_bytes(content + checksum(content))


def go_on(folder):
    job_id, work = load_job(folder)
    token = monitor_module.current_monitor.set(Monitor())
    try:
        return run_resumed(job_id, dataclasses.replace(work, persistence=Persistence(str(folder), 1e9)))
    finally:
        monitor_module.current_monitor.reset(token)


# Every field, with the checksums made right again.

ODD = [
    None, -1, 10**30, 0.5, float("nan"), True, "", "x", [], [[1]], {},
    {"!": "Fraction", "is": [1, 0]}, {"!": "Fraction", "is": 2}, {"!": "array", "is": 0}, {"!": "array", "is": -1},
    {"!": "nothing", "is": {}}, {"!": "tuple", "is": []}, {"!": "tuple", "is": ""}, {"!": "dict", "is": [[[], 1]]},
    {"!": "complex", "is": [1, 2, 3]}, {"!": "Precision", "is": "x"}, {"!": "Measure", "is": {"qubit": -1}},
]  # fmt: skip


SHOWN = [
    None, "two\nlines", "\x1b[31m", "\ud800", "x" * 10**4, 0, -5, 10**9, 10**15, 1e308, float("inf"), False,
    [["c", -1]], [["c", 10**15]], [["c\n", 1]] * 100, {"!": "dict", "is": [["counts", 5]]},
    {"!": "dict", "is": [["memory_slots", 10**15]]}, {"!": "dict", "is": [["0xzz", 40]]},
    {"!": "dict", "is": [["0x1", 40]]}, {"!": "dict", "is": [["0x0", 40]]}, 10**400,
]  # fmt: skip


def places(node, path=()):
    """Yield the path to everything in a content."""
    yield path
    for key, inner in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from places(inner, (*path, key))


def at(content, path):
    for key in path:
        content = content[key]
    return content


def replaced(content, path, value):
    if not path:
        return value
    changed = content.copy()
    changed[path[0]] = replaced(content[path[0]], path[1:], value)
    return changed


def kinds_of_places(content):
    """Return a path to each kind of place, two where there are; a place in a list makes no other kind."""
    found = {}
    for path in places(content):
        found.setdefault(tuple("#" if isinstance(key, int) else key for key in path), []).append(path)
    return [path for paths in found.values() for path in (paths[0], paths[-1])[: len(paths)]]


def might_be_anothers(path, old, new):
    """Whether a value is of the type of the one that it replaces, so that a job might have been saved with it."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old.get("!") == new.get("!")
    is_constant = path[-1:] == ("value",) or "cases" in path  # which may be of any of these types
    return type(old) is type(new) or (is_constant and all(isinstance(one, bool | int | float) for one in (old, new)))


def saves_of(folder):
    return [path.read_bytes() for path in sorted(folder.glob("*.save"))]


def read_all(result):
    """Read all of a result that anybody reads, as Qiskit does and the command line."""
    for position, experiment in enumerate(result.results):
        result.data(position)
        if hasattr(experiment.data, "counts"):
            result.get_counts(position)
        if hasattr(experiment.data, "memory"):
            result.get_memory(position)
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), "utf-8")):
        for as_json in (False, True):
            print_results(result, as_json=as_json)


def check_forged(folder, saved, name, cases):
    body, (whole, want) = body_of(saved[0], name), saved
    refused, saves = 0, None
    for path, value in cases:
        if saves != saves_of(folder):  # the job went on
            shutil.rmtree(folder)
            shutil.copytree(whole, folder)
        rewrite(folder, name, json.dumps(replaced(body, path, value)).encode())
        saves = saves_of(folder)
        result, said = None, ""
        try:
            result = go_on(folder)
        except BasicAerError as error:
            said = error.message
        if result is None:
            assert "\n" not in said, f"{path}: {value}"
            assert 0 < len(said) < LONGEST + 2 * len(str(folder)), f"{path}: {value}"
            refused += 1
            continue
        read_all(result)
        got = outcome(result)
        assert [shots_of(one) for one in got] == [shots_of(one) for one in want], f"{path}: {value}"
        if not might_be_anothers(path, at(body, path), value):
            assert [comparable(one) for one in got] == [comparable(one) for one in want], f"{path}: {value}"
    return refused


def shots_of(named):
    _, data = named
    return len(data) if isinstance(data, list) else sum(data["counts"].values())


def comparable(named):
    _, data = named
    return data if isinstance(data, list) else (data["counts"], data["memory"])


@pytest.mark.filterwarnings("ignore:.*last digits may differ")
@pytest.mark.parametrize("name", ["job", "circuit-0", "running"])
def test_no_forged_field_ends_in_anything_but_a_sentence_or_the_right_counts(saved, folder, name):
    cases = list(zip(kinds_of_places(body_of(folder, name)), itertools.cycle(ODD), strict=False))
    assert check_forged(folder, saved, name, cases) > 0.9 * len(cases)


def test_no_forged_field_of_shots_with_errors_ends_in_anything_else(tmp_path, monkeypatch):
    monkeypatch.setattr(trajectories, "MOST_AMPLITUDES", 2**4 * 3)
    work = work_of([with_errors_drawn_first(4)], shots=SHOTS, memory=True)
    want = outcome(run(work))
    whole, folder = tmp_path / "whole", tmp_path / "job"
    with pytest.raises(Cancelled):
        run(work, Persistence(str(whole), 0.0), StopsAfter(8))
    shutil.copytree(whole, folder)
    body = body_of(folder, "running")
    assert "attempts" in json.dumps(body)
    cases = list(zip(kinds_of_places(body), itertools.cycle(ODD), strict=False))
    assert check_forged(folder, (whole, want), "running", cases) > 0.9 * len(cases)


@pytest.mark.parametrize("odd", ["", "x", [], {}, 0, None, ["gate"]])
def test_what_should_be_a_sequence_is_one(odd):
    whole = encoded(Segment((Gate("x", "X", (0,), Form.PERMUTATION, np.array([1, 0])),)), arrays := [])
    assert len(decoded(whole, arrays).gates) == 1
    whole["is"]["gates"] = odd
    with pytest.raises((BasicAerError, ValueError, TypeError, KeyError)):
        decoded(whole, arrays)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*last digits may differ")
@pytest.mark.parametrize("name", ["job", "circuit-0", "running"])
def test_no_forged_field_with_any_odd_value_ends_in_anything_else(saved, folder, name):
    cases = list(itertools.product(kinds_of_places(body_of(folder, name)), ODD))
    cases = cases[:: round(1 / SHARE)]
    assert check_forged(folder, saved, name, cases) > 0.9 * len(cases)


READERS = {"job": {"header", "versions", "job", "name"}, "circuit-0": {"is"}}  # whatever a result or a message shows


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*last digits may differ", "ignore:.*has no classical bits")
@pytest.mark.parametrize(
    ("name", "kind"),
    [("job", "with bits"), *(("circuit-0", kind) for kind in ("with bits", "without bits", "a state"))],
)
def test_what_a_result_shows_can_be_shown_whatever_was_forged(tmp_path, name, kind):
    """Every field that comes into a result, with every value that is hard to show."""
    circuit = layers(2, 1, depth=1, measured=kind == "with bits")
    backend = BasicAer.get_backend("statevector_simulator" if kind == "a state" else "qasm_simulator")
    work = work_of([circuit], shots=SHOTS, memory=kind != "a state", backend=backend)
    whole, folder = tmp_path / "whole", tmp_path / "job"
    want = outcome(run(work, Persistence(str(whole), 0.0)))
    shutil.copytree(whole, folder)
    body = body_of(whole, name)
    paths = [path for path in places(body) if READERS[name] & set(path) and path[0] != "arrays"]
    cases = [(path, value) for path in paths for value in SHOWN]
    assert check_forged(folder, (whole, want), name, cases)


@pytest.mark.parametrize(
    ("field", "value"),
    [("job", "two\nlines"), ("memory_slots", -5), ("memory_slots", 10**9), ("creg_sizes", [["c", -1]])],
)
def test_what_no_job_is_saved_with_is_refused_when_it_is_read(folder, field, value):
    body = body_of(folder, "job")
    entries = [path for path in places(body) if path and path[-1] == 0 and at(body, path) == field]
    path = (*entries[0][:-1], 1) if entries else (field,)
    rewrite(folder, "job", json.dumps(replaced(body, path, value)).encode())
    with pytest.raises(BasicAerError, match=DAMAGED):
        load_job(folder)


def test_a_place_that_is_no_number_is_damaged(folder):
    """Nothing comes before or after it, so that saves up to there would be done again."""
    body = body_of(folder, "running")
    (path, *_) = [path for path in places(body) if path and path[-1] == "saved_until"]
    forged = replaced(body, path, {"!": "tuple", "is": [float("nan")]})
    rewrite(folder, "running", json.dumps(forged).encode())
    with pytest.raises(BasicAerError, match=DAMAGED):
        go_on(folder)


def test_what_is_not_forged_gives_what_the_job_would_have_given(saved, folder):
    for name in ("job", "circuit-0", "running"):
        rewrite(folder, name, json.dumps(body_of(folder, name), indent=1).encode())
    assert outcome(go_on(folder)) == saved[1]


def looping():
    circuit = layers(3, 1, measured=False, depth=1)
    with circuit.for_loop(range(2)):
        circuit.h(0)
    save_unitary(circuit, "half")
    circuit.cx(0, 2)
    return circuit


def idling():
    circuit = QuantumCircuit(6, 2)
    circuit.compose(layers(4, 3, measured=False, depth=2), [0, 1, 2, 4], inplace=True)
    save_statevector(circuit, "middle")
    save_amplitudes(circuit, [0, 2], "some")
    save_density_matrix(circuit, [1, 4], "part")
    save_expectation_value_variance(circuit, Pauli("XZ"), [1, 3], "both")
    circuit.compose(layers(4, 4, measured=False, depth=2), [0, 1, 2, 4], inplace=True)
    circuit.measure(1, 1)
    return circuit


SIMULATORS = {"qasm_simulator": idling, "statevector_simulator": idling, "unitary_simulator": looping}


@pytest.mark.parametrize("name", SIMULATORS)
def test_what_any_simulator_saves_is_read_again(name, tmp_path):
    work = work_of([SIMULATORS[name]()] * 2, backend=BasicAer.get_backend(name), shots=3)
    whole = run(work, Persistence(str(tmp_path / "whole"), 0.0))
    with pytest.raises(Cancelled):
        run(work, Persistence(str(tmp_path / "lost"), 0.0), StopsAfter(2))
    for folder in ("whole", "lost"):
        got = go_on(tmp_path / folder)
        assert repr(got.to_dict()["results"][-1]["data"]) == repr(whole.to_dict()["results"][-1]["data"])


NAMES = ["job", "circuit-0", "running"]
REMEDIES = "(run it again from the start|delete running.save in it to repeat that circuit)"
DAMAGED = rf"The saved job in .*job is damaged \(.*\); {REMEDIES}"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ["", "[", "[" * 10**5, "null", "[]", "{}", '"x"', "9" * 5000, "\udcff", "\0"])
def test_a_save_that_is_something_else_is_damaged(folder, name, text):
    rewrite(folder, name, text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BasicAerError, match=DAMAGED):
        go_on(folder)


ARRAYS = {
    "none": [],
    "not there": [["<f8", [2**40]]],
    "together more than there is": [["<f8", [2**10]]] * 600,
    "negative": [["<f8", [-3]]],
    "negative twice": [["<f8", [-3, -3]]],
    "no whole number": [["<f8", [1.0]]],
    "objects": [["|O", [1]]],
    "records": [[[["a", "<f8"]], [1]]],
    "no type": [["x", [1]]],
    "nothing": [None],
    "no list": 3,
    "too many dimensions": [["<f8", [1] * 99]],
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ARRAYS)
def test_forged_arrays_are_damaged(folder, name, kind, monkeypatch):
    made = []
    empty = np.empty
    monkeypatch.setattr(folder_module.np, "empty", lambda *given: made.append(empty(*given)) or made[-1])
    body = body_of(folder, name) | {"arrays": ARRAYS[kind], "is": {"!": "dict", "is": []}}
    rewrite(folder, name, json.dumps(body).encode(), numbers=bytes(2**14))
    with pytest.raises(BasicAerError, match=DAMAGED):
        go_on(folder)
    assert sum(array.nbytes for array in made) < sum(path.stat().st_size for path in folder.iterdir())


@pytest.mark.parametrize("change", [lambda numbers: numbers[:-16], lambda numbers: numbers + bytes(16), lambda _: b""])
def test_a_state_of_another_size_is_damaged(folder, change):
    rewrite(folder, "running", numbers=change(parts_of(folder, "running")[2]))
    with pytest.raises(BasicAerError, match=DAMAGED):
        go_on(folder)


def test_more_passes_than_there_are_cannot_have_been_done(folder):
    content = body_of(folder, "running")
    (done,) = (path for path in places(content) if path and at(content, path) == "passes_done")
    path = (*done[:-1], 1)
    rewrite(folder, "running", json.dumps(replaced(content, path, 10**6)).encode())
    with pytest.raises(BasicAerError, match=r"1000000 passes of .* are said to be done"):
        go_on(folder)


def test_a_job_that_fails_for_want_of_memory_says_so(folder, monkeypatch):
    def no_room(*_given):
        raise MemoryError("no room")

    with monkeypatch.context() as here:
        here.setattr(JobFolder, "_array", no_room)
        with pytest.raises(BasicAerError, match=r"does not fit into memory \(no room\); free some"):
            go_on(folder)
    monkeypatch.setattr(running_module, "run_simulation", no_room)
    with pytest.raises(BasicAerError, match=r"cannot be resumed .*free some memory and resume it again"):
        go_on(folder)


LENGTHS = [
    json.dumps({"format": "basicaer saved job 7", "length": length}) for length in (-1, 0, 2**60, None, 0.5, "x")
]


@pytest.mark.parametrize("first", ["", "null", "[]", "7", "[" * 10**5, '{"format": "basicaer saved job 1"}', *LENGTHS])
@pytest.mark.parametrize("name", NAMES)
def test_a_first_line_that_is_something_else_is_damaged(folder, name, first):
    rewrite(folder, name, first=first.encode())
    with pytest.raises(BasicAerError, match=DAMAGED):
        go_on(folder)


@pytest.mark.parametrize("new", ["running.save", "running.save.new"])
def test_a_link_in_the_place_of_a_save_is_replaced_and_not_written_through(folder, tmp_path, new):
    letter = tmp_path / "letter"
    letter.write_text("precious", "utf-8")
    (folder / new).unlink(missing_ok=True)
    (folder / new).symlink_to(letter)
    store = JobFolder(folder, lambda: None)
    store.write("running", "job 1", {}, [])
    assert not (folder / "running.save").is_symlink()
    (folder / new).unlink(missing_ok=True)
    (folder / new).symlink_to(letter)
    store.remove("running")
    assert not (folder / new).is_symlink()
    assert letter.read_text("utf-8") == "precious"


@pytest.mark.parametrize(
    "stray", ["running (copy).save", "circuit-9.save", "circuit-x.save", "latest-1", "job.old", "x"]
)
@pytest.mark.parametrize("make", ["mkdir", "touch"])
def test_a_stray_name_does_not_end_a_job(saved, folder, stray, make):
    getattr(folder / stray, make)()
    assert outcome(go_on(folder)) == saved[1]
    assert (folder / stray).exists()


# What is no file never keeps anybody waiting.


def a_pipe(path):
    os.mkfifo(path)


def a_socket(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))  # such a path may not be long


def a_link(path):
    path.symlink_to("/dev/zero")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
@pytest.mark.parametrize("make", [a_pipe, a_socket, a_link, os.mkdir])
@pytest.mark.parametrize("name", ["job.save", "circuit-0.save", "running.save", "lock"])
def test_what_is_no_regular_file_is_refused_at_once(folder, make, name, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / name).unlink()
    make(folder / name)
    with pytest.raises(BasicAerError, match=r"is not a regular file"):
        BasicAer.resume(folder).result()


# Nothing was saved yet.

BEFORE_THE_FIRST_SAVE = {"the lock": ["lock"], "some of the job": ["lock", "job.save.new"]}


def leave(folder, names):
    for name in names:
        if name.endswith("/"):
            (folder / name).mkdir(parents=True)
        else:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()


@pytest.mark.parametrize("kind", BEFORE_THE_FIRST_SAVE)
def test_a_folder_in_which_nothing_was_saved_yet_can_be_run_in_again(tmp_path, kind, manual):
    folder = tmp_path / "job"
    leave(folder, BEFORE_THE_FIRST_SAVE[kind])
    with pytest.raises(BasicAerError, match=r"was lost before it was saved; run it again, in the same folder"):
        BasicAer.resume(folder)
    backend = BasicAer.get_backend("qasm_simulator")
    job = backend.run(layers(4), checkpoint_dir=folder, executor=manual, seed_simulator=1)
    manual.run_all()
    want = job.result(0).get_counts()
    assert sorted(path.name for path in folder.iterdir()) == ["circuit-0.save", "job.save", "lock"]
    again = BasicAer.resume(folder, executor=manual)
    manual.run_all()
    assert again.result(0).get_counts() == want


@pytest.mark.parametrize(
    "other", ["job/", "job.save.old", "running.save", "circuit-0.save", "letter", "lock/", "job.save.new/"]
)
def test_a_folder_with_anything_else_in_it_is_not_run_in(tmp_path, other):
    folder = tmp_path / "job"
    leave(folder, [other])
    before = sorted(folder.rglob("*"))
    with pytest.raises(BasicAerError, match="is not empty; give a new folder"):
        BasicAer.get_backend("qasm_simulator").run(layers(4), checkpoint_dir=folder)
    with pytest.raises(BasicAerError, match="holds no saved job; give the checkpoint_dir of one"):
        BasicAer.resume(folder)
    assert sorted(folder.rglob("*")) == before


def test_a_job_that_is_just_being_written_down_keeps_its_folder(tmp_path):
    folder = tmp_path / "job"
    leave(folder, ["job.save.new"])
    other = JobFolder(folder, lambda: None)
    other.lock()
    with pytest.raises(BasicAerError, match="A running job is being saved in"):
        BasicAer.get_backend("qasm_simulator").run(layers(4), checkpoint_dir=folder)
    with pytest.raises(BasicAerError, match="A running job is being saved in"):
        BasicAer.resume(folder)
    other.unlock()


@pytest.mark.parametrize("place", ["\0", "x" * 300])
def test_a_path_that_the_system_does_not_take_is_a_sentence(place, manual):
    def run_there():
        job = BasicAer.get_backend("qasm_simulator").run(layers(4), checkpoint_dir=place, executor=manual)
        manual.run_all()
        job.result(0)

    with pytest.raises(BasicAerError, match=r"checkpoint_dir must be the path of a folder"):
        run_there()
    with pytest.raises(BasicAerError, match=r"must be the path of a folder|holds no saved job"):
        BasicAer.resume(place)
