"""PennyLane's operations as gates of Qiskit."""

from __future__ import annotations

from functools import partial
from math import pi
from typing import TYPE_CHECKING, Any

import numpy as np
import pennylane as qml
from pennylane.operation import StatePrepBase
from pennylane.ops import Adjoint, Conditional, Controlled, MidMeasure
from qiskit import QuantumCircuit
from qiskit.circuit import library
from qiskit.circuit.library import PauliEvolutionGate, UnitaryGate
from qiskit.quantum_info import Pauli

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from pennylane.operation import Operator
    from qiskit.circuit import Gate

__all__ = ["NAMES", "append", "described", "is_known", "is_known_to_derivatives"]

_MOST_WIRES = 4  # The matrix of an operation without parameters on that many wires is less than its decomposition.


def _rot(phi: Any, theta: Any, omega: Any) -> Gate:
    circuit = QuantumCircuit(1, name="Rot")
    circuit.rz(phi, 0)
    circuit.ry(theta, 0)
    circuit.rz(omega, 0)
    return circuit.to_gate()


# By name in PennyLane: what makes the gate of the operation's angles. Qubits are in the order of the wires.
_GATES: dict[str, Callable[..., Gate]] = {
    "Hadamard": library.HGate,
    "PauliX": library.XGate,
    "PauliY": library.YGate,
    "PauliZ": library.ZGate,
    "S": library.SGate,
    "T": library.TGate,
    "SX": library.SXGate,
    "CNOT": library.CXGate,
    "CY": library.CYGate,
    "CZ": library.CZGate,
    "CH": library.CHGate,
    "SWAP": library.SwapGate,
    "ISWAP": library.iSwapGate,
    "SISWAP": partial(library.XXPlusYYGate, -pi / 2),
    "ECR": library.ECRGate,
    "Toffoli": library.CCXGate,
    "CCZ": library.CCZGate,
    "CSWAP": library.CSwapGate,
    "RX": library.RXGate,
    "RY": library.RYGate,
    "RZ": library.RZGate,
    "PhaseShift": library.PhaseGate,
    "U1": library.PhaseGate,
    "U2": library.U2Gate,
    "U3": library.UGate,
    "Rot": _rot,
    "CRX": library.CRXGate,
    "CRY": library.CRYGate,
    "CRZ": library.CRZGate,
    "ControlledPhaseShift": library.CPhaseGate,
    "IsingXX": library.RXXGate,
    "IsingYY": library.RYYGate,
    "IsingZZ": library.RZZGate,
    "IsingXY": lambda angle: library.XXPlusYYGate(-angle),
    "SingleExcitation": lambda angle: library.XXPlusYYGate(angle, -pi / 2),
}
# Those that are rotations about a product of Paulis.
_ROTATIONS: dict[str, Callable[[Operator], str]] = {
    "MultiRZ": lambda operation: "Z" * len(operation.wires),
    "PauliRot": lambda operation: operation.hyperparameters["pauli_word"],
}
_PHASES = ("GlobalPhase", "Identity")
_MATRICES = ("QubitUnitary", "DiagonalQubitUnitary")
NAMES = frozenset([*_GATES, *_ROTATIONS, *_PHASES, *_MATRICES])


def is_known(operation: Operator, *, with_measurements: bool = False) -> bool:
    """Tell whether an operation is run as it is, and need not be decomposed by PennyLane."""
    if isinstance(operation, MidMeasure):
        return with_measurements
    if isinstance(operation, Conditional):
        return with_measurements and is_known(operation.base)
    if operation.name in NAMES:
        return True
    if isinstance(operation, Controlled):
        return operation.base.name in _GATES or operation.base.name == "QubitUnitary"
    if isinstance(operation, Adjoint):
        return operation.base.name in _GATES or operation.base.name in _ROTATIONS
    if not operation.has_matrix:
        return False
    is_small = not operation.num_params and len(operation.wires) <= _MOST_WIRES
    return is_small or not operation.has_decomposition


def is_known_to_derivatives(operation: Operator) -> bool:
    """Tell whether an operation is run as it is when it is differentiated by those parameters that are trainable."""
    if isinstance(operation, StatePrepBase):
        return False
    is_trainable = any(qml.math.requires_grad(one) for one in operation.data)
    return is_known(operation) and (not is_trainable or has_angles(operation))


def has_angles(operation: Operator) -> bool:
    """Tell whether the parameters of an operation are angles of gates, and not numbers in a matrix or a state."""
    base = operation.base if isinstance(operation, Adjoint | Controlled | Conditional) else operation
    if operation.name in _GATES or base.name in _GATES:
        return True
    return operation.name in _ROTATIONS or operation.name in _PHASES or base.name in _ROTATIONS


def described(operation: Operator, number: Callable[[MidMeasure], int]) -> tuple[Hashable, ...]:
    """Return what an operation is, without its wires and angles: operations with the same description are alike.

    Parameters
    ----------
    operation
        The operation.
    number
        Gives the number of a mid-circuit measurement.
    """
    name: str = operation.name
    if isinstance(operation, MidMeasure):
        return name, operation.reset
    if isinstance(operation, Conditional):
        value = operation.meas_val
        return (
            "if",
            tuple(number(one) for one in value.measurements),
            tuple(outcome for outcome, is_met in value.items() if is_met),
            described(operation.base, number),
        )
    if name in _GATES or name in _PHASES:
        return (name,)
    if name in _ROTATIONS:
        return name, _ROTATIONS[name](operation)
    if isinstance(operation, Controlled) and has_angles(operation):
        return "C", tuple(map(bool, operation.control_values)), described(operation.base, number)
    if isinstance(operation, Adjoint) and has_angles(operation):
        return "Adjoint", described(operation.base, number)
    if isinstance(operation, StatePrepBase):
        return "StatePrep", _state_of(operation).tobytes()
    return "matrix", np.asarray(qml.matrix(operation), complex).tobytes()


def append(  # what there is to append, to what, and where
    circuit: QuantumCircuit,
    operation: Operator,
    qubits: Sequence[int],
    angles: Sequence[Any],
) -> None:
    """Append an operation that is no measurement, and depends on none, to a circuit.

    Parameters
    ----------
    circuit
        The circuit.
    operation
        The operation.
    qubits
        ``qubits[k]`` is the qubit of the operation's wire k.
    angles
        Stand for the operation's parameters if these are angles.
    """
    name = operation.name
    if isinstance(operation, StatePrepBase):
        circuit.initialize(_state_of(operation), list(reversed(qubits)))
    elif name == "Identity":
        return
    elif name == "GlobalPhase":
        circuit.global_phase -= angles[0]
    elif name in _ROTATIONS and not set(_ROTATIONS[name](operation)) - {"I"}:
        circuit.global_phase -= angles[0] / 2
    else:
        gate = _gate_of(operation, angles)
        circuit.append(gate, qubits if has_angles(operation) else list(reversed(qubits)))


def _gate_of(operation: Operator, angles: Sequence[Any]) -> Gate:
    name = operation.name
    if name in _GATES:
        return _GATES[name](*angles)
    if name in _ROTATIONS:
        return PauliEvolutionGate(Pauli(_ROTATIONS[name](operation)[::-1]), time=angles[0] / 2)
    if isinstance(operation, Controlled) and has_angles(operation):
        values = "".join("1" if one else "0" for one in reversed(operation.control_values))
        return _gate_of(operation.base, angles).control(len(values), ctrl_state=values, annotated=False)
    if isinstance(operation, Adjoint) and has_angles(operation):
        return _gate_of(operation.base, angles).inverse()
    return UnitaryGate(np.asarray(qml.matrix(operation), complex))


def _state_of(operation: StatePrepBase) -> np.ndarray[Any, np.dtype[np.complex128]]:
    return np.asarray(operation.state_vector(wire_order=operation.wires), complex).reshape(-1)
