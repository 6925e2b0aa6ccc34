"""The request for a run of a program, and its outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from basicaer.engine.program import Program
    from basicaer.options import Precision

__all__ = ["Outcome", "Request", "Stratum", "may_split"]

# Above this many shots, if only counts are wanted, counts are split instead of drawing each shot.
_MOST_TOLD_APART = 2**20


def may_split(program: Program, shots: int, *, wants_single: bool, is_persisted: bool) -> bool:
    """Tell whether counts are split among outcomes, instead of drawing each shot.

    Parameters
    ----------
    wants_single
        Whether results of single shots are wanted, besides what the program saves.
    is_persisted
        Whether the run is saved while it goes on, which it can be in the middle of a branch of single shots only.
    """
    return (
        shots > _MOST_TOLD_APART
        and not wants_single
        and not any(save.over_shots.is_of_single_shots for save in program.saves)
        and (program.is_straight or not is_persisted)
    )


@dataclass(frozen=True, slots=True)
class Request:
    """The program to run, and the results that are wanted.

    Attributes
    ----------
    initial
        Amplitudes to start from instead of |0...0>; with `unitary`, the columns of a matrix one after another.
    unitary
        Whether to evolve a whole matrix, the identity unless `initial` is given: a state of twice the qubits, of which
        the upper half, the number of the column, is never touched. The program then has gates only.
    keep_order
        Whether to say what each shot ended with.
    keep_state
        Whether to return the final state of the last shot.
    on_device
        Whether to return it in the device's own kind of array.
    density
        Whether to evolve a density matrix, on which the program's errors and resets act exactly: a state of twice the
        qubits. The final state is not returned then.
    exact
        Whether every outcome is followed with its probability, so that no numbers are drawn; `shots` is 1 then. Which
        bits lead to which state is kept only if the program saves the probabilities of all outcomes.
    """

    program: Program
    precision: Precision
    shots: int
    seed: int
    initial: NDArray[np.complexfloating] | None = None
    unitary: bool = False
    keep_order: bool = False
    keep_state: bool = False
    on_device: bool = False
    exact: bool = False
    density: bool = False

    @property
    def n_qubits(self) -> int:
        """Qubits of the state that is evolved."""
        return self.program.state_qubits * (2 if self.unitary or self.density else 1)

    def may_split(self, *, is_persisted: bool) -> bool:
        """Tell whether counts are split; see the function of this name."""
        wants_single = self.keep_order or self.keep_state
        return may_split(self.program, self.shots, wants_single=wants_single, is_persisted=is_persisted)


class Stratum(NamedTuple):
    """Shots without errors, whose weight among all is known exactly.

    Attributes
    ----------
    weight
        How likely a shot is one of them.
    is_in
        Whether each shot is one.
    """

    weight: float
    is_in: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a program.

    Attributes
    ----------
    values, counts
        Final values of the classical bits, bit ``c`` of a value being classical bit ``c``, and how many shots ended
        with each; a value may occur several times. After an exact run they mean nothing or, if the program saves
        the probabilities of all outcomes, these: each value once, ascending.
    value_of_shot
        ``values[value_of_shot[s]]`` is what shot ``s`` ended with, where that was asked for.
    amplitudes
        The final state of the last shot over the state qubits, where it was asked for; the device's own kind of array
        where that was.
    saved
        What the program has saved, by label and by classical bits or `ALL_SHOTS`; see `Saved.finished`.
    cut
        The probability of the outcomes that were too unlikely to be followed.
    stratum
        The shots without errors, if they are told apart from the others.
    """

    values: list[int]
    counts: list[Any]
    value_of_shot: NDArray[np.int64] | None
    amplitudes: NDArray[np.complexfloating] | None
    saved: dict[str, dict[int, Any]] = field(default_factory=dict)
    cut: float = 0.0
    stratum: Stratum | None = None
