"""Turns a Qiskit circuit into a `Program`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from qiskit.circuit import ForLoopOp, Parameter

from basicaer.compile.builder import with_final_measurements
from basicaer.compile.idle import active_qubits
from basicaer.compile.instructions import BlockLowering
from basicaer.compile.saves import check_outcomes_come_last
from basicaer.compile.scope import Scope
from basicaer.compile.table_gates import phase_gates
from basicaer.compile.values import Values
from basicaer.engine.program import Program, saves_in
from basicaer.errors import BasicAerError, at_border

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from qiskit import QuantumCircuit

    from basicaer.compile.noise import CircuitNoise
    from basicaer.engine.classical import Value

__all__ = ["lower"]

_MANY_ITEMS = 5_000


def lower(
    circuit: QuantumCircuit,
    items: Sequence[Any] | None = None,
    *,
    keep_idle: bool = False,
    values: Values | None = None,
    inputs: Mapping[Any, Value] | None = None,
    noise: CircuitNoise | None = None,
) -> Program:
    """Turn a circuit into a program; the circuit is not changed.

    Parameters
    ----------
    circuit
        Any circuit, transpiled or not.
    items
        Its ``data``, if the caller has looked them up already.
    keep_idle
        Whether to simulate idle qubits too, as a given initial state requires.
    values
        The values of its parameters.
    inputs
        The values of its input variables.
    noise
        The errors of its instructions.

    Raises
    ------
    BasicAerError
        Naming the parameter without a value, the unknown instruction and its place, or the error that a class of the
        user's own has raised.
    """
    place = f"circuit '{circuit.name}'"
    values = Values() if values is None else values
    with _errors_named(place):
        _check_parameters(circuit, values, place)
        if noise is not None and noise.passes.waits_for(circuit):
            numbers = {one: values.number(one, place) for one in circuit.parameters if one in values}
            circuit, items = noise.passes.on_bound(circuit, numbers), None
        if items is None:  # each access to `data` makes all instructions anew; a list of many would take much memory
            items = circuit.data if len(circuit.data) > _MANY_ITEMS else list(circuit.data)
        active = sorted(range(circuit.num_qubits) if keep_idle else active_qubits(circuit, items, noise))
        number = {q: i for i, q in enumerate(active)}
        phase = phase_gates(circuit.global_phase, place, values)
        scope = Scope(
            {qubit: number.get(q) for q, qubit in enumerate(circuit.qubits)},
            {bit: c for c, bit in enumerate(circuit.clbits)},
            place,
            values,
            inputs=dict(inputs or {}),
            circuit_qubits=circuit.num_qubits,
            last_phase=complex(phase[0].data[0]) if phase else 1.0,
            noise=noise,
            numbers={qubit: q for q, qubit in enumerate(circuit.qubits)} if noise is not None else {},
        )
        lowering = BlockLowering(starts_at_zero=not keep_idle)
        lowering.store_inputs(circuit, scope)
        lowering.items(items, scope)
        lowering.builder.add_gates(phase)  # last, so that an instruction that replaces the state does not remove it
        block = lowering.builder.block()
        check_outcomes_come_last(block, place)
        body, final, readouts = with_final_measurements(block)
        clbits, saves = circuit.num_clbits, saves_in(body)
        return Program(circuit.name, tuple(active), circuit.num_qubits, clbits, clbits, body, final, saves, readouts)


@contextmanager
def _errors_named(place: str) -> Iterator[None]:
    """Turn any error into one that names the circuit, other than errors of our own."""
    try:
        with at_border(lambda why: BasicAerError(f"C{place[1:]} cannot be read: {why}; correct it.")):
            yield
    except BasicAerError as error:
        if isinstance(error.__cause__, RecursionError):
            raise BasicAerError(
                f"The definitions or control-flow bodies of {place} are nested too deeply to be read; "
                "write some of them out."
            ) from error
        raise


def _check_parameters(circuit: QuantumCircuit, values: Values, place: str) -> None:
    """Refuse a circuit that has parameters without a value."""
    if not circuit.num_parameters:
        return
    unbound = {one for one in circuit.parameters if one not in values} - _loop_parameters(circuit)
    names = ", ".join(sorted(f"'{parameter.name}'" for parameter in unbound))
    if unbound:
        raise BasicAerError(
            f"Parameters without a value in {place}: {names}; bind them with assign_parameters or parameter_binds."
        )


def _loop_parameters(circuit: QuantumCircuit) -> set[Any]:
    """Return the parameters to which for loops give values; Qiskit 2.0 counts them among a circuit's own."""
    found = set()
    for item in circuit.data:
        if item.is_control_flow():
            if isinstance(item.operation, ForLoopOp) and isinstance(item.operation.params[1], Parameter):
                found.add(item.operation.params[1])
            found.update(*(_loop_parameters(body) for body in item.operation.blocks))
    return found
