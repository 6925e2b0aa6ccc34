"""Random jobs that are stopped at random saves and gone on with, once or more often: nothing may come out otherwise."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Pauli

from basicaer import BasicAer
from basicaer.devices.numpy_device import NumpyDevice
from basicaer.errors import Cancelled
from basicaer.library import save_expectation_value, save_probabilities, save_statevector
from basicaer.saving import store as store_module
from basicaer.saving.saver import load_work
from basicaer.simulators import work as work_module
from basicaer.simulators.work import Saving
from test_saving import StopsAfter, layers, run, work_of

BITS = 3
STATE_BYTES = 16


def random_circuit(random, n):
    """Layers of gates with measurements, resets, branches, loops and saves between them, in any order."""
    circuit = QuantumCircuit(n, BITS, name="random")
    circuit.compose(layers(n, int(random.integers(99)), measured=False, depth=1), inplace=True)
    for number in range(int(random.integers(3, 8))):
        qubit, bit = int(random.integers(n)), int(random.integers(BITS))
        match random.integers(6):
            case 0:
                circuit.reset(qubit)
            case 1:
                with circuit.if_test((circuit.clbits[bit], 1)):
                    circuit.compose(layers(n, number, measured=False, depth=1), inplace=True)
                    circuit.measure(qubit, (bit + 1) % BITS)
            case 2:
                angle = Parameter(f"angle {number}")
                with circuit.for_loop((3, 1), angle):
                    circuit.ry(angle / 5, range(n))
                    circuit.cx(qubit, (qubit + 1) % n)
                    circuit.measure(qubit, bit)
            case 3:
                pershot, conditional = random.integers(2, size=2).astype(bool).tolist()
                save_probabilities(circuit, [qubit], f"seen {number}", pershot=pershot, conditional=conditional)
                save_expectation_value(circuit, Pauli("X"), [qubit], f"mean {number}", conditional=conditional)
                save_statevector(circuit, f"last {number}")
            case _:
                circuit.h(qubit)
                circuit.measure(qubit, bit)
        circuit.compose(layers(n, int(random.integers(99)), measured=False, depth=1), inplace=True)
    return circuit


def plain(value):
    """Everything that a result holds, as text."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return np.asarray(getattr(value, "data", value)).tolist()


def seen(result):
    return [plain(one.data.to_dict()) for one in result.results]


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch):
    monkeypatch.setattr(store_module.os, "fsync", lambda _file: None)


def stopped_and_resumed(seed, folder, monkeypatch):
    """Run a random job whole, and again with stops; return what came of both, and how often it was stopped."""
    random = np.random.default_rng(seed)
    n = int(random.integers(3, 6))
    device = NumpyDevice(threads=1, tile_qubits=3)
    copies = int(random.integers(4))  # so many branches have a state of their own while they wait
    monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _self: 2 * copies * STATE_BYTES * 2**n)
    monkeypatch.setattr(work_module, "choose_device", lambda *_: (device, "a test wants it"))
    monkeypatch.setattr("basicaer.simulators.base.check_saves", lambda *_args, **_keys: None)
    kind = ("qasm_simulator", "statevector_simulator")[int(random.integers(2))]
    circuits = [random_circuit(random, n) for _ in range(int(random.integers(1, 3)))]
    work = work_of(circuits, backend=BasicAer.get_backend(kind), shots=40, memory=bool(random.integers(2)))
    want = seen(run(work))
    stops, saving, go_on = 0, Saving(str(folder), 0.0), False
    while stops < 4:
        try:
            result = run(work, saving._replace(resume=go_on), StopsAfter(int(random.integers(1, 12))))
        except Cancelled:
            stops, go_on = stops + 1, True
            work = load_work(folder)[1]
            continue
        return seen(result), want, stops
    return seen(run(work, saving._replace(resume=True))), want, stops


def check(seeds, tmp_path, monkeypatch):
    stopped = 0
    for seed in seeds:
        with monkeypatch.context() as patched:
            got, want, stops = stopped_and_resumed(seed, tmp_path / str(seed), patched)
        assert got == want, seed
        stopped += stops
    return stopped


def test_ten_jobs(tmp_path, monkeypatch):
    assert check(range(1000, 1010), tmp_path, monkeypatch) > 10


@pytest.mark.slow
def test_two_hundred_jobs(tmp_path, monkeypatch):
    assert check(range(1000, 1200), tmp_path, monkeypatch) > 300
