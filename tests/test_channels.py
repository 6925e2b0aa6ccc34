"""Errors as channels: whatever is simplified is the same superoperator, and what can be simple is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.circuit.library import PauliGate

import superoperators
from basicaer.compile.channels import Channel, ErrorOperation, lindblad, pauli, reduced
from reference import random_unitary

X0, Z0, Y1 = (pauli({qubit: letter})[0] for qubit, letter in ((0, "X"), (0, "Z"), (1, "Y")))
RESET0, RESET1 = (ErrorOperation("reset", (qubit,)) for qubit in (0, 1))


def unitary(matrix, *qubits):
    return ErrorOperation("unitary", qubits, matrices=(np.array(matrix, complex),))


def kraus(matrices, *qubits):
    return ErrorOperation("kraus", qubits, matrices=tuple(np.array(matrix, complex) for matrix in matrices))


def damping(strength, *qubits):
    return kraus([np.diag([1, np.sqrt(1 - strength)]), [[0, np.sqrt(strength)], [0, 0]]], *qubits)


@st.composite
def operations(draw, n):
    kind = draw(st.sampled_from(["pauli", "pauli", "reset", "unitary", "kraus", "flips", "units", "clifford"]))
    width = 1 if kind == "reset" else draw(st.integers(1, min(n, 2)))
    qubits = tuple(draw(st.permutations(range(n)))[:width])
    seed = draw(st.integers(0, 3))
    letters = "".join(draw(st.sampled_from("XYZ")) for _ in qubits)
    if kind == "pauli":
        return ErrorOperation("pauli", qubits, letters)
    if kind == "reset":
        return ErrorOperation("reset", qubits)
    if kind == "unitary":
        return unitary(random_unitary(2**width, seed), *qubits)
    if kind == "clifford":
        return unitary(np.exp(1j * seed) * PauliGate(letters).to_matrix(), *qubits)
    if kind == "flips":
        p = (seed + 1) / 7
        return kraus([np.sqrt(1 - p) * np.eye(2**width), np.sqrt(p) * PauliGate(letters).to_matrix()], *qubits)
    if kind == "units":
        pair = [np.sqrt(0.3) * random_unitary(2**width, 7), 1j * np.sqrt(0.7) * random_unitary(2**width, seed)]
        return kraus(pair, *qubits)
    return kraus(superoperators.random_kraus(width, 2, seed), *qubits)


@st.composite
def mixtures(draw):
    n = draw(st.integers(1, 2))
    terms = draw(st.lists(st.lists(operations(n), max_size=4).map(tuple), min_size=1, max_size=4))
    common = draw(st.lists(operations(n), max_size=2).map(tuple))
    terms = [(*term, *common) for term in terms]
    weights = [draw(st.integers(1, 9)) for _ in terms]
    return n, [weight / sum(weights) for weight in weights], terms


@settings(max_examples=30, deadline=None)
@given(mixtures())
def test_what_is_reduced_is_the_same_superoperator(mixture):
    n, probabilities, terms = mixture
    channels = reduced(probabilities, terms)
    want = superoperators.of_mixture(probabilities, terms, n)
    assert np.abs(superoperators.of_channels(channels, n) - want).max() < 1e-10
    for channel in channels:
        assert sum(channel.probabilities) == pytest.approx(1, abs=1e-14)
        assert () not in channel.terms[1:]
        assert channel.terms != ((),)
        for operation in (one for term in channel.terms for one in term):
            if operation.kind == "pauli":
                assert operation.qubits
                assert list(operation.qubits) == sorted(operation.qubits)
            assert operation.kind != "reset" or len(operation.qubits) == 1


@pytest.mark.parametrize(
    ("term", "want"),
    [
        ((X0, Z0), pauli({0: "Y"})),
        ((X0, X0), ()),
        ((X0, Y1), pauli({0: "X", 1: "Y"})),
        ((Y1, X0), pauli({0: "X", 1: "Y"})),
        ((X0, RESET0), (RESET0,)),
        ((RESET0, RESET0), (RESET0,)),
        ((RESET0, Z0), (RESET0,)),
        ((RESET0, X0), (RESET0, X0)),
        ((RESET0, *pauli({0: "Y"})), (RESET0, X0)),
        ((RESET1, X0, RESET0), (RESET0, RESET1)),
        ((unitary(np.diag([1j, -1j]), 0),), pauli({0: "Z"})),
        ((unitary(np.exp(0.3j) * np.eye(4), 1, 0),), ()),
        ((unitary(PauliGate("XYZ").to_matrix(), 2, 0, 1),), pauli({2: "Z", 0: "Y", 1: "X"})),
        ((kraus([PauliGate("Y").to_matrix()], 1),), pauli({1: "Y"})),
    ],
    ids=str,
)
def test_a_term_becomes_resets_and_one_pauli(term, want):
    assert reduced([1.0], [term]) == ((Channel((1.0,), (want,)),) if want else ())


def test_equal_terms_are_merged_and_the_identity_is_first():
    terms = [(X0, Z0), (Z0,), (), (Z0, X0), (X0, X0)]
    [channel] = reduced([0.1, 0.2, 0.3, 0.3, 0.1], terms)
    assert channel.terms == ((), pauli({0: "Y"}), (Z0,))
    assert channel.probabilities == pytest.approx((0.4, 0.4, 0.2))


def test_what_hardly_ever_happens_goes_to_the_identity():
    [channel] = reduced([0.5, 0.5 - 9e-13, 9e-13], [(), (X0,), (Y1,)])
    assert channel.terms == ((), (X0,))
    assert channel.probabilities[0] - 0.5 == pytest.approx(9e-13, abs=1e-15)
    [without] = reduced([0.5, 0.5 - 9e-13, 9e-13], [(Z0,), (X0,), (Y1,)])
    assert without.terms == ((Z0,), (X0,))
    assert sum(without.probabilities) == pytest.approx(1, abs=1e-15)
    [kept] = reduced([1 - 2e-12, 2e-12], [(), (X0,)])
    assert kept.terms == ((), (X0,))


def test_kraus_operators_that_mix_paulis_become_paulis():
    mixed = random_unitary(4, 3)  # of the operators, which leaves the channel what it is
    weights = dict(zip(("II", "XZ", "IY", "ZZ"), (0.6, 0.2, 0.15, 0.05), strict=True))
    operators = [np.sqrt(p) * PauliGate(label).to_matrix() for label, p in weights.items()]
    given = [sum(mixed[j, k] * operators[k] for k in range(4)) for j in range(4)]
    [channel] = reduced([1.0], [(kraus(given, 4, 1),)])
    found = dict(zip(channel.terms, channel.probabilities, strict=True))
    want = {(): 0.6, pauli({4: "Z", 1: "X"}): 0.2, pauli({4: "Y"}): 0.15, pauli({4: "Z", 1: "Z"}): 0.05}
    assert found == pytest.approx(want, abs=1e-12)


def test_kraus_operators_that_are_unitary_become_unitaries():
    first, second = random_unitary(2, 1), random_unitary(2, 2)
    [channel] = reduced([1.0], [(kraus([np.sqrt(0.25) * first, np.sqrt(0.75) * second], 0),)])
    assert channel.probabilities == pytest.approx((0.25, 0.75))
    assert [term[0].kind for term in channel.terms] == ["unitary", "unitary"]
    assert np.allclose(channel.terms[1][0].matrices[0], second)


@pytest.mark.parametrize("strength", [0.3, 1e-6, 1e-9])
def test_even_weak_damping_stays_kraus_operators(strength):
    [channel] = reduced([1.0], [(damping(strength, 0),)])
    assert [operation.kind for operation in channel.terms[0]] == ["kraus"]


def test_what_acts_in_all_terms_becomes_a_channel_of_its_own():
    """So that depolarization before relaxation is a mixture of Paulis, and the relaxation has no fixed probability."""
    relax, turn = damping(0.1, 0), unitary(random_unitary(4, 5), 0, 1)
    terms = [(turn, *start, relax, *end) for start in ((), (X0,), (X0, Y1)) for end in ((), pauli({1: "Z"}), (RESET1,))]
    first, mixture, last = reduced([1 / 9] * 9, terms)
    assert [one.kind for one in first.terms[0]] == ["unitary"]
    assert [one.kind for one in last.terms[0]] == ["kraus"]
    assert {one.kind for term in mixture.terms for one in term} == {"pauli", "reset"}
    assert len(mixture.terms) == 8  # with a reset, the Pauli on that qubit does not matter


def test_what_acts_in_all_terms_keeps_its_order():
    relax, turn = damping(0.3, 0), unitary(random_unitary(2, 5), 0)
    channels = reduced([0.5, 0.5], [(X0, relax, turn), (Z0, relax, turn)])
    assert [channel.terms[0][0].kind for channel in channels] == ["pauli", "kraus", "unitary"]
    channels = reduced([0.5, 0.5], [(turn, relax, X0), (turn, relax, Z0)])
    assert [channel.terms[0][0].kind for channel in channels] == ["unitary", "kraus", "pauli"]


def test_what_acts_in_some_terms_stays_there():
    [channel] = reduced([0.5, 0.5], [(damping(0.1, 0),), (X0,)])
    assert [[one.kind for one in term] for term in channel.terms] == [["kraus"], ["pauli"]]


def test_an_operation_between_others_on_its_qubit_stays_there():
    relax = damping(0.1, 0)
    terms = [(X0, relax, Z0), (relax, *pauli({0: "Y"}))]
    assert [[one.kind for one in term] for [term] in (c.terms for c in reduced([1.0], terms[:1]))] == [
        ["pauli", "kraus", "pauli"]
    ]
    both = reduced([0.5, 0.5], terms)
    want = superoperators.of_mixture([0.5, 0.5], terms, 1)
    assert np.allclose(superoperators.of_channels(both, 1), want)


def test_of_lindblad_generators_each_is_a_channel():
    xx, z = pauli({0: "X", 1: "X"}), pauli({1: "Z"})
    channels = lindblad([0.1, 0.2, 0.05, 0.3, 0.0], [xx, z, xx, (), (X0,)])
    assert [channel.terms for channel in channels] == [((), xx), ((), z)]
    assert channels[0].probabilities[1] == pytest.approx((1 - np.exp(-2 * 0.15)) / 2)
    assert channels[1].probabilities[1] == pytest.approx((1 - np.exp(-2 * 0.2)) / 2)
    assert lindblad([1e-9], [xx])[0].probabilities[1] == pytest.approx(1e-9, rel=1e-6)
