"""Which device a run gets, and why: `device`, `target_gpus`, and from which size on `auto` takes a GPU."""

import threading

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.providers import JobStatus

from basicaer import calibration
from basicaer.devices import registry
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.gpu.device import CupyDevice
from basicaer.devices.gpu.probe import GpuProbe
from basicaer.errors import BasicAerError, DeviceUnavailableError
from basicaer.executor import executor_of_gpu
from basicaer.options import DeviceChoice, DeviceOptions, Precision
from basicaer.simulators import experiments, running
from emulated_gpu.building import why_unavailable
from emulated_gpu.stand_in import EmulatedCupy
from jobs import GUARD

pytestmark = pytest.mark.skipif(why_unavailable() is not None, reason=f"kernels cannot run here: {why_unavailable()}")

AUTO = DeviceOptions(DeviceChoice.AUTO, threads=1)
CARDS = ("0: Emulated GPU", "1: Emulated GPU")


@pytest.fixture
def gpu(monkeypatch, tmp_path):
    """A GPU that can be used, while nothing has been measured yet."""
    device = CupyDevice(cupy=EmulatedCupy())
    monkeypatch.setattr(registry, "probe_gpu", lambda: GpuProbe(cards=CARDS))
    monkeypatch.setattr(registry, "gpu_device", lambda _number: device)
    monkeypatch.setattr(calibration, "calibration_file", lambda: tmp_path / "kept" / "calibration.json")
    return device


@pytest.fixture
def timed(monkeypatch):
    """A function that sets how long each size takes on each device; it returns the list of sizes that are asked for."""
    asked = []

    def use(cpu, gpu):
        def seconds(device, _segment, n_qubits, _precision):
            asked.append((device.name, n_qubits))
            return {"CPU": cpu, "GPU": gpu}[device.name](n_qubits)

        monkeypatch.setattr(calibration, "_seconds", seconds)
        return asked

    return use


def layers(n, seed=1):
    angles = np.random.default_rng(seed)
    circuit = QuantumCircuit(n)
    for _ in range(3):
        for q in range(n):
            circuit.u(*angles.uniform(0, 3, 3), q)
        for q in range(n - 1):
            circuit.cx(q, q + 1)
    circuit.measure_all()
    return circuit


def crossover_at(least):
    return lambda _cpu, _gpu, _precision: least


@pytest.mark.usefixtures("gpu")
def test_a_job_on_the_gpu_gives_the_counts_of_the_cpu(qasm):
    circuit = layers(9)
    on_gpu = qasm.run(circuit, shots=500, seed_simulator=3, device="GPU").result()
    on_cpu = qasm.run(circuit, shots=500, seed_simulator=3, device="CPU").result()
    assert on_gpu.get_counts() == on_cpu.get_counts()
    assert on_gpu.results[0].metadata["device"] == "GPU"
    assert on_gpu.results[0].metadata["device_reason"] == "device='GPU' was asked for"


@pytest.fixture
def threads_of(monkeypatch):
    """A dictionary: circuit's name -> the thread that runs it."""
    found = {}
    run = running.execute
    monkeypatch.setattr(
        running,
        "execute",
        lambda request, *given, **keys: (
            found.update({request.program.name: threading.current_thread()}) or run(request, *given, **keys)
        ),
    )
    return found


@pytest.mark.usefixtures("gpu")
def test_jobs_of_a_gpu_queue_for_its_one_worker_and_keep_none_of_the_others(qasm, threads_of, held):
    of_gpu = executor_of_gpu(0).submit(threading.current_thread).result(GUARD)
    executor_of_gpu(0).submit(held, "job", None)
    assert held.began.wait(GUARD)
    jobs = []
    for name in ("first", "second"):
        circuit = layers(2)
        circuit.name = name
        jobs.append(qasm.run(circuit, device="GPU", shots=1))
    circuit = layers(10)
    circuit.name = "on the CPU"
    assert qasm.run(circuit, device="CPU", shots=1).result(GUARD).success
    assert [job.status() for job in jobs] == [JobStatus.QUEUED] * 2
    held.polls = False
    held.go.set()
    for job in jobs:
        assert job.result(GUARD).results[0].metadata["device"] == "GPU"
    assert list(threads_of) == ["on the CPU", "first", "second"]
    assert threads_of["first"] is threads_of["second"] is of_gpu
    assert executor_of_gpu(1) is not executor_of_gpu(0) is executor_of_gpu(0)


@pytest.mark.usefixtures("gpu")
def test_where_an_executor_was_given_jobs_of_a_gpu_go_there(qasm, manual):
    job = qasm.run(layers(2), device="GPU", shots=1, executor=manual)
    assert len(manual.waiting) == 1
    manual.run_all()
    assert job.result(0).success


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("n_qubits", "least", "name", "reason"),
    [
        (11, 5, "CPU", "the CPU is faster below 12 qubits"),
        (13, 14, "CPU", "the CPU is faster below 14 qubits, as measured here"),
        (14, 14, "GPU", "GPU 0 is faster from 14 qubits on, as measured here"),
        (14, None, "CPU", "it has not been measured yet from how many qubits on the GPU is faster"),
    ],
)
def test_auto_takes_what_is_faster_and_says_why(n_qubits, least, name, reason):
    device, said = registry.choose_device(AUTO, n_qubits, Precision.DOUBLE, crossover_at(least))
    assert (device.name, said) == (name, reason)


def test_auto_stays_on_the_cpu_where_the_gpu_has_no_room(gpu, monkeypatch):
    monkeypatch.setattr(gpu.card.cupy.gpu, "total_bytes", 2**27)
    device, said = registry.choose_device(AUTO, 23, Precision.DOUBLE, crossover_at(12))
    assert device.name == "CPU"
    assert said.startswith("the state needs 192 MiB, and GPU 0 has ")


@pytest.mark.usefixtures("gpu")
def test_a_number_that_no_gpu_has_is_refused(qasm):
    with pytest.raises(DeviceUnavailableError, match="GPU 2 of target_gpus is not there; the driver sees 2, numbered"):
        qasm.run(layers(2), device="GPU", target_gpus=[2])


@pytest.mark.parametrize("value", [[], 0, [0, 0], [-1], [True], ["0"], "01"])
def test_a_list_that_names_no_gpus_is_refused(qasm, value):
    with pytest.raises(BasicAerError, match="target_gpus must be a list of the numbers of GPUs, each once, or None"):
        qasm.run(layers(2), target_gpus=value)


# Measuring.


def test_the_first_size_at_which_the_gpu_is_not_slower_is_kept(gpu, timed):
    asked = timed(cpu=lambda n: 2.0**n, gpu=lambda _n: 2.0**16)
    cpu = NumpyDevice(1)
    assert calibration.known_crossover(cpu, gpu, Precision.DOUBLE) is None
    assert calibration.measured_crossover(cpu, gpu, Precision.DOUBLE) == 16
    assert asked == [(name, n) for n in (12, 14, 16) for name in ("GPU", "CPU")]
    asked.clear()
    assert calibration.measured_crossover(cpu, gpu, Precision.DOUBLE) == 16
    assert calibration.known_crossover(cpu, gpu, Precision.DOUBLE) == 16
    assert asked == []
    # Another precision or number of threads is measured separately, and the first result is kept.
    assert calibration.known_crossover(cpu, gpu, Precision.SINGLE) is None
    assert calibration.measured_crossover(NumpyDevice(2), gpu, Precision.DOUBLE) == 16
    assert asked
    assert calibration.known_crossover(cpu, gpu, Precision.DOUBLE) == 16


def test_a_gpu_that_is_never_faster_is_taken_beyond_what_was_measured(gpu, timed):
    timed(cpu=lambda _n: 1.0, gpu=lambda _n: 2.0)
    assert calibration.measured_crossover(NumpyDevice(1), gpu, Precision.DOUBLE) == 23


@pytest.mark.parametrize("text", ["", "[]", '{"a": "b"}', "no json"])
def test_a_file_that_says_nothing_is_measured_again(gpu, timed, text):
    timed(cpu=lambda _n: 2.0, gpu=lambda _n: 1.0)
    calibration.calibration_file().parent.mkdir()
    calibration.calibration_file().write_text(text, "utf-8")
    assert calibration.measured_crossover(NumpyDevice(1), gpu, Precision.DOUBLE) == 12
    assert calibration.known_crossover(NumpyDevice(1), gpu, Precision.DOUBLE) == 12


def test_without_a_place_for_the_file_it_is_still_measured(gpu, timed, tmp_path):
    timed(cpu=lambda _n: 2.0, gpu=lambda _n: 1.0)
    (tmp_path / "kept").touch()  # a file where the folder should be
    assert calibration.measured_crossover(NumpyDevice(1), gpu, Precision.DOUBLE) == 12


def test_measuring_runs_on_both_devices(gpu, monkeypatch):
    monkeypatch.setattr(calibration, "_SIZES", range(4, 5, 2))
    assert calibration.measured_crossover(NumpyDevice(1), gpu, Precision.DOUBLE) in {4, 5}
    assert any("run_pass" in launch.kernel for launch in gpu.card.cupy.gpu.launches)


# Several GPUs.


@pytest.fixture
def spread(monkeypatch):
    """Record which GPU each circuit runs on, by itself, and in which thread; the work itself is done on the CPU."""
    ran = {}
    real = running.execute

    def chosen(options, _n_qubits, _precision, _crossover, **_):
        device = NumpyDevice(1)
        device.number = options.gpu
        return device, ""

    def execute(request, device, *arguments, **keys):
        ran[request.program.name] = device.number, threading.get_ident()
        return real(request, device, *arguments, **keys)

    for module in (experiments, running):
        monkeypatch.setattr(module, "choose_device", chosen)
    monkeypatch.setattr(running, "execute", execute)
    monkeypatch.setattr(running, "common_structure", lambda _program, **_how: None)
    return ran


def named(names, n=2):
    circuits = []
    for name in names:
        circuit = layers(n, seed=ord(name))
        circuit.name = name
        circuits.append(circuit)
    return circuits


def test_circuits_are_spread_over_gpus_and_results_keep_their_order(qasm, spread, monkeypatch):
    alone = qasm.run(named("abcde"), seed_simulator=5).result()
    assert {gpu for gpu, _ in spread.values()} == {0}
    real, together = running.execute, threading.Barrier(2)

    def execute(request, *arguments, **keys):
        if request.program.name in {"a", "b"}:  # the first of each GPU: they run at the same time
            together.wait(20)
        return real(request, *arguments, **keys)

    monkeypatch.setattr(running, "execute", execute)
    result = qasm.run(named("abcde"), seed_simulator=5, target_gpus=[3, 1]).result()
    assert {name: gpu for name, (gpu, _) in spread.items()} == {"a": 3, "b": 1, "c": 3, "d": 1, "e": 3}
    assert len({thread for _, thread in spread.values()}) == 2
    assert [one.name for one in result.results] == list("abcde")
    assert [result.get_counts(n) for n in range(5)] == [alone.get_counts(n) for n in range(5)]


def test_what_had_finished_on_any_gpu_is_kept_when_one_fails(qasm, spread, monkeypatch):
    real = running.execute
    go = threading.Event()

    def execute(request, *arguments, **keys):
        if request.program.name == "b":
            go.wait(20)
            raise BasicAerError("GPU 1 is on fire.")
        done = real(request, *arguments, **keys)
        if request.program.name == "c":
            go.set()
        return done

    monkeypatch.setattr(running, "execute", execute)
    job = qasm.run(named("abc"), target_gpus=[0, 1])
    with pytest.raises(BasicAerError, match="on fire"):
        job.result()
    assert spread.keys() == {"a", "c"}
    assert [one.name for one in job.partial_result().results] == ["a", "c"]


def test_every_choice_has_a_kind():
    assert {DeviceChoice.AUTO, *registry.KINDS} == set(DeviceChoice)
