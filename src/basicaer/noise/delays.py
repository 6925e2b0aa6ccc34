"""Relaxation during delays, as a pass of Qiskit's transpiler."""

from __future__ import annotations

from functools import reduce
from math import inf
from numbers import Real
from typing import TYPE_CHECKING, Any, Self

from qiskit.circuit import Delay

from basicaer.errors import BasicAerError, shown
from basicaer.noise.local_pass import LocalNoisePass
from basicaer.noise.standard_errors import thermal_relaxation_error
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from basicaer.noise.quantum_error import QuantumError

__all__ = ["RelaxationNoisePass"]

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12}


class RelaxationNoisePass(LocalNoisePass):
    """Puts the relaxation of a qubit after each instruction that takes time, by default after delays.

    Inside control flow, too. `NoiseModel.from_backend` puts such a pass into its models.

    Parameters
    ----------
    t1s, t2s
        The relaxation times of each qubit in seconds, which may be infinite.
    dt
        The duration in seconds of the unit "dt".
    op_types
        A class of instructions, or several, which must have a `duration`.
    excited_state_populations
        For each qubit the probability of 1 at equilibrium; by default 0.
    """

    def __init__(
        self,
        t1s: Sequence[float],
        t2s: Sequence[float],
        dt: float | None = None,
        op_types: type | Sequence[type] = Delay,
        excited_state_populations: Sequence[float] | None = None,
    ) -> None:
        super().__init__(self._relaxation, op_types)
        if len(t1s) != len(t2s):
            raise BasicAerError(f"There are {len(t1s)} t1s and {len(t2s)} t2s; give one of each for each qubit.")
        self._t1s, self._t2s, self._dt = list(t1s), list(t2s), dt
        self._populations = list(excited_state_populations or [0.0] * len(self._t1s))

    def to_dict(self) -> dict[str, Any]:
        """Return the times and populations of a pass for delays; None stands for an infinite time."""
        if self.op_types != (Delay,):
            raise BasicAerError("A RelaxationNoisePass can be written as a dictionary only if its op_types is Delay.")
        t1s, t2s = ([time if time < inf else None for time in times] for times in (self._t1s, self._t2s))
        return {"t1s": t1s, "t2s": t2s, "dt": self._dt, "excited_state_populations": self._populations}

    @classmethod
    def from_dict(cls, dictionary: Mapping[str, Any]) -> Self:
        """Return the pass that `to_dict` has described."""
        t1s, t2s = ([inf if time is None else float(time) for time in dictionary[name]] for name in ("t1s", "t2s"))
        return cls(t1s, t2s, dictionary["dt"], excited_state_populations=dictionary["excited_state_populations"])

    def _relaxation(self, operation: Any, on: list[int]) -> QuantumError | None:
        """Return the relaxation of the qubits of an instruction; None if it takes no time."""
        if max(on) >= len(self._t1s):
            raise BasicAerError(
                f"There are relaxation times of {counted(len(self._t1s), 'qubit')}, and none of qubit {max(on)}."
            )
        time = self._seconds(operation)
        if not time:
            return None
        each = [thermal_relaxation_error(self._t1s[q], self._t2s[q], time, self._populations[q]) for q in on]
        return reduce(lambda low, high: low.expand(high), each)

    def _seconds(self, operation: Any) -> float:
        duration, unit = operation.duration, operation.unit
        if not isinstance(duration, Real):
            raise BasicAerError(
                f"'{operation.name}' has the duration {shown(duration)}; relaxation needs a number, so give the "
                "circuit's parameters values."
            )
        if unit == "dt":
            if self._dt is None:
                raise BasicAerError("A duration is in units of dt, which the device does not give; use seconds.")
            return float(duration) * self._dt
        return float(duration) * _SECONDS[unit]
