"""What happens around a GPU: before it is used, when it fails, and in processes that are forked."""

import multiprocessing
import sys
import warnings
from concurrent.futures import CancelledError, ProcessPoolExecutor

import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from basicaer import BasicAer, EstimatorV2, SamplerV2, calibration
from basicaer.devices import registry
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.gpu import probe, surroundings
from basicaer.devices.gpu.device import CupyDevice
from basicaer.devices.gpu.probe import GpuProbe
from basicaer.engine.monitor import current_monitor
from basicaer.engine.suspended import Suspension
from basicaer.errors import BasicAerError, BasicAerWarning, DeviceFailedError, DeviceUnavailableError
from conftest import TINY_SHAPES
from emulated_gpu.building import why_unavailable
from emulated_gpu.errors import CUDARuntimeError
from emulated_gpu.stand_in import EmulatedCupy
from jobs import GUARD

pytestmark = pytest.mark.skipif(why_unavailable() is not None, reason=f"kernels cannot run here: {why_unavailable()}")

N = 12
USED_FROM = N  # qubits


@pytest.fixture
def gpu(monkeypatch):
    """A GPU that `auto` takes."""
    device = CupyDevice(cupy=EmulatedCupy())
    monkeypatch.setattr(registry, "probe_gpu", lambda: GpuProbe(cards=("0: Emulated GPU",)))
    monkeypatch.setattr(registry, "gpu_device", lambda _number: device)
    monkeypatch.setattr(calibration, "_key", lambda *_: "measured")
    monkeypatch.setattr(calibration, "_read", lambda: {"measured": USED_FROM})
    return device


def circuit(name="c", *, measured=True):
    made = QuantumCircuit(N, name=name)
    made.ry(0.3, range(N))
    for q in range(N - 1):
        made.cx(q, q + 1)
    if measured:
        made.measure_all()
    return made


def device_of(result, number=0):
    metadata = result.results[number].metadata
    return metadata["device"], metadata["device_reason"]


def counts_on_the_cpu(qasm):
    return qasm.run(circuit(), shots=50, seed_simulator=1, device="CPU").result(GUARD).get_counts()


# Before a run.


@pytest.mark.parametrize("device", ["auto", "GPU"])
def test_choosing_a_device_touches_no_card(qasm, gpu, manual, device):
    job = qasm.run(circuit(), device=device, executor=manual, shots=1)
    assert not gpu.card.is_used
    manual.run_all()
    assert gpu.card.is_used
    assert device_of(job.result(0))[0] == "GPU"


def test_what_never_fits_on_a_card_is_refused_without_touching_it(statevector, gpu):
    gpu.card.cupy.gpu.total_bytes = 2**20
    gpu.card.properties["totalGlobalMem"] = 2**20
    with pytest.raises(BasicAerError, match=r"needs 192 MiB for 23 qubits .* on the GPU, where 1 MiB are free"):
        statevector.run(QuantumCircuit(23), device="GPU")
    assert not gpu.card.is_used


# Failures.


def test_after_a_failure_for_good_auto_goes_on_with_the_cpu_and_says_so(qasm, gpu):
    emulated = gpu.card.cupy.gpu
    emulated.errors_stick = True
    emulated.fail_launch(3)
    with pytest.warns(
        BasicAerWarning, match=r"GPU 0 failed while .* With device='auto', what it was doing runs on the"
    ):
        result = qasm.run([circuit("a"), circuit("b")], shots=50, seed_simulator=1).result(GUARD)
    assert device_of(result) == ("CPU", "GPU 0 failed")
    assert result.get_counts(0) == counts_on_the_cpu(qasm)
    name, reason = device_of(result, 1)
    assert name == "CPU"
    assert reason.startswith("no GPU: GPU 0 failed while ")
    with pytest.raises(
        DeviceUnavailableError, match=r"GPU 0 failed .* cannot be used before Python is started again; dev"
    ):
        qasm.run(circuit(), device="GPU")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is said once
        assert device_of(qasm.run(circuit()).result(GUARD))[0] == "CPU"


def test_a_job_that_asked_for_the_gpu_fails_and_says_that_python_must_be_started_again(qasm, gpu):
    gpu.card.cupy.gpu.errors_stick = True
    gpu.card.cupy.gpu.fail_launch(3)
    job = qasm.run(circuit(), device="GPU")
    with pytest.raises(
        DeviceFailedError, match=r"GPU 0 failed .*; it cannot be used again before Python is started ag"
    ):
        job.result(GUARD)


def test_a_failure_that_passes_leaves_the_gpu_to_the_next_circuit(qasm, gpu):
    gpu.card.cupy.gpu.fail_launch(3)
    with pytest.warns(BasicAerWarning, match="if the next job fails too, start Python again"):
        result = qasm.run([circuit("a"), circuit("b")], shots=50, seed_simulator=1).result(GUARD)
    assert [device_of(result, number)[0] for number in range(2)] == ["CPU", "GPU"]
    assert gpu.card.problem == ""


def test_a_state_that_no_longer_fits_runs_on_the_cpu(qasm, gpu):
    gpu.card.cupy.gpu.fail_allocation()
    with pytest.warns(BasicAerWarning, match="GPU 0 ran out of memory while making a state"):
        result = qasm.run(circuit(), shots=50, seed_simulator=1).result(GUARD)
    assert device_of(result) == ("CPU", "GPU 0 failed")
    assert result.get_counts() == counts_on_the_cpu(qasm)


def test_a_gpu_that_fails_while_a_device_is_chosen_is_left_alone(qasm, gpu, monkeypatch):
    qasm.run(circuit(), shots=1).result(GUARD)

    def lost():
        raise CUDARuntimeError(719)

    monkeypatch.setattr(gpu.card.cupy.cuda.runtime, "memGetInfo", lost)
    name, reason = device_of(qasm.run(circuit()).result(GUARD))
    assert name == "CPU"
    assert reason.startswith("no GPU: GPU 0 failed while telling how much memory is free (cudaErrorLaunchFailure")
    counts = SamplerV2(seed=1).run([(circuit(),)], shots=20).result()[0].data.meas.get_counts()
    assert sum(counts.values()) == 20


def test_a_state_that_does_not_fit_on_the_cpu_ends_with_the_failure_of_the_gpu(qasm, gpu, monkeypatch):
    monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _: 2**10)
    gpu.card.cupy.gpu.fail_launch(3)
    with pytest.raises(DeviceFailedError, match="GPU 0 failed while"):
        qasm.run(circuit()).result(GUARD)


@pytest.mark.parametrize("precision", ["double", "single"])
def test_a_job_that_was_saved_on_the_cpu_survives_a_gpu_that_fails_after_saving_it(
    qasm, gpu, monkeypatch, tmp_path, precision
):
    """On the GPU it begins anew and saves its own state; on the CPU it must not take that for the CPU's."""
    deep = QuantumCircuit(N)
    for layer in range(6):
        deep.ry(0.3 + layer, range(N))
        for q in range(N):
            deep.cx(q, (q + 1 + layer) % N)
    deep.measure_all()
    options = {"shots": 50, "seed_simulator": 1, "precision": precision}
    monkeypatch.setattr(gpu, "shapes", TINY_SHAPES)
    monkeypatch.setattr(registry, "NumpyDevice", lambda threads: NumpyDevice(threads, tile_qubits=4))
    want = qasm.run(deep, device="CPU", **options).result(GUARD).get_counts()
    done, passes = Suspension.pass_done, []

    def stopping(suspension, suspended, state):
        done(suspension, suspended, state)
        passes.append(1)
        if len(passes) == 2:
            current_monitor.get().cancel()

    monkeypatch.setattr(gpu.card, "problem", "it is off for a while")
    monkeypatch.setattr(Suspension, "pass_done", stopping)
    job = qasm.run(deep, checkpoint_dir=tmp_path / "job", checkpoint_every=1e-9, **options)
    with pytest.raises(CancelledError):
        job.result(GUARD)
    monkeypatch.setattr(Suspension, "pass_done", done)
    gpu.card.problem = ""
    gpu.card.cupy.gpu.fail_launch(6)
    with pytest.warns(BasicAerWarning) as caught:
        result = BasicAer.resume(tmp_path / "job", checkpoint_every=1e-9).result(GUARD)
    assert [str(one.message).split(" ")[0] for one in caught] == ["The", "GPU"]
    assert device_of(result) == ("CPU", "GPU 0 failed")
    assert result.get_counts() == want


def test_of_a_batch_only_what_is_left_runs_again(qasm, gpu, monkeypatch):
    monkeypatch.setattr(CupyDevice, "most_states", lambda *_: 4)
    circuits = [circuit(f"c{number}") for number in range(8)]
    whole = qasm.run(circuits, shots=9, seed_simulator=1).result(GUARD)
    assert {device_of(whole, number)[0] for number in range(8)} == {"GPU"}
    gpu.card.cupy.gpu.fail_launch(len(gpu.card.cupy.gpu.launches) // 2 + 2)
    with pytest.warns(BasicAerWarning, match="GPU 0 failed"):
        result = qasm.run(circuits, shots=9, seed_simulator=1).result(GUARD)
    assert [device_of(result, number)[0] for number in range(8)] == ["GPU"] * 4 + ["CPU"] * 4
    assert [result.get_counts(n) for n in range(8)] == [whole.get_counts(n) for n in range(8)]


def test_primitives_go_on_with_the_cpu(gpu):
    sampler, estimator = SamplerV2(seed=1), EstimatorV2()
    observable = SparsePauliOp(["Z" * N, "X" * N])

    def sampled():
        return sampler.run([(circuit(),), (circuit(),)], shots=20).result()[1].data.meas.get_counts()

    def estimated():
        return float(estimator.run([(circuit(measured=False), observable)]).result()[0].data.evs)

    for name, run in (("PUB 1", sampled), ("PUB 0", estimated)):
        before = len(gpu.card.cupy.gpu.launches)
        want = run()
        made = len(gpu.card.cupy.gpu.launches) - before
        gpu.card.cupy.gpu.fail_launch(made // 2 + 1 if name == "PUB 1" else 2)
        with pytest.warns(BasicAerWarning, match=f"With device='auto', {name} runs on the CPU"):
            found = run()
        assert found == pytest.approx(want)


# Forked processes.


def why_no_gpu_in(context):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(context)) as pool:
        return pool.submit(registry.why_no_gpu).result(GUARD)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 warns of a fork with threads
def test_a_process_that_was_forked_from_one_with_cuda_has_no_gpu_and_says_why(monkeypatch):
    monkeypatch.setattr(probe, "_of_process", {"has_used_cuda": False, "is_forked": False})
    usual = registry.why_no_gpu()
    assert why_no_gpu_in("fork") == usual
    probe._of_process["has_used_cuda"] = True
    said = why_no_gpu_in("fork")
    assert said.startswith("this process was forked from one that had used CUDA, which does not survive that")
    assert "get_context('spawn')" in said
    assert registry.why_no_gpu() == usual


def test_where_cuda_says_that_it_was_not_initialized_the_reason_is_the_fork(monkeypatch):
    """A user's own use of CuPy before the fork, which basicaer does not see."""
    cupy = EmulatedCupy()
    cupy.cuda.runtime.getDeviceCount = lambda: (_ for _ in ()).throw(CUDARuntimeError(3))
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    found = surroundings.look_around()._replace(builds={"cupy-cuda13x": "14.2.0"}, nvidia=13000)
    monkeypatch.setattr(probe, "look_around", lambda: found)
    monkeypatch.setattr(probe, "_is_there", lambda: True)
    probe.probe_gpu.cache_clear()
    try:
        assert probe.probe_gpu().problem.startswith("this process was forked")
    finally:
        probe.probe_gpu.cache_clear()
