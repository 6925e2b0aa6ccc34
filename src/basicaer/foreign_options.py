"""Options of other simulators and of devices: those that change no result here are accepted, the others refused."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

from basicaer.errors import OptionValueError, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ACCEPTED_NAMES", "OPTIONS_WITHOUT_EFFECT", "without_foreign_options"]

OPTIONS_WITHOUT_EFFECT = {
    "how Aer divides work": (
        "batched_shots_gpu",
        "batched_shots_gpu_max_qubits",
        "blocking_enable",
        "blocking_qubits",
        "chunk_swap_buffer_qubits",
        "cuStateVec_enable",
        "max_job_size",
        "max_parallel_shots",
        "max_shot_size",
        "num_threads_per_device",
        "runtime_parameter_bind_enable",
        "statevector_parallel_threshold",
    ),
    "how Aer runs gates and draws outcomes": (
        "accept_distributed_results",
        "enable_truncation",
        "fusion_enable",
        "fusion_max_qubit",
        "fusion_threshold",
        "fusion_verbose",
        "shot_branching_enable",
        "shot_branching_sampling_enable",
        "statevector_sample_measure_opt",
    ),
    "what Aer checks, and when it gives up": ("max_memory_mb", "validation_threshold", "zero_threshold"),
    "Aer's other methods": (
        "extended_stabilizer_approximation_error",
        "extended_stabilizer_metropolis_mixing_time",
        "extended_stabilizer_norm_estimation_repetitions",
        "extended_stabilizer_norm_estimation_samples",
        "extended_stabilizer_parallel_threshold",
        "extended_stabilizer_probabilities_snapshot_samples",
        "extended_stabilizer_sampling_method",
        "matrix_product_state_max_bond_dimension",
        "matrix_product_state_truncation_threshold",
        "mps_lapack",
        "mps_log_data",
        "mps_omp_threads",
        "mps_parallel_threshold",
        "mps_sample_measure_algorithm",
        "mps_swap_direction",
        "stabilizer_max_snapshot_probabilities",
        "superoperator_parallel_threshold",
        "tensor_network_num_sampling_qubits",
        "unitary_parallel_threshold",
        "use_cuTensorNet_autotuning",
    ),
    "how Qiskit's BasicSimulator works": ("use_clifford_optimization",),
}
"""Options of other simulators that never change a result, by what they control there; their values are not read."""

_NAMES_WITHOUT_EFFECT = frozenset(name for names in OPTIONS_WITHOUT_EFFECT.values() for name in names)
_TRANSPILER_OPTIONS = frozenset({"basis_gates", "coupling_map"})
_AER_OPTIONS = _NAMES_WITHOUT_EFFECT | _TRANSPILER_OPTIONS | {"method", "noise_model"}
_MEASUREMENT_OPTIONS = frozenset({"meas_level", "meas_return"})  # they say what a device's measurement returns

ACCEPTED_NAMES = _NAMES_WITHOUT_EFFECT | _MEASUREMENT_OPTIONS | {"method"}
"""Options that `without_foreign_options` accepts with some value."""


def without_foreign_options(options: dict[str, Any], methods: Iterable[str]) -> dict[str, Any]:
    """Return the options without those of other simulators and of devices, once their values are accepted.

    Parameters
    ----------
    methods
        Aer's names for the simulation methods that compute what is computed here.

    Raises
    ------
    OptionValueError
        For another method, a noise model that has noise, an option that belongs to `transpile`, and a measurement that
        should return anything but bits.
    """
    return _without_aer_options(_without_measurement_options(options), methods)


def _without_measurement_options(options: dict[str, Any]) -> dict[str, Any]:
    if _MEASUREMENT_OPTIONS.isdisjoint(options):
        return options
    level, form = options.get("meas_level", 2), options.get("meas_return", "single")
    if not isinstance(level, numbers.Integral) or level != 2:
        raise OptionValueError(f"meas_level must be 2, not {shown(level)}: measurements give bits here, never signals.")
    if not isinstance(form, str) or form not in {"single", "avg"}:
        raise OptionValueError(f"meas_return must be one of 'single', 'avg', not {shown(form)}.")
    return {name: value for name, value in options.items() if name not in _MEASUREMENT_OPTIONS}


def _without_aer_options(options: dict[str, Any], methods: Iterable[str]) -> dict[str, Any]:
    if _AER_OPTIONS.isdisjoint(options):
        return options
    if not _is_ideal(options.get("noise_model")):
        raise OptionValueError("noise_model must be None or ideal: noise is not simulated here.")
    for name in sorted(_TRANSPILER_OPTIONS.intersection(options)):
        if options[name] is not None:
            raise OptionValueError(
                f"{name} is not for running: all gates run on any qubits here; give it to transpile()."
            )
    method = "automatic" if options.get("method") is None else options["method"]
    if not isinstance(method, str) or str(method) not in {"automatic", *methods}:
        listed = ", ".join(repr(one) for one in ("automatic", *methods))
        raise OptionValueError(
            f"method must be one of {listed}, not {shown(method)}: only states of all amplitudes are simulated."
        )
    return {name: value for name, value in options.items() if name not in _AER_OPTIONS}


def _is_ideal(noise_model: Any) -> bool:
    """Tell whether a value is None or a noise model of Aer without noise; Aer need not be installed."""
    if noise_model is None:
        return True
    try:
        return noise_model.is_ideal() is True
    except Exception:  # noqa: BLE001  # another object than a noise model may raise anything
        return False
