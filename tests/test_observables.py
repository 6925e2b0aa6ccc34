"""Observables as an estimator reads them, against products of matrices."""

from functools import reduce

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.quantum_info import SparsePauliOp, Statevector

from basicaer import BasicAer, EstimatorV2, errors
from basicaer.library import save_expectation_value

ONE, X, Y, Z = np.eye(2), np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])
MATRICES = {"I": ONE, "X": X, "Y": Y, "Z": Z}
for letters, pauli in (("01", Z), ("+-", X), ("rl", Y)):
    MATRICES |= {letter: (ONE + sign * pauli) / 2 for letter, sign in zip(letters, (1, -1), strict=True)}


def with_idle_qubits():
    """Return a circuit on qubits 0, 2 and 3 of five, of which a swap changes two."""
    circuit = QuantumCircuit(5)
    for qubit, angle in ((0, 0.3), (2, 1.1), (3, 2.0)):
        circuit.ry(angle, qubit)
        circuit.rz(angle**2, qubit)
    circuit.cx(0, 2)
    circuit.swap(2, 3)
    circuit.rxx(0.4, 0, 3)
    return circuit


def random_observable(random, terms):
    labels = ["".join(random.choice(list(MATRICES), 5)) for _ in range(terms)]
    return dict(zip([*labels, "IIIII", "XIIII", "ZIIII"], random.normal(size=terms + 3), strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_observables_on_idle_qubits_and_with_projectors(seed):
    random = np.random.default_rng(seed)
    circuit, observables = with_idle_qubits(), [random_observable(random, terms) for terms in (1, 4, 40)]
    vector = Statevector(circuit).data
    want = [
        sum(
            factor * np.vdot(vector, reduce(np.kron, (MATRICES[one] for one in label)) @ vector).real
            for label, factor in observable.items()
        )
        for observable in observables
    ]
    assert np.allclose(EstimatorV2().run([(circuit, observables)]).result()[0].data.evs, want, rtol=0, atol=1e-12)


def test_an_observable_is_left_as_it_was():
    observables = ObservablesArray.coerce([random_observable(np.random.default_rng(7), 6)])
    before = observables.tolist()
    EstimatorV2().run([(with_idle_qubits(), observables)]).result()
    assert observables.tolist() == before


@pytest.mark.parametrize(
    ("pub", "sentence"),
    [
        ((with_idle_qubits(), ["ZZZZZ", "ZZ"]), "number of qubits must be the same"),
        ((with_idle_qubits(), "ZZ"), "number of qubits of the circuit .5. does not match"),
        ((with_idle_qubits(), "ZZZZZ", None, -1), "precision must be non-negative"),
        (("ZZZZZ", "ZZZZZ"), "circuit must be QuantumCircuit"),
    ],
)
def test_a_bad_pub_is_refused_with_qiskits_reason(pub, sentence):
    with pytest.raises(errors.PubError, match=f"PUB 0 cannot be read: .*{sentence}"):
        EstimatorV2().run([pub])


def test_a_value_for_a_parameter_is_needed():
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("a"), 0)
    with pytest.raises(errors.PubError, match=r"number of values .0. does not match the number of parameters .1."):
        EstimatorV2().run([(circuit, "Z")])


@pytest.mark.parametrize("coefficient", [np.nan, np.inf, -np.inf], ids=str)
def test_a_coefficient_must_be_finite(coefficient):
    observable, circuit = {"X": coefficient}, QuantumCircuit(1)
    circuit.h(0)
    sentence = f"A coefficient of an observable is {coefficient}; give it finite ones"
    with pytest.raises(errors.PubError, match=sentence):
        EstimatorV2().run([(circuit, observable)])
    with pytest.raises(errors.PubError, match=sentence):
        BasicAer.get_backend("qasm_simulator").compile(circuit, observable)


def test_a_saved_observables_coefficients_must_be_finite():
    circuit = QuantumCircuit(1)
    circuit.x(0)
    save_expectation_value(circuit, SparsePauliOp(["Z", "Z"], [1e308, 1e308]), [0])
    with pytest.raises(errors.BasicAerError, match="A coefficient of an observable is inf"):
        BasicAer.get_backend("qasm_simulator").run(circuit)
