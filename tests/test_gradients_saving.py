"""Gradients on disk: a saved job goes on with the sets and observables that are left, to the same numbers."""

import dataclasses
import json
import signal
import warnings

import numpy as np
import pytest
from click.testing import CliRunner
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp

from basicaer import BasicAer, gradient, vjp_state
from basicaer.cli import main
from basicaer.compile.differentiable import Angle
from basicaer.engine import monitor as monitor_module
from basicaer.engine.monitor import Monitor
from basicaer.engine.sweeps import AdjointSums, Done
from basicaer.errors import BasicAerError, BasicAerWarning, Cancelled, JobTimeLimitError
from basicaer.gradients import running as running_module
from basicaer.gradients.checks import check_begun, check_payload
from basicaer.gradients.job import GradientJob
from basicaer.gradients.payload import PatternsBegun, SweepBegun
from basicaer.gradients.persister import CHECKS, GradientPersister
from basicaer.gradients.running import run_gradient, run_resumed_gradient
from basicaer.noise import NoiseModel, depolarizing_error, pauli_error
from basicaer.persistence import folder as folder_module
from basicaer.persistence.persister import load_job, saved_new
from basicaer.primitives import running as estimating_module
from basicaer.primitives.payload import Begun
from basicaer.simulation import Persistence
from conftest import DEVICES
from jobs import GUARD
from test_gradients import OBSERVABLES, every_way, values_for
from test_saving_forged import ODD, body_of, kinds_of_places, replaced, rewrite

NEVER = 1e9  # seconds between two saves


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch):
    monkeypatch.setattr(folder_module.os, "fsync", lambda _file: None)


def runs_on(name, patch):
    device = DEVICES[name]()
    for module in (running_module, estimating_module):
        patch.setattr(module, "choose_device", lambda *_, **__: (device, "a test wants it"))
    return device


def wide():
    """States of which each goes back by itself."""
    circuit = QuantumCircuit(7)
    angles = [Parameter(f"a{q}") for q in range(4)]
    for layer in range(3):
        for q in range(7):
            circuit.ry(angles[q % 4] * (layer + 1), q)
            circuit.cx(q, (q + 1 + layer) % 7)
    return circuit


def dynamic():
    circuit = QuantumCircuit(3, 1)
    angle, other = Parameter("a"), Parameter("b")
    circuit.ry(angle, 0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.rx(other * angle, 1)
    circuit.cx(1, 2)
    return circuit


def noisy():
    circuit = QuantumCircuit(3)
    for place, name in enumerate("abcd"):
        circuit.ry(Parameter(name), place % 3)
        circuit.cx(place % 3, (place + 1) % 3)
    return circuit


NOISE = NoiseModel()
NOISE.add_all_qubit_quantum_error(depolarizing_error(0.05, 2), ["cx"])
NOISE.add_all_qubit_quantum_error(depolarizing_error(0.02, 1), ["ry"])
FEW_ERRORS = NoiseModel()
FEW_ERRORS.add_all_qubit_quantum_error(pauli_error([("X", 0.1), ("I", 0.9)]), ["ry"])
RARE_ERRORS = NoiseModel()
RARE_ERRORS.add_all_qubit_quantum_error(depolarizing_error(5e-4, 1), ["ry"])
RARE_ERRORS.add_all_qubit_quantum_error(depolarizing_error(5e-4, 2), ["cx"])
WIDE_ONES = [SparsePauliOp.from_sparse_list([("ZX", [q, q + 1], 0.5 + q)], 7) for q in range(4)]
CASES = {
    "sets in batches": lambda: gradient(every_way(), OBSERVABLES, values_for(every_way(), sets=(5, 2))),
    "sets one by one": lambda: gradient(wide(), WIDE_ONES, values_for(wide(), sets=(4,))),
    "a cotangent": lambda: gradient(wide(), WIDE_ONES, values_for(wide(), sets=(5,)), cotangent=np.ones((5, 4))),
    "a whole state": lambda: vjp_state(wide(), values_for(wide(), sets=(3,)), np.ones((3, 2**7))),
    "outcomes": lambda: gradient(dynamic(), ["IIZ", "ZII"], values_for(dynamic(), sets=(2,))),
    "noise": lambda: gradient(noisy(), ["ZZI"], values_for(noisy(), sets=(3,)), noise_model=NOISE),
    "patterns": lambda: by_adjoint(["ZZI", "IXX", "XXY"], FEW_ERRORS, sets=(2,)),
    "drawn patterns": lambda: by_adjoint(["ZZI"], RARE_ERRORS, sets=(2,), cotangent=np.ones((2, 1))),
}


def by_adjoint(observables, noise_model, *, sets, **how):
    values = values_for(noisy(), sets=sets)
    return gradient(noisy(), observables, values, noise_model=noise_model, method="adjoint", **how)


def payload_of(case):
    """The payload that a call would submit."""

    class Caught(Exception):  # noqa: N818
        pass

    caught = []

    def submit_job(*_, prepare, **__):
        caught.append(prepare())
        raise Caught

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("basicaer.gradients.submitting.submit_job", submit_job)
        with pytest.raises(Caught):
            CASES[case]()
    return dataclasses.replace(caught[0], seed=5)


class StopsAfter(Monitor):
    """Ends the work after so many notes of how far it is."""

    def __init__(self, notes=None):
        super().__init__()
        self.notes = notes
        self.advanced = 0.0

    def advance(self, passes):
        super().advance(passes)
        self.advanced += passes


def run(payload, folder=None, monitor=None, interval=NEVER, *, resumed=False, job_id="job 1"):
    monitor = monitor or Monitor()
    token = monitor_module.current_monitor.set(monitor)
    real = GradientPersister.note

    def note(persister, begun):
        real(persister, begun)
        if isinstance(monitor, StopsAfter) and monitor.notes is not None:
            monitor.notes -= 1
            if not monitor.notes:
                monitor.cancel()

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(GradientPersister, "note", note)
            if folder is None:
                return run_gradient(job_id, payload)
            if not folder.exists():
                with saved_new(folder, "job 1") as save:
                    save(payload)
            payload = dataclasses.replace(payload, persistence=Persistence(str(folder), interval))
            return (run_resumed_gradient if resumed else run_gradient)(job_id, payload)
    finally:
        monitor_module.current_monitor.reset(token)


def check_same(got, want):
    for one, other in zip(got, want, strict=True):
        assert np.array_equal(one.values, other.values)
        assert np.array_equal(one.gradients, other.gradients)
        assert (one.metadata, one.report) == (other.metadata, other.report)
        assert np.array_equal(one.errors, other.errors)


@pytest.fixture(params=[("CPU-tiny-tiles", 6), ("CPU-tiny-tiles", 0), ("GPU-emulated", 6)], ids=str)
def _sizes(request, monkeypatch):
    """A device, with batches of a few states or without, and two bras at a time."""
    name, most = request.param
    device = runs_on(name, monkeypatch)
    for name in ("most_undone", "most_states"):
        monkeypatch.setattr(type(device), name, lambda *_: most)
    monkeypatch.setattr("basicaer.engine.adjoint._MOST_BRAS", 2)


@pytest.mark.usefixtures("_sizes")
@pytest.mark.parametrize("case", CASES)
def test_a_job_that_was_cancelled_anywhere_ends_with_the_same_numbers(case, tmp_path):
    payload = payload_of(case)
    whole = StopsAfter()
    want = run(payload, monitor=whole)
    lost = 0
    for notes, interval in ((1, NEVER), (2, 0.0)):
        folder, first, rest = tmp_path / str(notes), StopsAfter(notes), StopsAfter()
        try:
            run(payload, folder, first, interval)
        except Cancelled:
            lost += 1
        else:
            break
        assert (folder / "running.save").is_file()
        job_id, again = load_job(folder, CHECKS)
        assert job_id == "job 1"
        check_same(run(again, folder, rest, resumed=True), want)
        assert rest.advanced <= whole.advanced - first.advanced + 1e-9  # nothing is done twice
        assert not (folder / "running.save").exists()
        check_same(run(again, folder, resumed=True), want)  # at once: it has ended
    assert lost


def test_a_batch_of_another_size_begins_anew(monkeypatch, tmp_path):
    device = runs_on("CPU-tiny-tiles", monkeypatch)
    monkeypatch.setattr("basicaer.engine.adjoint._MOST_BRAS", 2)
    payload = payload_of("sets in batches")
    want = run(payload)
    for before, most in ((9, 9), (9, 6), (9, 0), (6, 12)):
        folder = tmp_path / str(most)
        monkeypatch.setattr(type(device), "most_undone", lambda *_, before=before: before)
        with pytest.raises(Cancelled):
            run(payload, folder, StopsAfter(3))
        monkeypatch.setattr(type(device), "most_undone", lambda *_, most=most: most)
        (got,) = run(load_job(folder, CHECKS)[1], folder)
        assert np.array_equal(got.values, want[0].values)
        assert np.array_equal(got.gradients, want[0].gradients)


def test_another_device_starts_from_the_beginning_and_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr("basicaer.engine.adjoint._MOST_BRAS", 1)
    payload = payload_of("sets one by one")
    runs_on("CPU-tiny-tiles", monkeypatch)
    with pytest.raises(Cancelled):
        run(payload, tmp_path / "job", StopsAfter(2))
    runs_on("GPU-emulated", monkeypatch)
    whole = run(payload)
    with pytest.warns(BasicAerWarning, match="saved on the CPU.* starts from the beginning"):
        check_same(run(load_job(tmp_path / "job", CHECKS)[1], tmp_path / "job"), whole)


def test_at_its_time_limit_a_job_is_saved_and_says_where(clock, tmp_path):
    class Slow(Monitor):
        def advance(self, passes):
            super().advance(passes)
            clock.now += 5 * passes

    monitor = Slow(timeout=40.0)
    monitor.start()
    payload = payload_of("sets one by one")
    with pytest.raises(JobTimeLimitError, match=r"it is saved, and BasicAer\.resume"):
        run(payload, tmp_path / "job", monitor)
    check_same(run(load_job(tmp_path / "job", CHECKS)[1], tmp_path / "job"), run(payload))


def test_a_gradient_is_saved_and_resumed_as_any_job(tmp_path, monkeypatch):
    values = values_for(wide(), sets=(4,))
    want = gradient(wide(), WIDE_ONES, values).result(GUARD)
    folder = tmp_path / "job"
    monkeypatch.setattr("basicaer.engine.adjoint._MOST_BRAS", 1)

    def cancelled(job_id, payload):
        run(payload, folder, StopsAfter(2), job_id=job_id)

    monkeypatch.setattr("basicaer.gradients.submitting.run_gradient", cancelled)
    job = gradient(wide(), WIDE_ONES, values, checkpoint_dir=folder, checkpoint_every=NEVER)
    job.wait_for_final_state(GUARD)
    assert job.cancelled()
    again = BasicAer.resume(folder)
    assert isinstance(again, GradientJob)
    assert again.job_id() == job.job_id()
    result = again.result(GUARD)
    assert np.array_equal(result.values, want.values)
    assert np.array_equal(result.gradients, want.gradients)
    assert result.metadata == want.metadata


def test_a_job_that_never_ran_is_resumed_too(tmp_path, held, one_thread):
    circuit, values = wide(), values_for(wide())
    one_thread.submit(held, "", None)
    assert held.began.wait(GUARD)
    job = gradient(circuit, WIDE_ONES[0], values, checkpoint_dir=tmp_path / "job", executor=one_thread)
    job.cancel()
    held.go.set()
    assert np.array_equal(
        BasicAer.resume(tmp_path / "job").result(GUARD).gradients,
        gradient(circuit, WIDE_ONES[0], values).result().gradients,
    )
    state = vjp_state(circuit, values, np.ones(2**7), checkpoint_dir=tmp_path / "state").result(GUARD)
    assert np.array_equal(BasicAer.resume(tmp_path / "state").result(GUARD).gradients, state.gradients)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"checkpoint_margin": 5}, "checkpoint_margin is for a job that is saved: give checkpoint_dir, or leave it"),
        ({"checkpoint_dir": 5}, "checkpoint_dir must be the path of a folder or None, not 5"),
        ({"checkpoint_dir": "a", "checkpoint_margin": 5, "timeout": 5}, "must be less than timeout"),
    ],
)
def test_options_that_cannot_be_are_refused(options, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BasicAerError, match=words):
        gradient(wide(), WIDE_ONES[0], values_for(wide()), **options)
    assert not list(tmp_path.iterdir())


def test_a_backends_own_folder_is_not_meant_for_gradients(tmp_path):
    backend = BasicAer.get_backend(checkpoint_dir=str(tmp_path / "job"), checkpoint_on_sigterm=True)
    gradient(wide(), WIDE_ONES[0], values_for(wide()), backend=backend).result(GUARD)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals are sent as on POSIX")
def test_sigterm_saves_a_gradient(tmp_path, monkeypatch, one_thread):
    added = []
    monkeypatch.setattr("basicaer.submission.save_on_sigterm", added.append)
    job = gradient(
        wide(),
        WIDE_ONES[0],
        values_for(wide()),
        checkpoint_dir=tmp_path / "job",
        checkpoint_on_sigterm=True,
        executor=one_thread,
    )
    assert added == [job]
    job.result(GUARD)


# Files that somebody has written anew.


@pytest.fixture(scope="module", params=["sets in batches", "a whole state", "outcomes", "noise", "patterns"])
def lost(request, tmp_path_factory):
    payload = payload_of(request.param)
    folder = tmp_path_factory.mktemp("lost") / "job"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("basicaer.engine.adjoint._MOST_BRAS", 2)
        patch.setattr("basicaer.devices.cpu.device.NumpyDevice.most_states", lambda *_: 3)
        patch.setattr("basicaer.devices.cpu.device.NumpyDevice.most_undone", lambda *_: 3)
        with pytest.raises(Cancelled):
            run(payload, folder, StopsAfter(1))
        return folder, run(payload)


@pytest.mark.parametrize("name", ["job", "running"])
def test_any_field_that_is_another_is_refused_in_one_sentence_or_changes_no_shape(lost, name, tmp_path):
    """A field may be one that a job could have been saved with; then it runs to numbers of the same shapes."""
    folder, want = lost
    original, body = (folder / f"{name}.save").read_bytes(), body_of(folder, name)
    (tmp_path / "job").mkdir()
    for other in folder.glob("*.save"):
        (tmp_path / "job" / other.name).write_bytes(other.read_bytes())
    rng = np.random.default_rng(3)
    refused, lines = 0, {1}
    step = 3 if name == "job" else 1
    for place in kinds_of_places(body["is"])[rng.integers(step) :: step]:
        odd = ODD[rng.integers(len(ODD))]
        changed = {**body, "is": replaced(body["is"], place, odd)}
        (tmp_path / "job" / f"{name}.save").write_bytes(original)
        rewrite(tmp_path / "job", name, json.dumps(changed).encode())
        (tmp_path / "job" / "circuit-0.save").unlink(missing_ok=True)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", BasicAerWarning)
                got = run(load_job(tmp_path / "job", CHECKS)[1], tmp_path / "job", resumed=True)
        except BasicAerError as error:
            refused += 1
            lines.add(len(str(error).splitlines()))
        else:
            assert [one.gradients.shape for one in got] == [one.gradients.shape for one in want], (place, odd)
    assert refused > 20
    assert lines == {1}


def test_another_kind_of_payload_is_none(tmp_path):
    with saved_new(tmp_path / "job", "job 1") as save:
        save(payload_of("noise"))
    with pytest.raises(BasicAerError, match=r"damaged .*it is not a job"):
        load_job(tmp_path / "job")


def test_the_command_line_refers_to_python(tmp_path):
    with saved_new(tmp_path / "job", "job 1") as save:
        save(payload_of("sets one by one"))
    result = CliRunner().invoke(main, ["resume", str(tmp_path / "job")])
    assert result.exit_code != 0
    assert "resume it in Python with BasicAer.resume()" in result.output


def changed(task, **fields):
    """A task with other fields: ``how_`` begins those of its sweep or shifts, ``own_`` those of the shifts' task."""
    how = {name[4:]: value for name, value in fields.items() if name.startswith("how_")}
    own = {name[4:]: value for name, value in fields.items() if name.startswith("own_")}
    others = {name: value for name, value in fields.items() if name[:4] not in {"how_", "own_"}}
    if own:
        how["task"] = dataclasses.replace(task.how.task, **own)
    if how:
        replace = dataclasses.replace if dataclasses.is_dataclass(task.how) else type(task.how)._replace
        others["how"] = replace(task.how, **how)
    return dataclasses.replace(task, **others)


WRONG = {
    "sets": ("sets in batches", {"sets": 11}, "other sets of values"),
    "observables": ("sets in batches", {"observables": 2}, "other observables"),
    "phases": ("sets in batches", {"phases": 1000}, "other global phases"),
    "size": ("sets in batches", {"how_size": 3}, "other sets of values"),
    "masks": ("sets in batches", {"how_masks": ((1, 2**70),)}, "Paulis cannot be"),
    "factors": ("sets in batches", {"how_factors": np.zeros((3, 1))}, "array of shape"),
    "cotangent": ("a cotangent", {"cotangent": None}, "another cotangent"),
    "vectors": ("a whole state", {"how_bras": np.zeros((3, 4))}, "array of shape"),
    "angles": ("sets in batches", {"angles": (Angle(0, 0, 9, 0),)}, "no generator|'0'|^0$"),
    "parameters": ("sets in batches", {"chain": None}, "parameter"),
    "another way": ("outcomes", {"how_factors": np.zeros(1)}, "array of shape"),
    "shifted sets": (
        "outcomes",
        {"how_occurrences": np.zeros(0, int), "how_factors": np.zeros(0)},
        "other shifted sets",
    ),
    "terms": ("noise", {"own_terms": (((0, 2**70, 1.0),),)}, "Paulis cannot be"),
    "places": ("noise", {"own_sets": np.full((12, 1), 99)}, "array of shape|other sets"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_task_that_cannot_be_is_named(name):
    case, fields, words = WRONG[name]
    payload = payload_of(case)
    (task,) = payload.tasks
    if fields.get("chain", 0) is None:
        fields = {"chain": task.chain._replace(rows=task.chain.rows + task.chain.size)}
    check_payload(payload)
    with pytest.raises((ValueError, KeyError), match=words):
        check_payload(dataclasses.replace(payload, tasks=(changed(task, **fields),)))


def test_how_far_a_task_on_patterns_cannot_be_is_named():
    (task,) = payload_of("patterns").tasks
    begun = PatternsBegun.of_none(task)
    check_begun(begun, task)
    for name, odd in (("means", np.zeros(1)), ("sets", 3), ("done", -1), ("patterns", -1), ("cut", 2.0)):
        with pytest.raises(ValueError, match=r"array of shape|sets are done|patterns of errors"):
            check_begun(dataclasses.replace(begun, **{name: odd}), task)
    plain = dataclasses.replace(task.how, sweep=dataclasses.replace(task.how.sweep, signs=np.ones((2, 3))))
    for how in (dataclasses.replace(task.how, shots=0), plain):
        with pytest.raises(ValueError, match=r"no shots|one of gates"):
            check_payload(dataclasses.replace(payload_of("patterns"), tasks=(changed(task, how=how),)))


def test_how_far_a_task_cannot_be_is_named():
    (task,) = payload_of("sets in batches").tasks
    found = task.how.no_sums()
    check_begun(SweepBegun(found, Done(3, 6, 2)), task)
    for done in (Done(11), Done(3, 2), Done(3, 11, 1), Done(3, 6, 4), Done(-1)):
        with pytest.raises(ValueError, match="are done"):
            check_begun(SweepBegun(found, done), task)
    with pytest.raises(ValueError, match="other segments"):
        check_begun(SweepBegun(AdjointSums(found.values), Done()), task)
    with pytest.raises(ValueError, match="in another way"):
        check_begun(Begun(None, 0, np.zeros(1), np.zeros(1), {}), task)
