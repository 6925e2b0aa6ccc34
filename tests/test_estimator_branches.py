"""`EstimatorV2` on circuits with measurements, resets and control flow, against every outcome followed one by one."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp, Statevector

import exact
from basicaer import EstimatorV2
from basicaer.devices import memory
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.engine import splitting
from basicaer.engine.monitor import Monitor
from basicaer.errors import BasicAerError, BasicAerWarning

OBSERVABLES = [
    SparsePauliOp(["ZII", "IXI", "YYZ"], [0.7, -0.4, 1.3]),
    SparsePauliOp(["III", "IIZ"], [0.5, 2.0]),
]


def random_circuit(seed):
    """Three qubits and three bits: gates, measurements, resets, conditions and loops; no measurements at the end."""
    random = np.random.default_rng(seed)
    circuit = QuantumCircuit(3, 3, name=f"random {seed}")

    def operations(depth):
        for _ in range(int(random.integers(2, 5))):
            q, bit = int(random.integers(3)), int(random.integers(3))
            match random.integers(7 if depth else 5):
                case 0 | 1:
                    circuit.u(*random.uniform(0, 3, 3), q)
                case 2:
                    circuit.cx(q, (q + 1) % 3)
                case 3:
                    circuit.measure(q, bit)
                case 4:
                    circuit.reset(q)
                case 5:
                    with circuit.if_test((circuit.clbits[bit], 1)):
                        operations(depth - 1)
                case _:
                    with circuit.for_loop(range(2)):
                        operations(depth - 1)

    operations(2)
    operations(2)
    circuit.u(0.3, 0.2, 0.1, range(3))
    return circuit


def expected(circuit, observable):
    return sum(
        path.probability * Statevector(path.vector).expectation_value(observable).real for path in exact.paths(circuit)
    )


@pytest.mark.parametrize("seed", range(30))
def test_values_are_those_of_all_outcomes_together(seed):
    circuit = random_circuit(seed)
    (result,) = EstimatorV2().run([(circuit, OBSERVABLES)]).result()
    assert result.data.evs == pytest.approx([expected(circuit, one) for one in OBSERVABLES], abs=1e-9)
    assert result.data.stds.tolist() == [0, 0]


def test_the_metadata_says_that_a_value_is_exact_and_what_was_neglected():
    circuit = QuantumCircuit(2, 1)
    circuit.ry(1e-7, 0)
    circuit.measure(0, 0)
    circuit.cx(0, 1)
    circuit.reset(0)
    (result,) = EstimatorV2().run([(circuit, "ZZ")]).result()
    assert result.metadata["simulation"] == "exact"
    assert 0 < result.metadata["neglected_probability"] < 1e-12
    (plain,) = EstimatorV2().run([(QuantumCircuit(1), "Z")]).result()
    assert "simulation" not in plain.metadata


def test_branches_that_become_the_same_are_followed_together():
    """2**60 outcomes, but two states at most."""
    circuit = QuantumCircuit(1, 60)
    for i in range(60):
        circuit.ry(0.1 + 0.01 * i, 0)
        circuit.measure(0, i)
    circuit.rx(0.3, 0)
    (result,) = EstimatorV2().run([(circuit, "Z")]).result()
    want = np.prod(np.cos(0.1 + 0.01 * np.arange(60))) * np.cos(0.3)
    assert result.data.evs == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize(("precision", "shots"), [(0.0, 10_000), (0.05, 400), (0.5, 100)])
def test_where_there_are_too_many_branches_shots_are_taken(monkeypatch, precision, shots):
    monkeypatch.setattr(splitting, "_MOST_PROBABILITIES", 1)
    circuit = random_circuit(4)
    circuit.measure(0, 0)
    circuit.h(0)
    (result,) = EstimatorV2(seed=3).run([(circuit, OBSERVABLES)], precision=precision).result()
    assert (result.metadata["simulation"], result.metadata["shots"]) == ("shots", shots)
    assert (result.data.stds <= 2.5 / shots**0.5).all()
    want = np.array([expected(circuit, one) for one in OBSERVABLES])
    assert (abs(result.data.evs - want) <= 6 * result.data.stds + 1e-12).all()
    (again,) = EstimatorV2(seed=3).run([(circuit, OBSERVABLES)], precision=precision).result()
    assert again.data.evs.tolist() == result.data.evs.tolist()


def many_outcomes():
    circuit = QuantumCircuit(2, 8)
    for bit in range(8):
        circuit.ry(0.5 + bit, [0, 1])
        circuit.cx(0, 1)
        circuit.measure(0, bit)
    circuit.ry(0.4, [0, 1])
    return circuit


def test_branches_are_counted_also_where_each_goes_by_itself(monkeypatch):
    """As those of large states do: there are never many at a time, but they would take forever."""
    monkeypatch.setattr(splitting, "_MOST_PROBABILITIES", 100)
    monkeypatch.setattr(NumpyDevice, "most_states", lambda *_: 0)
    (result,) = EstimatorV2(seed=3).run([(many_outcomes(), "ZZ")], precision=0.1).result()
    assert result.metadata["simulation"] == "shots"


def test_shots_of_circuits_of_one_job_are_independent(monkeypatch):
    monkeypatch.setattr(splitting, "_MOST_PROBABILITIES", 1)
    job = EstimatorV2(seed=3).run([(many_outcomes(), ["ZI", "XX"])] * 3, precision=0.1)
    found = np.array([result.data.evs for result in job.result()])
    assert len(np.unique(found[:, 0])) == 3


def test_an_exact_run_counts_as_one_shot(monkeypatch):
    finished = []
    monkeypatch.setattr(Monitor, "finish_shots", lambda _self, count: finished.append(count))
    EstimatorV2().run([(many_outcomes(), "ZZ")]).result()
    assert finished == [1]


def test_terms_on_qubits_that_are_measured_at_the_end_are_0_where_they_do_not_commute():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    plain = EstimatorV2().run([(circuit, ["XX", "ZZ"])]).result()[0].data.evs
    assert plain == pytest.approx([1, 1])
    circuit.measure_all()
    with pytest.warns(BasicAerWarning, match=r"measures qubits at its end, so terms .* with X or Y on these are 0"):
        job = EstimatorV2().run([(circuit, ["XX", "ZZ"])])
    assert job.result()[0].data.evs == pytest.approx([0, 1])


def test_sets_of_parameters_are_each_followed():
    from qiskit.circuit import Parameter

    angle = Parameter("angle")
    circuit = QuantumCircuit(1, 1)
    circuit.ry(angle, 0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(0)
        circuit.ry(0.5, 0)
    values = np.linspace(0, 3, 5)
    (result,) = EstimatorV2().run([(circuit, "Z", values[:, None])]).result()
    one = np.sin(values / 2) ** 2
    assert result.data.evs == pytest.approx(1 - one + one * np.cos(0.5))


def test_values_of_shots_that_do_not_fit_into_memory_are_refused(monkeypatch):
    monkeypatch.setattr(splitting, "_MOST_PROBABILITIES", 1)
    monkeypatch.setattr(memory, "free_host_bytes", lambda: 2**26)
    observable = SparsePauliOp(["IZ", "ZI", "XX", "YY", "ZZ"], [1.0] * 5)
    with pytest.raises(BasicAerError, match=r"80 MiB for the values of 5 Paulis in 1048576 shots, where 64 MiB"):
        EstimatorV2().run([(many_outcomes(), observable)], precision=1e-4).result()
