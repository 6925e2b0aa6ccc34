"""Gates of the table on qubits, with the numbers that their parameters give them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.circuit import ParameterExpression

from basicaer.compile.gates import BY_NAME, GateRecord
from basicaer.compile.values import Varying
from basicaer.engine.bits import all_ones
from basicaer.engine.classical import Constant
from basicaer.engine.program import Formula, Gate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from basicaer.compile.values import Values

__all__ = ["StandardGates", "phase_gates", "record_gates", "table_gate", "table_gates"]

_NOTHING = frozenset({"id", "u0"})  # gates that do nothing, not even a phase
_FEW = 8  # gates of a kind; the numbers of fewer take less time one by one


def table_gate(name: str, qubits: Sequence[int], *parameters: float) -> Gate:
    """Return a gate of the table that has no controls."""
    record = BY_NAME[name]
    return Gate(name, record.target_actions, tuple(qubits), record.form, record.data(parameters))


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
    formula = None
    if Varying in map(type, parameters):
        varying = [p if isinstance(p, Varying) else Varying(p, Constant(p)) for p in parameters]
        formula = Formula(record.name, tuple(p.expression for p in varying))
        parameters = [p.first for p in varying]
    data = record.data(parameters)  # type: ignore[arg-type]  # numbers by now
    return [_gate(record, qubits, data, control_state, formula)]


def _gate(
    record: GateRecord,
    qubits: tuple[int, ...],
    data: NDArray[Any],
    control_state: int | None = None,
    formula: Formula | None = None,
) -> Gate:
    """Return a gate with its numbers; the other arguments are those of `record_gates`."""
    count = len(qubits) - len(record.target_actions) if record.controls is None else record.controls
    if not count:
        return Gate(record.name, record.target_actions, qubits, record.form, data, formula=formula)
    state = all_ones(count) if control_state is None else control_state
    return Gate(record.name, record.target_actions, qubits[count:], record.form, data, qubits[:count], state, formula)


class _GatesOfAKind:
    """Gates of one name whose numbers are still to be computed.

    Attributes
    ----------
    places
        The place of each gate among all that are added.
    qubits
        The qubits of each gate.
    parameters
        The parameters of all gates, one gate after another. Lists of each gate would be work for the garbage collector.
    """

    __slots__ = ("parameters", "places", "qubits")

    def __init__(self) -> None:
        self.places: list[int] = []
        self.qubits: list[tuple[int, ...]] = []
        self.parameters: list[float] = []

    def numbers(self, record: GateRecord) -> Sequence[NDArray[Any]] | NDArray[Any]:
        """Return the numbers of each gate."""
        parameters = np.array(self.parameters).reshape(len(self.places), -1)
        if len(parameters) > _FEW:
            with np.errstate(over="ignore"):
                are_finite = np.isfinite(abs(parameters).sum(axis=1)).all()
            if are_finite:
                return record.data_for_each(*parameters.T)
        return [record.data(of_gate) for of_gate in parameters.tolist()]


class StandardGates:
    """Gates of the table that follow one another in a circuit, all of whose qubits count.

    Equal gates without parameters are one object. The numbers of gates with parameters are computed together, kind by
    kind.
    """

    def __init__(self) -> None:
        self._gates: list[Gate | None] = []  # None where the gate is still to be made
        self._known: dict[tuple[str, tuple[int, ...]], list[Gate]] = {}
        self._later: dict[str, _GatesOfAKind] = {}  # _later[name] has the gates that are still to be made

    def add(
        self, record: GateRecord, qubits: tuple[int, ...], params: Sequence[Any], values: Values, place: str
    ) -> None:
        """Add a gate with the parameters of an instruction, which are looked up in `values`."""
        if not record.angles:
            gates = self._known.get((record.name, qubits))
            if gates is None:
                gates = self._known[record.name, qubits] = record_gates(record, qubits, ())
            self._gates += gates
            return
        parameters = [values.read(p, place) for p in params]
        if Varying in map(type, parameters) or record.name in _NOTHING or not qubits:
            self._gates += record_gates(record, qubits, parameters)
            return
        later = self._later.get(record.name)
        if later is None:
            later = self._later[record.name] = _GatesOfAKind()
        later.places.append(len(self._gates))
        later.qubits.append(qubits)
        later.parameters += parameters  # type: ignore[arg-type]  # none of them varies
        self._gates.append(None)

    def taken(self) -> list[Gate]:
        """Return the gates that have been added since the last call.

        Raises
        ------
        BasicAerError
            If parameters of a gate are not all finite, or too large to add.
        """
        for name, later in self._later.items():
            record = BY_NAME[name]
            for at, qubits, data in zip(later.places, later.qubits, later.numbers(record), strict=True):
                self._gates[at] = _gate(record, qubits, data)
        gates, self._gates, self._later = self._gates, [], {}
        return gates  # type: ignore[return-value]  # all of them have been made


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
