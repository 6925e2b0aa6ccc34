"""Statevector simulators for Qiskit, driven by jobs that can be waited for, watched and cancelled while they run.

>>> from qiskit import QuantumCircuit
>>> from basicaer import BasicAer
>>> bell = QuantumCircuit(2)
>>> _ = bell.h(0)
>>> _ = bell.cx(0, 1)
>>> bell.measure_all()
>>> job = BasicAer.get_backend("qasm_simulator").run(bell, shots=100, seed_simulator=7)
>>> sum(job.result().get_counts().values())
100
"""

from basicaer._version import __version__
from basicaer.errors import BasicAerError
from basicaer.job import BasicAerJob, jobs
from basicaer.provider import BasicAer, BasicAerProvider

__all__ = ["BasicAer", "BasicAerError", "BasicAerJob", "BasicAerProvider", "__version__", "jobs"]
