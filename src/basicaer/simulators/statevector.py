"""The simulator that returns the final statevector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from qiskit.providers import Options

from basicaer.options import ArrayPlace
from basicaer.simulation import RETURNED_BY
from basicaer.simulators.base import BasicAerSimulator
from basicaer.simulators.checks import check_initial_statevector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    from basicaer.engine.program import Program
    from basicaer.job import BasicAerJob
    from basicaer.option_types import StatevectorSimulatorOptions
    from basicaer.plan_view.circuit_plan import CircuitPlan

__all__ = ["StatevectorSimulator"]


class StatevectorSimulator(BasicAerSimulator):
    """Returns the final state of the last shot (collapsed if measured), and counts where anything is measured."""

    _name = "statevector_simulator"
    _description = "The final statevector, and counts where anything is measured"
    _returns = RETURNED_BY[_name]

    @classmethod
    def _default_options(cls) -> Options:
        inherited = {**dict(super()._default_options()), "shots": 1}
        return Options(**inherited, initial_statevector=None, array=ArrayPlace.HOST)

    def _initial(self, settings: dict[str, Any], program: Program) -> NDArray[np.complexfloating]:
        return check_initial_statevector(settings["initial_statevector"], program, self.name)

    if TYPE_CHECKING:  # for type checkers and editors, which know by these what options there are

        def __init__(self, provider: Any = None, **options: Unpack[StatevectorSimulatorOptions]) -> None: ...
        def run(self, run_input: Any, **options: Unpack[StatevectorSimulatorOptions]) -> BasicAerJob: ...  # noqa: D102
        def set_options(self, **fields: Unpack[StatevectorSimulatorOptions]) -> None: ...  # noqa: D102
        def plan(  # noqa: D102
            self, circuit: QuantumCircuit, *, ranks: int = 1, **options: Unpack[StatevectorSimulatorOptions]
        ) -> CircuitPlan: ...
