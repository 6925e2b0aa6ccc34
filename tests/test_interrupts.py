"""Ctrl-C, sent as a signal to a program that waits for a large circuit: in `result`, a with-block, the command line."""

import os
import re
import signal
import subprocess
import sys
from concurrent.futures import CancelledError

import pytest
from click.testing import CliRunner
from qiskit import QuantumCircuit, qasm2

from basicaer import BasicAerJob, cli
from jobs import GUARD

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGINT is sent as on POSIX")

PREAMBLE = """
import signal, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell may have set to be ignored, as for a nohup
from qiskit import QuantumCircuit
from basicaer import BasicAer, job_future, watch
from basicaer.latch import Latch

def large(layers):
    circuit = QuantumCircuit(20)
    for layer in range(layers):
        for qubit in range(20):
            circuit.ry(0.1 * qubit + layer, qubit)
            circuit.cx(qubit, (qubit + 1 + layer % 19) % 20)
    circuit.measure_all()
    return circuit

def say_when_waiting():
    real = Latch.wait
    def wait(latch, seconds=None):
        if threading.current_thread() is threading.main_thread():
            print("waiting", flush=True)
        return real(latch, seconds)
    Latch.wait = wait
    real_of_futures = job_future.wait
    def wait_for_futures(*arguments):
        print("waiting", flush=True)
        return real_of_futures(*arguments)
    job_future.wait = wait_for_futures

backend = BasicAer.get_backend("qasm_simulator")
"""


WAYS = ["job.result()", "job.wait_for_final_state()", "watch(job)", "job.future().exception()"]


def interrupted(script, *arguments):
    """Interrupt a script in a new interpreter as soon as it says that it waits; return status, output and errors."""
    child = subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        try:
            first = child.stdout.readline()
            assert first, child.communicate(timeout=4 * GUARD)[1]
            child.send_signal(signal.SIGINT)
            output, errors = child.communicate(timeout=4 * GUARD)
        except BaseException:
            child.kill()
            raise
    assert first == "waiting\n", errors
    return child.returncode, [line for line in output.splitlines() if line != "waiting"], errors


def large_circuit(layers):
    circuit = QuantumCircuit(20, 20)
    for layer in range(layers):
        for qubit in range(20):
            circuit.ry(0.1 * qubit + layer, qubit)
            circuit.cx(qubit, (qubit + 1 + layer % 19) % 20)
    circuit.measure(range(20), range(20))
    return circuit


@pytest.mark.parametrize("wait", WAYS)
def test_an_interrupt_while_waiting_cancels_the_job(wait):
    script = f"""
job = backend.run(large(1000))
say_when_waiting()
try:
    {wait}
except KeyboardInterrupt:
    print("interrupted", job._state._is_cancelled)
job.wait_for_final_state()
print(job.status().name)
"""
    assert interrupted(script) == (0, ["interrupted True", "CANCELLED"], "")


@pytest.mark.parametrize("wait", WAYS)
def test_the_job_goes_on_if_that_is_wanted_and_can_be_asked_again(wait):
    script = f"""
go = threading.Event()
job = backend.run(large(10), shots=9, callback=lambda _: go.wait(), cancel_on_interrupt=False)
say_when_waiting()
try:
    {wait}
except KeyboardInterrupt:
    print("interrupted", job.status().name)
go.set()
print(sum(job.result().get_counts().values()))
"""
    status, output, errors = interrupted(script)
    assert (status, errors) == (0, "")
    assert output in (["interrupted RUNNING", "9"], ["interrupted QUEUED", "9"])  # the worker may not have begun


def test_leaving_a_with_block_by_an_interrupt_cancels_the_job():
    script = """
try:
    with backend.run(large(1000), cancel_on_interrupt=False) as job:
        print("waiting", flush=True)
        threading.Event().wait()
except KeyboardInterrupt:
    job.wait_for_final_state()
    print(job.status().name)
"""
    assert interrupted(script) == (0, ["CANCELLED"], "")


def test_a_program_that_does_not_mind_interrupts_ends_by_one_without_a_word_of_ours():
    script = """
job = backend.run(large(1000))
say_when_waiting()
job.result()
"""
    status, output, errors = interrupted(script)
    assert status == -signal.SIGINT
    assert output == []
    assert errors.splitlines()[-1] == "KeyboardInterrupt"
    assert errors.count("Traceback") == 1


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_the_command_line_is_cancelled_with_one_line_and_the_status_of_an_interrupt(tmp_path, options):
    path = tmp_path / "large.qasm"
    path.write_text(qasm2.dumps(large_circuit(layers=300)), "utf-8")
    script = """
import sys
from basicaer import BasicAerJob, cli

def announced(wait):
    def announce(*arguments, **keys):
        print("waiting", flush=True)
        return wait(*arguments, **keys)
    return announce

for name in ("result", "wait_for_final_state"):
    setattr(BasicAerJob, name, announced(getattr(BasicAerJob, name)))
cli.main(["run", *sys.argv[1:]])
"""
    status, output, errors = interrupted(script, path, *options)
    assert (status, output) == (130, [])
    assert re.fullmatch(r"Cancelled( after .*)?\.\n", errors)


def test_an_interrupt_before_the_command_line_waits_for_its_job_cancels_the_job(tmp_path, monkeypatch):
    path, jobs = tmp_path / "large.qasm", []
    path.write_text(qasm2.dumps(large_circuit(layers=1000)), "utf-8")

    def interrupt(job, *_arguments):
        jobs.append(job)
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted_at_once:
        interrupted_at_once.setattr(BasicAerJob, "result", interrupt)
        outcome = CliRunner().invoke(cli.main, ["run", str(path), "--json"])
    assert (outcome.exit_code, outcome.stdout) == (130, "")
    (job,) = jobs
    with pytest.raises(CancelledError):
        job.result(GUARD)
