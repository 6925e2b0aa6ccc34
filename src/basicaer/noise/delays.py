"""Relaxation during delays, as a pass of Qiskit's transpiler."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import inf
from numbers import Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from qiskit.circuit import Delay
from qiskit.transpiler.basepasses import MetaPass

from basicaer.errors import BasicAerError, shown
from basicaer.noise.local_pass import LocalNoisePass
from basicaer.noise.standard_errors import check_relaxation, thermal_relaxation_error
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from basicaer.noise.quantum_error import QuantumError

__all__ = ["RelaxationNoisePass"]

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12}


class _TakesArrays(MetaPass):
    """Turns arrays into lists, since Qiskit compares all arguments of a pass with ``==``."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        lists = [one.tolist() if isinstance(one, np.ndarray) else one for one in args]
        named = {name: one.tolist() if isinstance(one, np.ndarray) else one for name, one in kwargs.items()}
        return super().__call__(*lists, **named)


class RelaxationNoisePass(LocalNoisePass, metaclass=_TakesArrays):
    """Puts the relaxation of a qubit after each instruction that takes time, by default after delays.

    Inside control flow, too. `NoiseModel.from_backend` puts such a pass into its models.

    Parameters
    ----------
    t1s, t2s
        The relaxation times of each qubit in seconds; None stands for an infinite one. No T2 is longer than 2 T1.
    dt
        The duration in seconds of the unit "dt".
    op_types
        A class of instructions, or several, which must have a `duration`.
    excited_state_populations
        For each qubit the probability of 1 at equilibrium; by default 0.

    Raises
    ------
    BasicAerError
        If a value is not such a number, or if there is not one for each qubit.
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
        self._t1s = [inf if time is None else time for time in _listed("t1s", t1s)]
        self._t2s = [inf if time is None else time for time in _listed("t2s", t2s)]
        populations = (
            None
            if excited_state_populations is None
            else _listed("excited_state_populations", excited_state_populations)
        )
        self._populations = [0.0] * len(self._t1s) if populations is None else populations
        self._dt = dt
        self._check()

    def _check(self) -> None:
        """Raise an error unless each qubit has times and a population that a qubit can have."""
        t1s, t2s, populations = self._t1s, self._t2s, self._populations
        if not len(t1s) == len(t2s) == len(populations):
            raise BasicAerError(
                f"There are {counted(len(t1s), 't1')}, {counted(len(t2s), 't2')} and "
                f"{counted(len(populations), 'population')}; give one of each for each qubit."
            )
        if self._dt is not None and not (isinstance(self._dt, Real) and 0 < self._dt < inf):
            raise BasicAerError(f"dt must be a number of seconds, or None, not {shown(self._dt)}.")
        for q, of_qubit in enumerate(zip(t1s, t2s, populations, strict=True)):
            check_relaxation(f"qubit {q}", *of_qubit)

    def to_dict(self) -> dict[str, Any]:
        """Return the times and populations of a pass for delays; None stands for an infinite time."""
        if self.op_types != (Delay,):
            raise BasicAerError("A RelaxationNoisePass can be written as a dictionary only if its op_types is Delay.")
        t1s, t2s = ([time if time < inf else None for time in times] for times in (self._t1s, self._t2s))
        return {"t1s": t1s, "t2s": t2s, "dt": self._dt, "excited_state_populations": self._populations}

    @classmethod
    def from_dict(cls, dictionary: Mapping[str, Any]) -> Self:
        """Return the pass that `to_dict` has described."""
        return cls(
            dictionary["t1s"],
            dictionary["t2s"],
            dictionary["dt"],
            excited_state_populations=dictionary["excited_state_populations"],
        )

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
        duration, unit = getattr(operation, "duration", None), getattr(operation, "unit", None)
        if duration is None:
            raise BasicAerError(
                f"'{operation.name}' has no duration, which relaxation needs; leave its class out of op_types."
            )
        if not isinstance(duration, Real):
            raise BasicAerError(
                f"'{operation.name}' has the duration {shown(duration)}; relaxation needs a number, so give the "
                "circuit's parameters values."
            )
        if unit == "dt":
            if self._dt is None:
                raise BasicAerError("A duration is in units of dt, which the device does not give; use seconds.")
            return float(duration) * self._dt
        if unit not in _SECONDS:
            raise BasicAerError(
                f"'{operation.name}' has a duration in {shown(unit)}; relaxation needs dt, {', '.join(_SECONDS)}."
            )
        return float(duration) * _SECONDS[unit]


def _listed(name: str, values: Any) -> list[Any]:
    """Return one value for each qubit."""
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise BasicAerError(f"{name} must be a list with one number for each qubit, not {shown(values)}.")
    return list(values)
