"""The simulator that returns the final statevector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qiskit.providers import Options

from basicaer.options import ArrayPlace
from basicaer.simulation import RETURNED_BY
from basicaer.simulators.base import BasicAerSimulator
from basicaer.simulators.checks import check_initial_statevector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from basicaer.engine.program import Program

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
