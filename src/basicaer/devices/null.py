"""A device that computes nothing, so that everything but arithmetic can be tested and timed anywhere, at any size.

Plans are made for it, passes are counted and polled, and jobs on it can be watched, cancelled and saved. What is read
of its states is what |0...0> would give, except that a measurement in the middle finds both outcomes equally likely.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from basicaer.devices.cpu.device import NumpyDevice
from basicaer.engine.monitor import Monitor
from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.device import Batch, Generators, State
    from basicaer.engine.plan import Costs, Plan
    from basicaer.engine.program import Segment
    from basicaer.options import Precision

__all__ = ["NullDevice", "NullState"]


class NullState:
    """The name of a state, without amplitudes; see `basicaer.engine.device.State` for what each method promises."""

    def __init__(self, n_qubits: int, monitor: Monitor) -> None:
        self.n_qubits = n_qubits
        self.any_untouched = True
        self._monitor = monitor
        self._passes_done = 0

    def run(self, segment: Segment, plan: Plan | None, after_pass: Callable[[], None] | None = None) -> None:
        del segment
        self.any_untouched = False
        for _ in plan.passes[self._passes_done :] if plan else ():
            self._monitor.poll()
            self._monitor.advance(1)
            self._passes_done += 1
            if after_pass is not None:
                after_pass()
        self._passes_done = 0

    def set_identity(self) -> None:
        self._monitor.poll()

    def load(self, amplitudes: NDArray[np.complexfloating]) -> None:
        del amplitudes
        self._monitor.poll()

    def prepare(self, qubits: tuple[int, ...], amplitudes: NDArray[np.complexfloating]) -> None:
        del qubits, amplitudes
        self._monitor.poll()

    def weights(self, qubit: int) -> tuple[float, float]:
        del qubit
        self._monitor.poll()
        return 0.5, 0.5

    def collapse(self, qubit: int, *, outcome: bool, probability: float) -> None:
        del qubit, outcome, probability
        self._monitor.poll()

    def bring_into_order(self) -> None:
        self._monitor.poll()

    def block_weights(self, block_qubits: int) -> NDArray[np.float64]:
        self._monitor.poll()
        weights = np.zeros(2 ** (self.n_qubits - block_qubits))
        weights[0] = 1
        return weights

    def block_probabilities(self, block: int, block_qubits: int) -> NDArray[np.float64]:
        self._monitor.poll()
        probabilities = np.zeros(2**block_qubits)
        probabilities[0] = block == 0
        return probabilities

    def probabilities(self, qubits: Sequence[int]) -> NDArray[np.float64]:
        self._monitor.poll()
        probabilities = np.zeros(2 ** len(qubits))
        probabilities[0] = 1
        return probabilities

    def indices_of_draws(
        self, block_qubits: int, blocks: NDArray[np.int64], thresholds: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        del block_qubits, thresholds
        self._monitor.poll()
        return np.zeros_like(blocks)

    def expectations(self, masks: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        self._monitor.poll()
        self._monitor.advance(len({x for x, _ in masks}))
        return np.array([0.0 if x else 1.0 for x, _ in masks])

    def read(self, indices: NDArray[np.int64] | None = None) -> NDArray[np.complexfloating]:
        self._monitor.poll()
        if indices is None:
            raise BasicAerError("The null device has no amplitudes; ask for some indices, or run on another device.")
        return np.where(indices == 0, 1.0 + 0j, 0j)

    def amplitudes(self) -> NDArray[np.complexfloating]:
        return self.read()

    def device_array(self) -> Any:
        return self.read()

    def read_part(self, qubits: Sequence[int], value: int, part: int, out: NDArray[np.complexfloating]) -> None:
        del qubits, value, part
        self._monitor.poll()
        out[:] = 0

    def write_part(self, qubits: Sequence[int], value: int, part: int, amplitudes: NDArray[np.complexfloating]) -> None:
        pass

    def operated(self, masks: Sequence[tuple[int, int]], factors: NDArray[np.float64]) -> Self:
        del masks, factors
        return self.copy()

    def with_amplitudes(self, amplitudes: NDArray[np.complexfloating]) -> Self:
        del amplitudes
        return self.copy()

    def overlaps(self, bras: Sequence[Self]) -> NDArray[np.complex128]:
        return np.zeros((len(bras), 1), complex)

    def undo(  # as the contract has it
        self,
        bras: Sequence[Self],
        segment: Segment,
        plan: Plan | None,
        start: Mapping[str, Any],
        generators: Generators,
        *,
        is_last: bool = False,
    ) -> dict[int, NDArray[np.complex128]]:
        del segment, start, is_last
        for _ in plan.passes if plan else ():
            self._monitor.poll()
            self._monitor.advance(1 + 2 * len(bras))
        return {gate: np.zeros((len(bras), 1, len(some)), complex) for gate, some in generators.items()}

    def layout(self) -> dict[str, Any]:
        return {"place": [], "zero": [], "passes_done": self._passes_done}

    def amplitude_parts(self) -> Iterator[NDArray[np.complexfloating]]:
        yield np.ones(1, np.complex128)

    def restore(self, layout: Mapping[str, Any], parts: Iterable[bytes]) -> None:
        list(parts)
        self._passes_done, self.any_untouched = layout["passes_done"], False

    def copy(self) -> Self:
        self._monitor.poll()
        copied = type(self)(self.n_qubits, self._monitor)
        copied.any_untouched = self.any_untouched
        return copied

    def release(self) -> None:
        pass


class NullDevice:
    """See the module. It plans as the CPU does, and reports unlimited memory."""

    name = "null"
    is_host = True
    threads = 5
    queue: int | None = None
    axes = 1

    def __init__(self) -> None:
        self._plans_as = NumpyDevice(1)

    def layout_name(self, precision: Precision) -> str:
        del precision
        return self.name

    def new_state(self, n_qubits: int, precision: Precision, monitor: Monitor | None = None) -> NullState:
        del precision
        return NullState(n_qubits, monitor or Monitor())

    def new_batch(self, n_qubits: int, precision: Precision, count: int, monitor: Monitor | None = None) -> Batch:
        raise NotImplementedError  # `most_states` says that it has no batches

    def batch_of(self, states: Sequence[State], precision: Precision, monitor: Monitor) -> Batch:
        raise NotImplementedError  # it has no batches

    def most_states(self, n_qubits: int, precision: Precision) -> int:
        del n_qubits, precision
        return 0

    def costs(self, n_qubits: int, precision: Precision) -> Costs | None:
        return self._plans_as.costs(n_qubits, precision)

    def undoing_costs(self, n_qubits: int, precision: Precision) -> Costs | None:
        return self._plans_as.undoing_costs(n_qubits, precision)

    def most_undone(self, n_qubits: int, precision: Precision) -> int:
        del n_qubits, precision
        return 0

    def runs_by_plan(self, n_gates: int, n_qubits: int, precision: Precision, *, any_untouched: bool) -> bool:
        return self._plans_as.runs_by_plan(n_gates, n_qubits, precision, any_untouched=any_untouched)

    def gate_seconds(self, n_qubits: int, precision: Precision) -> float:
        return self._plans_as.gate_seconds(n_qubits, precision)

    def free_bytes(self) -> int:
        return 2**100

    def expected_free_bytes(self) -> int:
        return self.free_bytes()

    def scratch_bytes(self, precision: Precision) -> int:
        del precision
        return 0
