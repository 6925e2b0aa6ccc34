"""The three simulators: what each takes, refuses and returns."""

from basicaer.simulators.base import BasicAerSimulator
from basicaer.simulators.qasm import QasmSimulator
from basicaer.simulators.statevector import StatevectorSimulator
from basicaer.simulators.unitary import UnitarySimulator

__all__ = ["BasicAerSimulator", "QasmSimulator", "StatevectorSimulator", "UnitarySimulator"]
