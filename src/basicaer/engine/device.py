"""What a device is to the engine: the contract that the NumPy device fulfils, and every other one will.

A state holds the amplitudes of n qubits. Indices are logical throughout: bit q of an index is qubit q. How amplitudes
are laid out inside is the device's own affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self, overload

import numpy as np

from basicaer.engine.program import Form, Segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from basicaer.engine.checkpoint import Checkpoint
    from basicaer.engine.plan import Costs, Plan
    from basicaer.options import Precision

__all__ = ["Batch", "Device", "SegmentBatch", "State", "side_by_side"]


class State(Protocol):
    """The amplitudes of `n_qubits` qubits on some device. Not for sharing among threads.

    All methods that go through the amplitudes poll the checkpoint that the state was made with as they go; a poll may
    raise, and what the state holds then is of no use to anybody.
    """

    n_qubits: int

    @property
    def any_untouched(self) -> bool:
        """Whether any qubit is known to be still in |0>, because nothing has acted on it."""

    def set_identity(self) -> None:
        """Become the identity as a state: the sum over i of |i>|i>, the upper half of the qubits being the column."""

    def load(self, amplitudes: NDArray[np.complexfloating]) -> None:
        """Become the given state; ``amplitudes[i]`` belongs to basis state i. Copies."""

    def run(self, segment: Segment, plan: Plan | None, after_pass: Callable[[], None] | None = None) -> None:
        """Apply a segment's gates in passes as its plan says, or one by one.

        Parameters
        ----------
        plan
            Made with the device's `costs`; None exactly where `Device.runs_by_plan` is false.
        after_pass
            Called after each pass. The state may then be read by `layout` and `amplitude_parts`, to be restored later.
            Without it, several passes may be run together.
        """

    def prepare(self, qubits: tuple[int, ...], amplitudes: NDArray[np.complexfloating]) -> None:
        """Put `qubits`, all of which are |0>, into the given state (little-endian in `qubits`)."""

    def weights(self, qubit: int) -> tuple[float, float]:
        """Return the squared norms of the parts where `qubit` is 0 and where it is 1, accumulated in float64."""

    def collapse(self, qubit: int, *, outcome: bool, probability: float) -> None:
        """Project `qubit` onto `outcome` and renormalise; `probability` is that outcome's, and above zero."""

    def bring_into_order(self) -> None:
        """Bring the amplitudes into the order in which many blocks are read soonest."""

    def block_weights(self, block_qubits: int) -> NDArray[np.float64]:
        """Return ``w[b]``, the sum of the probabilities of the indices whose bits above `block_qubits` are b."""

    def block_probabilities(self, block: int, block_qubits: int) -> NDArray[np.float64]:
        """Return ``p[i]``, the probability of index i within one such block."""

    def indices_of_draws(
        self, block_qubits: int, blocks: NDArray[np.int64], targets: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """Return the index that each draw falls on: the first in its block up to which the probabilities sum to more.

        Parameters
        ----------
        blocks
            Draw d is within block ``blocks[d]``, as `block_weights` numbers them; ascending.
        targets
            ``targets[d]`` is how much of its block lies before it. Where rounding keeps all sums below, it falls on the
            last index of the block that has any probability.
        """

    def expectations(self, x: int, zs: Sequence[int]) -> NDArray[np.float64]:
        """Return the expectation values of products of Paulis that agree in where they flip.

        The j-th has X on the qubits whose bits are set in `x`, Z for ``zs[j]``, and Y for both. Accumulated in float64
        and relative to the whole norm.
        """

    def read(self, indices: NDArray[np.int64] | None = None) -> NDArray[np.complexfloating]:
        """Return the amplitudes at some indices, in an array of their shape; all, in order, where none are given.

        The array is a new one on the host.
        """

    def amplitudes(self) -> NDArray[np.complexfloating]:
        """Hand over all amplitudes as a host array; the state is not to be used afterwards."""

    def device_array(self) -> Any:
        """Hand over all amplitudes in the device's own kind of array, uncopied; the state is not to be used afterwards.

        ``array[i]`` belongs to basis state i. It is ready when this returns, whichever stream reads it.
        """

    def layout(self) -> dict[str, Any]:
        """Return what `amplitude_parts` does not say of a state: numbers, texts and lists of them.

        For a state in the middle of `run`, in a call of ``after_pass``.
        """

    def amplitude_parts(self) -> Iterator[NDArray[np.complexfloating]]:
        """Yield the amplitudes as they are laid out, in small parts."""

    def restore(self, layout: Mapping[str, Any], parts: Iterable[bytes]) -> None:
        """Become the state that these were taken from; the next `run` goes on with the segment that was running."""

    def copy(self) -> Self:
        """Return an independent state with the same amplitudes."""

    def release(self) -> None:
        """Give the memory back; the state is not to be used afterwards."""


class SegmentBatch(Sequence[Segment]):
    """Segments of one structure: a sequence of them, and their numbers gate by gate.

    Parameters
    ----------
    template
        One of them.
    data
        ``data[g][i]`` is the data of gate g in segment i; a gate that is not named has the template's in all.
    size
        How many there are.
    """

    def __init__(self, template: Segment, data: dict[int, NDArray[np.complex128]], size: int) -> None:
        self.template = template
        self.data = data
        self._size = size

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> Segment: ...
    @overload
    def __getitem__(self, index: slice) -> SegmentBatch: ...
    def __getitem__(self, index: int | slice) -> Segment | SegmentBatch:
        if isinstance(index, slice):
            data = {number: values[index] for number, values in self.data.items()}
            return SegmentBatch(self.template, data, len(range(self._size)[index]))
        index = range(self._size)[index]
        gates = list(self.template.gates)
        for number, values in self.data.items():
            gates[number] = gates[number]._replace(data=values[index])
        return Segment(tuple(gates))


def side_by_side(segments: Sequence[Segment]) -> SegmentBatch:
    """Return segments of one structure as a batch of them."""
    template = segments[0]
    data = {}
    for number, gates in enumerate(zip(*(segment.gates for segment in segments), strict=True)):
        first = gates[0]
        if first.form is not Form.PERMUTATION and any(gate is not first for gate in gates):
            numbers = np.array([gate.data for gate in gates])
            if (numbers != first.data).any():
                data[number] = numbers
    return SegmentBatch(template, data, len(segments))


class Batch(Protocol):
    """States of `n_qubits` qubits side by side, as a device's ``new_batch`` makes them. Not for sharing among threads.

    Like a `State`, it polls the checkpoint that it was made with as it goes.
    """

    n_qubits: int

    def __len__(self) -> int:
        """Return how many states there are."""

    def run(self, segments: SegmentBatch, plan: Plan | None) -> None:
        """Apply to the i-th state the gates of ``segments[i]``, as the plan of their structure says."""

    def block_weights(self, block_qubits: int) -> NDArray[np.float64]:
        """Return ``w[i, b]``: for state i what `State.block_weights` returns."""

    def expectations(self, x: int, zs: Sequence[int]) -> NDArray[np.float64]:
        """Return ``values[i, j]``: for state i what `State.expectations` returns for ``zs[j]``."""

    def weights(self, qubit: int) -> NDArray[np.float64]:
        """Return ``w[i, v]``: for state i what `State.weights` returns for the value v."""

    def collapse(self, qubit: int, outcomes: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> None:
        """Project a qubit of state i onto ``outcomes[i]``, whose probability is ``probabilities[i]``; renormalise."""

    def take(self, numbers: NDArray[np.intp]) -> Self:
        """Return a batch of copies of these states, in this order, any of them several times."""

    def join(self, other: Self) -> Self:
        """Return a batch of copies of these states and, after them, those of another batch."""

    def alike(self, keys: NDArray[np.int64], *, up_to_phase: bool) -> NDArray[np.intp]:
        """Return for each state the number of the first one that is the same but for rounding; its own if it is that.

        Parameters
        ----------
        keys
            Only states with equal keys are compared.
        up_to_phase
            Whether states that differ by a global phase only are the same.
        """

    def state(self, number: int) -> State:
        """Return one of the states, to be read as long as the batch is not changed."""


class Device(Protocol):
    """Something that holds states."""

    name: str
    is_host: bool  # whether its states lie in the memory of the host
    threads: int  # how many of the host's threads work on one state at a time
    queue: int | None  # the number of the card whose jobs run one after another; None where jobs need not wait

    def kind(self, precision: Precision) -> str:
        """Return what kind of device it is: its name, and what else the layout of its states depends on."""

    def new_state(self, n_qubits: int, precision: Precision, checkpoint: Checkpoint | None = None) -> State:
        """Return |0...0> of `n_qubits` qubits, which polls the checkpoint, if one is given, in all that it does.

        Raises
        ------
        BasicAerError
            If the memory cannot be had.
        """

    def new_batch(self, n_qubits: int, precision: Precision, count: int, checkpoint: Checkpoint | None = None) -> Batch:
        """Return `count` states, each |0...0>, that are changed together."""

    def batch_of(self, states: Sequence[State], precision: Precision, checkpoint: Checkpoint) -> Batch:
        """Return copies of states as a batch."""

    def most_states(self, n_qubits: int, precision: Precision) -> int:
        """Return how many states a batch should have at most; below 2 where they gain nothing by it."""

    def costs(self, n_qubits: int, precision: Precision) -> Costs | None:
        """Return what to plan with; None if gates run one by one on so small a state."""

    def runs_by_plan(self, n_gates: int, n_qubits: int, precision: Precision, *, any_untouched: bool) -> bool:
        """Return whether a segment of `n_gates` gates runs by a plan; otherwise its gates run one by one.

        Parameters
        ----------
        any_untouched
            Whether any qubit is still in |0> because nothing has acted on it, so that passes can leave out half of the
            state.
        """

    def free_bytes(self) -> int:
        """Return how many bytes a new state may take here and now."""

    def scratch_bytes(self, precision: Precision) -> int:
        """Return how many bytes are needed besides the state itself, whatever its size."""
