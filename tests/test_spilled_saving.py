"""Saved jobs whose states lie in files: the file is what is saved, and a resumed job ends with the same outcome."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from basicaer import BasicAer, BasicAerError, JobTimeLimitError, spilling
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.spilled import device as spilled_device
from basicaer.devices.spilled import state_file
from basicaer.devices.spilled.state_file import NAME, StateFile
from basicaer.engine.monitor import Monitor
from basicaer.engine.suspended import Suspension
from basicaer.errors import BasicAerWarning, Cancelled
from basicaer.persistence import folder as folder_module
from basicaer.persistence import persister as persister_module
from basicaer.persistence.persister import load_job, saved_new
from basicaer.simulation import Persistence
from test_saving import StopsAfter, branching, layers, outcome, run, with_errors, work_of
from test_saving_stops import StopsWithin

ALWAYS, NEVER = 0.0, 1e9  # seconds between two saves
CIRCUITS = {
    "layers": lambda: layers(8, depth=4),
    "branching": branching,
    "errors": with_errors,
}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """As if memory held no state, and chunks had 16 amplitudes."""
    monkeypatch.setattr(spilled_device, "_SMALLEST_CHUNK", 4)
    monkeypatch.setattr(spilled_device, "_USUAL_CHUNKS", 99)
    monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _: 1)
    monkeypatch.setattr(spilling, "TOO_SMALL_TO_ASK", 0)
    monkeypatch.setattr(state_file, "_IN_MEMORY", frozenset())  # where temporary files are in memory
    monkeypatch.setattr(folder_module.os, "fsync", lambda _file: None)


def work(name, folder, **options):
    return work_of([CIRCUITS[name]()], shots=20, memory=True, spill=folder, **options)


def states_in(folder):
    return [path for path in folder.iterdir() if NAME.fullmatch(path.name)]


@pytest.mark.parametrize(("name", "saves"), [("layers", 1), ("layers", 3), ("branching", 3), ("errors", 3)])
def test_a_job_that_is_lost_after_a_stage_goes_on_there(name, saves, tmp_path):
    want, job = outcome(run(work(name, tmp_path))), tmp_path / "job"
    persistence = Persistence(str(job), ALWAYS)
    while True:  # until it is resumed near its end
        try:
            found = run(work(name, tmp_path) if not job.exists() else load_job(job)[1], persistence, StopsAfter(saves))
        except Cancelled:
            assert len(states_in(job)) <= 2
            continue
        break
    assert outcome(found) == want
    assert found.results[0].metadata["device"] == f"disk of {job}"
    assert not states_in(job)


def test_nothing_is_done_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(persister_module, "_SECONDS_BETWEEN_FILES", NEVER)
    job, whole, first, rest = tmp_path / "job", StopsWithin(), StopsWithin(2.1), StopsWithin()
    whole.start()
    rest.start()
    want = outcome(run(work("layers", tmp_path), monitor=whole))
    with pytest.raises(Cancelled):
        run(work("layers", tmp_path), Persistence(str(job), NEVER), first)
    assert first.advanced == pytest.approx(3)
    assert outcome(run(load_job(job)[1], Persistence(str(job), NEVER), rest)) == want
    assert rest.advanced == pytest.approx(whole.advanced - 3)
    assert rest.progress().passes == rest.progress().total_passes == whole.progress().total_passes


def test_a_cancellation_waits_for_no_stage_that_began_from_a_save(tmp_path):
    job, whole, first = tmp_path / "job", StopsWithin(), StopsWithin(2.1)
    want = outcome(run(work("layers", tmp_path), monitor=whole))
    with pytest.raises(Cancelled):
        run(work("layers", tmp_path), Persistence(str(job), ALWAYS), first)
    assert 2.1 < first.advanced < 2.5
    rest = StopsWithin()
    assert outcome(run(load_job(job)[1], Persistence(str(job), ALWAYS), rest)) == want
    assert rest.advanced == pytest.approx(whole.advanced - 2)


def test_a_job_at_its_time_limit_is_saved(tmp_path, clock):
    job, monitor = tmp_path / "job", StopsWithin(1.1, clock, timeout=100.0)
    monitor.start()
    with pytest.raises(JobTimeLimitError, match="it is saved, and BasicAer"):
        run(work("layers", tmp_path), Persistence(str(job), NEVER), monitor)
    assert outcome(run(load_job(job)[1], Persistence(str(job), NEVER))) == outcome(run(work("layers", tmp_path)))


@pytest.mark.parametrize("made_again", [False, True])
def test_a_job_whose_folder_was_deleted_removes_nothing_of_another_that_is_there(tmp_path, monkeypatch, made_again):
    want, job, pass_done = outcome(run(work("layers", tmp_path))), tmp_path / "job", Suspension.pass_done
    done, files = [], []

    def replaced_after(suspension, suspended, state):
        pass_done(suspension, suspended, state)
        done.append(None)
        if len(done) == 2:
            shutil.rmtree(job)
            if made_again:
                with saved_new(job, "another job") as save:
                    save(work("layers", tmp_path))
                (job / "running-00000000.state").touch()
                files.extend(sorted(job.iterdir()))

    monkeypatch.setattr(Suspension, "pass_done", replaced_after)
    with pytest.warns(BasicAerWarning, match="is not saved any more, since .* was deleted or holds another"):
        found = run(work("layers", tmp_path), Persistence(str(job), NEVER))
    assert len(done) > 2
    assert outcome(found) == want
    assert sorted(job.glob("*")) == files


KILLED = """
import os, sys
sys.path[:0] = [{tests!r}]
from basicaer import BasicAer, spilling
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.spilled import device, state_file
from test_spilled_saving import CIRCUITS
device._SMALLEST_CHUNK, device._USUAL_CHUNKS, state_file._IN_MEMORY = 4, 99, frozenset()
NumpyDevice.free_bytes = lambda _: 1
spilling.TOO_SMALL_TO_ASK = 0
left, write = [{writes}], state_file.StateFile.write
def dies(self, start, amplitudes, poll):
    left[0] -= 1
    if not left[0]:
        write(self, start, amplitudes[: len(amplitudes) // 2], poll)
        os._exit(9)
    write(self, start, amplitudes, poll)
state_file.StateFile.write = dies
circuit = CIRCUITS["layers"]()
BasicAer.get_backend("qasm_simulator").run(
    circuit, spill={folder!r}, checkpoint_dir={job!r}, checkpoint_every=1e-9, seed_simulator=5, shots=20, memory=True
).result()
"""


@pytest.mark.parametrize("writes", [2, 40, 60])
def test_a_process_that_is_killed_within_a_stage_loses_that_stage_at_most(writes, tmp_path, monkeypatch):
    want, job = outcome(run(work("layers", tmp_path))), tmp_path / "job"
    where = {"tests": str(Path(__file__).parent), "folder": str(tmp_path), "job": str(job), "writes": writes}
    killed = subprocess.run([sys.executable, "-c", KILLED.format(**where)], check=False)
    assert killed.returncode == 9
    assert (job / "running.save").exists() is (writes > 2)
    result = BasicAer.resume(job, checkpoint_every=ALWAYS + 1e-9).result()
    assert outcome(result) == want
    assert not states_in(job)


def test_a_state_that_somebody_has_changed_is_refused(tmp_path):
    job = tmp_path / "job"
    with pytest.raises(Cancelled):
        run(work("layers", tmp_path), Persistence(str(job), ALWAYS), StopsAfter(2))
    (state,) = states_in(job)
    os.utime(state, ns=(0, 0))
    with pytest.raises(BasicAerError, match=r"is no longer there \(.* has been written to since\); delete"):
        run(load_job(job)[1], Persistence(str(job), ALWAYS))
    (job / "running.save").unlink()
    assert outcome(run(load_job(job)[1], Persistence(str(job), ALWAYS))) == outcome(run(work("layers", tmp_path)))


@pytest.mark.parametrize("harm", ["missing", "short", "link"])
def test_a_state_that_is_not_there_is_refused(harm, tmp_path):
    job = tmp_path / "job"
    with pytest.raises(Cancelled):
        run(work("layers", tmp_path), Persistence(str(job), ALWAYS), StopsAfter(2))
    (state,) = states_in(job)
    if harm == "short":
        os.truncate(state, 16)
    else:
        state.rename(tmp_path / "elsewhere")
        if harm == "link":
            state.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BasicAerError, match=r"that was saved in .* is no longer there"):
        run(load_job(job)[1], Persistence(str(job), ALWAYS))


def test_a_save_that_fails_keeps_the_one_before(tmp_path, monkeypatch):
    job, failing = tmp_path / "job", []

    def written_through(self):
        failing.append(self)
        if len(failing) > 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(StateFile, "write_through", written_through)
    with pytest.warns(UserWarning, match="could not be saved"), pytest.raises(Cancelled):
        run(work("layers", tmp_path), Persistence(str(job), ALWAYS), StopsAfter(4))
    monkeypatch.undo()
    small.__wrapped__(monkeypatch)
    monitor = Monitor()
    assert outcome(run(load_job(job)[1], Persistence(str(job), ALWAYS), monitor)) == outcome(
        run(work("layers", tmp_path))
    )
