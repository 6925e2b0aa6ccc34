"""The errors: their text is the sentence, and one kind of mistake has one type wherever it is made."""

import errno
import inspect
import pickle
from pathlib import Path

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.exceptions import QiskitError
from qiskit.providers import JobError, JobTimeoutError
from qiskit.providers.exceptions import QiskitBackendNotFoundError

import basicaer
from basicaer import BasicAer, BasicAerWarning, EstimatorV2, SamplerV2, errors, watch
from basicaer.job import BasicAerJob
from basicaer.persistence import persister
from jobs import GUARD, layers

SENTENCE = "The thing is wrong; take another."
KINDS = [
    kind
    for kind in map(vars(errors).get, errors.__all__)
    if inspect.isclass(kind) and issubclass(kind, errors.BasicAerError | errors.BasicAerWarning)
]
TURNING = QuantumCircuit(1)
TURNING.rx(Parameter("angle"), 0)
TURNING.measure_all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_text_of_an_error_is_its_sentence_also_from_another_process(kind):
    for error in (kind(SENTENCE), pickle.loads(pickle.dumps(kind(SENTENCE)))):  # noqa: S301  # our own
        assert str(error) == SENTENCE
        assert type(error) is kind


def test_no_error_of_qiskit_is_raised_whose_text_is_not_its_sentence():
    """Qiskit's own errors put their text in quotes; each of them that we raise is one of ours as well."""
    assert str(JobError(SENTENCE)) != SENTENCE
    for kind in (JobError, JobTimeoutError, QiskitBackendNotFoundError):
        assert [ours for ours in KINDS if issubclass(ours, kind)]


def backend(**options):
    return BasicAer.get_backend("qasm_simulator", **options)


def set_shts(options):
    options.shts = 5


UNKNOWN = {
    "run": lambda: backend().run(TURNING, shts=5),
    "plan": lambda: backend().plan(TURNING, shts=5),
    "set_options": lambda: backend().set_options(shts=5),
    "get_backend": lambda: backend(shts=5),
    "class": lambda: type(backend())(shts=5),
    "another simulator's": lambda: backend().run(TURNING, array="device"),
    "sampler": lambda: SamplerV2(shts=5),
    "sampler of a backend": lambda: backend().sampler(shts=5),
    "estimator": lambda: EstimatorV2(shts=5),
    "options of a primitive": lambda: EstimatorV2(options={"shts": 5}),
    "run_options of a primitive": lambda: SamplerV2(options={"run_options": {"shts": 5}}),
    "backend_options of a primitive": lambda: SamplerV2(options={"backend_options": {"shts": 5}}),
    "field of the options": lambda: set_shts(SamplerV2().options),
}
BAD_VALUE = {
    "run": lambda: backend().run(TURNING, shots=0),
    "set_options": lambda: backend().set_options(shots=0),
    "get_backend": lambda: backend(shots=0),
    "sampler": lambda: SamplerV2(default_shots=0),
    "run of a sampler": lambda: SamplerV2().run([TURNING], shots=0),
    "run of an estimator": lambda: EstimatorV2().run([(TURNING, "Z", [1])], precision=-1),
    "options of a primitive": lambda: SamplerV2(options=5),
    "run_options of a primitive": lambda: SamplerV2(options={"run_options": {"precision": "half"}}),
    "backend of a primitive": lambda: SamplerV2(5),
    "method": lambda: backend(method="stabilizer"),
    "noise_model": lambda: backend().run(TURNING, noise_model="loud"),
    "coupling_map": lambda: backend().run(TURNING, coupling_map=[[0, 1]]),
    "meas_level": lambda: backend().run(TURNING, meas_level=1),
    "parameter_binds": lambda: backend().run(TURNING, parameter_binds=[{"phase": [1]}]),
    "parameter_binds, too few": lambda: backend().run([TURNING] * 2, parameter_binds=[{"angle": [1]}]),
    "parameter_binds, no list": lambda: backend().run(TURNING, parameter_binds=5),
    "initial_statevector": lambda: backend().run(TURNING.assign_parameters([1]), initial_statevector=[1]),
    "checkpoint_dir": lambda: backend().run(TURNING.assign_parameters([1]), checkpoint_dir=__file__),
    "resume": lambda: BasicAer.resume("saved", checkpoint_every=-1),
    "resume of None": lambda: BasicAer.resume(None),
    "result": lambda: backend().run(TURNING.assign_parameters([1])).result(timeout="soon"),
}
BAD_PUB = {
    "no list": lambda: SamplerV2().run(5),
    "no circuit": lambda: EstimatorV2().run([5]),
    "no values": lambda: SamplerV2().run([TURNING]),
    "values that are not finite": lambda: SamplerV2().run([(TURNING, [float("nan")])]),
    "observables": lambda: EstimatorV2().run([(TURNING, "ZZ", [1])]),
    "observables to compile": lambda: backend().compile(TURNING, "ZZ"),
    "values of a compiled circuit": lambda: backend().compile(TURNING, "I")([1, 2]),
    "no values of a compiled circuit": lambda: backend().compile(TURNING, "I")(None),
}
NO_BACKEND = {
    "name": lambda: BasicAer.get_backend("qasm_simulatr"),
    "no name": lambda: BasicAer.get_backend(5),
}


def unsubmitted():
    return BasicAerJob(None, "job 7", lambda *_: None, {})


def submitted_again():
    job = backend().run(TURNING.assign_parameters([1]))
    job.result(GUARD)
    job.submit()


BAD_STATE = {
    "result": lambda: unsubmitted().result(),
    "status": lambda: unsubmitted().status(),
    "cancel": lambda: unsubmitted().cancel(),
    "progress": lambda: unsubmitted().progress(),
    "watch": lambda: watch(unsubmitted()),
    "submit": submitted_again,
}


@pytest.mark.parametrize(
    ("kind", "others", "mistake"),
    [
        *((errors.UnknownOptionError, (AttributeError,), mistake) for mistake in UNKNOWN.values()),
        *((errors.OptionValueError, (ValueError, TypeError), mistake) for mistake in BAD_VALUE.values()),
        *((errors.PubError, (ValueError, TypeError), mistake) for mistake in BAD_PUB.values()),
        *((errors.BackendNotFoundError, (QiskitBackendNotFoundError,), mistake) for mistake in NO_BACKEND.values()),
        *((errors.JobStateError, (JobError,), mistake) for mistake in BAD_STATE.values()),
    ],
    ids=[*UNKNOWN, *BAD_VALUE, *BAD_PUB, *NO_BACKEND, *BAD_STATE],
)
def test_one_kind_of_mistake_has_one_type_of_error(kind, others, mistake):
    with pytest.raises(kind) as caught:
        mistake()
    assert type(caught.value) is kind
    assert isinstance(caught.value, (errors.BasicAerError, QiskitError))
    assert all(isinstance(caught.value, other) for other in others)
    assert str(caught.value).endswith((".", "?"))
    assert str(caught.value)[0] not in "'\""


def test_a_wait_that_is_too_short_is_a_timeout_of_python_and_of_qiskit():
    assert issubclass(errors.JobWaitTimeoutError, TimeoutError)
    assert issubclass(errors.JobWaitTimeoutError, JobTimeoutError)


def test_only_a_job_can_be_watched():
    with pytest.raises(errors.BasicAerError, match=r"watch\(\) takes a job of basicaer, not 5; pass on what run"):
        watch(5)


# Warnings.


def test_a_warning_names_the_line_of_the_program_and_where_there_is_none_ours(monkeypatch, tmp_path):
    """A save that fails is warned of in the worker: on a thread, where no line of the program is."""
    backend = BasicAer.get_backend("qasm_simulator")
    with pytest.warns(BasicAerWarning, match="measures nothing") as of_run:
        backend.run(QuantumCircuit(1, 1)).result(GUARD)
    with pytest.warns(BasicAerWarning, match="measures qubits at its end") as of_estimator:
        EstimatorV2().run([(layers(2), "XX")]).result(GUARD)
    assert {one.filename for one in (*of_run, *of_estimator)} == {__file__}

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(persister.Persister, "_write", full)
    with pytest.warns(BasicAerWarning, match="could not be saved .*No space left") as of_worker:
        backend.run(layers(5), checkpoint_dir=tmp_path / "job").result(GUARD)
    assert {one.filename for one in of_worker} == {persister.__file__}


def test_only_one_function_warns():
    """All others would have to count the frames up to the line of the program."""
    files = sorted(Path(basicaer.__file__).parent.rglob("*.py"))
    assert len(files) > 100
    assert [file.name for file in files if "warnings.warn(" in file.read_text("utf-8")] == ["errors.py"]
