"""Runs a parameter sweep on a local Dask cluster, as one job whose circuits are spread over the workers."""

import sys

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from basicaer import BasicAer

try:
    from distributed import Client
except ImportError:
    sys.exit("This example needs Dask: pip install 'basicaer[dask]'")

N_QUBITS, POINTS, WORKERS = 12, 16, 2


def main() -> None:
    """Sweep the field of a spin chain, and print the fraction of shots in which the first spin is flipped."""
    field = Parameter("field")
    circuit = QuantumCircuit(N_QUBITS)
    for _ in range(5):
        circuit.rzz(0.4, range(N_QUBITS - 1), range(1, N_QUBITS))
        circuit.rx(0.4 * field, range(N_QUBITS))
    circuit.measure_all()
    fields = np.linspace(0, 2, POINTS)

    backend = BasicAer.get_backend("qasm_simulator")
    with (
        Client(n_workers=WORKERS, threads_per_worker=1, dashboard_address=":0") as client,
        client.get_executor() as executor,
    ):
        job = backend.run(
            circuit,
            parameter_binds=[{field: list(fields)}],
            seed_simulator=7,
            max_parallel_threads=1,  # because each core has its own worker
            max_parallel_experiments=WORKERS,
            executor=executor,
        )
        result = job.result()
    for number, strength in enumerate(fields):
        counts = result.get_counts(number)
        flipped = sum(count for outcome, count in counts.items() if outcome[-1] == "1") / sum(counts.values())
        print(f"field {strength:.2f}  {flipped:5.1%}  {'#' * round(40 * flipped)}".rstrip())


if __name__ == "__main__":  # the workers import this file
    main()
