"""What a notebook shows of errors and interrupts: the lines of the user's program and a sentence, not every frame."""

import inspect
import sys
from concurrent.futures import CancelledError

import pytest
from qiskit import QuantumCircuit
from qiskit.transpiler import PassManager

from basicaer import BasicAer, EstimatorV2, SamplerV2
from basicaer.errors import BasicAerError
from basicaer.noise import LocalNoisePass
from basicaer.primitives import base as primitives_base
from basicaer.simulators import base as simulators_base
from jobs import GUARD, submitted

QASM = BasicAer.get_backend("qasm_simulator")
BELL = QuantumCircuit(2)
BELL.h(0)
BELL.cx(0, 1)
MEASURED = BELL.measure_all(inplace=False)


def shown_of(kind, call):
    """The lines that IPython asks an exception for."""
    with pytest.raises(kind) as caught:
        call()
    return caught.value, caught.value._render_traceback_()


def shown_after(call):
    """The lines of an error after those of this file's calls; the error's sentence."""
    error, (first, *lines) = shown_of(BasicAerError, call)
    assert first == f"{type(error).__name__}:"
    start = shown_of.__code__.co_firstlineno
    assert lines[:2] == [f"  shown_of, line {start + 3}:", "    call()"]
    assert lines[2] == f"  <lambda>, line {call.__code__.co_firstlineno}:"
    assert lines[3].strip() in inspect.getsource(call)
    return lines[4:], str(error)


@pytest.mark.parametrize(
    "call",
    [
        lambda: QASM.run(BELL, shots=-1),
        lambda: QASM.run(MEASURED, shts=10),
        lambda: QASM.plan(3),
        lambda: BasicAer.get_backend("qasm"),
        lambda: SamplerV2().run([3]),
        lambda: EstimatorV2(shts=3),
        lambda: BasicAer.resume("missing"),
    ],
)
def test_an_error_is_shown_by_the_users_lines_and_its_sentence(call):
    others, sentence = shown_after(call)
    assert others == [sentence]


@pytest.mark.parametrize("ask", [lambda job, time: job.result(time), lambda job, time: job.future().result(time)])
def test_a_job_that_has_not_ended_or_was_cancelled_is_shown_so(ask, held, one_thread, monkeypatch):
    """These are Python's own exceptions."""
    monkeypatch.setitem(sys.modules, "IPython", None)
    job = submitted(held, executor=one_thread)
    for kind, time in ((TimeoutError, 0), (CancelledError, GUARD)):
        error, lines = shown_of(kind, lambda time=time: ask(job, time))
        assert lines[0] == f"{kind.__name__}:"
        assert [lines[-3], lines[-1]] == [f"  <lambda>, line {ask.__code__.co_firstlineno}:", str(error)]
        assert "job 7" in str(error)
        job.cancel()
        held.go.set()


def test_what_called_ipython_is_not_shown():
    """As the frames of a kernel."""
    kernel = {"__name__": "IPython.core.interactiveshell", "call": lambda: QASM.run(BELL, shots=-1)}
    exec("def run_code(): call()", kernel)  # noqa: S102
    _, (_, where, *_) = shown_of(BasicAerError, kernel["run_code"])
    assert where.startswith("  <lambda>, line")


def test_notes_are_shown_after_the_sentence():
    def noted():
        try:
            QASM.run(BELL, shots=-1)
        except BasicAerError as error:
            error.add_note("What I was doing.")
            raise

    _, lines = shown_of(BasicAerError, noted)
    assert lines[-1] == "What I was doing."


def wrong_shots(shots):
    QASM.run(BELL, shots=shots)


def test_functions_of_the_user_are_shown_one_after_another():
    [where, code, last], sentence = shown_after(lambda: wrong_shots(-3))
    assert where == f"  wrong_shots, line {wrong_shots.__code__.co_firstlineno + 1}:"
    assert code == "    QASM.run(BELL, shots=shots)"
    assert last == sentence


def test_what_was_raised_by_a_worker_is_shown_without_its_frames(one_thread):
    job = QASM.run(MEASURED, executor=one_thread, timeout=1e-9)
    for call in (lambda: job.result(9), lambda: job.future().result(9)):
        others, sentence = shown_after(call)
        assert others == [sentence]


def test_frames_of_packages_in_between_are_left_out():
    def fails(*_):
        return 3

    others, sentence = shown_after(lambda: PassManager([LocalNoisePass(fails)]).run(BELL))
    assert others == [sentence]


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda: QASM.run(BELL), "run() was interrupted; no job runs."),
        (lambda: SamplerV2().run([MEASURED]), "run() was interrupted; no job runs."),
        (lambda: EstimatorV2().run([(BELL, "ZZ")]), "run() was interrupted; no job runs."),
        (lambda: QASM.compile(BELL, "ZZ"), "compile() was interrupted."),
        (lambda: EstimatorV2().compile(BELL, "ZZ"), "compile() was interrupted."),
        (lambda: QASM.plan(BELL), "plan() was interrupted."),
    ],
)
def test_an_interrupt_before_there_is_a_job_is_shown_in_three_lines(call, what, monkeypatch):
    def interrupt(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(simulators_base, "noise_of", interrupt)
    monkeypatch.setattr(primitives_base, "lower_sweep", interrupt)
    monkeypatch.setattr("basicaer.primitives.estimator.compile_sweep", interrupt)
    _, lines = shown_of(KeyboardInterrupt, call)
    assert lines[0] == f"KeyboardInterrupt in line {call.__code__.co_firstlineno}:"
    assert lines[1].strip() in inspect.getsource(call)
    assert lines[2:] == [what]
