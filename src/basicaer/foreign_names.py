"""What others have and basicaer has not (backends, methods, attributes), and what to do without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from basicaer.wording import unknown_name

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["missing_attribute", "unknown_backend", "why_no_method"]

_SAME = {
    "aer_simulator": "qasm_simulator",
    "aer_simulator_statevector": "qasm_simulator",
    "aer_simulator_unitary": "unitary_simulator",
    "basic_simulator": "qasm_simulator",
}
"""Names of other simulators' backends, and the simulator that does the same."""

_ALL_AMPLITUDES = "only states of all amplitudes are simulated here"
_OTHER_METHODS = {
    "density_matrix": (
        "qasm_simulator has this method, as in BasicAer.get_backend('qasm_simulator', method='density_matrix')"
    ),
    "stabilizer": f"{_ALL_AMPLITUDES}; for large Clifford circuits use Stim or Aer",
    **dict.fromkeys(
        ("extended_stabilizer", "matrix_product_state", "superop", "tensor_network"),
        f"{_ALL_AMPLITUDES}; use Aer for this method",
    ),
}
"""Aer's other methods of simulation, and what to do without them."""

_ATTRIBUTES = {
    "available_devices": "`basicaer info` shows the devices",
    "available_methods": "the documentation of run() has the methods, and BasicAer.backends() returns the simulators",
    "clear_options": "BasicAer.get_backend() returns a new backend, with the default options",
    "configuration": "backends have attributes instead, such as name, num_qubits and operation_names",
    "defaults": "no pulses are simulated here",
    "from_backend": "transpile the circuit for the device, and give noise_model=NoiseModel.from_backend(device)",
    "properties": "a simulator has no calibration data",
    "set_option": "use set_options(name=value)",
}
"""Attributes of other backends, and what to do without them."""

_OF_FUTURES = "job.future() is the job as a future of Python"
_ATTRIBUTES_OF_JOBS = {
    "_condition": f"concurrent.futures waits for futures, and {_OF_FUTURES}",
    "exception": f"{_OF_FUTURES}, whose exception() returns it",
    "set_exception": "the outcome of a job is its own",
    "set_result": "the outcome of a job is its own",
}
"""Attributes of futures, and of jobs elsewhere, and what to do without them."""


def why_no_method(method: object) -> str:
    """Return the reason why there is no such method of simulation here; `method` may be anything."""
    return _OTHER_METHODS.get(str(method), _ALL_AMPLITUDES) if isinstance(method, str) else _ALL_AMPLITUDES


def unknown_backend(name: str, known: Iterable[str]) -> str:
    """Return the sentence for the name of a backend that is not known."""
    if name in _SAME:
        return f"Unknown backend '{name}': use '{_SAME[name]}' instead."
    method = name.removeprefix("aer_simulator_").removesuffix("_simulator")
    if method in _OTHER_METHODS:
        return f"Unknown backend '{name}': {_OTHER_METHODS[method]}."
    return unknown_name("backend", name, known)


def missing_attribute(kind: str, name: str) -> str:
    """Return the sentence for an attribute that objects of a kind do not have."""
    sentence = f"'{kind}' object has no attribute '{name}'"
    known = _ATTRIBUTES_OF_JOBS if kind.endswith("Job") else _ATTRIBUTES
    return f"{sentence}: {known[name]}." if name in known else sentence
