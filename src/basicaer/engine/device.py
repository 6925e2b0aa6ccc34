"""The contract between the engine and all devices.

A state holds the amplitudes of n qubits. In all methods, bit q of an index is the value of qubit q, however the device
lays the amplitudes out in its memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self, overload

import numpy as np
from numpy.typing import NDArray

from basicaer.engine.program import Form, Gate, Segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from basicaer.engine.monitor import Monitor
    from basicaer.engine.plan import Costs, Plan
    from basicaer.options import Precision

__all__ = [
    "TOO_SMALL_TO_ASK",
    "Batch",
    "Device",
    "GatesOfBatch",
    "Generators",
    "SegmentBatch",
    "State",
    "segment_batch",
]

TOO_SMALL_TO_ASK = 2**25
"""Bytes that there always are: to ask the operating system takes up to 1 ms, which is as long as a small circuit."""

Generators = Mapping[int, Sequence[NDArray[Any]]]
"""``generators[g][a][s]``: generator a of gate g of a segment, for the numbers of set s.

It has the form of the gate, and acts on the gate's targets alone. Where all
sets have the same, the first axis has size 1. Of one that is an array of real
numbers, only the real part of the sums is wanted; the imaginary part may be
anything.
"""


class State(Protocol):
    """The amplitudes of `n_qubits` qubits on some device. Only one thread at a time may use a state.

    All methods that go through the amplitudes poll the monitor that the state was made with. If a poll raises, the
    content of the state is undefined.
    """

    n_qubits: int

    @property
    def any_untouched(self) -> bool:
        """Whether any qubit is known to be still in |0>, because nothing has acted on it."""

    def set_identity(self) -> None:
        """Become the identity matrix, as the state sum over i of |i>|i>; the upper half of the qubits is the column."""

    def load(self, amplitudes: NDArray[np.complexfloating]) -> None:
        """Become a copy of the given state; ``amplitudes[i]`` belongs to basis state i."""

    def run(self, segment: Segment, plan: Plan | None, after_pass: Callable[[], None] | None = None) -> None:
        """Apply a segment's gates in passes as its plan says, or one by one.

        Parameters
        ----------
        plan
            A plan that was made with the device's `costs`; None exactly if `Device.runs_by_plan` is false.
        after_pass
            Called after each pass. It may read the state by `layout` and `amplitude_parts`, to restore it later.
            Without it, the device may run several passes together.
        """

    def prepare(self, qubits: tuple[int, ...], amplitudes: NDArray[np.complexfloating]) -> None:
        """Put `qubits`, all of which are |0>, into the given state (little-endian in `qubits`)."""

    def weights(self, qubit: int) -> tuple[float, float]:
        """Return the squared norms of the parts in which `qubit` is 0 and 1, accumulated in float64."""

    def collapse(self, qubit: int, *, outcome: bool, probability: float) -> None:
        """Project `qubit` onto `outcome` and renormalise; `probability` is that of the outcome, and not 0."""

    def bring_into_order(self) -> None:
        """Bring the amplitudes into the order of their indices, in which many blocks are read fastest."""

    def block_weights(self, block_qubits: int) -> NDArray[np.float64]:
        """Return ``w[b]``, the sum of the probabilities of the indices whose bits above `block_qubits` are b."""

    def block_probabilities(self, block: int, block_qubits: int) -> NDArray[np.float64]:
        """Return ``p[i]``, the probability of the i-th index of a block, as `block_weights` numbers blocks."""

    def probabilities(self, qubits: Sequence[int]) -> NDArray[np.float64]:
        """Return ``p[v]``, the sum of the probabilities where `qubits`, the first lowest, have value v."""

    def indices_of_draws(
        self, block_qubits: int, blocks: NDArray[np.int64], thresholds: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """Return the index on which each draw falls.

        This is the first index in the block of the draw at which the sum of the probabilities exceeds the threshold.

        Parameters
        ----------
        blocks
            Draw d falls into block ``blocks[d]``, as `block_weights` numbers blocks; ascending.
        thresholds
            ``thresholds[d]`` is the part of the weight of the block that is before draw d. If no sum exceeds it because
            of rounding, the draw falls on the last index of the block whose probability is not 0.
        """

    def expectations(self, masks: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        """Return the expectation values of products of Paulis, and count those with the same x as a pass.

        Product j has X on the qubits whose bits are set in x, Z on those of z, and Y on those of both, where
        ``masks[j] = (x, z)``. Sums are accumulated in float64 and divided by the squared norm of the state.
        """

    def read(self, indices: NDArray[np.int64] | None = None) -> NDArray[np.complexfloating]:
        """Return the amplitudes at `indices`, in an array of the same shape; with None, all amplitudes in order.

        The array is a new one in the memory of the host.
        """

    def amplitudes(self) -> NDArray[np.complexfloating]:
        """Hand over all amplitudes as an array of the host; the state must not be used afterwards."""

    def device_array(self) -> Any:
        """Hand over all amplitudes in the device's own kind of array, without a copy.

        ``array[i]`` belongs to basis state i. When this returns, the array is ready for any stream. The state must not
        be used afterwards.
        """

    def layout(self) -> dict[str, Any]:
        """Return what `restore` needs besides `amplitude_parts`: numbers, texts and lists of them.

        Both are called in the middle of `run`, by ``after_pass``.
        """

    def amplitude_parts(self) -> Iterator[NDArray[np.complexfloating]]:
        """Yield the amplitudes in small parts, in the order of the device's memory."""

    def restore(self, layout: Mapping[str, Any], parts: Iterable[bytes]) -> None:
        """Become the state that these were taken from; the next `run` continues the segment that was running."""

    def read_part(self, qubits: Sequence[int], value: int, part: int, out: NDArray[np.complexfloating]) -> None:
        """Copy a part of the amplitudes where `qubits`, the first lowest, have a value into an array of the host.

        Parameters
        ----------
        part
            The number of the part: there are as many as parts of the size of `out` make up all these amplitudes. They
            come in the order of the device's memory, which is the same for states with the same `layout`.
        """

    def write_part(self, qubits: Sequence[int], value: int, part: int, amplitudes: NDArray[np.complexfloating]) -> None:
        """Replace the amplitudes that `read_part` copies, and forget that any of `qubits` may be |0>."""

    def operated(self, masks: Sequence[tuple[int, int]], factors: NDArray[np.float64]) -> Self:
        """Return a new state, ``factors[j]`` times product j of Paulis, summed up, applied to this one.

        The products are given as for `expectations`.
        """

    def with_amplitudes(self, amplitudes: NDArray[np.complexfloating]) -> Self:
        """Return a new state that has the given amplitudes and is laid out as this one."""

    def overlaps(self, bras: Sequence[Self]) -> NDArray[np.complex128]:
        """Return ``overlaps[b, 0]``, which is ``<bra|ket>`` for this state, the ket; bras are as for `undo`."""

    def undo(
        self,
        bras: Sequence[Self],
        segment: Segment,
        plan: Plan | None,
        start: Mapping[str, Any],
        generators: Generators,
        *,
        is_last: bool = False,
    ) -> dict[int, NDArray[np.complex128]]:
        """Undo a segment that has just been run, on this state, the ket, and on bras.

        A pass of the plan that is undone counts as one of the ket, and two of each bra. Afterwards the states may be
        undone further, read at indices at which qubits that were |0> before the segment are 0, or released.

        Parameters
        ----------
        bras
            What `operated` or `with_amplitudes` has made of the ket after the segment.
        plan
            The plan that it was run by.
        start
            What `layout` returned before the run.
        generators
            The generators of the gates whose sums are wanted.
        is_last
            Whether nothing will be read of the states afterwards, so that work can be left out.

        Returns
        -------
        dict
            ``sums[g][b, 0, a]`` is ``<bra| A |ket>`` for bra b, where A is generator a of gate g, both states are those
            right after the gate, and only amplitudes count for which the gate's controls are on. Sums are accumulated
            in float64, always in the same order.
        """

    def copy(self) -> Self:
        """Return an independent state with the same amplitudes."""

    def release(self) -> None:
        """Free the memory; the state must not be used afterwards."""


class SegmentBatch(Sequence[Segment]):
    """Segments that differ only in the numbers of their gates.

    Parameters
    ----------
    template
        A segment of the same structure, whose numbers may be those of none of them. Gates that have real numbers in it
        have real ones in all of the segments, since products of real matrices are made in another way.
    groups
        The gates that differ: for each group the places of its gates, and ``numbers[i, g]``, the data of its gate g in
        segment i.
    size
        The number of segments.
    """

    template: Segment
    groups: Sequence[tuple[Sequence[int], NDArray[np.complex128]]]
    size: int

    def __init__(
        self, template: Segment, groups: Sequence[tuple[Sequence[int], NDArray[np.complex128]]], size: int
    ) -> None:
        self.template = template
        self.groups = tuple([(tuple(gates), numbers) for gates, numbers in groups])
        self.size = size
        self._data: dict[int, NDArray[np.complex128]] | None = None

    @property
    def data(self) -> dict[int, NDArray[np.complex128]]:
        """``data[g][i]`` is the data of gate g in segment i; a gate that is no key has the same data in all."""
        if self._data is None:
            self._data = {
                gate: own
                for gates, numbers in self.groups
                for gate, own in zip(gates, numbers.swapaxes(0, 1), strict=True)
            }
        return self._data

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, index: int) -> Segment: ...
    @overload
    def __getitem__(self, index: slice) -> SegmentBatch: ...
    def __getitem__(self, index: int | slice) -> Segment | SegmentBatch:
        if isinstance(index, slice):
            groups = [(gates, numbers[index]) for gates, numbers in self.groups]
            return SegmentBatch(self.template, groups, len(range(self.size)[index]))
        return Segment(GatesOfBatch(self, range(self.size)[index]))

    def take(self, numbers: Sequence[int]) -> SegmentBatch:
        """Return these of the segments."""
        which = list(numbers)
        if which == list(range(self.size)):
            return self
        return SegmentBatch(self.template, [(gates, data[which]) for gates, data in self.groups], len(which))


class GatesOfBatch(Sequence[Gate]):
    """The gates of one segment of a batch, which are made when they are first asked for.

    They know where they come from, so that what has their structure need not be made anew.

    Attributes
    ----------
    batch, number
        The segments of which theirs is one, and its number among them.
    """

    __slots__ = ("_gates", "batch", "number")

    def __init__(self, batch: SegmentBatch, number: int) -> None:
        self.batch = batch
        self.number = number
        self._gates: tuple[Gate, ...] | None = None

    def __len__(self) -> int:
        return len(self.batch.template.gates)

    @overload
    def __getitem__(self, index: int) -> Gate: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Gate]: ...
    def __getitem__(self, index: int | slice) -> Gate | Sequence[Gate]:
        return self._made()[index]

    def __iter__(self) -> Iterator[Gate]:
        return iter(self._made())

    def _made(self) -> tuple[Gate, ...]:
        if self._gates is None:
            gates = list(self.batch.template.gates)
            for place, values in self.batch.data.items():
                gates[place] = gates[place].with_data(values[self.number])
            self._gates = tuple(gates)
        return self._gates

    def alone(self) -> SegmentBatch:
        """Return their segment as a batch of one, with the template of all."""
        return self.batch[self.number : self.number + 1]


def segment_batch(segments: Sequence[Segment]) -> SegmentBatch:
    """Return segments that differ only in the numbers of their gates as a `SegmentBatch`."""
    first = segments[0]
    if isinstance(first.gates, GatesOfBatch):
        template = first.gates.batch.template
        gates_of_each = [one.gates for one in segments if isinstance(one.gates, GatesOfBatch)]
        same = [gates for gates in gates_of_each if gates.batch.template is template]
        if len(same) == len(segments):
            return _joined(same)
    groups = []
    changed = list(first.gates)
    for number, gates in enumerate(zip(*(segment.gates for segment in segments), strict=True)):
        if gates[0].form is not Form.PERMUTATION and any(gate is not gates[0] for gate in gates):
            numbers = np.array([gate.data for gate in gates])
            if (numbers != gates[0].data).any():
                groups.append(((number,), numbers[:, None]))
                changed[number] = next((gate for gate in gates if gate.data.imag.any()), gates[0])
    return SegmentBatch(Segment(tuple(changed), first.open), groups, len(segments))


def _joined(gates_of_each: Sequence[GatesOfBatch]) -> SegmentBatch:
    """Return segments with one template as a batch."""
    first = gates_of_each[0].batch
    if all(one.batch is first for one in gates_of_each):
        return first.take([one.number for one in gates_of_each])
    groups = []
    for place, (gates, _) in enumerate(first.groups):
        numbers = np.array([one.batch.groups[place][1][one.number] for one in gates_of_each])
        groups.append((gates, numbers))
    return SegmentBatch(first.template, groups, len(gates_of_each))


class Batch(Protocol):
    """States of `n_qubits` qubits that are changed together. Only one thread at a time may use a batch.

    Like a `State`, it polls the monitor that it was made with.
    """

    n_qubits: int

    def __len__(self) -> int:
        """Return how many states there are."""

    def run(self, segments: SegmentBatch, plan: Plan | None) -> None:
        """Apply to the i-th state the gates of ``segments[i]``, as the plan of their structure says."""

    def block_weights(self, block_qubits: int) -> NDArray[np.float64]:
        """Return ``w[i, b]``, what `State.block_weights` returns for state i."""

    def expectations(self, masks: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        """Return ``values[i, j]``, what `State.expectations` returns for state i and ``masks[j]``; count no passes."""

    def weights(self, qubit: int) -> NDArray[np.float64]:
        """Return ``w[i, v]``, what `State.weights` returns for state i and the value v."""

    def norms(self) -> NDArray[np.float64]:
        """Return the squared norm of each state."""

    def collapse(self, qubit: int, outcomes: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> None:
        """Project a qubit of state i onto ``outcomes[i]``, whose probability is ``probabilities[i]``; renormalise."""

    def take(self, numbers: NDArray[np.intp]) -> Self:
        """Return a batch of copies of the states with these numbers, in this order; a number may be repeated."""

    def join(self, others: Sequence[Self]) -> Self:
        """Return a batch of copies of these states, followed by copies of those of other batches."""

    def alike(self, keys: NDArray[np.int64], *, up_to_phase: bool) -> NDArray[np.intp]:
        """Return for each state the number of the first state that is the same up to rounding, which may be itself.

        Parameters
        ----------
        keys
            Only states with equal keys can be the same.
        up_to_phase
            Whether states that differ only by a global phase are the same.
        """

    def state(self, number: int) -> State:
        """Return one of the states; it may be read until the batch is changed."""

    def layout(self) -> dict[str, Any]:
        """Return what `undo` needs; see `State.layout`."""

    def operated(self, masks: Sequence[tuple[int, int]], factors: NDArray[np.float64]) -> Self:
        """Return a batch with what `State.operated` returns for state i with the factors ``factors[i]``."""

    def overlaps(self, bras: Sequence[Self]) -> NDArray[np.complex128]:
        """Return ``overlaps[b, i]``, which is ``<bra|ket>`` of state i and state i of batch b."""

    def undo(
        self,
        bras: Sequence[Self],
        segments: SegmentBatch,
        plan: Plan | None,
        start: Mapping[str, Any],
        generators: Generators,
        *,
        is_last: bool = False,
    ) -> dict[int, NDArray[np.complex128]]:
        """Do what `State.undo` does: ``sums[g][b, i, a]`` is that of state i and state i of batch b."""


class Device(Protocol):
    """Something that holds states."""

    name: str
    is_host: bool  # whether its states are in the memory of the host
    threads: int  # how many of the host's threads work on one state at a time
    queue: int | None  # the card whose jobs run one after another; None if jobs need not wait for each other
    axes: int  # 1 if its states are vectors; 2 if they are matrices, so that gates act on twice as many wires

    def layout_name(self, precision: Precision) -> str:
        """Return the name of the device and whatever else the layout of its states depends on."""

    def new_state(self, n_qubits: int, precision: Precision, monitor: Monitor | None = None) -> State:
        """Return |0...0> of `n_qubits` qubits. The state polls the monitor, if one is given.

        Raises
        ------
        BasicAerError
            If there is not enough memory.
        """

    def new_batch(self, n_qubits: int, precision: Precision, count: int, monitor: Monitor | None = None) -> Batch:
        """Return a batch of `count` states, each |0...0>."""

    def batch_of(self, states: Sequence[State], precision: Precision, monitor: Monitor) -> Batch:
        """Return copies of states as a batch."""

    def most_states(self, n_qubits: int, precision: Precision) -> int:
        """Return how many states a batch should have at most; below 2 if batches of such states are not worthwhile."""

    def costs(self, n_qubits: int, precision: Precision) -> Costs | None:
        """Return the costs to plan with; None if a state is so small that its gates run one by one."""

    def undoing_costs(self, n_qubits: int, precision: Precision) -> Costs | None:
        """Return the costs to plan with if segments will be undone; None if their gates run one by one."""

    def most_undone(self, n_qubits: int, precision: Precision) -> int:
        """Return how many states a batch should have at most that is undone; below 2 if there should be no batches."""

    def runs_by_plan(self, n_gates: int, n_qubits: int, precision: Precision, *, any_untouched: bool) -> bool:
        """Tell whether a segment of `n_gates` gates runs by a plan; otherwise its gates run one by one.

        Parameters
        ----------
        any_untouched
            Whether any qubit is still |0> because nothing has acted on it, so that passes can leave out half of the
            state.
        """

    def gate_seconds(self, n_qubits: int, precision: Precision) -> float:
        """Return about how long each gate takes where gates run one by one."""

    def free_bytes(self) -> int:
        """Return how many bytes a new state may take now."""

    def expected_free_bytes(self) -> int:
        """Return how many bytes a new state may take, without touching the device: more than are free, if in doubt."""

    def scratch_bytes(self, precision: Precision) -> int:
        """Return how many bytes are needed besides the state itself, whatever its size."""
