"""States in the host's memory of which a GPU has chunks: outcomes, what goes over the bus, cancellation, failures."""

import threading

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

import random_programs
from basicaer import BasicAerError, EstimatorV2, SamplerV2, calibration, library, spilling
from basicaer.compile.lower import lower
from basicaer.devices import registry
from basicaer.devices.gpu.device import CupyDevice
from basicaer.devices.gpu.probe import GpuProbe
from basicaer.devices.spilled import device as spilled_device
from basicaer.devices.spilled import on_card
from basicaer.devices.spilled.device import SpilledDevice
from basicaer.devices.spilled.on_card import ChunksOnCard, HostStore
from basicaer.engine.monitor import Monitor
from basicaer.engine.program import Segment
from basicaer.errors import Cancelled, DeviceFailedError
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from basicaer.plan.stages import plan_stages
from conftest import MACHINE_CODE, TINY_SHAPES, new_emulated_cupy
from emulated_gpu.building import why_unavailable

pytestmark = [
    pytest.mark.skipif(why_unavailable() is not None, reason=f"kernels cannot run here: {why_unavailable()}"),
    pytest.mark.filterwarnings("ignore::basicaer.errors.NothingMeasuredWarning"),
]

CHUNK_QUBITS = 5
UP, DOWN = "host to device", "device to host"


@pytest.fixture
def gpu(monkeypatch, tmp_path):
    """A card that has room for three chunks of 32 amplitudes, and for no state."""
    device = CupyDevice(cupy=new_emulated_cupy(), shapes=TINY_SHAPES)
    monkeypatch.setattr(registry, "probe_gpu", lambda: GpuProbe(cards=("0: Emulated GPU",)))
    monkeypatch.setattr(registry, "gpu_device", lambda _number: device)
    monkeypatch.setattr(CupyDevice, "free_bytes", lambda _: 1)
    monkeypatch.setattr(CupyDevice, "expected_free_bytes", lambda _: 1)
    monkeypatch.setattr(spilling, "TOO_SMALL_TO_ASK", 0)
    monkeypatch.setattr(spilled_device, "_SMALLEST_CHUNK", CHUNK_QUBITS)
    monkeypatch.setattr(spilled_device, "_USUAL_CHUNKS", 99)
    monkeypatch.setattr(calibration, "_MOVED_AMPLITUDES", 2**10)
    monkeypatch.setattr(calibration, "calibration_file", lambda: tmp_path / "calibration.json")
    yield device
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("basicaer-spill")]


@pytest.fixture
def pinned(gpu):
    """The card, of which no memory of the host may be left pinned."""
    yield gpu.card.cupy.gpu
    assert gpu.card.cupy.gpu.pinned_bytes == 0


def layers(n, depth=3):
    circuit = QuantumCircuit(n)
    for layer in range(depth):
        for q in range(n):
            circuit.ry(0.3 + q * 0.2 + layer, q)
            circuit.rz(0.1 * q - layer, q)
        for q in range(n):
            circuit.cx(q, (q + 1 + layer) % n)
    return circuit


def in_both(backend, circuit, **options):
    """Run a circuit with its state in the host's memory, and on the CPU."""
    spilled = backend.run(circuit, device="GPU", spill="host", seed_simulator=5, **options).result()
    assert all(one.metadata["device"] == "GPU and host memory" for one in spilled.results)
    return spilled, backend.run(circuit, device="CPU", seed_simulator=5, **options).result()


@pytest.mark.skipif(bool(MACHINE_CODE), reason="threads hold more amplitudes than some of the states have")
@pytest.mark.parametrize("number", [0, 1, 4, 6, 7, 9, 10, 11])  # Others have states of one qubit.
def test_random_programs_have_the_same_outcomes(number, pinned, qasm):
    program = random_programs.program(number)
    binds = [program.binds] if program.binds else None
    of_both = in_both(qasm, program.circuit, parameter_binds=binds, shots=30, memory=True)
    spilled, on_cpu = ([one.data.to_dict() for one in result.results] for result in of_both)
    assert spilled == on_cpu


@pytest.mark.parametrize("precision", ["double", "single"])
def test_what_is_saved_is_the_same(precision, pinned, qasm):
    n = 8
    circuit = layers(n)
    circuit.measure_all()
    circuit.cp(0.7, 0, n - 1)
    library.save_statevector(circuit, pershot=True)
    library.save_probabilities(circuit, [n - 1, 0, 2], label="some")
    library.save_amplitudes(circuit, [1, 2**n - 2, 7], label="amplitudes", pershot=True)
    paulis = SparsePauliOp(["X" * n, "Z" + "I" * (n - 2) + "Y", "I" * (n - 1) + "Z"], [0.3, 0.2, 0.1])
    library.save_expectation_value(circuit, paulis, range(n), label="value")
    spilled, on_cpu = in_both(qasm, circuit, precision=precision, shots=3)
    for label in ("statevector", "some", "amplitudes", "value"):
        ours, theirs = (np.asarray(result.data(0)[label]) for result in (spilled, on_cpu))
        assert np.allclose(ours, theirs, rtol=0, atol=1e-12 if precision == "double" else 1e-5), label


def test_primitives_spill(pinned):
    circuit, options = layers(8, 1), {"device": "GPU", "spill": "host"}
    paulis = SparsePauliOp(["XIIIIIIX", "ZZZZZZZZ"])
    on_both = options, {"device": "CPU"}
    spilled, on_cpu = (EstimatorV2(**some).run([(circuit, paulis)]).result()[0].data.evs for some in on_both)
    assert spilled == pytest.approx(on_cpu, abs=1e-12)
    circuit.measure_all()
    spilled, on_cpu = (SamplerV2(seed=3, **some).run([circuit]).result()[0].data.meas for some in on_both)
    assert spilled.get_counts() == on_cpu.get_counts()


def spilled_run(gpu, circuit, chunk_qubits, monitor=None):
    """Run the gates of a circuit; return how many stages they have, and the bytes of a state."""
    (segment,) = [part for part in lower(circuit).body if isinstance(part, Segment)]
    n = circuit.num_qubits
    device = SpilledDevice(None, plan_segment, plan_stages, device=gpu, chunk_qubits=chunk_qubits)
    state = device.new_state(n, Precision.DOUBLE, monitor)
    gpu.card.cupy.gpu.copies.clear()
    state.run(segment, None)
    stages = [stage for stage in plan_stages(segment, n, n - chunk_qubits, None).stages if stage.gates]
    return len(stages), 16 * 2**n


def of_the_work(gpu):
    """Return the stream in which gates run."""
    (stream,) = {launch.stream for launch in gpu.card.cupy.gpu.launches if launch.kernel.startswith("run_pass")}
    return stream


@pytest.mark.parametrize("depth", [1, 4])
def test_the_bus_moves_the_state_up_and_down_once_in_each_stage(depth, gpu):
    stages, state = spilled_run(gpu, layers(12, depth), 9)
    work, copies = of_the_work(gpu), gpu.card.cupy.gpu.copies
    up, down = (sum(copy.bytes for copy in copies if copy.kind == kind and copy.stream != work) for kind in (UP, DOWN))
    assert stages > 1
    assert down == stages * state
    ones = 16 * 2**3  # of |0...0>, which is made on the card
    assert up == (stages - 1) * state + ones


def test_what_gates_read_on_the_card_is_little_beside_a_chunk_of_gigabytes(gpu):
    stages, _ = spilled_run(gpu, layers(12, 2), 9)
    work = of_the_work(gpu)
    uploaded = sum(copy.bytes for copy in gpu.card.cupy.gpu.copies if copy.kind == UP and copy.stream == work)
    assert uploaded / stages / 2**3 < 2**17


def test_chunks_go_up_and_down_beside_the_work_in_streams_of_their_own(gpu):
    spilled_run(gpu, layers(9, 2), CHUNK_QUBITS)
    streams = {copy.stream for copy in gpu.card.cupy.gpu.copies}
    assert len(streams - {of_the_work(gpu)}) > 1


def test_only_what_is_not_zero_is_moved(gpu):
    n = 12
    circuit = QuantumCircuit(n)
    for q in range(6):
        circuit.ry(0.3 + q, q)
        circuit.cx(q, (q + 1) % 6)
    stages, state = spilled_run(gpu, circuit, 6)
    moved = sum(copy.bytes for copy in gpu.card.cupy.gpu.copies if copy.kind == DOWN)
    assert moved <= stages * state / 2**6


def test_what_must_be_zero_is_cleared_whatever_was_there(gpu):
    chunks, poll, numbers = ChunksOnCard(gpu), Monitor().poll, np.arange(2**CHUNK_QUBITS)
    (chunk,) = chunks.buffers(1, len(numbers), np.dtype(complex))
    chunks.clear(chunk[:8], poll)
    chunks.finish()
    assert not chunk[:8].get().any()
    counts = (numbers & 0b101) == 0b001  # bit 0 is 1, and bit 2 is 0
    chunk.set(np.where(counts, numbers, np.nan).astype(complex))
    chunks.clear_but(chunk, Precision.DOUBLE, {0: 1, 2: 0}, poll)
    assert np.array_equal(chunk.get(), np.where(counts, numbers, 0))


def test_three_chunks_fit_on_the_card(monkeypatch):
    device = CupyDevice(cupy=new_emulated_cupy())
    scratch = device.scratch_bytes(Precision.DOUBLE)
    for free, want in ((3 * 16 * 2**24, 24), (3 * 16 * 2**24 - 1, 23)):
        monkeypatch.setattr(CupyDevice, "expected_free_bytes", lambda _, free=free: free + scratch)
        spilled = SpilledDevice(None, plan_segment, plan_stages, device=device)
        assert spilled.chunk_qubits(34, Precision.DOUBLE) == want


def test_a_plan_shows_stages_and_how_long_the_bus_takes(gpu, monkeypatch, qasm):
    monkeypatch.setattr(SpilledDevice, "seconds_to_move", lambda *_: (16 * 2**10 / 2**10, 16 * 2**10 / 2**11))
    n = 9
    plan = qasm.plan(layers(n, 2), device="GPU", spill="host", shots=1)
    assert plan.device == "GPU and host memory"
    assert plan.spilled == 16 * 2**n
    assert plan.memory == 3 * 16 * 2**CHUNK_QUBITS
    up, down = 16 * 2**n / 2**10, 16 * 2**n / 2**11
    times = [down, *[max(up, down)] * (len(plan.stages) - 1)]
    assert [stage.seconds for stage in plan.stages] == pytest.approx(times, rel=0.01)


def test_the_bus_is_measured(gpu):
    device = SpilledDevice(None, plan_segment, plan_stages, device=gpu)
    rates = calibration.store_rates(device)
    assert min(rates.read, rates.write) > 0
    assert rates.both_ways
    assert gpu.card.cupy.gpu.pinned_bytes == 0


@pytest.mark.parametrize("after", [3, 40, 200])
def test_a_cancelled_run_leaves_no_thread_and_no_memory(after, pinned, gpu):
    class CancelledAfter(Monitor):
        left = after

        def poll(self):
            self.left -= 1
            if self.left < 0:
                raise Cancelled

    with pytest.raises(Cancelled):
        spilled_run(gpu, layers(10, 3), CHUNK_QUBITS, CancelledAfter())


def test_no_more_is_on_the_way_than_a_cancelled_job_waits_for(gpu, monkeypatch):
    monkeypatch.setattr(on_card, "_PIECE_BYTES", 2**6)
    monkeypatch.setattr(on_card, "_MOST_IN_FLIGHT", 2**8)
    waits, wait = [], HostStore._wait

    def counted(self, queue):
        waits.append(self._on_the_way.size)
        wait(self, queue)

    monkeypatch.setattr(HostStore, "_wait", counted)
    spilled_run(gpu, layers(9, 2), CHUNK_QUBITS)
    assert set(waits) == {2**8}


def test_a_host_that_cannot_pin_so_much_says_so(gpu, qasm):
    gpu.card.cupy.gpu.most_pinned_bytes = 2**10
    with pytest.raises(BasicAerError, match=r"The host could not pin 4 KiB of memory for a state \(.*\); clos"):
        qasm.run(layers(8), device="GPU", spill="host").result()
    assert gpu.card.cupy.gpu.pinned_bytes == 0


@pytest.mark.parametrize("launch", [1, 5, 60])
def test_a_card_that_fails_ends_the_job_in_one_sentence(launch, pinned, gpu, qasm):
    circuit = layers(9)
    circuit.measure_all()
    gpu.card.cupy.gpu.fail_launch(launch)
    with pytest.raises(DeviceFailedError, match=r"GPU 0 failed while .*; if the next job fails too"):
        qasm.run(circuit, device="GPU", spill="host").result()


def test_a_state_that_fits_stays_on_the_card(gpu, monkeypatch, qasm):
    monkeypatch.setattr(CupyDevice, "free_bytes", lambda _: 2**30)
    monkeypatch.setattr(CupyDevice, "expected_free_bytes", lambda _: 2**30)
    circuit = layers(8)
    circuit.measure_all()
    assert qasm.run(circuit, device="GPU", spill="host").result().results[0].metadata["device"] == "GPU"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"device": "CPU", "spill": "host"}, "give device='GPU', or a folder"),
        ({"spill": "host"}, "give device='GPU', or a folder"),
        ({"device": "GPU", "spill": "."}, "leave out device='GPU', or give spill='host'"),
        ({"device": "GPU", "spill": "host", "checkpoint_dir": "saved"}, "leave out checkpoint_dir, or take a folder"),
        ({"device": "GPU", "spill": "host", "max_parallel_experiments": 2}, "leave out max_parallel_experiments"),
        ({"device": "GPU", "spill": "host", "target_gpus": [0, 1]}, "give one of target_gpus at most"),
    ],
)
def test_what_cannot_be_done_is_refused(options, words, qasm):
    with pytest.raises(BasicAerError, match=words):
        qasm.run(layers(8), **options)


def test_a_folder_may_be_called_host(tmp_path, monkeypatch, qasm):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "host").mkdir()
    circuit = layers(4)
    circuit.measure_all()
    qasm.run(circuit, spill="./host").result()
    qasm.run(circuit, spill=tmp_path / "host").result()


def test_the_refusal_of_a_state_names_the_host_and_how_long_that_takes(gpu, monkeypatch, qasm):
    monkeypatch.setattr("basicaer.simulators.run_options.free_host_bytes", lambda: 2**40)
    monkeypatch.setattr(spilled_device, "free_host_bytes", lambda: 2**40)
    circuit = layers(30, 1)
    circuit.measure_all()
    with pytest.raises(BasicAerError, match="30 qubits") as refused:
        qasm.run(circuit, device="GPU")
    assert "spill='host' keeps it in the host's memory, device='CPU' with spill=FOLDER" in refused.value.message
    monkeypatch.setattr(SpilledDevice, "seconds_to_move", lambda _device, amplitudes: (amplitudes / 2**30,) * 2)
    qasm.plan(layers(9), device="GPU", spill="host")
    with pytest.raises(BasicAerError, match=r"spill='host' keeps it in the host's memory \(about \d+ s\), dev"):
        qasm.run(circuit, device="GPU")
    monkeypatch.setattr("basicaer.simulators.run_options.free_host_bytes", lambda: 2**33)
    with pytest.raises(BasicAerError, match="30 qubits") as refused:
        qasm.run(circuit, device="GPU")
    assert "host'" not in refused.value.message
