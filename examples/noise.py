"""Noise: what the errors of a device do to the counts and to the energy of a state of three qubits."""

from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from basicaer import BasicAer, EstimatorV2
from basicaer.noise import NoiseModel, ReadoutError, depolarizing_error, thermal_relaxation_error

ENERGY = SparsePauliOp.from_list([("ZZI", -1.0), ("IZZ", -1.0), ("XXX", -0.5)])


def noise_of(strength: float) -> NoiseModel:
    """Return the errors of a device; at strength 1, T1 is 100 us and T2 is 120 us."""
    model = NoiseModel()
    relaxation = thermal_relaxation_error(100e-6, 120e-6, strength * 300e-9)
    model.add_all_qubit_quantum_error(depolarizing_error(strength * 3e-4, 1), "h")
    model.add_all_qubit_quantum_error(
        depolarizing_error(strength * 5e-3, 2).compose(relaxation.tensor(relaxation)), "cx"
    )
    model.add_all_qubit_readout_error(ReadoutError([[0.98, 0.02], [0.03, 0.97]]))
    return model


ghz = QuantumCircuit(3)
ghz.h(0)
ghz.cx(0, 1)
ghz.cx(1, 2)

measured = ghz.measure_all(inplace=False)
print(noise_of(1.0).on(measured))

backend = BasicAer.get_backend("qasm_simulator", seed_simulator=7)
for name, model in (("without noise", None), ("with noise", noise_of(1.0))):
    counts = backend.run(measured, shots=1000, noise_model=model).result().get_counts()
    print(name, dict(sorted(counts.items(), key=lambda one: -one[1])))

for strength in (0.0, 1.0, 3.0, 10.0):
    estimator = EstimatorV2(noise_model=noise_of(strength), seed=7)
    data = estimator.run([(ghz, ENERGY)]).result()[0].data
    print(f"noise of strength {strength:4}: energy {data.evs:.4f} +- {data.stds:.4f}")
