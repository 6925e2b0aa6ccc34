"""Noise models and errors, under the names that they have in qiskit-aer, which need not be installed.

>>> from basicaer.noise import NoiseModel, ReadoutError, depolarizing_error
>>> model = NoiseModel()
>>> model.add_all_qubit_quantum_error(depolarizing_error(0.01, 2), "cx")
>>> model.add_readout_error(ReadoutError([[0.98, 0.02], [0.05, 0.95]]), [0])
>>> model.noise_instructions
['cx', 'measure']

Every error has a ``to_dict()`` in the layout of Aer, so models can be converted in both directions. In all matrices,
qubit 0 is the least significant bit of a row or column.
"""

from basicaer.noise.base import QuantumChannelInstruction
from basicaer.noise.delays import RelaxationNoisePass
from basicaer.noise.local_pass import LocalNoisePass
from basicaer.noise.model import NoiseModel
from basicaer.noise.pauli_errors import PauliError, PauliLindbladError
from basicaer.noise.quantum_error import QuantumError
from basicaer.noise.readout_error import ReadoutError
from basicaer.noise.standard_errors import (
    amplitude_damping_error,
    coherent_unitary_error,
    depolarizing_error,
    kraus_error,
    mixed_unitary_error,
    pauli_error,
    phase_amplitude_damping_error,
    phase_damping_error,
    reset_error,
    thermal_relaxation_error,
)

__all__ = [
    "LocalNoisePass",
    "NoiseModel",
    "PauliError",
    "PauliLindbladError",
    "QuantumChannelInstruction",
    "QuantumError",
    "ReadoutError",
    "RelaxationNoisePass",
    "amplitude_damping_error",
    "coherent_unitary_error",
    "depolarizing_error",
    "kraus_error",
    "mixed_unitary_error",
    "pauli_error",
    "phase_amplitude_damping_error",
    "phase_damping_error",
    "reset_error",
    "thermal_relaxation_error",
]
