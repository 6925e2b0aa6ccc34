"""`CircuitPlan`, which `backend.plan(circuit)` returns: a plan that can be printed and drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from basicaer.plan_view.model import PlanFacts
from basicaer.wording import counted

if TYPE_CHECKING:
    from os import PathLike

    from matplotlib.figure import Figure

__all__ = ["CircuitPlan"]


@dataclass(frozen=True, slots=True, repr=False)
class CircuitPlan(PlanFacts):
    """How a circuit will be run; ``print`` it, or `draw` it.

    A loop is counted as if its body ran once, and every branch as if it were taken. Most predicted times are right to a
    factor of 2; they do not contain save instructions, copies of the state for measurements in the middle, and
    dictionaries of very many outcomes.

    Attributes
    ----------
    name
        The name of the circuit.
    n_qubits
        Number of qubits of the state, which holds no idle qubits; for a unitary or a density matrix, twice the
        number of the circuit.
    qubits
        The number that each of them has in `stages`.
    n_gates
        Number of gates, including swaps.
    swaps
        Number of gates that only relabel two qubits.
    stages
        Passes, and runs of gates that are applied one by one, in order.
    memory
        Bytes of the state and of the tiles that threads work on. Mid-circuit measurements may need copies of the state
        in addition, up to half of the free memory.
    device, device_reason
        The device that will be used, and why it was chosen.
    threads
        Number of threads, at most, that work on the state.
    seconds, first_seconds
        Predicted time from `run` to the result, once the circuit has been run before, and the first time. The first
        time also contains what is kept for later runs: the plan bound to the layout of the state.
    free_parameters
        Names of the parameters without a value; the plan is the same for all their values.
    unitary
        Whether the state is a unitary, stored column by column.
    density_matrix
        Whether it is a density matrix, stored so. The gates then are those on its rows and on its columns, and one
        matrix for each error with the gates before it.
    after
        The measurements and resets after the last stage.
    errors
        The errors of the noise model that are to be expected: ``sites``, the number of places where they may occur;
        ``per_shot``, how many occur in a shot on average; and ``patterns``, in about how many ways the shots differ by
        them, for the number of shots of the options. None without a noise model.
    division
        If the state is divided: the number of ``ranks``, ``rank_bytes`` of each, and ``exchanges``, each of which is
        the share of these bytes that a rank sends. Reading the state at the end may take one more. All else in the plan
        is as if one process had the whole state. None if it is not divided.
    spilled
        Bytes of a state that does not fit into the memory of its device; 0 if it fits. The bytes of `stages` are then
        those that are read and written where it is, at rates that are measured once and kept.
    """

    def __repr__(self) -> str:
        sizes = ((self.n_qubits, "qubit"), (self.n_gates, "gate"), (len(self.passes), "pass"))
        return f"<CircuitPlan of '{self.name}': {', '.join(counted(number, what) for number, what in sizes)}>"

    def __str__(self) -> str:
        from basicaer.plan_view.table import table_of  # it imports rich, which is needed only for printing

        return table_of(self)

    def draw(self, filename: str | PathLike[str] | None = None) -> Figure:
        """Draw the gates over the passes, coloured by kind; needs matplotlib, the extra `plot`.

        Time runs to the right, and continues in another row if there is not enough space. The tile of each pass is
        shaded. Gates in a frame are applied together, as one matrix on the qubits that the frame encloses. M and R
        between the passes are measurements and resets.

        Parameters
        ----------
        filename
            A file to which the picture is also written, in the format of its suffix.

        Returns
        -------
        matplotlib.figure.Figure
            The picture, which a notebook shows.

        Raises
        ------
        BasicAerError
            If matplotlib is missing, or the picture cannot be written.
        """
        from basicaer.plan_view.picture import picture_of

        return picture_of(self, filename)
