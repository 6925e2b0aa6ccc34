"""What a device's target says of its noise: the errors of its gates and of its readout.

An instruction with a duration has the relaxation of its qubits, and a gate with a reported error has before it so much
depolarization that the average gate infidelity of both together is that error.
"""

from __future__ import annotations

import functools
from math import exp, inf
from typing import TYPE_CHECKING, Any, NamedTuple

from qiskit.circuit import ControlFlowOp, Gate, Measure

from basicaer.noise.base import BaseQuantumError
from basicaer.noise.readout_error import ReadoutError
from basicaer.noise.standard_errors import depolarizing_error, thermal_relaxation_error
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qiskit.quantum_info import SuperOp
    from qiskit.transpiler import Target

    from basicaer.noise.quantum_error import QuantumError

__all__ = ["DeviceError", "Relaxation", "gate_errors", "readout_errors", "relaxations"]

_PLANCK_OVER_BOLTZMANN = 4.135667696e-15 / 8.617333262e-5 * 1e3  # mK / Hz; CODATA 2018, in eV


class Relaxation(NamedTuple):
    """How a qubit relaxes: its times in seconds, and its probability of 1 at equilibrium."""

    t1: float
    t2: float
    excited_state_population: float

    def process_fidelity(self, time: float) -> float:
        """Return the process fidelity of the relaxation with doing nothing: the mean of what X, Y, Z and 1 keep."""
        return (1 + 2 * exp(-time / self.t2) + exp(-time / self.t1)) / 4


class DeviceError(BaseQuantumError):
    """The error of an instruction of a device: depolarization and then relaxation. It is made when it is needed.

    Parameters
    ----------
    depolarizing
        The parameter of the depolarizing channel.
    relaxing
        How each qubit relaxes; empty if they do not.
    time
        The duration in seconds.
    num_qubits
        The number of qubits.
    """

    def __init__(self, depolarizing: float, relaxing: tuple[Relaxation, ...], time: float, num_qubits: int) -> None:
        super().__init__(num_qubits)
        self._depolarizing, self._relaxing, self._time = depolarizing, relaxing, time

    @functools.cached_property
    def _error(self) -> QuantumError:
        parts = [depolarizing_error(self._depolarizing, self.num_qubits)] if self._depolarizing else []
        if self._relaxing:
            each = [thermal_relaxation_error(t1, t2, self._time, ones) for t1, t2, ones in self._relaxing]
            parts.append(functools.reduce(lambda low, high: low.expand(high), each))
        return functools.reduce(lambda first, second: first.compose(second), parts)

    def to_quantum_error(self) -> QuantumError:
        """Return the error, made now if it has not been before."""
        return self._error

    def ideal(self) -> bool:
        """Return False, since it would not have been made otherwise."""
        return False

    def to_quantumchannel(self) -> SuperOp:
        """Return the superoperator."""
        return self._error.to_quantumchannel()

    def to_dict(self) -> dict[str, Any]:
        """Return the error in the layout of Aer."""
        return self._error.to_dict()

    def compose(self, other: Any, qargs: Sequence[int] | None = None, front: bool = False) -> QuantumError:  # type: ignore[override]  # noqa: FBT001, FBT002
        """Return the error that is this one and then `other`."""
        return self._error.compose(other, qargs, front)

    def tensor(self, other: Any) -> QuantumError:  # type: ignore[override]
        """Return the error of both."""
        return self._error.tensor(other)

    def __eq__(self, other: object) -> bool:
        return self._error == other

    __hash__ = BaseQuantumError.__hash__

    def __repr__(self) -> str:
        return f"<DeviceError on {counted(self.num_qubits, 'qubit')}>"


def relaxations(target: Target, temperature: float) -> list[Relaxation]:
    """Return how each qubit of a device relaxes, at a temperature in mK.

    T2 is cut to 2 T1, and times that are not given are infinite. The excited population is
    ``1 / (1 + exp(h f / k T))``, and 0 if the temperature or the frequency f is 0 or not given (Jin et al. 2015,
    Phys. Rev. Lett. 114, 240501).
    """
    found = []
    for properties in target.qubit_properties or [None] * (target.num_qubits or 0):
        t1, t2, frequency = (getattr(properties, name, None) for name in ("t1", "t2", "frequency"))
        t1 = inf if t1 is None else t1
        t2 = inf if t2 is None else t2
        population = 0.0
        if frequency and temperature and frequency < inf:
            exponent = _PLANCK_OVER_BOLTZMANN * frequency / temperature
            population = 1 / (1 + exp(min(exponent, 700.0)))
        found.append(Relaxation(t1, min(t2, 2 * t1), population))
    return found


def gate_errors(
    target: Target, relaxing: list[Relaxation], *, gate_error: bool, thermal_relaxation: bool
) -> Iterator[tuple[str, tuple[int, ...], DeviceError, bool]]:
    """Yield the errors of all instructions but measurements: name, qubits, error, and whether it is more than reported.

    The last says that the relaxation alone is more than the reported error of the gate, which is then not reached.
    """
    for name, of_qubits in target.items():
        operation: Any = target.operation_from_name(name)
        kind = operation if isinstance(operation, type) else type(operation)
        if issubclass(kind, Measure | ControlFlowOp):
            continue
        for qubits, properties in (of_qubits or {}).items():
            if properties is None or qubits is None:
                continue
            time = properties.duration if thermal_relaxation else None
            these = tuple(relaxing[qubit] for qubit in qubits) if time else ()
            these = these if any(one.t1 < inf or one.t2 < inf for one in these) else ()
            reported = properties.error if gate_error and issubclass(kind, Gate) else None
            depolarizing, is_more = _depolarizing(reported, these, time or 0.0, 2 ** len(qubits))
            if these or depolarizing:
                yield name, qubits, DeviceError(depolarizing, these, time or 0.0, len(qubits)), is_more


def _depolarizing(
    reported: float | None, relaxing: tuple[Relaxation, ...], time: float, size: int
) -> tuple[float, bool]:
    """Return the parameter of the depolarizing channel, and whether the relaxation is more than the reported error.

    The average gate fidelity of a channel on d states is ``(d F + 1) / (d + 1)`` for the process fidelity F (Nielsen
    2002, arXiv:quant-ph/0205035, equation 3). That of a depolarizing channel of the parameter p and a relaxation of
    the average fidelity R is ``(1 - p) R + p / d``.
    """
    if not reported:
        return 0.0, False
    process = 1.0
    for one in relaxing:
        process *= one.process_fidelity(time)
    fidelity = (size * process + 1) / (size + 1)
    if reported <= 1 - fidelity:
        return 0.0, reported < 1 - fidelity
    reported = min(reported, size / (size + 1))  # no channel has a lower fidelity than the uniform mixture of Paulis
    parameter = (reported - 1 + fidelity) * size / (size * fidelity - 1)
    return min(parameter, size**2 / (size**2 - 1)), False


def readout_errors(target: Target) -> Iterator[tuple[tuple[int, ...], ReadoutError]]:
    """Yield the qubits and the readout errors of the measurements of a device."""
    measurements = target["measure"] if "measure" in target.operation_names else {}
    for qubits, properties in measurements.items():
        if properties is None or qubits is None or len(qubits) != 1:
            continue
        ones = getattr(properties, "prob_meas1_prep0", None)
        zeros = getattr(properties, "prob_meas0_prep1", None)
        if ones is None or zeros is None:
            ones = zeros = properties.error
        if ones is not None:
            yield qubits, ReadoutError([[1 - ones, ones], [zeros, 1 - zeros]])
