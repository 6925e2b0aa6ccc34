"""The bar of a job, on a terminal that is made up: while the job runs, at each of its ends, and where none is to be."""

import io
import logging
import re
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import pytest
from qiskit.providers import JobError, JobStatus

from basicaer import BasicAerJob, watch, watching
from basicaer import job as job_module
from basicaer.engine.monitor import current_monitor
from basicaer.engine.progress import Progress
from basicaer.latch import Latch
from jobs import BACKEND, GUARD, OUTCOME, bell, new_job, submitted, succeed, unless_it_hangs

WAYS = ("watch", "run")  # to show a bar


class Terminal(io.StringIO):
    """A terminal that keeps what is drawn, and does something, once, when certain words are."""

    def __init__(self):
        super().__init__()
        self.words, self.action = None, None

    def isatty(self):
        return True

    def when(self, words, action):
        self.words, self.action = words, action

    def write(self, text):
        super().write(text)
        if self.words is not None and self.words in text:
            self.words = None
            self.action()

    def frames(self):
        """What stood in the line, one after another: (percentage, text)."""
        found = [re.fullmatch(r" *(\d+)%\|.*\| (.*?) *", frame) for frame in re.split("[\r\n]+", self.getvalue())]
        return [(int(frame[1]), frame[2]) for frame in found if frame]


@pytest.fixture
def terminal(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(watching, "_Line", partial(watching._Line, file=terminal))  # pytest keeps standard error itself
    monkeypatch.setattr(watching, "_SECONDS", 0.001)
    monkeypatch.setattr(job_module, "_BAR_SECONDS", GUARD)
    return terminal


@pytest.fixture
def work(held, clock):
    """A job's function that does 12 of 40 passes in 3 seconds and goes on when it is let go."""

    def work(*call):
        monitor = current_monitor.get()
        monitor.expect_experiments(1)
        monitor.expect(40, 10)
        clock.now += 3
        monitor.advance(12)
        monitor.enter("gates")
        return held(*call)

    return work


def fail(_job_id, _payload):
    raise ValueError("too many cooks")


RUNNING = "gates, 12 of 40 passes, 3 s, about 7 s left"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("status", "last"),
    [
        (JobStatus.DONE, (100, "done in 3 s")),
        (JobStatus.CANCELLED, (30, "cancelled after 3 s, 12 of 40 passes")),
        (JobStatus.ERROR, (30, "failed after 3 s, 12 of 40 passes")),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_bar_shows_passes_and_what_remains_and_ends_as_the_job_does(
    terminal, work, held, one_thread, *, way, status, last
):
    def fn(*call):
        outcome = work(*call)
        if status is JobStatus.ERROR:
            raise ValueError("too many cooks")
        return outcome

    def end():
        if status is JobStatus.CANCELLED:
            job.cancel()
        held.go.set()

    job = new_job(fn, executor=one_thread, progress=way == "run")
    terminal.when(RUNNING, end)
    job.submit()
    if way == "watch":
        assert watch(job) is job
    else:
        job.wait_for_final_state()
    assert job.status() is status
    assert (30, RUNNING) in terminal.frames()
    assert terminal.frames()[-1] == last
    assert terminal.getvalue().endswith("\n")


def test_a_bar_closes_even_if_nobody_waits(terminal, work, held, one_thread):
    job = submitted(work, executor=one_thread, progress=True)  # returns although the job is held
    assert job._bar.is_alive()
    held.go.set()
    job._bar.join(GUARD)
    assert terminal.frames()[-1] == (100, "done in 3 s")
    assert terminal.getvalue().endswith("\n")
    assert job._bar not in watching._drawing


def test_what_is_printed_after_result_stands_below_the_bar(terminal, one_thread):
    job = submitted(succeed, executor=one_thread, progress=True)
    assert job.result() is OUTCOME
    assert terminal.getvalue().endswith("\n")


def test_watching_a_job_that_has_ended_shows_how(terminal, one_thread, clock):
    job = submitted(fail, executor=one_thread)
    job.wait_for_final_state()
    clock.now += 60  # which is not the job's time
    assert watch(job) is job
    assert terminal.frames()[-1] == (0, "failed")


def test_a_job_cancelled_in_the_queue_is_shown_so(terminal, held, one_thread):
    submitted(held, executor=one_thread)
    job = submitted(succeed, executor=one_thread, progress=True)
    job.cancel()
    job.wait_for_final_state()
    assert terminal.frames()[0] == (0, "queued")
    assert terminal.frames()[-1] == (0, "cancelled")


@pytest.mark.parametrize("way", WAYS)
def test_where_standard_error_is_no_terminal_nothing_is_written(monkeypatch, capsys, one_thread, way):
    job = submitted(succeed, executor=one_thread, progress=way == "run")
    assert job._bar is None
    if way == "watch":
        watch(job)
    assert job.result(GUARD) is OUTCOME
    assert capsys.readouterr() == ("", "")


def test_a_notebook_without_widgets_has_a_line_of_text(monkeypatch, capsys, one_thread):
    shell = SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    watch(submitted(succeed))
    assert "100%" in capsys.readouterr().err


def test_an_interactive_shell_is_no_notebook(monkeypatch, capsys, one_thread):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(config={})))
    watch(submitted(succeed))
    assert capsys.readouterr().err == ""


def test_nothing_goes_to_standard_output(terminal, capsys, one_thread):
    watch(submitted(succeed, executor=one_thread, progress=True))
    assert terminal.frames()
    assert capsys.readouterr().out == ""


def test_a_job_that_was_not_submitted_is_refused(terminal):
    with pytest.raises(JobError, match="has not been submitted"):
        watch(new_job(succeed))
    assert terminal.getvalue() == ""


def test_no_bar_for_what_is_over_before_the_delay(terminal, one_thread):
    assert watch(submitted(succeed, executor=one_thread), delay=GUARD).done()
    assert terminal.getvalue() == ""


def test_a_bar_for_what_is_not_and_it_leaves_nothing_behind_if_asked(terminal, work, held, one_thread):
    terminal.when(RUNNING, held.go.set)
    job = submitted(work, executor=one_thread)
    assert unless_it_hangs(lambda: watch(job, delay=0.001, leave=False)) is job
    assert terminal.frames()[-1] == (100, "done in 3 s")
    assert not terminal.getvalue().split("\r")[-2].strip()
    assert "\n" not in terminal.getvalue()


@pytest.mark.parametrize("cancels", [True, False])
def test_an_interrupt_ends_the_bar_at_once_and_cancels_the_job_if_that_is_wanted(
    terminal, work, held, one_thread, cancels
):
    def interrupt():
        raise KeyboardInterrupt

    job = submitted(work, executor=one_thread, cancel_on_interrupt=cancels)
    assert held.began.wait(GUARD)
    terminal.when("%", interrupt)  # the first sign of a bar
    with pytest.raises(KeyboardInterrupt):
        watch(job)
    assert job.status() is JobStatus.RUNNING
    terminal.when(RUNNING, interrupt)
    held.go.set()
    job.wait_for_final_state(GUARD)
    assert job.status() is (JobStatus.CANCELLED if cancels else JobStatus.DONE)


def test_an_interrupted_bar_says_so_and_leaves_its_line(terminal, work, held, one_thread):
    def interrupt():
        terminal.when("%", again)

    def again():  # in the second drawing: the bar is there
        raise KeyboardInterrupt

    job = submitted(work, executor=one_thread)
    assert held.began.wait(GUARD)
    terminal.when("%", interrupt)
    with pytest.raises(KeyboardInterrupt):
        watch(job)
    assert terminal.frames()[-1] == (30, "interrupted after 3 s, 12 of 40 passes")
    assert terminal.getvalue().endswith("\n")


def test_a_terminal_that_fails_does_not_take_the_job_with_it(terminal, one_thread, monkeypatch, caplog):
    def fault():
        raise ValueError("I/O operation on a closed file")

    monkeypatch.setattr(terminal, "isatty", fault)
    job = submitted(succeed, executor=one_thread, progress=True)
    assert job.result(GUARD) is OUTCOME
    monkeypatch.undo()
    assert "cannot be drawn; the job goes on" in caplog.text


def test_a_terminal_that_fails_later_does_not_either(terminal, work, held, one_thread, caplog):
    def fault():
        raise RuntimeError("the cat is on the keyboard")

    with caplog.at_level(logging.ERROR, "basicaer"):
        job = submitted(work, executor=one_thread, progress=True)
        assert held.began.wait(GUARD)
        terminal.when("%", fault)
        job._bar.join(GUARD)
        held.go.set()
        assert job.result(GUARD) is OUTCOME
    assert "can no longer be drawn; the job goes on" in caplog.text


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(), "queued"),
        (Progress("planning", 0, 1, elapsed=0.5), "planning, 500 ms"),
        (Progress("gates", 0, 1, 3.7, 40, 0, 10, 2.0, 5.0), "gates, 3 of 40 passes, 2 s, about 5 s left"),
        (Progress("gates", 0, 1, 3.7, None, 4, 10, 2.0), "gates, 4 of 10 shots, 2 s"),
        (Progress("sampling", 0, 1, 40, 40, 4, 10, 90.0, 0.0), "sampling, 4 of 10 shots, 90 s"),
        (Progress("gates", 1, 5, 3, 40, 0, 10, 9.0, 60), "circuit 2 of 5: gates, 3 of 40 passes, 9 s, about 60 s left"),
        (Progress("results", 5, 5, elapsed=9.0), "circuit 5 of 5: results, 9 s"),
        (Progress("ended", 5, 5, elapsed=9.0), "circuit 5 of 5, 9 s"),
    ],
)
def test_words_for_progress(progress, text):
    assert watching._running(progress) == text


def test_when_the_interpreter_exits_the_bar_ends_and_nothing_else_is_written():
    script = """
import os, sys, threading
from basicaer import BasicAerJob
from basicaer.engine.monitor import current_monitor
from basicaer.watching import draw_in_background

class Terminal:
    encoding = "utf-8"
    def isatty(self):
        return True
    def write(self, text):
        os.write(1, text.encode())
    def flush(self):
        pass

begun = threading.Event()

def endless(job_id, payload):
    begun.set()
    while True:
        current_monitor.get().poll()

real, sys.stderr = sys.stderr, Terminal()
job = BasicAerJob(None, "job 7", endless, lambda: None, bar=draw_in_background)
job.submit()
sys.stderr = real
begun.wait()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, encoding="utf-8", timeout=2 * GUARD, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "interrupted after" in done.stdout.splitlines()[-1]


def raised_by(call):
    with pytest.raises(KeyboardInterrupt) as caught:
        call()
    return caught.value._render_traceback_()  # as IPython asks for it


@pytest.mark.parametrize("cancels", [True, False])
def test_a_notebook_shows_an_interrupt_in_three_lines(cancels, held, one_thread, monkeypatch):
    def interrupt(*_arguments):
        raise KeyboardInterrupt

    job = submitted(held, executor=one_thread, cancel_on_interrupt=cancels)
    assert held.began.wait(GUARD)
    monkeypatch.setattr(Latch, "wait", interrupt)
    for wait in (lambda: job.result(5), lambda: job.wait_for_final_state(5), lambda: watch(job)):
        line, code, outcome = raised_by(wait)
        assert line == f"KeyboardInterrupt in line {wait.__code__.co_firstlineno}:"
        assert code.startswith("    for wait in (lambda: job.result(5)")
        assert outcome == f"Job job 7 {'was cancelled' if cancels else 'goes on; its cancel() stops it'}."
    monkeypatch.setattr(BasicAerJob, "submit", interrupt)
    *_, outcome = raised_by(lambda: BACKEND.run(bell("")))
    assert outcome == "run() was interrupted; no job runs."
