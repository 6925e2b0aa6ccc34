"""Jobs whose states lie in files: the same results as in memory, how much is moved, and what goes wrong in words."""

import tracemalloc

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import QFTGate
from qiskit.quantum_info import SparsePauliOp

import random_programs
import reference
from basicaer import BasicAer, BasicAerError, calibration, library, spilling
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.spilled import device as spilled_device
from basicaer.devices.spilled import state_file
from basicaer.devices.spilled.device import SpilledDevice
from basicaer.devices.spilled.state import SpilledState
from basicaer.devices.spilled.state_file import StateFile
from basicaer.engine.monitor import Monitor
from basicaer.engine.program import Form, Gate, Segment
from basicaer.noise import NoiseModel, depolarizing_error
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from basicaer.plan.stages import plan_stages
from basicaer.primitives import EstimatorV2, SamplerV2

CHUNK_QUBITS = 4


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder into which all states go, as if memory held none, in chunks of 16 amplitudes."""
    monkeypatch.setattr(spilled_device, "_SMALLEST_CHUNK", CHUNK_QUBITS)
    monkeypatch.setattr(spilled_device, "_USUAL_CHUNKS", 99)
    monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _: 1)
    monkeypatch.setattr(spilling, "TOO_SMALL_TO_ASK", 0)
    monkeypatch.setattr(state_file, "_IN_MEMORY", frozenset())  # where temporary files are in memory
    monkeypatch.setattr(calibration, "_MOVED_AMPLITUDES", 2**10)
    monkeypatch.setattr(calibration, "calibration_file", lambda: tmp_path.with_suffix(".json"))  # outside of it
    return tmp_path


@pytest.fixture
def moved(monkeypatch):
    """Count the amplitudes that are read from files and written to them."""
    counts = {"read": 0, "write": 0}

    def counted(name):
        method = getattr(StateFile, name)

        def count(self, start, amplitudes, poll):
            counts[name] += len(amplitudes)
            method(self, start, amplitudes, poll)

        monkeypatch.setattr(StateFile, name, count)

    counted("read")
    counted("write")
    return counts


def in_both(backend, circuit, folder, monkeypatch, **options):
    """Run a circuit with its state in a file and in memory."""
    spilled = backend.run(circuit, spill=folder, seed_simulator=5, **options).result()
    assert all(one.metadata["device"] == f"disk of {folder}" for one in spilled.results)
    monkeypatch.undo()
    in_memory = backend.run(circuit, seed_simulator=5, **options).result()
    assert all(one.metadata["device"] == "CPU" for one in in_memory.results)
    return spilled, in_memory


def layers(n, depth=3):
    circuit = QuantumCircuit(n)
    for layer in range(depth):
        for q in range(n):
            circuit.ry(0.3 + q * 0.2 + layer, q)
            circuit.rz(0.1 * q - layer, q)
        for q in range(n):
            circuit.cx(q, (q + 1 + layer) % n)
    return circuit


@pytest.mark.filterwarnings("ignore::basicaer.errors.NothingMeasuredWarning")
@pytest.mark.parametrize("number", range(12))
def test_random_programs_have_the_same_outcomes(number, folder, monkeypatch, qasm):
    program = random_programs.program(number)
    binds = [program.binds] if program.binds else None
    of_both = in_both(qasm, program.circuit, folder, monkeypatch, parameter_binds=binds, shots=50, memory=True)
    spilled, in_memory = ([one.data.to_dict() for one in result.results] for result in of_both)
    assert spilled == in_memory
    assert not any(folder.iterdir())


@pytest.mark.parametrize("n", [6, 9, 11])
@pytest.mark.parametrize("precision", ["double", "single"])
def test_what_is_saved_is_the_same(n, precision, folder, monkeypatch, qasm):
    circuit = layers(n)
    circuit.swap(0, n - 1)
    circuit.cp(0.7, 0, n - 1)
    library.save_statevector(circuit)
    library.save_probabilities(circuit, [n - 1, 0, 2], label="some")
    library.save_amplitudes(circuit, [1, 2**n - 2, 7], label="amplitudes")
    library.save_density_matrix(circuit, [1, n - 2], label="density")
    paulis = SparsePauliOp(["X" * n, "Z" + "I" * (n - 2) + "Y", "I" * (n - 1) + "Z"], [0.3, 0.2, 0.1])
    library.save_expectation_value(circuit, paulis, range(n), label="value")
    circuit.measure_all()
    spilled, in_memory = in_both(qasm, circuit, folder, monkeypatch, precision=precision)
    tolerance = 1e-12 if precision == "double" else 1e-5
    for label in ("statevector", "some", "amplitudes", "density", "value"):
        ours, theirs = (np.asarray(result.data(0)[label]) for result in (spilled, in_memory))
        assert np.allclose(ours, theirs, rtol=0, atol=tolerance), label
    if precision == "double":
        assert spilled.get_counts() == in_memory.get_counts()


def test_measurement_and_reset_in_the_middle(folder, monkeypatch, qasm):
    n = 7
    circuit = QuantumCircuit(n, n)
    for layer in range(3):
        circuit.compose(layers(n, 1), inplace=True)
        circuit.measure(n - 1 - layer, layer)
        circuit.reset(layer)
        with circuit.if_test((circuit.clbits[layer], 1)):
            circuit.x(n - 1)
            circuit.h(3)
    circuit.measure(range(n), range(n))
    spilled, in_memory = in_both(qasm, circuit, folder, monkeypatch, shots=60, memory=True)
    assert spilled.get_memory() == in_memory.get_memory()


@pytest.mark.parametrize("method", ["statevector", "density_matrix"])
def test_noise(method, folder, monkeypatch, qasm):
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.1, 1), ["ry"])
    circuit = layers(5 if method == "statevector" else 3, 2)
    circuit.measure_all()
    spilled, in_memory = in_both(qasm, circuit, folder, monkeypatch, shots=200, noise_model=model, method=method)
    assert spilled.get_counts() == in_memory.get_counts()


def test_an_initial_state(folder, monkeypatch, qasm):
    circuit = layers(6, 1)
    circuit.measure_all()
    of_both = in_both(qasm, circuit, folder, monkeypatch, initial_statevector=reference.random_state(6))
    assert of_both[0].get_counts() == of_both[1].get_counts()


def test_primitives_have_the_same_values(folder, monkeypatch, qasm):
    circuit, measured = layers(6), layers(6)
    measured.measure_all()
    observables = [SparsePauliOp(["XXYZZI", "IIIIIZ"], [0.5, 2]), "YIIIIX"]

    def both(**options):
        values = EstimatorV2(qasm, **options).run([(circuit, observables)]).result()[0].data.evs
        return values, SamplerV2(qasm, seed=3, **options).run([measured]).result()[0].data.meas.get_counts()

    made, zero = [], SpilledState.zero.__func__
    counting = classmethod(lambda cls, *arguments: made.append(cls) or zero(cls, *arguments))
    monkeypatch.setattr(SpilledState, "zero", counting)
    with pytest.raises(BasicAerError, match="statevector_simulator has no option 'spill'"):
        SamplerV2(BasicAer.get_backend("statevector_simulator"), spill=folder)
    values, counts = both(spill=folder)
    assert len(made) == 2
    monkeypatch.undo()
    of_memory = both()
    assert np.allclose(values, of_memory[0], rtol=0, atol=1e-12)
    assert counts == of_memory[1]


def segment_of(n, count, seed=0):
    """Gates of all forms on random qubits."""
    random = np.random.default_rng(seed)
    gates = []
    for number in range(count):
        a, b, c = random.permutation(n)[:3].tolist()
        kind = number % 4
        if kind == 0:
            gates.append(Gate("u", "G", (a,), Form.MATRIX, reference.random_unitary(2, number)))
        elif kind == 1:
            gates.append(Gate("cx", "X", (a,), Form.PERMUTATION, np.array([1, 0]), (b,), 1))
        elif kind == 2:
            gates.append(Gate("d", "ZZ", (a, b), Form.DIAGONAL, np.exp(1j * random.normal(size=4))))
        else:
            gates.append(Gate("cu", "G", (a,), Form.MATRIX, reference.random_unitary(2, number), (b, c), 2))
    return Segment(tuple(gates))


def test_a_state_of_one_chunk_is_that_in_memory_bit_by_bit(tmp_path):
    n, segment = 9, segment_of(9, 60)
    cpu = NumpyDevice(threads=1, tile_qubits=4)
    state = SpilledDevice(tmp_path, plan_segment, plan_stages, device=cpu, chunk_qubits=n).new_state(
        n, Precision.DOUBLE
    )
    state.load(vector := reference.random_state(n))
    state.run(segment, None)
    in_memory = cpu.new_state(n, Precision.DOUBLE)
    in_memory.load(vector)
    in_memory.run(segment, plan_segment(segment, n, cpu.costs(n, Precision.DOUBLE)))
    assert np.array_equal(state.read(), in_memory.read())


def test_a_stage_reads_and_writes_each_amplitude_once(folder, moved, qasm):
    n = 10
    circuit = QuantumCircuit(n)
    circuit.append(QFTGate(n), range(n))
    stages = plan_stages(
        Segment(tuple(Gate("h", "G", (q,), Form.MATRIX, np.eye(2)) for q in range(2))), n, n - CHUNK_QUBITS, None
    )
    assert len(stages.stages) == 1
    state = spilled_state(folder, n)
    before = dict(moved)
    hadamard = np.array([[1, 1], [1, -1]]) / 2**0.5
    state.run(Segment(tuple(Gate("h", "G", (q,), Form.MATRIX, hadamard) for q in range(n))), None)
    assert (moved["read"], moved["write"] - before["write"]) == (0, 2**n)  # a product is written, and nothing is read
    state.run(Segment(tuple(Gate("h", "G", (q,), Form.MATRIX, hadamard) for q in range(CHUNK_QUBITS))), None)
    assert (moved["read"], moved["write"] - before["write"]) == (2**n, 2 * 2**n)


def test_a_collapse_moves_nothing_and_halves_what_is_read(folder, moved):
    n = 8
    state = spilled_state(folder, n)
    state.load(vector := reference.random_state(n))
    _, one = state.weights(n - 1)
    assert moved["read"] == 2**n
    before = dict(moved)
    state.collapse(n - 1, outcome=True, probability=one)
    assert moved == before
    state.weights(0)
    assert moved["read"] - before["read"] == 2**n // 2
    assert np.allclose(state.read(), reference.collapse(vector, n - 1, 1), rtol=0, atol=1e-12)


def test_gates_after_a_measurement_act_on_a_state_of_norm_1(folder):
    n, segment = 8, segment_of(8, 12)
    state, want = spilled_state(folder, n), reference.random_state(n)
    state.load(want)
    for qubit in (n - 1, 0):
        zero, _ = state.weights(qubit)
        state.collapse(qubit, outcome=False, probability=zero)
        want = reference.collapse(want, qubit, 0)
        state.run(segment, None)
        for gate in segment.gates:
            data = {Form.DIAGONAL: np.diag, Form.PERMUTATION: lambda _: np.eye(2)[::-1]}.get(gate.form, np.asarray)
            want = reference.apply(want, data(gate.data), gate.targets, gate.controls, gate.control_state)
        assert np.allclose(state.read(), want, rtol=0, atol=1e-12)


def test_qubits_that_nothing_has_acted_on_are_not_read_nor_written(folder, moved):
    n = 9
    state = spilled_state(folder, n)
    before = moved["write"]
    matrix = reference.random_unitary(4)
    for pair in ((0, 1), (2, 3)):
        state.run(Segment((Gate("u", "GG", pair, Form.MATRIX, matrix),)), None)
    assert moved["write"] - before <= 2 * 2**CHUNK_QUBITS
    assert moved["read"] <= 2**CHUNK_QUBITS


@pytest.mark.parametrize("seed", range(3))
def test_what_is_moved_at_a_time_lies_side_by_side(tmp_path, monkeypatch, seed):
    """At most two wires leave a chunk of six at a time, so that four need not move in the file."""
    sizes = []
    for name in ("read", "write"):
        method = getattr(StateFile, name)

        def noted(self, start, amplitudes, poll, method=method):
            sizes.append(len(amplitudes))
            method(self, start, amplitudes, poll)

        monkeypatch.setattr(StateFile, name, noted)
    n, vector = 8, reference.random_state(8)
    cpu = NumpyDevice(threads=1, tile_qubits=3)
    device = SpilledDevice(tmp_path, plan_segment, plan_stages, device=cpu, chunk_qubits=6)
    state = device.new_state(n, Precision.DOUBLE)
    state.load(vector)
    gates = [Gate("u", "GG", (q, (q + 3) % n), Form.MATRIX, reference.random_unitary(4, q)) for q in range(n)]
    order = np.random.default_rng(seed).permutation(n)
    sizes.clear()
    state.run(Segment(tuple(gates[i] for i in order)), None)
    assert len(sizes) > 2 * 4  # several stages
    assert min(sizes) >= 2**4
    for i in order:
        vector = reference.apply(vector, gates[i].data, gates[i].targets)
    assert np.allclose(state.read(), vector, rtol=0, atol=1e-12)


def test_memory_has_three_chunks_and_little_else(tmp_path):
    n, chunk_qubits = 21, 16
    device = SpilledDevice(
        tmp_path, plan_segment, plan_stages, device=NumpyDevice(threads=1, tile_qubits=10), chunk_qubits=chunk_qubits
    )
    matrix = reference.random_unitary(4)
    gates = [Gate("u", "GG", (q, (q + 7) % n), Form.MATRIX, matrix) for q in range(0, n, 5)]
    tracemalloc.start()
    try:
        state = device.new_state(n, Precision.DOUBLE)
        state.run(Segment(tuple(gates)), None)
        state.weights(n - 1)
        state.copy().release()
        state.indices_of_draws(9, np.array([0]), np.array([0.0]))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    chunk = 16 * 2**chunk_qubits
    assert peak < 5 * chunk < 16 * 2**n // 6


def test_progress_counts_stages(folder):
    n, monitor = 8, Monitor()
    monitor.start()
    monitor.enter("gates")
    state = spilled_state(folder, n, monitor)
    state.run(segment_of(n, 40), None)
    progress = monitor.progress()
    assert progress.total_passes == progress.passes > 1
    assert np.isclose(sum(state.weights(0)), 1)


def spilled_state(folder, n, monitor=None):
    cpu = NumpyDevice(threads=1, tile_qubits=3)
    device = SpilledDevice(folder, plan_segment, plan_stages, device=cpu, chunk_qubits=CHUNK_QUBITS)
    return device.new_state(n, Precision.DOUBLE, monitor)


@pytest.mark.filterwarnings("ignore::basicaer.errors.NothingMeasuredWarning")
@pytest.mark.parametrize("measured", [False, True])
def test_a_plan_shows_the_stages_that_a_run_has_and_the_bytes_that_it_moves(measured, folder, moved, qasm):
    n = 9
    circuit = QuantumCircuit(n, n)
    circuit.compose(layers(n, 1), inplace=True)
    if measured:
        circuit.swap(1, n - 1)
        circuit.swap(0, n - 2)
        circuit.measure(0, 0)
        circuit.compose(layers(n, 1), inplace=True)
    plan = qasm.plan(circuit, spill=folder)
    assert plan.device == f"disk of {folder}"
    assert plan.spilled == 16 * 2**n
    assert all(len(stage.tile) == CHUNK_QUBITS for stage in plan.stages)
    assert sum(len(stage.gates) for stage in plan.stages) == plan.n_gates - plan.swaps
    assert f"The state has {16 * 2**n // 1024} KiB outside of the device's memory. Each row is a stage" in " ".join(
        str(plan).split()
    )
    moved.update(read=0, write=0)  # without the measurement of the disk
    job = qasm.run(circuit, spill=folder, shots=1)
    job.result()
    assert job.progress().total_passes == len(plan.stages)
    if not measured:  # nothing is sampled: what is moved is what the stages move, and one amplitude at first
        assert plan.bytes == 16 * (moved["read"] + moved["write"] - 1)


def test_a_disk_is_measured_once_and_the_times_of_a_plan_contain_what_it_takes(folder, monkeypatch, qasm):
    measured, circuit = [], layers(9, 1)
    circuit.measure_all()

    def seconds(device, amplitudes):
        measured.append(device.folder)
        return 16 * amplitudes / 2**10, 16 * amplitudes / 2**11

    monkeypatch.setattr(SpilledDevice, "seconds_to_move", seconds)
    plans = [qasm.plan(circuit, spill=folder) for _ in range(2)]
    assert measured == [folder]
    for plan in plans:
        times = [16 * 2**9 / 2**11, *[16 * 2**9 / 2**10 + 16 * 2**9 / 2**11] * (len(plan.stages) - 1)]
        assert len(times) > 1
        assert [stage.seconds for stage in plan.stages] == pytest.approx(times, rel=0.01)
        assert plan.seconds == pytest.approx(sum(times) + 2 * 16 * 2**9 / 2**10, rel=0.01)


def test_the_rates_of_a_disk_are_measured_on_a_file(folder):
    device = SpilledDevice(folder, plan_segment, plan_stages)
    assert calibration.known_store_rates(device) is None
    rates = calibration.store_rates(device)
    assert min(rates.read, rates.write) > 0
    assert not rates.both_ways
    assert not any(folder.iterdir())
    assert calibration.store_rates(device) == calibration.known_store_rates(device) == rates


def test_nobody_asks_how_much_memory_is_free_for_a_small_state(folder, monkeypatch, qasm):
    monkeypatch.undo()
    asked = []
    monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _: asked.append(1) or 2**40)
    circuit = layers(3, 1)
    circuit.measure_all()
    assert qasm.run(circuit, spill=folder).result().results[0].metadata["device"] == "CPU"
    assert not asked


@pytest.mark.parametrize(("free", "is_said"), [(2**34, True), (2**34 - 1, False)])
def test_how_long_a_file_would_take_is_said_where_the_disk_has_room_for_it(free, is_said, folder, monkeypatch, qasm):
    monkeypatch.setattr(SpilledDevice, "seconds_to_move", lambda _device, amplitudes: (amplitudes / 2**30,) * 2)
    monkeypatch.chdir(folder)
    measured = layers(9)
    measured.measure_all()
    qasm.plan(measured, spill=".")  # measures the disk
    monkeypatch.setattr(spilled_device, "free_disk_bytes", lambda _folder: free)
    circuit = layers(30, 1)
    circuit.measure_all()
    with pytest.raises(BasicAerError, match="spill=FOLDER keeps it in a file of 16 GiB") as refused:
        qasm.run(circuit)
    assert ("16 GiB (about" in refused.value.message) == is_said


@pytest.mark.parametrize("options", [{}, {"precision": "single"}, {"device": "CPU"}, {"checkpoint_dir": "saved"}])
def test_the_refusal_of_a_state_says_how_large_its_file_would_be(options, tmp_path, monkeypatch, qasm):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _: 2**28)
    circuit = layers(30, 1)
    circuit.measure_all()
    with pytest.raises(BasicAerError, match="30 qubits") as refused:
        qasm.run(circuit, **options)
    size = 8 if "precision" in options else 16
    assert f"spill=FOLDER keeps it in a file of {size} GiB" in refused.value.message
    with pytest.raises(BasicAerError, match="30 qubits") as refused:
        BasicAer.get_backend("statevector_simulator").run(circuit, **options)
    assert "spill" not in refused.value.message
