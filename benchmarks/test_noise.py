"""Circuits with errors, in turn with Aer's methods, with qsim, and with the same circuits without errors.

The ansatz has RY on each qubit and a chain of CX, ten times. Gates on one qubit have depolarizing errors, and so have
those on two, which are ten times as likely. All simulators have one thread; density matrices also run as users have
them, with the default number of threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from harness.goals import at_least, at_most
from harness.timing import OURS, in_turn, pair_ratios, stopwatch
from qiskit import QuantumCircuit, transpile
from qiskit.providers.fake_provider import GenericBackendV2

from basicaer import BasicAer
from basicaer.noise import NoiseModel, ReadoutError, depolarizing_error, thermal_relaxation_error

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS, SHOTS, LAYERS = 3, 1000, 10


def ansatz(n: int) -> QuantumCircuit:
    random = np.random.default_rng(n)
    circuit = QuantumCircuit(n)
    for _ in range(LAYERS):
        for q in range(n):
            circuit.ry(random.uniform(0, 3), q)
        for q in range(n - 1):
            circuit.cx(q, q + 1)
    circuit.measure_all()
    return circuit


def clifford(n: int) -> QuantumCircuit:
    circuit = QuantumCircuit(n)
    for layer in range(LAYERS):
        for q in range(n):
            (circuit.h if (layer + q) % 2 else circuit.s)(q)
        for q in range(n - 1):
            circuit.cx(q, q + 1)
    circuit.measure_all()
    return circuit


def depolarizing(p: float) -> NoiseModel:
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(p, 1), ["ry", "h", "s"])
    model.add_all_qubit_quantum_error(depolarizing_error(10 * p, 2), "cx")
    return model


def device() -> NoiseModel:
    """Return depolarizing errors and relaxation, times in ns; T2 is longer than T1, so that it is no mixture."""
    model = NoiseModel()
    short, long = (thermal_relaxation_error(1e5, 1.5e5, duration) for duration in (35, 300))
    model.add_all_qubit_quantum_error(depolarizing_error(3e-4, 1).compose(short), "ry")
    model.add_all_qubit_quantum_error(depolarizing_error(5e-3, 2).compose(long.tensor(long)), "cx")
    model.add_all_qubit_readout_error(ReadoutError([[0.98, 0.02], [0.03, 0.97]]))
    return model


def readout() -> NoiseModel:
    model = NoiseModel()
    model.add_all_qubit_readout_error(ReadoutError([[0.98, 0.02], [0.03, 0.97]]))
    return model


class Case(NamedTuple):
    """A model on a number of qubits, and how many times as fast as Aer is good enough.

    Aer takes as long for each shot, so that it runs `of_aer` of the shots and its time is multiplied.
    """

    model: Callable[[], NoiseModel]
    qubits: int
    times: float
    of_aer: int = SHOTS
    method: str = "statevector"
    threads: int = 1


CASES = {
    "likely errors, 12 qubits": Case(lambda: depolarizing(1e-3), 12, 4),
    "unlikely errors, 12 qubits": Case(lambda: depolarizing(1e-4), 12, 20),
    "likely errors, 16 qubits": Case(lambda: depolarizing(1e-3), 16, 8, 50),
    "unlikely errors, 16 qubits": Case(lambda: depolarizing(1e-4), 16, 40, 50),
    "likely errors, 20 qubits": Case(lambda: depolarizing(1e-3), 20, 18, 3),
    "unlikely errors, 20 qubits": Case(lambda: depolarizing(1e-4), 20, 90, 3),
    "device, 12 qubits": Case(device, 12, 10),
    **{
        f"density matrix, {qubits} qubits, {words}": Case(
            lambda: depolarizing(1e-3), qubits, 4, method="density_matrix", threads=threads
        )
        for qubits in (8, 10, 12)
        for threads, words in ((1, "one thread"), (0, "all threads"))
    },
    "density matrix, device, 10 qubits": Case(device, 10, 4, method="density_matrix"),
}


@pytest.mark.parametrize("name", CASES)
def test_beside_aer(name, benchmark, judge, size):
    aer = pytest.importorskip("qiskit_aer", reason="Aer is not installed").AerSimulator
    case = CASES[name]
    circuit, model, shots = ansatz(size(case.qubits, smallest=3)), case.model(), size(SHOTS, smallest=20)
    backends = {
        "Aer": aer(method=case.method, max_parallel_threads=case.threads),
        OURS: BasicAer.get_backend("qasm_simulator", method=case.method, max_parallel_threads=case.threads),
    }
    noise = {"Aer": aer_model(model), OURS: model}
    names = {backend: name for name, backend in backends.items()}

    own_shots = {"Aer": min(case.of_aer, shots), OURS: shots}

    def run(backend):
        name = names[backend]
        return backend.run(circuit, shots=own_shots[name], noise_model=noise[name]).result()

    run(backends[OURS])
    seconds = in_turn(backends, lambda backend: stopwatch(lambda: run(backend)), rounds=size(ROUNDS, smallest=1))
    judge(
        at_least(case.times, f"times as fast as AerSimulator{timed(own_shots['Aer'], shots)}"),
        of_all_shots(pair_ratios(seconds, "Aer", OURS), own_shots["Aer"], shots),
        counted="pairs",
    )
    benchmark.pedantic(run, args=(backends[OURS],), rounds=1)


def timed(some: int, shots: int) -> str:
    """Return what the goal says of a simulator that takes as long for each shot and runs only some of them."""
    return f", of which {some} shots were timed" if some < shots else ""


def of_all_shots(ratios: list[float], some: int, shots: int) -> list[float]:
    """Return the ratios that all shots of that simulator would give."""
    return [ratio * shots / some for ratio in ratios]


TIMES_QSIM = {("likely", 12): 2, ("likely", 16): 1.7, ("likely", 20): 2.5} | {("unlikely", n): 8 for n in (12, 16, 20)}
SHOTS_OF_QSIM = {12: 200, 16: 20, 20: 2}  # it takes as long for each


@pytest.mark.parametrize(
    ("errors", "qubits"), TIMES_QSIM, ids=lambda what: f"{what} errors" if isinstance(what, str) else f"{what} qubits"
)
def test_beside_qsim(errors, qubits, benchmark, judge, size):
    """qsim takes part with its trajectories and in its only precision, single."""
    qsimcirq = pytest.importorskip("qsimcirq", reason="qsim is not installed")
    n, shots, p = size(qubits, smallest=3), size(SHOTS, smallest=20), {"likely": 1e-3, "unlikely": 1e-4}[errors]
    circuit, of_qsim = ansatz(n), min(SHOTS_OF_QSIM[qubits], shots)
    backend = BasicAer.get_backend("qasm_simulator", precision="single", max_parallel_threads=1)
    simulator = qsimcirq.QSimSimulator(qsimcirq.QSimOptions(cpu_threads=1, max_fused_gate_size=3))
    noise, noisy = depolarizing(p), in_cirq(circuit, p)
    runs = {
        "qsim": lambda: simulator.run(noisy, repetitions=of_qsim),
        OURS: lambda: backend.run(circuit, shots=shots, noise_model=noise).result(),
    }
    for run in runs.values():
        run()
    seconds = in_turn(runs, stopwatch, rounds=size(ROUNDS, smallest=1))
    judge(
        at_least(TIMES_QSIM[errors, qubits], f"times as fast as qsim{timed(of_qsim, shots)}"),
        of_all_shots(pair_ratios(seconds, "qsim", OURS), of_qsim, shots),
        counted="pairs",
    )
    benchmark.pedantic(runs[OURS], rounds=1)


def in_cirq(circuit: QuantumCircuit, p: float):
    """Return the ansatz with the errors of `depolarizing` in Cirq, whose probabilities are without the identity."""
    import cirq

    line = cirq.LineQubit.range(circuit.num_qubits)
    found = cirq.Circuit()
    for item in circuit.data:
        on = [line[circuit.find_bit(bit).index] for bit in item.qubits]
        if item.name == "ry":
            found += [cirq.ry(item.params[0])(*on), cirq.depolarize(p * 3 / 4)(*on)]
        elif item.name == "cx":
            found += [cirq.CX(*on), cirq.depolarize(10 * p * 15 / 16, n_qubits=2)(*on)]
    return found + cirq.measure(*line)


def test_a_small_circuit_on_a_large_device(benchmark, judge, size):
    """The model of a device of 133 qubits, of which the circuit needs five; it is run for the second time."""
    import warnings

    target = GenericBackendV2(size(133, smallest=6), seed=1)
    circuit = QuantumCircuit(5)
    circuit.h(0)
    for qubit in range(4):
        circuit.cx(qubit, qubit + 1)
    circuit.measure_all()
    circuit = transpile(circuit, target, seed_transpiler=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The properties of the device are made up.
        model = NoiseModel.from_backend(target)
        backend = BasicAer.get_backend("qasm_simulator")

        def run():
            return backend.run(circuit, shots=size(SHOTS, smallest=20), noise_model=model).result()

        run()
        milliseconds = [stopwatch(run) * 1e3 for _ in range(size(7, smallest=1))]
        judge(at_most(50, "ms, the second time"), milliseconds)
        benchmark.pedantic(run, rounds=1)


def aer_model(model: NoiseModel):
    """Return the same model as an object of Aer's."""
    import warnings

    from qiskit_aer.noise import NoiseModel as AerNoiseModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return AerNoiseModel.from_dict(model.to_dict())


@pytest.mark.parametrize(
    ("circuit", "model", "most"),
    [(clifford, lambda: depolarizing(1e-3), 2), (ansatz, readout, 1.1)],
    ids=["Clifford", "readout"],
)
def test_beside_no_errors(circuit, model, most, *, benchmark, judge, size):
    measured, noise, shots = circuit(size(16, smallest=3)), model(), size(SHOTS, smallest=20)
    backend = BasicAer.get_backend("qasm_simulator", max_parallel_threads=1)
    runs = {
        OURS: lambda: backend.run(measured, shots=shots, noise_model=noise).result(),
        "without": lambda: backend.run(measured, shots=shots).result(),
    }
    for run in runs.values():
        run()
    seconds = in_turn(runs, stopwatch, rounds=size(7 * ROUNDS, smallest=1))
    judge(at_most(most, "of the time without errors"), pair_ratios(seconds, OURS, "without"), counted="pairs")
    benchmark.pedantic(runs[OURS], rounds=1)
