"""The simulator that counts measurement outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from qiskit.providers import Options

from basicaer.errors import NothingMeasuredWarning, warn
from basicaer.options import Method
from basicaer.simulation import RETURNED_BY
from basicaer.simulators.base import BasicAerSimulator
from basicaer.simulators.checks import check_initial_statevector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    from basicaer.engine.program import Program
    from basicaer.job import BasicAerJob
    from basicaer.option_types import QasmSimulatorOptions
    from basicaer.plan_view.circuit_plan import CircuitPlan

__all__ = ["QasmSimulator"]


class QasmSimulator(BasicAerSimulator):
    """Returns counts, and with ``memory=True`` the outcome of every shot."""

    _name = "qasm_simulator"
    _description = "Counts of measurement outcomes, with mid-circuit measurement and control flow"
    _returns = RETURNED_BY[_name]
    _methods = ("statevector", "density_matrix")
    # Other packages compare the size of a circuit with this number. Idle qubits cost nothing to simulate, so it may be
    # larger than any device; but `transpile` looks at each qubit, which takes 30 ms for so many.
    _num_qubits = 2048

    @classmethod
    def _default_options(cls) -> Options:
        own = {"initial_statevector": None, "noise_model": None, "method": Method.AUTOMATIC, "spill": None}
        return Options(**dict(super()._default_options()), **own)

    def _check(self, program: Program) -> None:
        if program.saves:  # the circuit returns what it saves
            return
        if not program.memory_slots:
            warn(
                f"Circuit '{program.name}' has no classical bits, so its counts are empty; add measure_all().",
                NothingMeasuredWarning,
            )
        elif not program.writes_memory:
            warn(
                f"Circuit '{program.name}' measures nothing, so its classical bits stay zero; add measurements.",
                NothingMeasuredWarning,
            )

    def _initial(self, settings: dict[str, Any], program: Program) -> NDArray[np.complexfloating]:
        return check_initial_statevector(settings["initial_statevector"], program, self.name)

    if TYPE_CHECKING:  # for type checkers and editors, which know by these what options there are

        def __init__(self, provider: Any = None, **options: Unpack[QasmSimulatorOptions]) -> None: ...
        def run(self, run_input: Any, **options: Unpack[QasmSimulatorOptions]) -> BasicAerJob: ...  # noqa: D102
        def set_options(self, **fields: Unpack[QasmSimulatorOptions]) -> None: ...  # noqa: D102
        def plan(  # noqa: D102
            self, circuit: QuantumCircuit, *, ranks: int = 1, **options: Unpack[QasmSimulatorOptions]
        ) -> CircuitPlan: ...
