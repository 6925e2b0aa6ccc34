"""`BasicAerDevice`: a device of PennyLane."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pennylane as qml
from pennylane.devices import Device, ExecutionConfig
from pennylane.devices.modifiers import simulator_tracking, single_tape_support
from pennylane.devices.preprocess import (
    decompose,
    device_resolve_dynamic_wires,
    no_sampling,
    validate_adjoint_trainable_params,
    validate_device_wires,
    validate_measurements,
    validate_observables,
)
from pennylane.exceptions import DecompositionUndefinedError, DeviceError
from pennylane.measurements import ExpectationMP, SampleMeasurement, StateMeasurement
from pennylane.ops import MidMeasure
from pennylane.transforms import broadcast_expand, defer_measurements, split_non_commuting

from basicaer.pennylane.executing import Executor, has_paulis
from basicaer.pennylane.operations import NAMES, is_known, is_known_to_derivatives

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pennylane.devices import MCMConfig
    from pennylane.tape import QuantumScript

    from basicaer.simulators.base import BasicAerSimulator

__all__ = ["BasicAerDevice"]

_NAME = "basicaer.qubit"
_METHODS = ("adjoint", "best", "device")


@simulator_tracking
@single_tape_support
class BasicAerDevice(Device):
    """The device ``"basicaer.qubit"`` of PennyLane.

    Tapes that differ in angles only are compiled once and run as one batch. Expectation values are differentiated by
    the adjoint method, or by that of the QNode. Circuits with mid-circuit measurements and shots run as they are, and
    all shots in one job; without shots, PennyLane defers the measurements to wires of their own.

    Parameters
    ----------
    wires
        The number of wires, or their labels; None for those of each circuit.
    shots
        As for every device of PennyLane, which recommends ``qml.set_shots``.
    seed
        Makes samples reproducible; ``"global"`` draws a seed from NumPy's global generator, None from the system.
    backend
        The simulator of basicaer whose options are defaults for those below; None for new ones.
    run_options
        ``device``, ``precision`` (of the amplitudes), ``max_parallel_threads``, ``executor``, ``timeout``, ``callback``
        and ``progress``, as for ``backend.run``.

    Examples
    --------
    >>> import pennylane as qml
    >>> device = qml.device("basicaer.qubit", wires=2)
    >>> @qml.qnode(device)
    ... def correlation(angle):
    ...     qml.RY(angle, wires=0)
    ...     qml.CNOT(wires=[0, 1])
    ...     return qml.expval(qml.X(0) @ qml.X(1))
    >>> angle = qml.numpy.array(0.5, requires_grad=True)
    >>> round(float(correlation(angle)), 6), round(float(qml.grad(correlation)(angle)), 6)
    (0.479426, 0.877583)
    """

    def __init__(
        self,
        wires: Any = None,
        shots: Any = None,
        seed: Any = "global",
        *,
        backend: BasicAerSimulator | None = None,
        **run_options: Any,
    ) -> None:
        super().__init__(wires=wires, shots=shots)
        # PennyLane's devices have this default, and its programs seed NumPy's global generator.
        seed = np.random.randint(2**31 - 1) if isinstance(seed, str) and seed == "global" else seed  # noqa: NPY002
        self._executor = Executor(backend, np.random.default_rng(seed), run_options)

    @property
    def name(self) -> str:
        """The name of the device."""
        return _NAME

    def setup_execution_config(
        self, config: ExecutionConfig | None = None, circuit: QuantumScript | None = None
    ) -> ExecutionConfig:
        """Return a configuration in which everything is chosen that PennyLane leaves to the device."""
        config = config or ExecutionConfig()
        for option in config.device_options:
            raise DeviceError(f"Device option {option} is not known to {_NAME}; give options to qml.device().")
        is_ours = config.gradient_method in _METHODS
        # With one result, derivatives come along with the value; with several, a product of all of them is cheaper.
        is_single = circuit is not None and len(circuit.measurements) == 1
        changes: dict[str, Any] = {"mcm_config": _mid_circuit_config(config.mcm_config, circuit)}
        if is_ours:
            changes["gradient_method"] = "adjoint"
        if config.use_device_gradient is None:
            changes["use_device_gradient"] = is_ours
        if config.use_device_jacobian_product is None:
            changes["use_device_jacobian_product"] = is_ours and not is_single
        if config.grad_on_execution is None:
            changes["grad_on_execution"] = is_ours and is_single
        return replace(config, **changes)

    def preprocess_transforms(self, execution_config: ExecutionConfig | None = None) -> Any:
        """Return the transforms that make circuits such that the device runs."""
        config = execution_config or ExecutionConfig()
        is_deferred = config.mcm_config.mcm_method == "deferred"
        pipeline = qml.CompilePipeline()
        pipeline.add_transform(
            validate_measurements,
            analytic_measurements=lambda one: isinstance(one, StateMeasurement),
            sample_measurements=lambda one: isinstance(one, SampleMeasurement),
            name=_NAME,
        )
        if is_deferred:
            pipeline.add_transform(defer_measurements, allow_postselect=False)
        names = NAMES if is_deferred else NAMES | {"MidMeasureMP"}
        pipeline.add_transform(
            decompose,
            stopping_condition=partial(is_known, with_measurements=not is_deferred),
            device_wires=self.wires,
            target_gates=names,
            name=_NAME,
        )
        pipeline.add_transform(device_resolve_dynamic_wires, wires=self.wires, allow_resets=not is_deferred)
        pipeline.add_transform(validate_device_wires, self.wires, name=_NAME)
        pipeline.add_transform(broadcast_expand)
        pipeline.add_transform(_split_for_shots)
        if config.gradient_method == "adjoint":
            pipeline += self._transforms_of_derivatives()
        return pipeline

    def _transforms_of_derivatives(self) -> Any:
        name = f"adjoint + {_NAME}"
        return (
            no_sampling(name=name)
            + broadcast_expand
            + decompose(
                stopping_condition=is_known_to_derivatives,
                skip_initial_state_prep=True,
                device_wires=self.wires,
                target_gates=NAMES,
                name=name,
            )
            + validate_observables(stopping_condition=has_paulis, name=name)
            + validate_measurements(analytic_measurements=lambda one: isinstance(one, ExpectationMP), name=name)
            + validate_adjoint_trainable_params
        )

    def execute(
        self, circuits: Sequence[QuantumScript], execution_config: ExecutionConfig | None = None
    ) -> tuple[Any, ...]:
        """Return the results of circuits."""
        config = execution_config or ExecutionConfig()
        return tuple(self._executor.execute(circuits, self.wires, config.mcm_config.postselect_mode))

    def supports_derivatives(
        self, execution_config: ExecutionConfig | None = None, circuit: QuantumScript | None = None
    ) -> bool:
        """Tell whether the device itself differentiates: exact expectation values, by the adjoint method."""
        if execution_config is not None and execution_config.gradient_method not in _METHODS:
            return False
        if circuit is None:
            return True
        try:
            self._transforms_of_derivatives()((circuit,))
        except (DecompositionUndefinedError, DeviceError):
            return False
        return True

    def supports_vjp(
        self, execution_config: ExecutionConfig | None = None, circuit: QuantumScript | None = None
    ) -> bool:
        """Tell the same: vector-Jacobian products are derivatives."""
        return self.supports_derivatives(execution_config, circuit)

    def compute_derivatives(
        self, circuits: Sequence[QuantumScript], execution_config: ExecutionConfig | None = None
    ) -> tuple[Any, ...]:
        """Return the derivatives of the results of circuits by their trainable parameters."""
        del execution_config
        return tuple(self._executor.derivatives(circuits, self.wires)[1])

    def execute_and_compute_derivatives(
        self, circuits: Sequence[QuantumScript], execution_config: ExecutionConfig | None = None
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Return the results of circuits and their derivatives, from the same sweeps."""
        del execution_config
        results, derivatives = self._executor.derivatives(circuits, self.wires)
        return tuple(results), tuple(derivatives)

    def compute_vjp(
        self,
        circuits: Sequence[QuantumScript],
        cotangents: Sequence[Any],
        execution_config: ExecutionConfig | None = None,
    ) -> tuple[Any, ...]:
        """Return the vector-Jacobian products of circuits by their trainable parameters."""
        del execution_config
        return tuple(self._executor.products(circuits, cotangents, self.wires)[1])

    def execute_and_compute_vjp(
        self,
        circuits: Sequence[QuantumScript],
        cotangents: Sequence[Any],
        execution_config: ExecutionConfig | None = None,
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Return the results of circuits and their vector-Jacobian products, from the same sweeps."""
        del execution_config
        results, products = self._executor.products(circuits, cotangents, self.wires)
        return tuple(results), tuple(products)


def _mid_circuit_config(config: MCMConfig, circuit: QuantumScript | None) -> MCMConfig:
    """Return how mid-circuit measurements are run: as they are with shots, else deferred."""
    has_shots = bool(getattr(circuit, "shots", None))
    method = config.mcm_method
    if method not in {None, "deferred", "device", "one-shot", "tree-traversal"}:
        raise DeviceError(f"mcm_method='{method}' is not supported by {_NAME}.")
    if method is None:
        method = "device" if has_shots else "deferred"
    if method != "deferred":
        if circuit is not None and not has_shots and any(isinstance(one, MidMeasure) for one in circuit.operations):
            raise DeviceError(
                f"mcm_method='{method}' needs shots on {_NAME}; use mcm_method='deferred' for exact results."
            )
        if config.postselect_mode == "fill-shots":
            raise DeviceError(f"postselect_mode='fill-shots' needs mcm_method='deferred' on {_NAME}.")
        method = "device"  # all of them have the same statistics, and all shots run in one job
    return replace(config, mcm_method=method)


def _split(tape: QuantumScript) -> Any:
    """Split circuits with shots into such whose observables can be measured at the same time."""
    if not tape.shots:
        return (tape,), lambda results: results[0]
    return split_non_commuting(tape)


_split_for_shots = qml.transform(_split)
