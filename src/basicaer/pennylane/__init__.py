"""The device of PennyLane that runs on basicaer: ``qml.device("basicaer.qubit", wires=4)``."""

from basicaer.pennylane.device import BasicAerDevice

__all__ = ["BasicAerDevice"]
