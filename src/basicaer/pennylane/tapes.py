"""Tapes of PennyLane as circuits of Qiskit whose angles are parameters, so that alike tapes are compiled once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pennylane.ops import Conditional, MidMeasure
from pennylane.wires import Wires
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import ParameterVector
from qiskit.circuit.classical import expr

from basicaer.pennylane.operations import append, described, has_angles

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray
    from pennylane.operation import Operator
    from pennylane.tape import QuantumScript

__all__ = ["Reading", "circuit_of", "read"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A tape, taken apart into its structure and its numbers.

    Attributes
    ----------
    tape
        The tape.
    wires
        All wires; wire k is qubit ``len(wires) - 1 - k``, so that numbers of basis states are PennyLane's.
    operations
        Its operations, followed by those that were added to measure.
    measured
        Its mid-circuit measurements, in their order.
    structure
        Is equal for tapes that differ in angles only.
    angles
        The angles of all operations, in their order.
    columns
        ``columns[op, p]`` is the number of the angle that is parameter p of an operation.
    """

    tape: QuantumScript
    wires: Wires
    operations: Sequence[Operator]
    measured: list[MidMeasure]
    structure: Hashable
    angles: NDArray[np.float64]
    columns: dict[tuple[int, int], int]

    @property
    def trainable(self) -> list[int | None]:
        """For each trainable parameter of the tape the number of its angle; None for one of an observable."""
        found = []
        for number in self.tape.trainable_params:
            info = self.tape.par_info[number]
            found.append(self.columns.get((info["op_idx"], info["p_idx"])))
        return found


def read(tape: QuantumScript, wires: Wires | None, added: Sequence[Operator] = ()) -> Reading:
    """Take a tape apart.

    Parameters
    ----------
    tape
        A tape that the device supports.
    wires
        The wires of the device; None for those of the tape.
    added
        Operations that come after those of the tape.
    """
    wires = _standard(tape) if wires is None else wires
    index = {wire: k for k, wire in enumerate(wires)}
    operations = [*tape.operations, *added]
    measured = [one for one in operations if isinstance(one, MidMeasure)]
    numbers = {one: k for k, one in enumerate(measured)}
    parts, columns = [], {}
    angles: list[float] = []
    for place, operation in enumerate(operations):
        parts.append((described(operation, numbers.__getitem__), tuple(index[wire] for wire in operation.wires)))
        if has_angles(operation):
            for number, value in enumerate(operation.data):
                columns[place, number] = len(angles)
                angles.append(float(value))
    return Reading(tape, wires, operations, measured, (len(wires), *parts), np.array(angles, float), columns)


def circuit_of(reading: Reading, measured: Wires | None = None) -> QuantumCircuit:
    """Return a circuit with a parameter for each angle.

    Parameters
    ----------
    reading
        A tape, taken apart.
    measured
        Wires to measure at the end, into bits of the register ``end``, wire k into bit k. Mid-circuit measurements have
        the register ``mid``.
    """
    highest = len(reading.wires) - 1
    qubit = {wire: highest - k for k, wire in enumerate(reading.wires)}
    bits = {one: k for k, one in enumerate(reading.measured)}
    circuit = QuantumCircuit(QuantumRegister(len(reading.wires), "q"), name="tape")
    if reading.measured:
        circuit.add_register(ClassicalRegister(len(bits), "mid"))
    parameters = ParameterVector("p", len(reading.angles))
    for place, operation in enumerate(reading.operations):
        qubits = [qubit[wire] for wire in operation.wires]
        if isinstance(operation, MidMeasure):
            circuit.measure(qubits, [bits[operation]])
            if operation.reset:
                circuit.reset(qubits)
            continue
        angles: list[Any] = []
        if has_angles(operation):
            angles = [parameters[reading.columns[place, number]] for number in range(len(operation.data))]
        if isinstance(operation, Conditional):
            _append_conditional(circuit, operation, qubits, angles, bits)
        else:
            append(circuit, operation, qubits, angles)
    if measured is not None:
        circuit.add_register(ClassicalRegister(len(measured), "end"))
        circuit.measure([qubit[wire] for wire in measured], circuit.cregs[-1])
    return circuit


def _append_conditional(
    circuit: QuantumCircuit,
    operation: Conditional,
    qubits: Sequence[int],
    angles: Sequence[Any],
    bits: dict[MidMeasure, int],
) -> None:
    own = [circuit.clbits[bits[one]] for one in operation.meas_val.measurements]
    outcomes = [outcome for outcome, is_met in operation.meas_val.items() if is_met]
    if not outcomes:
        return
    condition: Any = None
    for outcome in outcomes:
        part: Any = None
        for bit, value in zip(own, outcome, strict=True):
            one = expr.lift(bit) if value else expr.logic_not(bit)
            part = one if part is None else expr.logic_and(part, one)
        condition = part if condition is None else expr.logic_or(condition, part)
    with circuit.if_test(condition):
        append(circuit, operation.base, qubits, angles)


def _standard(tape: QuantumScript) -> Wires:
    """Return the wires of a tape in the order in which PennyLane's own devices number them."""
    mapped = tape.map_to_standard_wires()
    order = {new: old for old, new in zip(tape.wires, mapped.wires, strict=True)}
    return Wires([order[k] for k in sorted(order)])
