"""Values for parameters: `parameter_binds` in Aer's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.classical import expr

from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qiskit import QuantumCircuit

__all__ = ["bound_circuits"]


def bound_circuits(
    circuits: Sequence[QuantumCircuit], binds: Sequence[dict[Any, Any]] | None
) -> list[tuple[QuantumCircuit, dict[Any, Any]]]:
    """Return one bound circuit for each set of values, with the values of its input variables.

    Parameters
    ----------
    binds
        For each circuit a dictionary: parameter (or its name, a `ParameterVector`, or an input variable) -> a value, or
        a list of values, one for each set. None binds nothing.

    Raises
    ------
    BasicAerError
        If there are not as many dictionaries as circuits, not as many values for each parameter, or a name that the
        circuit does not have.
    """
    if not binds:
        return [(circuit, {}) for circuit in circuits]
    if not isinstance(binds, list | tuple) or not all(isinstance(bind, dict) for bind in binds):
        raise BasicAerError(
            "parameter_binds must be a list with one dictionary {parameter: [values]} for each circuit."
        )
    if len(binds) != len(circuits):
        raise BasicAerError(
            f"parameter_binds has {len(binds)} dictionaries for {len(circuits)} circuits; give one for each circuit."
        )
    return [bound for circuit, bind in zip(circuits, binds, strict=True) for bound in _sets(circuit, bind)]


def _sets(circuit: QuantumCircuit, bind: dict[Any, Any]) -> list[tuple[QuantumCircuit, dict[Any, Any]]]:
    if not bind:
        return [(circuit, {})]
    columns = {_known(circuit, key): _values(value, key) for key, value in bind.items()}
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1:
        raise BasicAerError(
            f"parameter_binds gives the parameters of circuit '{circuit.name}' different numbers of values "
            f"({', '.join(map(str, sorted(lengths)))}); each needs one for every set."
        )
    bound = []
    for row in range(lengths.pop()):
        values = {key: column[row] for key, column in columns.items()}
        inputs = {key: value for key, value in values.items() if isinstance(key, expr.Var)}
        parameters = {key: value for key, value in values.items() if key not in inputs}
        bound.append((circuit.assign_parameters(parameters), {k: _input(k, v) for k, v in inputs.items()}))
    return bound


def _known(circuit: QuantumCircuit, key: Any) -> Any:
    """Return the circuit's own parameter, vector or input variable for a key."""
    inputs = {variable.name: variable for variable in circuit.iter_input_vars()}
    if isinstance(key, ParameterVector):
        return key
    if isinstance(key, str):
        if key in inputs:
            return inputs[key]
        if circuit.has_parameter(key):
            return circuit.get_parameter(key)
    elif (isinstance(key, Parameter) and circuit.has_parameter(key)) or key in inputs.values():
        return key
    raise BasicAerError(
        f"parameter_binds names '{getattr(key, 'name', key)}', which circuit '{circuit.name}' does not have."
    )


def _values(value: Any, key: Any) -> list[Any]:
    if isinstance(key, ParameterVector):
        rows = list(value)
        return rows if rows and hasattr(rows[0], "__len__") else [rows]
    return list(value) if hasattr(value, "__len__") else [value]


def _input(variable: Any, value: Any) -> bool | int | float:
    from qiskit.circuit.classical import types

    if variable.type.kind is types.Bool:
        return bool(value)
    if variable.type.kind is types.Float:
        return float(value)
    if variable.type.kind is types.Uint and 0 <= int(value) < 2**variable.type.width:
        return int(value)
    raise BasicAerError(f"Input variable '{variable.name}' of type {variable.type} cannot hold {value!r}.")
