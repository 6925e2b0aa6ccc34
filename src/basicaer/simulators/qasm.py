"""The simulator that counts measurement outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qiskit.providers import Options

from basicaer.simulators.base import BasicAerSimulator, check_initial_statevector, warn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from basicaer.engine.program import Program

__all__ = ["QasmSimulator"]


class QasmSimulator(BasicAerSimulator):
    """Returns counts, and with ``memory=True`` the outcome of every shot."""

    _name = "qasm_simulator"
    _description = "Counts of measurement outcomes, with mid-circuit measurement and control flow"
    _returns = "counts"
    # Other packages compare circuits with a number. It is above that of any device, as idle qubits are not simulated;
    # but `transpile` looks at each of them, which takes 30 ms for these, and as much again for as many more.
    _num_qubits = 2048

    @classmethod
    def _default_options(cls) -> Options:
        return Options(**dict(super()._default_options()), initial_statevector=None)

    def _check(self, program: Program) -> None:
        if program.saves:  # these are what is wanted
            return
        if not program.memory_slots:
            warn(f"Circuit '{program.name}' has no classical bits, so its counts are empty; add measure_all().")
        elif not program.writes_memory:
            warn(f"Circuit '{program.name}' measures nothing, so its classical bits stay zero; add measurements.")

    def _initial(self, settings: dict[str, Any], program: Program) -> NDArray[np.complexfloating]:
        return check_initial_statevector(settings, program, self.name)
