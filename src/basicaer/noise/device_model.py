"""Fills a noise model with what the target of a device reports."""

from __future__ import annotations

from math import inf, isfinite
from typing import TYPE_CHECKING, Any

from basicaer.errors import BasicAerError, shown
from basicaer.noise.delays import RelaxationNoisePass
from basicaer.noise.device_errors import gate_errors, readout_errors, relaxations

if TYPE_CHECKING:
    from qiskit.transpiler import Target

__all__ = ["add_device_errors"]


def add_device_errors(
    model: Any,
    target: Target,
    *,
    gate_error: bool,
    readout_error: bool,
    thermal_relaxation: bool,
    temperature: float,
    delay: bool,
) -> int:
    """Add the errors of a device to a model; returns how many gates relax more than their reported error allows.

    The parameters are those of `NoiseModel.from_backend`.
    """
    if not isfinite(temperature) or temperature < 0:
        raise BasicAerError(f"temperature must be a number of mK from 0 on, not {shown(temperature)}.")
    relaxing = relaxations(target, temperature)
    exceeded = 0
    for name, qubits, error, is_more in gate_errors(
        target, relaxing, gate_error=gate_error, thermal_relaxation=thermal_relaxation
    ):
        model.add_quantum_error(error, name, qubits)
        exceeded += is_more
    if readout_error:
        for qubits, readout in readout_errors(target):
            model.add_readout_error(readout, qubits)
    if thermal_relaxation and delay and any(one.t1 < inf or one.t2 < inf for one in relaxing):
        t1s, t2s, populations = zip(*relaxing, strict=True)
        model.noise_passes.append(RelaxationNoisePass(t1s, t2s, target.dt, excited_state_populations=populations))
    lacking = [
        *(["errors of gates"] if gate_error else []),
        *(["durations of gates and T1 and T2 of qubits"] if thermal_relaxation else []),
        *(["errors of measurements"] if readout_error else []),
    ]
    if model.is_ideal() and lacking:
        raise BasicAerError(
            f"The target has no {', no '.join(lacking)}, so there is no noise; give a device that reports them."
        )
    return exceeded
