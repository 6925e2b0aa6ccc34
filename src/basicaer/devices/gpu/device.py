"""The GPU as a device: which tiles a card holds, what passes over the state cost there, and states in its memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from basicaer.devices.gpu.batch import CupyBatch
from basicaer.devices.gpu.card import Card
from basicaer.devices.gpu.shape import TileShape, usual_shape
from basicaer.devices.gpu.state import CupyState
from basicaer.engine.monitor import Monitor
from basicaer.engine.plan import Costs
from basicaer.options import Precision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from basicaer.engine.device import State

__all__ = ["CupyDevice"]

_SCRATCH_BYTES = 2**26  # bytes for what a run uploads and the sums that it downloads


def _costs(shape: TileShape, precision: Precision) -> Costs:
    """Return what to plan with: a pass costs most, an exchange a sixth of it, arithmetic little.

    Derived from the memory bandwidth and the arithmetic of an H200, not measured yet.
    """
    move = 2 * precision.amplitude_bytes / 4.8e12
    return Costs(
        tile_qubits=shape.tile_bits,
        shared_qubits=min(shape.row_bits, shape.tile_bits - 1),
        product=(move / 4,) * (shape.register_bits + 1),
        rearrange=move / 6,
        multiply=move / 20,
        move=move,
        step_seconds=0.0,
        selectors=64,
        lowest_qubits=shape.row_bits,
    )


def _cupy() -> Any:
    import cupy

    return cupy


class CupyDevice:
    """A GPU.

    Parameters
    ----------
    number
        Its number, as the driver counts cards.
    cupy
        The module; None to import it.
    shapes
        How tiles are held, for each precision; None to choose by the card's shared memory.
    """

    name = "GPU"
    is_host = False
    axes = 1
    threads = 1

    def __init__(self, number: int = 0, *, cupy: Any = None, shapes: dict[Precision, TileShape] | None = None) -> None:
        self.card = Card(number, cupy or _cupy())
        self.queue: int | None = number
        sizes, multiplies = self.card.shared_memory(), self.card.multiplies_matrices
        self.shapes = shapes or {
            precision: usual_shape(precision, *sizes, multiplies_matrices=multiplies) for precision in Precision
        }

    def layout_name(self, precision: Precision) -> str:
        """Return its name and how it holds tiles, which differs between cards with more and with less shared memory."""
        tile, register, row, uses_lanes = self.shapes[precision]
        return f"{self.name} (tiles of {tile}, {register} and {row} bits{', lanes' if uses_lanes else ''})"

    def new_state(self, n_qubits: int, precision: Precision, monitor: Monitor | None = None) -> CupyState:
        return CupyState(self.card, self.shapes[precision], n_qubits, precision, monitor=monitor or Monitor())

    def new_batch(self, n_qubits: int, precision: Precision, count: int, monitor: Monitor | None = None) -> CupyBatch:
        return CupyBatch(
            self.card, self.shapes[precision], n_qubits, precision, monitor=monitor or Monitor(), count=count
        )

    def batch_of(self, states: Sequence[State], precision: Precision, monitor: Monitor) -> CupyBatch:
        del precision, monitor  # the states have their own
        return CupyBatch.of([state for state in states if isinstance(state, CupyState)])

    def most_states(self, n_qubits: int, precision: Precision) -> int:
        """Return how many states of a batch fit the card's free memory."""
        each = int(precision.amplitude_bytes * 2 ** max(n_qubits, self.shapes[precision].register_bits))
        return max(0, self.free_bytes() - self.scratch_bytes(precision)) // each

    def costs(self, n_qubits: int, precision: Precision) -> Costs | None:
        del n_qubits  # the planner makes tiles no larger than the state
        return _costs(self.shapes[precision], precision)

    def undoing_costs(self, n_qubits: int, precision: Precision) -> Costs | None:
        return self.costs(n_qubits, precision)

    def most_undone(self, n_qubits: int, precision: Precision) -> int:
        return self.most_states(n_qubits, precision)

    def runs_by_plan(self, n_gates: int, n_qubits: int, precision: Precision, *, any_untouched: bool) -> bool:
        del n_gates, n_qubits, precision, any_untouched
        return True

    def gate_seconds(self, n_qubits: int, precision: Precision) -> float:
        return _costs(self.shapes[precision], precision).move * float(2**n_qubits)

    def free_bytes(self) -> int:
        return self.card.free_bytes()

    def expected_free_bytes(self) -> int:
        """Return how many bytes are free when it is a new job's turn, since jobs on a card run one by one.

        Of a card that this process has not used this is the whole memory: asking for more would make a context.
        """
        if not self.card.is_used:
            return int(self.card.properties["totalGlobalMem"])
        held = self.card.memory.state_bytes()  # asked first, so that what is freed meanwhile counts twice, not never
        return self.card.free_bytes() + held

    def scratch_bytes(self, precision: Precision) -> int:
        del precision
        return _SCRATCH_BYTES
