"""Chooses between statevectors, one for each history of errors, and one density matrix.

The choice depends on the program and the number of shots only, never on a machine or a timing: the numbers that shots
draw depend on it, and so the outcomes with a given seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from basicaer.engine.expected_errors import expected_states
from basicaer.engine.program import Channel, OverShots, SavedQuantity, walk
from basicaer.options import Method
from basicaer.wording import counted

if TYPE_CHECKING:
    from basicaer.engine.program import Program, Save

__all__ = ["MethodChoice", "choose_method", "of_statevectors_only", "states_for_a_matrix"]

_MOST_QUBITS = 12  # 256 MiB: a larger density matrix must be asked for
_SMALL, _SMALL_BRANCHING = 10, 6  # qubits up to which exact values are worth a density matrix in any case
# A density matrix takes as long as so many states for each of its rows, up to a number of qubits, and as twice as many
# for each two qubits more. It is half of that if errors depend on states, for which proposals are rejected.
_STATE_SHARE, _DEPENDENT_SHARE, _SHARED_QUBITS = 0.3, 0.15, 8


class MethodChoice(NamedTuple):
    """How a program is simulated, and why so; no reason where there is nothing to choose."""

    method: Method
    reason: str = ""

    @property
    def is_density(self) -> bool:
        """Whether a density matrix is evolved."""
        return self.method is Method.DENSITY_MATRIX

    @property
    def axes(self) -> int:
        """How many times the qubits of a program the evolved state has."""
        return 2 if self.is_density else 1

    @property
    def metadata(self) -> dict[str, str]:
        """What a result says of it, if there was anything to choose."""
        return {"method": str(self.method), "method_reason": self.reason} if self.reason else {}


def choose_method(wanted: Method, program: Program, shots: int, *, exactly: bool = False) -> MethodChoice:
    """Return how a program is simulated.

    Parameters
    ----------
    exactly
        Whether exact expectation values are better than those of shots, whatever the program saves.
    """
    if wanted is not Method.AUTOMATIC:
        return MethodChoice(wanted, f"method='{wanted}' was asked for")
    if not any(isinstance(operation, Channel) for operation in walk(program.body)):
        return MethodChoice(Method.STATEVECTOR)
    single = next((save for save in program.saves if of_statevectors_only(save) or _is_of_shots(save)), None)
    if single is not None:
        return MethodChoice(Method.STATEVECTOR, f"{single.form} reads the state of a shot")
    n_qubits = program.state_qubits
    if n_qubits > _MOST_QUBITS:
        return MethodChoice(Method.STATEVECTOR, f"density matrices of over {_MOST_QUBITS} qubits must be asked for")
    states, matrices = expected_states(program, shots)
    small = _SMALL if matrices == 1 else _SMALL_BRANCHING
    if n_qubits <= small and (exactly or program.saves):
        return MethodChoice(Method.DENSITY_MATRIX, f"values are exact, at up to {counted(small, 'qubit')}")
    many = states_for_a_matrix(program) * matrices
    said = f"{counted(shots, 'shot')} should have about {counted(round(states), 'different state')}"
    if states > many:
        return MethodChoice(Method.DENSITY_MATRIX, f"{said}; a density matrix is faster")
    return MethodChoice(Method.STATEVECTOR, f"{said}; a density matrix is slower")


def states_for_a_matrix(program: Program) -> float:
    """Return how many statevectors take about as long as a density matrix."""
    n_qubits = program.state_qubits
    dependent = any(isinstance(one, Channel) and one.depends_on_state for one in walk(program.body))
    share = (_DEPENDENT_SHARE if dependent else _STATE_SHARE) * 2 ** (max(n_qubits - _SHARED_QUBITS, 0) / 2)
    many: float = share * 2**n_qubits
    return many


def of_statevectors_only(save: Save) -> bool:
    """Tell whether a save reads what a density matrix does not have: amplitudes."""
    return save.quantity is SavedQuantity.AMPLITUDES


def _is_of_shots(save: Save) -> bool:
    return save.over_shots is OverShots.EACH or save.over_shots is OverShots.LAST
