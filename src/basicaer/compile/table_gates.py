"""Gates of the table on qubits, with the numbers that their parameters give them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qiskit.circuit import ParameterExpression

from basicaer.compile.gates import BY_NAME, GateRecord
from basicaer.compile.values import Varying
from basicaer.engine.bits import all_ones
from basicaer.engine.classical import Constant
from basicaer.engine.program import Formula, Gate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from basicaer.compile.values import Values

__all__ = ["phase_gates", "record_gates", "table_gate", "table_gates"]

_NOTHING = frozenset({"id", "u0"})  # gates that do nothing, not even a phase


def table_gate(name: str, qubits: Sequence[int], *parameters: float) -> Gate:
    """Return a gate of the table that has no controls."""
    record = BY_NAME[name]
    return Gate(name, record.kinds, tuple(qubits), record.form, record.data(parameters))


def record_gates(
    record: GateRecord, qubits: tuple[int, ...], parameters: Sequence[float | Varying], control_state: int | None = None
) -> list[Gate]:
    """Return a gate of the table; no gate if it does nothing.

    Parameters
    ----------
    qubits
        Its controls, then its targets.
    control_state
        The values of the controls, by their bits, for which it acts; None for all ones.
    """
    if record.name in _NOTHING:
        return []
    count = len(qubits) - len(record.kinds) if record.controls is None else record.controls
    formula = None
    if any(isinstance(p, Varying) for p in parameters):
        varying = [p if isinstance(p, Varying) else Varying(p, Constant(p)) for p in parameters]
        formula = Formula(record.name, tuple(p.expression for p in varying))
        parameters = [p.first for p in varying]
    data = record.data(parameters)  # type: ignore[arg-type]  # numbers by now
    if not count:
        return [Gate(record.name, record.kinds, qubits, record.form, data, formula=formula)]
    state = all_ones(count) if control_state is None else control_state
    return [Gate(record.name, record.kinds, qubits[count:], record.form, data, qubits[:count], state, formula)]


def table_gates(
    record: GateRecord,
    qubits: tuple[int, ...],
    params: Sequence[Any],
    values: Values,
    place: str,
    *,
    control_state: int | None = None,
) -> list[Gate]:
    """Return a gate of the table with the parameters of an instruction, which are looked up in `values`."""
    return record_gates(record, qubits, [values.read(p, place) for p in params], control_state)


def phase_gates(angle: Any, place: str, values: Values) -> list[Gate]:
    """Return a circuit's global phase as a gate; no gate if there is none.

    Parameters
    ----------
    angle
        The phase in radians, which may be an expression of parameters.
    place
        The circuit, for messages.
    """
    if not isinstance(angle, ParameterExpression) and not angle:
        return []
    return table_gates(BY_NAME["global_phase"], (), [angle], values, f"global phase of {place}")
