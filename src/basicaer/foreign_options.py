"""Options of other simulators and of devices: those that change no result here are accepted, the others refused."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from basicaer.errors import OptionValueError, shown
from basicaer.foreign_names import why_no_method

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["ACCEPTED_NAMES", "OPTIONS_WITHOUT_EFFECT", "ForeignOptions", "is_ideal", "without_foreign_options"]

# The options that have no effect here, by what they control.


class _WorkOptions(TypedDict, total=False):
    batched_shots_gpu: Any
    batched_shots_gpu_max_qubits: Any
    blocking_enable: Any
    blocking_qubits: Any
    chunk_swap_buffer_qubits: Any
    cuStateVec_enable: Any
    max_job_size: Any
    max_parallel_shots: Any
    max_shot_size: Any
    num_threads_per_device: Any
    runtime_parameter_bind_enable: Any
    statevector_parallel_threshold: Any


class _GateOptions(TypedDict, total=False):
    accept_distributed_results: Any
    enable_truncation: Any
    fusion_enable: Any
    fusion_max_qubit: Any
    fusion_threshold: Any
    fusion_verbose: Any
    shot_branching_enable: Any
    shot_branching_sampling_enable: Any
    statevector_sample_measure_opt: Any


class _CheckOptions(TypedDict, total=False):
    max_memory_mb: Any
    validation_threshold: Any
    zero_threshold: Any


class _MethodOptions(TypedDict, total=False):
    extended_stabilizer_approximation_error: Any
    extended_stabilizer_metropolis_mixing_time: Any
    extended_stabilizer_norm_estimation_repetitions: Any
    extended_stabilizer_norm_estimation_samples: Any
    extended_stabilizer_parallel_threshold: Any
    extended_stabilizer_probabilities_snapshot_samples: Any
    extended_stabilizer_sampling_method: Any
    matrix_product_state_max_bond_dimension: Any
    matrix_product_state_truncation_threshold: Any
    mps_lapack: Any
    mps_log_data: Any
    mps_omp_threads: Any
    mps_parallel_threshold: Any
    mps_sample_measure_algorithm: Any
    mps_swap_direction: Any
    stabilizer_max_snapshot_probabilities: Any
    superoperator_parallel_threshold: Any
    tensor_network_num_sampling_qubits: Any
    unitary_parallel_threshold: Any
    use_cuTensorNet_autotuning: Any


class _BasicSimulatorOptions(TypedDict, total=False):
    use_clifford_optimization: Any


OPTIONS_WITHOUT_EFFECT = {
    "how Aer divides work": tuple(_WorkOptions.__annotations__),
    "how Aer runs gates and draws outcomes": tuple(_GateOptions.__annotations__),
    "what Aer checks, and when it gives up": tuple(_CheckOptions.__annotations__),
    "Aer's other methods": tuple(_MethodOptions.__annotations__),
    "how Qiskit's BasicSimulator works": tuple(_BasicSimulatorOptions.__annotations__),
}
"""Options of other simulators that never change a result, by what they control there; their values are not read."""


class ForeignOptions(_WorkOptions, _GateOptions, _CheckOptions, _MethodOptions, _BasicSimulatorOptions, total=False):
    """Options of other simulators and of devices that `run` accepts, with the values that it accepts."""

    basis_gates: None
    coupling_map: None
    meas_level: Literal[2]
    meas_return: Literal["single", "avg"]


_NAMES_WITHOUT_EFFECT = frozenset(name for names in OPTIONS_WITHOUT_EFFECT.values() for name in names)
_TRANSPILER_OPTIONS = frozenset({"basis_gates", "coupling_map"})
_AER_OPTIONS = _NAMES_WITHOUT_EFFECT | _TRANSPILER_OPTIONS | {"method", "noise_model"}
_MEASUREMENT_OPTIONS = frozenset({"meas_level", "meas_return"})  # they say what a device's measurement returns

ACCEPTED_NAMES = _NAMES_WITHOUT_EFFECT | _MEASUREMENT_OPTIONS | {"method"}
"""Options that `without_foreign_options` accepts with some value."""


def without_foreign_options(
    options: dict[str, Any], methods: Iterable[str], own: Collection[str] = ()
) -> dict[str, Any]:
    """Return the options without those of other simulators and of devices, once their values are accepted.

    Parameters
    ----------
    methods
        Aer's names for the simulation methods that compute what is computed here.
    own
        Options that mean here what they mean there; they stay.

    Raises
    ------
    OptionValueError
        For another method, a noise model that has noise, an option that belongs to `transpile`, and a measurement that
        should return anything but bits.
    """
    return _without_aer_options(_without_measurement_options(options), methods, _AER_OPTIONS.difference(own))


def _without_measurement_options(options: dict[str, Any]) -> dict[str, Any]:
    if _MEASUREMENT_OPTIONS.isdisjoint(options):
        return options
    level, form = options.get("meas_level", 2), options.get("meas_return", "single")
    if not isinstance(level, numbers.Integral) or level != 2:
        raise OptionValueError(f"meas_level must be 2, not {shown(level)}: measurements give bits here, never signals.")
    if not isinstance(form, str) or form not in {"single", "avg"}:
        raise OptionValueError(f"meas_return must be one of 'single', 'avg', not {shown(form)}.")
    return {name: value for name, value in options.items() if name not in _MEASUREMENT_OPTIONS}


def _without_aer_options(options: dict[str, Any], methods: Iterable[str], foreign: frozenset[str]) -> dict[str, Any]:
    if foreign.isdisjoint(options) and "method" not in options:
        return options
    if "noise_model" in foreign and not is_ideal(options.get("noise_model")):
        raise OptionValueError("noise_model must be None or ideal here: qasm_simulator simulates noise.")
    for name in sorted(_TRANSPILER_OPTIONS.intersection(options)):
        if options[name] is not None:
            raise OptionValueError(
                f"{name} is an option of transpile(), not of run(): here all gates run on any qubits."
            )
    method = "automatic" if options.get("method") is None else options["method"]
    if not isinstance(method, str) or str(method) not in {"automatic", *methods}:
        listed = ", ".join(repr(one) for one in ("automatic", *methods))
        raise OptionValueError(f"method must be one of {listed}, not {shown(method)}: {why_no_method(method)}.")
    return {name: value for name, value in options.items() if name not in foreign}


def is_ideal(noise_model: Any) -> bool:
    """Tell whether a value is None or a noise model of Aer without noise; Aer need not be installed."""
    if noise_model is None:
        return True
    try:
        return noise_model.is_ideal() is True
    except Exception:  # noqa: BLE001  # another object than a noise model may raise anything
        return False
