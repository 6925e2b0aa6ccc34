"""The simulator that returns a circuit's unitary matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from qiskit.providers import Options

from basicaer.engine.program import Channel, If, Measure, Prepare, Readout, Reset, SetState, Store, Switch, While, walk
from basicaer.errors import BasicAerError
from basicaer.simulation import RETURNED_BY
from basicaer.simulators.base import BasicAerSimulator
from basicaer.simulators.checks import check_initial_unitary

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    from basicaer.engine.program import Program
    from basicaer.job import BasicAerJob
    from basicaer.option_types import UnitarySimulatorOptions
    from basicaer.plan_view.circuit_plan import CircuitPlan

__all__ = ["UnitarySimulator"]

_NOT_UNITARY = {
    Measure: "measure",
    Reset: "reset",
    Channel: "noise",
    Readout: "readout error",
    Prepare: "initialize",
    SetState: "set_statevector",
    Store: "store",
    If: "if_else",
    Switch: "switch_case",
    While: "while_loop",
}


class UnitarySimulator(BasicAerSimulator):
    """Returns the matrix of a circuit of gates."""

    _name = "unitary_simulator"
    _description = "The unitary matrix of a circuit of gates"
    _returns = RETURNED_BY[_name]
    _unitary_only = True
    _methods = ("unitary",)
    _ignored = frozenset({"shots", "memory", "seed_simulator"})  # programs that are written for any simulator give them

    @classmethod
    def _default_options(cls) -> Options:
        inherited = {name: value for name, value in super()._default_options().items() if name not in cls._ignored}
        return Options(**inherited, initial_unitary=None)

    def _check(self, program: Program) -> None:
        found = [
            operation
            for operation in (*walk(program.body), *program.final)
            if type(operation) in _NOT_UNITARY and not (isinstance(operation, SetState) and operation.axes > 1)
        ]
        if not found:
            return
        first = found[0]
        if isinstance(first, Reset):  # an initialize begins with resets of its qubits
            after = next((operation for operation in found if not isinstance(operation, Reset)), first)
            first = after if isinstance(after, Prepare) and first.qubit in after.qubits else first
        raise BasicAerError(
            f"{self.name} cannot run '{_NOT_UNITARY[type(first)]}' in circuit '{program.name}': it is not unitary; "
            "remove it, or use statevector_simulator or qasm_simulator."
        )

    def _initial(self, settings: dict[str, Any], program: Program) -> NDArray[np.complexfloating]:
        return check_initial_unitary(settings["initial_unitary"], program, self.name)

    if TYPE_CHECKING:  # for type checkers and editors, which know by these what options there are

        def __init__(self, provider: Any = None, **options: Unpack[UnitarySimulatorOptions]) -> None: ...
        def run(self, run_input: Any, **options: Unpack[UnitarySimulatorOptions]) -> BasicAerJob: ...  # noqa: D102
        def set_options(self, **fields: Unpack[UnitarySimulatorOptions]) -> None: ...  # noqa: D102
        def plan(  # noqa: D102
            self, circuit: QuantumCircuit, *, ranks: int = 1, **options: Unpack[UnitarySimulatorOptions]
        ) -> CircuitPlan: ...
