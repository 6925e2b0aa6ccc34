"""Every way to make an error, every kind of place where one may act, and what it does there by Qiskit's superoperators.

The functions of `CALLS` take a module that has Aer's names: `basicaer.noise` or that of Aer.
"""

import warnings
from typing import NamedTuple

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit.classical import expr, types
from qiskit.circuit.library import CXGate, RYGate, SXGate, UnitaryGate, XGate
from qiskit.quantum_info import Kraus, SuperOp, random_quantum_channel, random_unitary

from basicaer import BasicAer, noise
from basicaer.errors import BasicAerWarning
from basicaer.library import save_outcome_probabilities, save_probabilities
from basicaer.noise import NoiseModel
from noisy_exact import distribution

UNITARY = random_unitary(4, seed=1).data
OPERATORS = Kraus(random_quantum_channel(4, 4, rank=3, seed=2)).data
CALLS = {
    "depolarizing 1": lambda of: of.depolarizing_error(0.3, 1),
    "depolarizing 2": lambda of: of.depolarizing_error(16 / 15, 2),
    "pauli": lambda of: of.pauli_error([("XY", 0.2), ("ZI", 0.3), ("II", 0.5)]),
    "relaxation, short T2": lambda of: of.thermal_relaxation_error(50, 30, 7, 0.2),
    "relaxation, long T2": lambda of: of.thermal_relaxation_error(50, 80, 7, 0.2),
    "amplitude damping": lambda of: of.amplitude_damping_error(0.3, 0.2),
    "phase damping": lambda of: of.phase_damping_error(0.3),
    "phase and amplitude": lambda of: of.phase_amplitude_damping_error(0.3, 0.2, 0.1, canonical_kraus=False),
    "reset": lambda of: of.reset_error(0.1, 0.2),
    "coherent": lambda of: of.coherent_unitary_error(UNITARY),
    "mixed unitary": lambda of: of.mixed_unitary_error([(UNITARY, 0.4), (np.eye(4), 0.6)]),
    "kraus": lambda of: of.kraus_error(OPERATORS),
    "PauliError": lambda of: of.PauliError(["XY", "II"], [0.2, 0.8]),
    "PauliLindbladError": lambda of: of.PauliLindbladError(["XY", "IZ"], [0.2, 0.1]),
    "QuantumError": lambda of: of.QuantumError([([(XGate(), [1]), (SXGate(), [0])], 0.4), (SXGate(), 0.6)]),
    "composed": lambda of: of.reset_error(0.1).compose(of.amplitude_damping_error(0.2)),
    "tensor": lambda of: of.reset_error(0.1).tensor(of.thermal_relaxation_error(50, 30, 7)),
    "expand": lambda of: of.reset_error(0.1).expand(of.depolarizing_error(0.3, 1)),
    "composed on a qubit": lambda of: of.depolarizing_error(0.1, 2).compose(of.reset_error(0.1), qargs=[1]),
}


class Site(NamedTuple):
    """A circuit, and another one that does the same and that the naive reference can follow.

    `name` is that of the instruction that has the error in a noise model, or None if the error is one itself. It
    has the error on all qubits, or on those of `on`.
    """

    name: str | None
    circuit: QuantumCircuit
    reference: QuantumCircuit
    on: list[int] | None = None


def gate_of(width, label=None):
    return XGate(label=label) if width == 1 else CXGate(label=label)


def between(put, *, width, at_end=True):
    """A circuit of two qubits with something in the middle of it."""
    circuit = QuantumCircuit(2, 3)
    circuit.ry(0.7, 0)
    circuit.ry(1.9, 1)
    circuit.cz(0, 1)
    put(circuit, list(range(width)))
    circuit.rx(0.4, 0)
    circuit.rx(1.1, 1)
    if at_end:
        circuit.measure([0, 1], [0, 1])
    return circuit


def on_condition(circuit, qubits):
    circuit.measure(1, 2)
    with circuit.if_test((circuit.clbits[2], 1)):
        circuit.append(gate_of(len(qubits)), qubits)


def in_a_case(circuit, qubits):
    circuit.measure(1, 2)
    with circuit.switch(circuit.clbits[2]) as case, case(1):
        circuit.append(gate_of(len(qubits)), qubits)


def in_a_while_loop(circuit, qubits):
    rounds = circuit.add_var("rounds", expr.lift(0, types.Uint(8)))
    with circuit.while_loop(expr.less(rounds, 3)):
        circuit.append(gate_of(len(qubits)), qubits)
        circuit.store(rounds, expr.add(rounds, expr.lift(1, types.Uint(8))))


def in_loop(circuit, qubits):
    with circuit.for_loop(range(3)):
        circuit.append(gate_of(len(qubits)), qubits)


def repeated(circuit, qubits):
    for _ in range(3):
        circuit.append(gate_of(len(qubits)), qubits)


def prepared(circuit, qubits):
    circuit.initialize([0.6, 0.8], qubits)


def reset_and_turned(circuit, qubits):
    circuit.reset(qubits)
    circuit.append(RYGate(2 * np.arccos(0.6), label="initialize"), qubits)


def nothing_in_place_of_it(circuit, qubits):
    circuit.append(UnitaryGate(np.eye(2 ** len(qubits)), label="save_probabilities"), qubits)


def name_of(width):
    return "x" if width == 1 else "cx"


def simple(put, name=None, on=lambda _width: None):
    """A place at which the reference can follow the circuit itself."""
    return lambda width, _error: Site(name or name_of(width), *[between(put, width=width)] * 2, on(width))


def other(put, reference):
    """A place in a body that the reference cannot follow, and where the same gates stand for it."""
    return lambda width, _: Site(name_of(width), between(put, width=width), between(reference, width=width))


def in_the_circuit(width, error):
    """An error that is an instruction itself."""
    same = Kraus(SuperOp(error)).to_instruction()
    circuit, reference = (
        between(lambda circuit, qubits, one=one: circuit.append(one, qubits), width=width) for one in (error, same)
    )
    return Site(None, circuit, reference)


def turned_round(circuit, qubits):
    circuit.append(gate_of(len(qubits)), [1, 0][: len(qubits)])


SITES = {
    "gate": simple(lambda circuit, qubits: circuit.append(gate_of(len(qubits)), qubits)),
    "label": simple(lambda circuit, qubits: circuit.append(gate_of(len(qubits), "mine"), qubits), "mine"),
    "condition": simple(on_condition),
    "case": other(in_a_case, on_condition),
    "loop": other(in_loop, repeated),
    "while loop": other(in_a_while_loop, repeated),
    "certain qubits": simple(turned_round, on=lambda width: [1, 0][:width]),
    "circuit": in_the_circuit,
    "delay": simple(lambda circuit, _: circuit.delay(100, 0), "delay"),
    "identity": simple(lambda circuit, _: circuit.id(0), "id"),
    "reset": simple(lambda circuit, _: circuit.reset(0), "reset"),
    "save": lambda width, _: Site(
        "save_probabilities", between(save_probabilities, width=width), between(nothing_in_place_of_it, width=width)
    ),
    "prepared state": lambda *_: Site("initialize", between(prepared, width=1), between(reset_and_turned, width=1)),
    "unitary": simple(lambda circuit, qubits: circuit.unitary(gate_of(len(qubits)).to_matrix(), qubits), "unitary"),
    "measurement": simple(lambda circuit, _: circuit.measure(0, 2), "measure"),
}
OF_ONE_QUBIT = {"delay", "identity", "reset", "prepared state", "measurement"}
PAIRS = [
    (name, site) for name in CALLS for site in SITES if site not in OF_ONE_QUBIT or CALLS[name](noise).num_qubits == 1
]
SHOTS = 4000
UNLIKELY = (24, 28, 31, 34, 36, 39, 41)  # UNLIKELY[d - 1] is exceeded once in a million at d degrees of freedom


def check_error(error, name):
    """Check the exact probabilities of all outcomes, and the counts, of an error at a kind of place."""
    site = SITES[name](error.num_qubits, error)
    model = NoiseModel()
    if site.on is not None:
        model.add_quantum_error(error, site.name, site.on)
    elif site.name is not None:
        model.add_all_qubit_quantum_error(error, site.name)
    want = distribution(site.reference, {} if site.name is None else {site.name: Kraus(SuperOp(error)).data})
    circuit = site.circuit.copy()
    save_outcome_probabilities(circuit, "exact")
    for method in ("statevector", "density_matrix"):
        backend = BasicAer.get_backend("qasm_simulator", method=method, seed_simulator=2, shots=SHOTS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BasicAerWarning)  # of the other gates, which have no errors
            found = backend.run(circuit, noise_model=model).result().data(0)
            counts = backend.run(site.circuit, noise_model=model).result().data(0)["counts"]
        exact = {int(value, 16): p for value, p in found["exact"].items()}
        assert max(abs(exact.get(value, 0) - want.get(value, 0)) for value in exact | want) < 1e-9
        often = {value: p * SHOTS for value, p in want.items() if p > 1e-9}
        total = sum((counts.get(hex(value), 0) - n) ** 2 / n for value, n in often.items())
        assert total < UNLIKELY[len(often) - 2]
