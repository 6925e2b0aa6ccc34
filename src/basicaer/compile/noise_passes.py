"""The transpiler passes of a noise model, which put errors into a circuit before it is lowered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qiskit.circuit import ControlFlowOp, Parameter, ParameterExpression
from qiskit.transpiler import PassManager
from qiskit.transpiler.basepasses import BasePass

from basicaer.errors import BasicAerError, at_border, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qiskit import QuantumCircuit

__all__ = ["NoisePasses"]


class NoisePasses:
    """Passes that put errors into circuits, as during delays.

    What a pass puts beside an instruction may depend on the instruction's parameters. Where these have no values yet,
    the passes wait until they have.

    Parameters
    ----------
    passes
        Passes of Qiskit's transpiler. Those of Aer act in circuits with delays; others say by ``acts_on(circuit)``.

    Raises
    ------
    BasicAerError
        If something is not a pass.
    """

    def __init__(self, passes: tuple[Any, ...]) -> None:
        wrong = next((one for one in passes if not isinstance(one, BasePass)), None)
        if wrong is not None:
            raise BasicAerError(
                f"The noise model has {shown(wrong)} among its passes; put passes of Qiskit's transpiler there, such "
                "as a LocalNoisePass."
            )
        self._passes = passes

    def waits_for(self, circuit: QuantumCircuit) -> list[str]:
        """Return the names of the parameters of a circuit for whose values the passes wait; none if they do not."""
        if not self._passes or not circuit.num_parameters:
            return []
        read = {one for some in self._acting(circuit) for one in _parameters_of(circuit, _types_of(some))}
        return sorted(one.name for one in read.intersection(circuit.parameters))

    def check_no_wait(self, circuit: QuantumCircuit, what: str) -> None:
        """Refuse something that is done with a circuit without values, if the passes wait for them."""
        if names := self.waits_for(circuit):
            raise BasicAerError(
                f"Circuit '{circuit.name}' cannot be {what}, since passes of the noise model put errors beside "
                f"instructions with the parameters {shown(names)}; bind these with assign_parameters, or limit the "
                "passes by op_types."
            )

    def on(self, circuit: QuantumCircuit) -> QuantumCircuit:
        """Return a circuit with the errors that passes put into it; itself if none do, or if they wait for values.

        Raises
        ------
        BasicAerError
            If a pass raises anything.
        """
        return circuit if self.waits_for(circuit) else self._put_into(circuit)

    def on_bound(self, circuit: QuantumCircuit, values: Mapping[Parameter, float]) -> QuantumCircuit:
        """Return a circuit with the values for which passes wait, and with the errors that they put beside these."""
        with at_border(lambda why: BasicAerError(f"Circuit '{circuit.name}' cannot be given its values: {why}.")):
            bound = circuit.assign_parameters(values)
        return self._put_into(bound)

    def _put_into(self, circuit: QuantumCircuit) -> QuantumCircuit:
        acting = self._acting(circuit)
        if not acting:
            return circuit
        with at_border(lambda why: BasicAerError(f"The passes of the noise model fail: {why}.")):
            changed: QuantumCircuit = PassManager(acting).run(circuit)
        return changed

    def _acting(self, circuit: QuantumCircuit) -> list[Any]:
        return [one for one in self._passes if getattr(one, "acts_on", _has_delays)(circuit)]


def _has_delays(circuit: QuantumCircuit) -> bool:
    return "delay" in circuit.count_ops()


def _types_of(one: Any) -> tuple[type, ...]:
    """Return the classes of instructions that a pass of ours or of Aer looks at; none for all of them."""
    types = getattr(one, "op_types", getattr(one, "_ops", ()))
    return types if isinstance(types, tuple) else ()


def _parameters_of(circuit: QuantumCircuit, types: tuple[type, ...]) -> Iterator[Parameter]:
    """Yield the parameters in the instructions of some classes, also inside of control flow."""
    for item in circuit.data:
        operation = item.operation
        if isinstance(operation, ControlFlowOp):
            for block in operation.blocks:
                yield from _parameters_of(block, types)
        elif not types or isinstance(operation, types):
            for value in (*operation.params, getattr(operation, "duration", None)):
                if isinstance(value, ParameterExpression):
                    yield from value.parameters
