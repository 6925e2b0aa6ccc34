"""Starts a simulation that takes some time, waits half a second for it, and cancels it while it runs."""

from concurrent.futures import CancelledError

from qiskit.circuit.library import quantum_volume

from basicaer import BasicAer

circuit = quantum_volume(22, depth=22, seed=1)
circuit.measure_all()

job = BasicAer.get_backend("qasm_simulator").run(circuit, shots=1000)
try:
    job.result(timeout=0.5)
except TimeoutError as too_long:
    print(too_long)

print("cancelled:", job.cancel())
job.wait_for_final_state()
print("ended as", job.status().name)
try:
    job.result()
except CancelledError as cancelled:
    print(cancelled)
