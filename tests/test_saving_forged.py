"""Saved jobs that somebody has written anew, checksums and all: refused in a sentence, or run to the right counts."""

import dataclasses
import hashlib
import io
import itertools
import json
import os
import shutil
import socket
import zipfile

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.classical import expr, types
from qiskit.quantum_info import Pauli

from basicaer import BasicAer
from basicaer.engine import checkpoint as checkpoint_module
from basicaer.engine.checkpoint import Checkpoint
from basicaer.errors import BasicAerError, Cancelled
from basicaer.library import (
    save_amplitudes,
    save_density_matrix,
    save_expectation_value,
    save_expectation_value_variance,
    save_probabilities_dict,
    save_statevector,
    save_unitary,
)
from basicaer.saving import saver as saver_module
from basicaer.saving import store as store_module
from basicaer.saving.saver import load_work, run_saved
from basicaer.saving.store import Store
from basicaer.simulators import work as work_module
from basicaer.simulators.work import Saving
from conftest import DEVICES
from test_saving import StopsAfter, layers, outcome, run, work_of

SHOTS = 40
SHARE = float(os.environ.get("BASICAER_SOAK_SHARE", "1"))  # of the slow test


@pytest.fixture(scope="module", autouse=True)
def _small_and_quick():
    device = DEVICES["CPU-tiny-tiles"]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work_module, "choose_device", lambda *_: (device, "a test wants it"))
        patch.setattr(store_module.os, "fsync", lambda _file: None)
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
    return circuit


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A job that was lost in its second circuit, after branches had parted: its folder, and what it would give."""
    work = work_of([layers(4, 1, depth=1), all_sorts()], shots=SHOTS, memory=True)
    want = outcome(run(work))
    folder = tmp_path_factory.mktemp("saved") / "job"
    with pytest.raises(Cancelled):
        run(work, Saving(str(folder), 0.0), StopsAfter(20))
    latest = content_of(folder, "latest")
    assert [entry[0] for entry in latest["finished"]["is"]] == [0]
    assert latest["running"] is not None
    return folder, want


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved[0], tmp_path / "job")


def save_of(folder, name):
    return folder / json.loads((folder / f"{name}.json").read_text("utf-8"))["folder"]


def content_of(folder, name):
    return json.loads((save_of(folder, name) / "save.json").read_text("utf-8"))


def summed(content):
    return [len(content), hashlib.blake2b(content, digest_size=16).hexdigest()]


def rewrite(folder, name, file, content):
    """Put other bytes into a file of a save, and make its length and checksum right."""
    manifest = json.loads((folder / f"{name}.json").read_text("utf-8"))
    (folder / manifest["folder"] / file).write_bytes(content)
    manifest["files"][file] = summed(content)
    (folder / f"{name}.json").write_text(json.dumps(manifest), "utf-8")


def go_on(folder):
    job_id, work = load_work(folder)
    token = checkpoint_module.current_checkpoint.set(Checkpoint())
    try:
        return run_saved(job_id, dataclasses.replace(work, saving=Saving(str(folder), 1e9, resume=True)))
    finally:
        checkpoint_module.current_checkpoint.reset(token)


# Every field, with the checksums made right again.

ODD = [
    None, -1, 10**30, 0.5, float("nan"), True, "", "x", [], [[1]], {},
    {"!": "Fraction", "is": [1, 0]}, {"!": "Fraction", "is": 2}, {"!": "array", "is": 0}, {"!": "array", "is": -1},
    {"!": "nothing", "is": {}}, {"!": "tuple", "is": []}, {"!": "tuple", "is": ""}, {"!": "dict", "is": [[[], 1]]},
    {"!": "complex", "is": [1, 2, 3]}, {"!": "Precision", "is": "x"}, {"!": "Measure", "is": {"qubit": -1}},
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


def manifests_of(folder):
    return [path.read_bytes() for path in sorted(folder.glob("*.json"))]


def check_forged(folder, saved, name, cases):
    content, (whole, want) = content_of(saved[0], name), saved
    refused, manifests = 0, None
    for path, value in cases:
        if manifests != manifests_of(folder):  # the job went on
            shutil.rmtree(folder)
            shutil.copytree(whole, folder)
        text = json.dumps(replaced(content, path, value))
        rewrite(folder, name, "save.json", text.encode())
        manifests = manifests_of(folder)
        try:
            got = outcome(go_on(folder))
        except BasicAerError:
            refused += 1
            continue
        counts = [sum(data["counts"].values()) for _, data in got]
        assert counts == [SHOTS, SHOTS], f"{path}: {value}"
        if not might_be_anothers(path, at(content, path), value):
            same = [(one["counts"], one["memory"]) for _, one in got]
            assert same == [(one["counts"], one["memory"]) for _, one in want], f"{path}: {value}"
    return refused


@pytest.mark.filterwarnings("ignore:.*the last digits may differ")
@pytest.mark.parametrize("name", ["job", "latest"])
def test_no_forged_field_ends_in_anything_but_a_sentence_or_the_right_counts(saved, folder, name):
    cases = list(zip(kinds_of_places(content_of(folder, name)), itertools.cycle(ODD), strict=False))
    assert check_forged(folder, saved, name, cases) > 0.9 * len(cases)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*the last digits may differ")
@pytest.mark.parametrize("name", ["job", "latest"])
def test_no_forged_field_with_any_odd_value_ends_in_anything_else(saved, folder, name):
    cases = list(itertools.product(kinds_of_places(content_of(folder, name)), ODD))
    cases = cases[:: round(1 / SHARE)]
    assert check_forged(folder, saved, name, cases) > 0.9 * len(cases)


def test_what_is_not_forged_gives_what_the_job_would_have_given(saved, folder):
    for name in ("job", "latest"):
        rewrite(folder, name, "save.json", json.dumps(content_of(folder, name), indent=1).encode())
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
    whole = run(work, Saving(str(tmp_path / "whole"), 0.0))
    with pytest.raises(Cancelled):
        run(work, Saving(str(tmp_path / "lost"), 0.0), StopsAfter(2))
    for folder in ("whole", "lost"):
        got = go_on(tmp_path / folder)
        assert repr(got.to_dict()["results"][-1]["data"]) == repr(whole.to_dict()["results"][-1]["data"])


DAMAGED = r"The saved job in .*job is damaged \(.*\); run it again from the start"


@pytest.mark.parametrize("name", ["job", "latest"])
@pytest.mark.parametrize("text", ["", "[", "[" * 10**5, "null", "[]", "{}", '"x"', "9" * 5000, "\udcff", "\0"])
def test_a_save_that_is_something_else_is_damaged(folder, name, text):
    rewrite(folder, name, "save.json", text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BasicAerError, match=DAMAGED):
        go_on(folder)


def npz(files, compression=zipfile.ZIP_STORED):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def npy(array, **header):
    made = io.BytesIO()
    described = np.lib.format.header_data_from_array_1_0(array) | header
    np.lib.format.write_array_header_1_0(made, described)
    return made.getvalue() + array.tobytes()


HUGE = {"shape": (2**40,)}
ARRAYS = {
    "nothing": b"",
    "no archive": b"PK but no more",
    "none": npz({}),
    "other names": npz({"x.npy": npy(np.arange(3))}),
    "no array": npz({"0.npy": b"x"}),
    "a shape that is not there": npz({"0.npy": npy(np.arange(3), **HUGE)}),
    "negative": npz({"0.npy": npy(np.arange(3), shape=(-3,))}),
    "objects": npz({"0.npy": npy(np.arange(3), descr="|O")}),
    "packed": npz({"0.npy": npy(np.zeros(10**6))}, zipfile.ZIP_DEFLATED),
}


@pytest.mark.parametrize("name", ["job", "latest"])
@pytest.mark.parametrize("arrays", ARRAYS)
def test_forged_arrays_are_damaged(folder, name, arrays):
    rewrite(folder, name, "arrays.npz", ARRAYS[arrays])
    with pytest.raises(BasicAerError, match=DAMAGED):
        go_on(folder)


@pytest.mark.parametrize("change", [lambda state: state[:-16], lambda state: state + bytes(16), lambda _: b""])
def test_a_state_of_another_size_is_damaged(folder, change):
    rewrite(folder, "latest", "state.bin", change((save_of(folder, "latest") / "state.bin").read_bytes()))
    with pytest.raises(BasicAerError, match=DAMAGED):
        go_on(folder)


def test_more_passes_than_there_are_cannot_have_been_done(folder):
    content = content_of(folder, "latest")
    (done,) = (path for path in places(content) if path and at(content, path) == "passes_done")
    path = (*done[:-1], 1)
    rewrite(folder, "latest", "save.json", json.dumps(replaced(content, path, 10**6)).encode())
    with pytest.raises(BasicAerError, match=r"1000000 passes of .* are said to be done"):
        go_on(folder)


def test_a_job_that_fails_for_want_of_memory_says_so(folder, monkeypatch):
    def no_room(*_given):
        raise MemoryError("no room")

    with monkeypatch.context() as here:
        here.setattr(store_module, "_array", no_room)
        with pytest.raises(BasicAerError, match=r"does not fit into memory \(no room\); free some"):
            go_on(folder)
    monkeypatch.setattr(saver_module, "run_work", no_room)
    with pytest.raises(BasicAerError, match=r"cannot go on .*free some memory and resume it again"):
        go_on(folder)


# Names from files are data.

NAMES = ["..", "../precious", ".", "", "job-1/../..", "latest-1\n", "latest-x", "lock", 7, None, ["latest-1"]]


@pytest.fixture
def precious(tmp_path):
    """A folder beside the job's that looks like a save of it."""
    folder = tmp_path / "precious"
    folder.mkdir()
    for name in ("save.json", "arrays.npz", "state.bin", "letter"):
        (folder / name).write_text(name, "utf-8")
    yield folder
    assert sorted(path.name for path in folder.iterdir()) == ["arrays.npz", "letter", "save.json", "state.bin"]


@pytest.mark.parametrize("given", [*NAMES, "absolute"])
def test_the_name_of_a_folder_is_followed_neither_to_read_nor_to_remove(folder, precious, given):
    manifest = json.loads((folder / "latest.json").read_text("utf-8"))
    manifest["folder"] = str(precious) if given == "absolute" else given
    (folder / "latest.json").write_text(json.dumps(manifest), "utf-8")
    before = sorted(folder.rglob("*"))
    with pytest.raises(BasicAerError, match=DAMAGED):
        go_on(folder)
    assert sorted(folder.rglob("*")) == before
    Store(folder, lambda: None).save({}, [], None)
    assert (folder / "job.json").is_file()


@pytest.mark.parametrize(
    "files",
    [
        None,
        [],
        {},
        {"../precious/letter": summed(b"letter")},
        {"/dev/zero": [1, "x"]},
        {"save.json": None},
        "save.json",
    ],
)
def test_the_names_of_files_are_not_followed(folder, precious, files):
    manifest = json.loads((folder / "latest.json").read_text("utf-8"))
    manifest["files"] = manifest["files"] | files if isinstance(files, dict) and files else files
    (folder / "latest.json").write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(BasicAerError, match=DAMAGED):
        go_on(folder)


@pytest.mark.parametrize("text", ["", "null", "[]", "7", "[" * 10**5, '{"format": "basicaer saved job 1"}'])
@pytest.mark.parametrize("name", ["job", "latest"])
def test_a_manifest_that_is_something_else_is_damaged(folder, name, text):
    (folder / f"{name}.json").write_text(text, "utf-8")
    with pytest.raises(BasicAerError, match=DAMAGED):
        go_on(folder)


def test_a_link_in_the_place_of_a_save_leads_neither_reading_nor_removing_elsewhere(folder, precious):
    place = save_of(folder, "latest")
    shutil.rmtree(place)
    place.symlink_to(precious, target_is_directory=True)
    with pytest.raises(BasicAerError, match=DAMAGED):
        go_on(folder)
    Store(folder, lambda: None).save({}, [], None)
    assert place.is_symlink()


@pytest.mark.parametrize("new", ["latest.json", "latest.json.new"])
def test_a_link_in_the_place_of_a_manifest_is_replaced_and_not_written_through(folder, precious, new):
    (folder / new).unlink(missing_ok=True)
    (folder / new).symlink_to(precious / "letter")
    Store(folder, lambda: None).save({}, [], None)
    assert not (folder / "latest.json").is_symlink()
    assert (precious / "letter").read_text("utf-8") == "letter"


def test_what_else_stands_in_a_saves_folder_is_not_removed(folder):
    kept = save_of(folder, "latest") / "notes"
    kept.touch()
    Store(folder, lambda: None).save({}, [], None)
    assert [path.name for path in kept.parent.iterdir()] == ["notes"]


@pytest.mark.parametrize(
    "stray", ["latest-1 (copy)", "latest-", "latest-x", "latest-99999999999999999999", "job-old", "x"]
)
@pytest.mark.parametrize("make", ["mkdir", "touch"])
def test_a_stray_name_does_not_end_a_job(saved, folder, stray, make):
    getattr(folder / stray, make)()
    assert outcome(go_on(folder)) == saved[1]
    if not stray.rpartition("-")[2].isdecimal() or make == "touch":
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
@pytest.mark.parametrize("name", ["job.json", "latest.json", "save.json", "arrays.npz", "state.bin", "lock"])
def test_what_is_no_regular_file_is_refused_at_once(folder, make, name, monkeypatch):
    monkeypatch.chdir(folder)
    (path,) = [path for path in (*folder.glob("latest-*/*"), *folder.iterdir()) if path.name == name]
    path.unlink()
    make(path)
    with pytest.raises(BasicAerError, match=r"is no regular file"):
        BasicAer.resume(folder).result()


# Nothing was saved yet.

BEFORE_THE_FIRST_SAVE = {
    "the lock": ["lock"],
    "the folder": ["lock", "job-1/"],
    "some files": ["lock", "job-1/save.json"],
    "all files": ["lock", "job-1/save.json", "job-1/arrays.npz", "job.json.new"],
    "twice": ["lock", "job-1/", "job-2/save.json"],
}


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
    with pytest.raises(
        BasicAerError, match=r"had not been saved when it was lost; run it again, .* in the same folder"
    ):
        BasicAer.resume(folder)
    backend = BasicAer.get_backend("qasm_simulator")
    job = backend.run(layers(4), checkpoint_dir=folder, executor=manual, seed_simulator=1)
    manual.run_all()
    want = job.result(0).get_counts()
    assert sorted(path.name.partition("-")[0] for path in folder.iterdir()) == [
        "job", "job.json", "latest", "latest.json", "lock",
    ]  # fmt: skip
    again = BasicAer.resume(folder, executor=manual)
    manual.run_all()
    assert again.result(0).get_counts() == want


@pytest.mark.parametrize(
    "other", ["job-1/letter", "job-old/", "latest-1/", "latest.json", "letter", "lock/", "job.json.new/"]
)
def test_a_folder_with_anything_else_in_it_is_not_run_in(tmp_path, other):
    folder = tmp_path / "job"
    leave(folder, ["job-2/save.json", other])
    before = sorted(folder.rglob("*"))
    with pytest.raises(BasicAerError, match="is not empty; give a new folder"):
        BasicAer.get_backend("qasm_simulator").run(layers(4), checkpoint_dir=folder)
    with pytest.raises(BasicAerError, match="holds no saved job; give the checkpoint_dir of one"):
        BasicAer.resume(folder)
    assert sorted(folder.rglob("*")) == before


def test_a_job_that_is_just_being_written_down_keeps_its_folder(tmp_path):
    folder = tmp_path / "job"
    leave(folder, ["job-1/save.json"])
    other = Store(folder, lambda: None)
    other.hold()
    with pytest.raises(BasicAerError, match="A job that runs is being saved in"):
        BasicAer.get_backend("qasm_simulator").run(layers(4), checkpoint_dir=folder)
    with pytest.raises(BasicAerError, match="A job that runs is being saved in"):
        BasicAer.resume(folder)
    other.let_go()


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
