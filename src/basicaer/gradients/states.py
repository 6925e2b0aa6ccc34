"""`vjp_state`: derivatives of functions of the whole final state."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from qiskit import QuantumCircuit

from basicaer.compile.differentiable import differentiable
from basicaer.compile.values import ReadingTimeLimit
from basicaer.devices.memory import check_fits
from basicaer.engine.bits import deposit_bits
from basicaer.engine.program import Phase
from basicaer.engine.sweeps import Sweep
from basicaer.errors import BasicAerError, PubError, at_border, shown
from basicaer.gradients.inputs import read_values, wanted_parameters
from basicaer.gradients.job import GradientJob
from basicaer.gradients.payload import GradientTask, Part, Report
from basicaer.gradients.submitting import saving_in, submit_tasks
from basicaer.primitives.base import expected_device
from basicaer.primitives.estimator import EstimatorV2
from basicaer.primitives.observables import check_no_saves
from basicaer.simulators.ranks import submitted_with_ranks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qiskit.circuit import Parameter

    from basicaer.devices.distributed.comm import Comm
    from basicaer.option_types import GradientRunOptions
    from basicaer.simulators.base import BasicAerSimulator

__all__ = ["vjp_state"]


def vjp_state(
    circuit: QuantumCircuit,
    values: Any,
    cotangent: Any,
    *,
    parameters: Iterable[Parameter | str] | None = None,
    backend: BasicAerSimulator | None = None,
    **run_options: Unpack[GradientRunOptions],
) -> GradientJob:
    """Submit the vector-Jacobian product of a circuit's final state, in one sweep forwards and back.

    For a real function of the amplitudes ``psi[i]`` whose derivatives by their real and imaginary parts are the parts
    of ``cotangent[i]``, the real part of the result is the derivative by each parameter.

    Parameters
    ----------
    circuit
        A circuit of gates, which may begin with preparations of qubits.
    values
        Array of shape (..., number of parameters): one set of values, or many.
    cotangent
        Array of shape (..., 2**n) for n qubits: a vector v for each set of values, which need not be normalized.
    parameters, backend, run_options
        As for `gradient`.

    Returns
    -------
    GradientJob
        The job, already submitted. Its result has as ``values`` the complex ``<v|psi>``, and as ``gradients`` the
        complex ``<v|dpsi/dp>`` for each parameter p; global phases count.

    Raises
    ------
    BasicAerError
        For anything that `gradient` would refuse, and for a circuit that measures, resets or has control flow.

    Examples
    --------
    >>> from qiskit import QuantumCircuit
    >>> from qiskit.circuit import Parameter
    >>> from basicaer import vjp_state
    >>> circuit = QuantumCircuit(1)
    >>> _ = circuit.ry(Parameter("angle"), 0)
    >>> vjp_state(circuit, [0.5], [0, 1]).result().gradients.round(6).tolist()
    [(0.484456+0j)]
    """
    if not isinstance(circuit, QuantumCircuit):
        raise BasicAerError(f"A gradient is taken of a QuantumCircuit, not of {shown(circuit)}.")
    options, saving = saving_in(run_options)

    def of_rank(ranks: Comm | None) -> GradientJob:
        estimator = EstimatorV2(backend, **{**options, "distributed": ranks or False})
        settings = estimator._settings()  # noqa: SLF001  # a class of this package
        make = partial(_tasks, circuit, values, cotangent, parameters, settings)
        return submit_tasks(GradientJob, make, estimator, settings, saving, ranks=ranks)

    return submitted_with_ranks(options.get("distributed", False), of_rank)


def _tasks(
    circuit: QuantumCircuit,
    values: Any,
    cotangent: Any,
    parameters: Iterable[Parameter | str] | None,
    settings: dict[str, Any],
) -> list[GradientTask]:
    """Return the task of a vector-Jacobian product."""
    poll = ReadingTimeLimit(settings["timeout"])
    of_circuit = list(circuit.parameters)
    compiled = differentiable(circuit, of_circuit, wanted_parameters(parameters, of_circuit, circuit.name), poll)
    why = compiled.why_not_undone
    if settings.get("noise_model") is not None:
        why = "it has noise"
    if not why and compiled.program.final:
        why = "it measures at its end"
    if why:
        raise BasicAerError(
            f"Circuit '{circuit.name}' has no single final state to differentiate, since {why}; leave that out."
        )
    program = compiled.program
    check_no_saves(program, circuit.name)
    device = expected_device(program.state_qubits, settings | {"distributed": False})
    subject = f"A gradient of circuit '{circuit.name}', which takes two states,"
    check_fits(device, subject, program.state_qubits, settings["precision"], states=2)
    array = read_values(values, len(of_circuit), circuit.name)
    shape = array.shape[:-1]
    rows = array.reshape(prod(shape), len(of_circuit))
    vectors = _vectors(cotangent, shape, circuit.num_qubits)
    angles = compiled.angles(rows, poll)
    segments, generators, places = compiled.numbers(angles, poll, only_real=False)
    phases = len(compiled.occurrences.expressions) - len(compiled.occurrences.parameters)
    turns = np.exp(1j * angles[:, angles.shape[1] - phases :].sum(axis=1))
    turns *= np.prod([one.factor for one in program.body if isinstance(one, Phase)])
    active = deposit_bits(np.arange(2**program.state_qubits), program.qubits)  # idle qubits are |0>
    bras = vectors[:, active] * turns.conj()[:, None]
    none = np.zeros((0, 0))
    sweep = Sweep(program, segments, len(rows), (), none, None, generators, bras)
    task = GradientTask(
        circuit.name,
        program.state_qubits,
        len(rows),
        1,
        sweep,
        tuple(places),
        compiled.chain(rows, poll),
        None,
        {"method": "adjoint", "reason": "the circuit has gates only"},
        Report(shape, (), Part.COMPLEX),
        phases,
    )
    return [task]


def _vectors(cotangent: Any, shape: tuple[int, ...], n_qubits: int) -> Any:
    """Return the vectors of all sets, checked."""
    with at_border(lambda _: PubError(f"The cotangent must be an array of numbers, not {shown(cotangent)}.")):
        array = np.asarray(cotangent, complex)
    if shape and array.shape == (2**n_qubits,):
        raise PubError(
            f"The cotangent is one vector, and there are sets of values of shape {shape}; give one for each set, as "
            f"numpy.broadcast_to(cotangent, {(*shape, 2**n_qubits)}) does if all have the same."
        )
    if array.shape != (*shape, 2**n_qubits):
        raise PubError(
            f"The cotangent has shape {array.shape}, and the states have {(*shape, 2**n_qubits)}; give it a number for "
            "each amplitude."
        )
    return array.reshape(prod(shape), 2**n_qubits)
