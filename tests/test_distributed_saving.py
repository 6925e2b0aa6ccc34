"""Jobs of several ranks on disk: any number of ranks goes on with what others have saved, whenever these have died."""

import shutil
import threading
from concurrent.futures import CancelledError

import pytest
from qiskit import QuantumCircuit

from basicaer import BasicAer
from basicaer.devices.distributed import device as distributed_device
from basicaer.devices.distributed import pauses
from basicaer.engine.monitor import Monitor
from basicaer.errors import BasicAerError, BasicAerWarning, JobTimeLimitError
from basicaer.noise import NoiseModel, amplitude_damping_error, depolarizing_error
from basicaer.persistence import folder as folder_module
from basicaer.persistence import of_ranks
from basicaer.persistence.codec import encoded
from basicaer.persistence.folder import JobFolder
from basicaer.persistence.of_ranks import RanksPersister
from jobs import GUARD
from test_distributed_runs import CIRCUITS, layered, measured
from thread_ranks import comms, on_ranks

ALWAYS = 1e-9  # seconds between two saves
NEVER = 1e9
OPTIONS = {"shots": 100, "seed_simulator": 7}
SAVED = {name: CIRCUITS[name] for name in ("gates", "measurements, resets and control flow", "preparations")}
BACKEND = BasicAer.get_backend("qasm_simulator")


@pytest.fixture(autouse=True)
def small_states_are_divided(monkeypatch):
    monkeypatch.setattr(distributed_device, "_SMALLEST_DIVIDED", 0)
    monkeypatch.setattr(pauses, "_GATES_BETWEEN_PAUSES", 4)
    monkeypatch.setattr(folder_module.os, "fsync", lambda _file: None)


def ended(job):
    """The counts of a job, or what it has ended with."""
    try:
        return job.result().get_counts()
    except (CancelledError, Exception) as error:  # noqa: BLE001  # whatever it is
        return error


def run(size, circuit, folder, *, every=ALWAYS, **options):
    def of_rank(comm):
        options_of_job = {**OPTIONS, "checkpoint_dir": folder, "checkpoint_every": every, **options}
        return ended(BACKEND.run(circuit, distributed=comm, **options_of_job))

    return on_ranks(comms(size), of_rank)


def resume(size, folder, **options):
    if size == 1:
        return [ended(BasicAer.resume(folder, **options))]

    def of_rank(comm):
        try:
            job = BasicAer.resume(folder, distributed=comm, **options)
        except BasicAerError as error:
            return error
        return ended(job)

    return on_ranks(comms(size), of_rank)


def counts_of(circuit, **options):
    return BACKEND.run(circuit, **OPTIONS, **options).result().get_counts()


class Stops:
    """Cancels the job on one rank when it comes to the place where it may be saved for the n-th time."""

    def __init__(self, monkeypatch, rank, at):
        self.places = 0
        persist = RanksPersister.persist

        def counting(persister, suspended, state):
            if persister._rank == rank:
                self.places += 1
                if self.places == at:
                    persister._monitor.cancel()
            persist(persister, suspended, state)

        monkeypatch.setattr(RanksPersister, "persist", counting)


@pytest.mark.parametrize("later", [1, 2, 4, 8])
@pytest.mark.parametrize("name", SAVED)
def test_any_number_of_ranks_goes_on_with_what_others_have_saved(name, later, monkeypatch, tmp_path):
    circuit, folder = SAVED[name], tmp_path / "saved"
    want = counts_of(circuit)
    if 2 ** (circuit.num_qubits - 2) < later:
        pytest.skip("a rank would have less than two qubits")
    for at in (1, 4):
        with monkeypatch.context() as patch:
            Stops(patch, rank=1, at=at)
            assert all(isinstance(end, CancelledError) for end in run(4, circuit, folder, every=NEVER))
        names = {path.name for path in folder.iterdir()}
        assert names >= {"job.save", "running.save", *(f"part-1-{rank}.save" for rank in range(4))}
        assert resume(later, folder) == [want] * later
        assert {path.name for path in folder.iterdir()} == {"job.save", "circuit-0.save", "lock"}
        shutil.rmtree(folder)


def test_nothing_is_done_twice(monkeypatch, tmp_path):
    def places(at, start):
        with monkeypatch.context() as patch:
            stops = Stops(patch, 0, at)
            start()
            return stops.places

    circuit = CIRCUITS["gates"]
    whole = places(-1, lambda: run(2, circuit, tmp_path / "whole", every=NEVER))
    assert places(5, lambda: run(2, circuit, tmp_path / "saved", every=NEVER)) == 5
    left = places(-1, lambda: resume(2, tmp_path / "saved", checkpoint_every=NEVER))
    assert whole - 5 <= left <= whole - 3  # the stages of what is left may be other ones


@pytest.mark.parametrize("name", SAVED)
def test_whenever_the_ranks_die_what_they_have_saved_can_be_resumed(name, monkeypatch, tmp_path):
    circuit, copies = SAVED[name], []
    write, copying = JobFolder.write, threading.Lock()

    def copied(folder, *arguments):
        write(folder, *arguments)
        with copying:
            copies.append(tmp_path / f"copy {len(copies)}")
            shutil.copytree(folder._folder, copies[-1], ignore=shutil.ignore_patterns("*.new", "lock"))

    with monkeypatch.context() as patch:
        patch.setattr(JobFolder, "write", copied)
        run(2, circuit, tmp_path / "saved")
    want = counts_of(circuit)
    assert len(copies) > 8
    for number, copy in enumerate(copies[:: max(len(copies) // 12, 1)]):
        later = (1, 2, 4)[number % 3]
        assert resume(later, copy) == [want] * later, copy


def test_a_part_that_cannot_be_written_leaves_the_save_before(monkeypatch, tmp_path):
    """The disk of one rank is full from its second part on; the job goes on, and the first save stays."""
    write, parts, circuit = JobFolder.write, [], CIRCUITS["gates"]

    def full(folder, name, *arguments):
        if name.endswith("-1") and name.startswith("part"):
            parts.append(name)
            if len(parts) > 1:
                raise OSError(28, "No space left on device")
        write(folder, name, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(JobFolder, "write", full)
        Stops(patch, rank=0, at=4)
        with pytest.warns(BasicAerWarning, match="No space left on device"):
            ends = run(2, circuit, tmp_path / "saved")
    assert all(isinstance(end, CancelledError) for end in ends)
    assert len(parts) == 4
    assert len(set(parts[1:])) == 1  # not the name of the part that is valid
    assert resume(2, tmp_path / "saved") == [counts_of(circuit)] * 2


@pytest.mark.parametrize("at", [1, 3])
def test_ranks_whose_folder_holds_another_job_write_and_remove_nothing_there(at, monkeypatch, tmp_path):
    persist_together, circuit, folder, files = (
        RanksPersister._persist_together,
        CIRCUITS["gates"],
        tmp_path / "saved",
        {},
    )
    turns, done = threading.Barrier(2), [0, 0]

    def replaced(persister, suspended, state):
        rank = persister._rank
        done[rank] += 1
        if done[rank] == at:
            turns.wait(GUARD)  # until no rank uses the folder
            if rank == 0:
                shutil.rmtree(folder)
                JobFolder(folder, lambda: None).begin("another job", {}, [])
                (folder / "part-9-0.save").write_bytes(b"of the other job")
                files.update((path.name, path.read_bytes()) for path in folder.iterdir())
            turns.wait(GUARD)
        persist_together(persister, suspended, state)

    monkeypatch.setattr(RanksPersister, "_persist_together", replaced)
    with pytest.warns(BasicAerWarning, match="is not saved any more, since .* was deleted or holds another job"):
        assert run(2, circuit, folder) == [counts_of(circuit)] * 2
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files


def test_a_folder_that_a_rank_does_not_see_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(of_ranks, "JobFolder", lambda folder, poll: JobFolder(folder / "elsewhere", poll))

    def of_rank(comm):
        return BACKEND.run(CIRCUITS["gates"], distributed=comm, checkpoint_dir=tmp_path / "saved")

    for error in on_ranks(comms(2), of_rank):
        assert "is not on a file system that all ranks share; give a folder that each of them sees" in str(error)
    assert not (tmp_path / "saved" / "job.save").exists()  # nobody has the job


def test_a_time_limit_saves_on_all_ranks(monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        patch.setattr(Monitor, "must_stop", property(lambda monitor: monitor.timeout == 5.0))
        ends = run(2, CIRCUITS["gates"], tmp_path / "saved", every=NEVER, timeout=5.0)
    for end in ends:
        assert isinstance(end, JobTimeLimitError)
        assert end.saved_in == str(tmp_path / "saved")
    assert resume(4, tmp_path / "saved") == [counts_of(CIRCUITS["gates"])] * 4


def test_states_that_are_not_divided_are_saved_by_the_first_rank(monkeypatch, tmp_path):
    monkeypatch.setattr(distributed_device, "_SMALLEST_DIVIDED", 20)
    circuit = measured(layered(11, depth=3))
    with monkeypatch.context() as patch:
        Stops(patch, rank=0, at=1)
        assert all(isinstance(end, CancelledError) for end in run(2, circuit, tmp_path / "saved", every=NEVER))
    assert (tmp_path / "saved" / "running.save").exists()
    assert not list((tmp_path / "saved").glob("part*"))
    assert resume(2, tmp_path / "saved") == [counts_of(circuit)] * 2


@pytest.mark.filterwarnings("ignore:The noise model has no errors of the gates")
def test_shots_whose_errors_are_drawn_first(monkeypatch, tmp_path):
    noise = NoiseModel()
    noise.add_all_qubit_quantum_error(depolarizing_error(0.05, 1), ["u"])
    noise.add_all_qubit_quantum_error(amplitude_damping_error(0.1).tensor(amplitude_damping_error(0.05)), ["cx"])
    circuit, options = CIRCUITS["gates"], {"noise_model": noise, "method": "statevector"}
    want = counts_of(circuit, **options)
    polls = []
    poll = Monitor.poll

    def cancelled(monitor):
        if monitor._look is not None:
            polls.append(monitor)
            if len(polls) == 400:
                monitor.cancel()
        poll(monitor)

    monkeypatch.setattr(Monitor, "poll", cancelled)
    ends = run(2, circuit, tmp_path / "saved", every=NEVER, **options)
    assert all(isinstance(end, CancelledError) for end in ends), ends
    monkeypatch.setattr(Monitor, "poll", poll)
    for later in (2, 1):
        shutil.copytree(tmp_path / "saved", tmp_path / f"{later}")
        assert resume(later, tmp_path / f"{later}") == [want] * later


def test_several_circuits_and_a_second_stop(monkeypatch, tmp_path):
    circuits, folder = [measured(layered(5, seed=seed)) for seed in range(3)], tmp_path / "saved"
    want = [BACKEND.run(circuits, **OPTIONS).result().get_counts()]
    for at, size in ((8, 4), (5, 2)):
        with monkeypatch.context() as patch:
            Stops(patch, rank=1, at=at)
            ends = run(size, circuits, folder, every=NEVER) if size == 4 else resume(size, folder)
        assert all(isinstance(end, CancelledError) for end in ends), ends
    assert resume(1, folder) == want


def test_a_whole_state_is_returned(tmp_path, monkeypatch):
    circuit = layered(5)
    simulator = BasicAer.get_backend("statevector_simulator")

    def of_rank(comm):
        return simulator.run(circuit, distributed=comm, checkpoint_dir=tmp_path / "saved").result()

    Stops(monkeypatch, rank=0, at=3)
    assert all(isinstance(end, CancelledError) for end in on_ranks(comms(2), of_rank))
    got = BasicAer.resume(tmp_path / "saved").result().get_statevector()
    assert got.equiv(simulator.run(circuit).result().get_statevector())


@pytest.mark.parametrize("damage", ["lost", "short", "of another save"])
def test_a_damaged_part_is_refused_in_one_sentence(damage, monkeypatch, tmp_path):
    folder = tmp_path / "saved"
    Stops(monkeypatch, rank=0, at=4)
    run(2, CIRCUITS["gates"], folder)
    (number,) = {int(path.name[5]) for path in folder.glob("part-*-1.save")} - {1}
    part = folder / f"part-{number}-1.save"
    match damage:
        case "lost":
            part.unlink()
        case "short":
            part.write_bytes(part.read_bytes()[:-20])
        case _:
            JobFolder(folder, lambda: None).write(
                part.stem, JobFolder(folder, lambda: None).read_job().job_id, encoded({"save": 2, "rank": 1}, []), []
            )
    errors = resume(2, folder)
    assert all("is damaged (running: " in str(error) for error in errors), errors


def test_a_job_of_one_process_can_be_resumed_by_ranks(tmp_path):
    circuit = QuantumCircuit(5)
    circuit.h(range(5))
    circuit.measure_all()
    job = BACKEND.run(circuit, **OPTIONS, checkpoint_dir=tmp_path / "saved")
    want = job.result().get_counts()
    assert resume(2, tmp_path / "saved") == [want] * 2
