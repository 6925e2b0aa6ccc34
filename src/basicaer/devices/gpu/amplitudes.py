"""The amplitudes of a state, or of a batch of states, in a card's memory, and what both do with them."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.bound_plans import BoundPlans
from basicaer.devices.gpu.binding import bind, bind_reordering, first_places, recorded
from basicaer.devices.gpu.card import MOST_STATES
from basicaer.devices.gpu.launches import Launches, PassLaunch
from basicaer.devices.gpu.pauli_groups import PauliGroup, grouped
from basicaer.devices.gpu.running import UploadedLaunches, blocks_for
from basicaer.devices.gpu.structs import MOST_THREADS
from basicaer.devices.gpu.summation import Summation, summation_by
from basicaer.engine.bits import bit_at, mask_of
from basicaer.engine.program import Form
from basicaer.engine.suspended import check_passes_done
from basicaer.options import Precision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.gpu.card import Card
    from basicaer.devices.gpu.recipes import Recipe
    from basicaer.devices.gpu.shape import TileShape
    from basicaer.engine.device import SegmentBatch
    from basicaer.engine.monitor import Monitor
    from basicaer.engine.plan import Plan

__all__ = ["DTYPES", "MOST_PARTS", "CupyAmplitudes"]

DTYPES: dict[Precision, np.dtype[Any]] = {
    Precision.DOUBLE: np.dtype(np.complex128),
    Precision.SINGLE: np.dtype(np.complex64),
}
_SECONDS_IN_FLIGHT = 2e-3  # launches are queued for about as long, which is how soon a cancelled run stops
_FEWEST_IN_FLIGHT, _MOST_IN_FLIGHT = 2, 64  # launches queued at a time
_LAUNCH_SECONDS, _BYTES_PER_SECOND = 5e-6, 1e12  # a launch, and what a slow card reads or writes
_LONG_BYTES = 2**28  # larger states are waited for asleep, which takes some 50 us longer than asking all the time
MOST_PARTS = 2**21  # sums of blocks, in double precision, that are on the card at a time
_INDEX_BYTES = np.dtype(np.uint64).itemsize

_MOST_RECIPES = 4  # A plan has several where angles are too different for one.
# If there are fewer amplitudes, more operations for any angles take less time than another recipe.
_LARGE_AMPLITUDES = 2**25
_MOST_NUMBERS = 2**20  # Gates have so many in all sets whose constants are on the card at a time.

_bound_plans: BoundPlans[Launches] = BoundPlans()
_recipes: BoundPlans[list[Recipe]] = BoundPlans(64)


class CupyAmplitudes:
    """States of `n_qubits` qubits in a card's memory, `count` of them one after another, all laid out alike.

    A state has 2**wires amplitudes. Its wires are its qubits and, if these are fewer than a thread holds in registers,
    some more that stay |0>.

    Attributes
    ----------
    _vector
        The amplitudes on the card: `count` times 2**wires.
    _place
        ``_place[w]`` is the index bit that holds wire w. The first `n_qubits` wires are the qubits.
    _zero
        Wires that are |0> still. Amplitudes for which one of them is 1 may not have been written.
    _passes_done
        How many launches of the segment that runs are done; more than 0 only where it was paused.

    Parameters
    ----------
    vector
        Amplitudes on the card that become those of the states; None to make |0...0>.
    """

    def __init__(
        self,
        card: Card,
        shape: TileShape,
        n_qubits: int,
        precision: Precision,
        *,
        monitor: Monitor,
        count: int = 1,
        vector: Any = None,
    ) -> None:
        self.n_qubits = n_qubits
        self._count = count
        self._monitor = monitor
        self._dtype = DTYPES[precision]
        self._shape = shape
        self._wires = max(n_qubits, shape.register_bits)
        self._monitor.poll()
        self._queue = card.queue("making a state")
        with self._working("making a state"):
            self._kernels = card.kernels(precision, shape.register_bits)
            is_new = vector is None
            self._vector: Any = self._queue.empty_state(count * 2**self._wires, self._dtype) if is_new else vector
            self._first_of_each = self._queue.upload(self._first(range(count)))
            if is_new:
                self._go_through("begin_states", count, np.uint64(2**self._wires))
        self._place = tuple(range(self._wires))
        self._zero = frozenset(range(self._wires))
        self._passes_done = 0

    def release(self) -> None:
        """Give the memory back; the amplitudes are not to be used afterwards."""
        self._vector = None

    @property
    def _is_long(self) -> bool:
        """Whether a pass over the amplitudes takes so long that the thread should sleep meanwhile."""
        return bool(self._vector.nbytes >= _LONG_BYTES)

    @contextlib.contextmanager
    def _working(self, doing: str) -> Iterator[None]:
        """Poll, then work on the card for a while; errors say what was being done."""
        self._monitor.poll()
        with self._queue.working(doing):
            yield

    # Gates

    def _run(
        self,
        segments: SegmentBatch,
        plan: Plan | None,
        *,
        counted: bool,
        after_pass: Callable[[], None] | None = None,
    ) -> None:
        """Apply to each state its own of `segments`, all of which `plan` is for."""
        wire_of = (*(plan.wire_of if plan else range(self.n_qubits)), *range(self.n_qubits, self._wires))
        if plan is None or plan.passes:
            if plan and len(self._zero) == self._wires:
                self._place = first_places(plan, self._wires)
            at_once = min(MOST_STATES, _most_sets(segments))
            for start in range(0, len(segments), at_once):
                bound = self._bound(segments[start : start + at_once], plan)
                with self._working("running gates"):
                    numbers = range(start, min(start + at_once, len(segments)))
                    self._launch(bound, numbers, counted=counted, after_pass=after_pass)
            self._place, self._zero = bound.place, bound.zero
        self._place = tuple([self._place[wire] for wire in wire_of])
        self._zero = frozenset(q for q, wire in enumerate(wire_of) if wire in self._zero)

    def _bound(self, segments: SegmentBatch, plan: Plan | None) -> Launches:
        self._monitor.poll()
        to = self._shape, self._place, self._zero
        if not segments.groups:
            return _bound_plans.bound(plan, segments.template, to, lambda: bind(plan, segments.template, *to))
        any_angle = len(segments) * 2**self._wires < _LARGE_AMPLITUDES
        if plan is None:  # gates one by one, as for derivatives, whose template is new each time
            return recorded(plan, segments, *to, any_angle=any_angle).launches
        differing = tuple([tuple(gates) for gates, _ in segments.groups])
        key = *to, differing, any_angle
        recipes = _recipes.bound(plan, segments.template, key, list)
        for recipe in recipes:
            if (bound := recipe.bound(segments)) is not None:
                return bound
        recipe = recorded(plan, segments, *to, any_angle=any_angle)
        if not recipe.is_repeatable:
            return recipe.launches
        recipes.insert(0, recipe)
        del recipes[_MOST_RECIPES:]
        # The same numbers to the last bit as next time: NumPy rounds differently in arrays of other lengths.
        return recipe.bound(segments) or recipe.launches

    def _launch(
        self,
        bound: Launches,
        states: Sequence[int] = (0,),
        *,
        counted: bool,
        after_pass: Callable[[], None] | None = None,
    ) -> None:
        """Run launches on some states, and return when all are done.

        Polls before each launch, of which a few are in flight at a time.

        Parameters
        ----------
        bound
            The launches, for one set of numbers or for as many as there are states.
        states
            The numbers of the states.
        counted
            Whether they are passes of the program that runs: these are told to the monitor.
        after_pass
            As for `State.run`.
        """
        if counted:
            check_passes_done(self._passes_done, len(bound.launches))
        uploaded = UploadedLaunches(self._queue, bound, self._first(states), self._wires, self._dtype)
        seconds = _LAUNCH_SECONDS + 2 * self._vector.nbytes / _BYTES_PER_SECOND
        most_in_flight = min(max(int(_SECONDS_IN_FLIGHT / seconds), _FEWEST_IN_FLIGHT), _MOST_IN_FLIGHT)
        in_flight: deque[Any] = deque()
        try:
            uploaded.make_constants(self._kernels)
            in_flight.append(self._queue.mark(asleep=self._is_long))
            for number, launch in enumerate(uploaded.launches):
                if number < self._passes_done:  # it was done before this state was saved
                    continue
                self._monitor.poll()
                uploaded.start(number, self._kernels, self._vector)
                in_flight.append(self._queue.mark(asleep=self._is_long))
                if len(in_flight) >= most_in_flight:
                    in_flight.popleft().synchronize()
                if counted and isinstance(launch, PassLaunch):
                    self._monitor.advance(1)
                if after_pass is not None:
                    self._passes_done = number + 1
                    after_pass()
            if counted:
                self._passes_done = 0
        finally:
            self._queue.wait(asleep=self._is_long)  # until then the kernels read what was uploaded

    def in_order(self) -> None:
        """Bring the amplitudes into the order of their indices, and write those that are known to be 0."""
        if self._place != tuple(range(self._wires)):
            bound = bind_reordering(self._shape, self._place, self._zero)
            with self._working("bringing amplitudes into order"):
                for states, _ in self._in_turn():
                    self._launch(bound, states, counted=False)
            self._place, self._zero = bound.place, bound.zero
        with self._working("bringing amplitudes into order"):
            self._write_zeros()

    # Sums

    def _weights(self, qubits: Sequence[int]) -> NDArray[np.float64]:
        """Return ``weights[k, v]``, the sum of the probabilities of state k where `qubits` have the value v."""
        with self._working("summing probabilities"):
            self._write_zeros()
            summation = summation_by([self._place[q] for q in qubits], self._wires)
            sums = self._summed("sum_probabilities", summation, summation.sums, 1)
            return np.array([summation.by_value(own) for own in sums])

    def _expectations(self, masks: Sequence[tuple[int, int]], *, counted: bool = False) -> NDArray[np.float64]:
        """Return ``values[k, i]``, the expectation value of product i of Paulis in state k, relative to its norm.

        Parameters
        ----------
        masks
            ``(x, z)`` for each product: X on the qubits whose bits are set in `x`, Z on those of `z`, Y where both are.
        counted
            Whether to tell the monitor of each reading.
        """
        values = np.empty((self._count, len(masks)))
        norms = np.ones((self._count, 1))
        for group in grouped(masks, self._place, self._wires):
            with self._working("computing expectation values"):
                self._write_zeros()
                sums = self._pauli_sums(group)
            if not group.flips:
                norms = sums[:, -1:]
            values[:, group.numbers] = group.values(sums[:, : len(group.numbers)])
            if counted and len(group.numbers):
                self._monitor.advance(1)
        return np.asarray(values / norms)

    def _pauli_sums(self, group: PauliGroup, bras: Any = None) -> NDArray[np.float64]:
        """Return the sum of each product of a group for each state, in one reading of the states.

        Parameters
        ----------
        bras
            Amplitudes whose conjugates are taken in place of those of the states, if the group flips nothing.
        """
        launch = group.launch(self._dtype.itemsize * 2**self._shape.tile_bits)
        products = self._queue.upload(group.records)
        rows = []
        for states, first in self._in_turn(max(1, MOST_PARTS // (launch.blocks * len(group.records)))):
            parts = self._queue.empty(len(states) * launch.blocks * len(group.records), np.float64)
            self._kernels.launch(
                "sum_pauli_products",
                launch.blocks,
                2**launch.thread_bits,
                *(self._vector, self._vector if bras is None else bras, first),
                *(np.uint64(group.flips), np.uint32(group.pivot), np.uint32(group.bits)),
                *(np.uint32(launch.thread_bits), products, np.uint32(len(group.records)), parts),
                shared_bytes=launch.shared_bytes,
                states=len(states),
            )
            rows.append(self._added(parts, len(states), len(group.records), launch.blocks))
        return np.concatenate(rows)

    def _added(self, parts: Any, states: int, count: int, blocks: int) -> NDArray[np.float64]:
        """Return ``sums[s, k]``, the sums over blocks of ``parts[s, block, k]``."""
        sums = self._queue.empty(states * count, np.float64)
        arguments = parts, np.uint64(states), np.uint64(count), np.uint32(blocks), sums
        self._kernels.launch("add_parts", blocks_for(sums.size), MOST_THREADS, *arguments)
        rows: NDArray[np.float64] = self._queue.download(sums).reshape(states, -1)
        return rows

    def _summed(
        self, kernel: str, summation: Summation, sums_each: int, parts: int, *arguments: Any
    ) -> NDArray[np.float64]:
        """Launch a kernel that sums over each state; return a row of sums for each.

        Parameters
        ----------
        sums_each
            How many sums the kernel writes for a state.
        parts
            How many doubles of shared memory each thread needs.
        """
        rows = []
        traversal = self._queue.upload(summation.record)
        for states, first in self._in_turn():
            sums = self._queue.empty(len(states) * sums_each, np.float64)
            self._kernels.launch(
                kernel,
                2**summation.block_bits,
                2**summation.thread_bits,
                *(self._vector, traversal, first, *arguments, sums),
                shared_bytes=parts * sums.itemsize * 2**summation.thread_bits,
                states=len(states),
            )
            rows.append(self._queue.download(sums).reshape(len(states), -1))
        return np.concatenate(rows)

    # Changes of amplitudes where they are

    def _collapse(self, qubit: int, outcomes: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> None:
        """Project a qubit of each state onto its outcome, and renormalise."""
        factors = np.zeros((self._count, 2))
        factors[np.arange(self._count), outcomes.astype(int)] = probabilities**-0.5
        with self._working("collapsing a qubit"):
            self._write_zeros()
            uploaded = self._queue.upload(factors)
            for states, first in self._in_turn():
                own = uploaded[states.start * factors[0].nbytes : states.stop * factors[0].nbytes]
                arguments = np.uint32(self._place[qubit]), first, own
                self._go_through("collapse", 2**self._wires, *arguments, states=len(states))
            self._queue.wait()  # until then the kernels read what was uploaded

    def _write_zeros(self) -> None:
        """Write the amplitudes that are known to be 0 and have not been written."""
        if unwritten := mask_of(self._place[wire] for wire in self._zero):
            for states, first in self._in_turn():
                self._go_through("clear", 2**self._wires, np.uint64(unwritten), first, states=len(states))
        self._zero = frozenset(range(self.n_qubits, self._wires))

    def _go_through(self, kernel: str, size: int, *arguments: Any, states: int = 1) -> None:
        """Launch a kernel whose threads go through `size` numbers, mostly indices of a state."""
        arguments = self._vector, np.uint64(size), *arguments
        self._kernels.launch(kernel, blocks_for(size), MOST_THREADS, *arguments, states=states)

    # What launches are given

    def _first(self, states: Sequence[int]) -> NDArray[np.uint64]:
        """Return the index of each state's first amplitude."""
        return np.array(states, np.uint64) * np.uint64(2**self._wires)

    def _in_turn(self, most: int = MOST_STATES) -> Iterator[tuple[range, Any]]:
        """Yield states, as many as a launch takes and `most`, and the array on the card that says where each begins."""
        each = min(most, MOST_STATES)
        for start in range(0, self._count, each):
            states = range(start, min(start + each, self._count))
            yield states, self._first_of_each[states.start * _INDEX_BYTES : states.stop * _INDEX_BYTES]

    def _columns(self, places: Sequence[int]) -> Any:
        """Return an array on the card of a column for each index bit."""
        return self._queue.upload(np.array([bit_at(place) for place in places] or [0], np.uint64))


def _most_sets(segments: SegmentBatch) -> int:
    """Return of how many sets of numbers the constants should be on the card at a time."""
    if not segments.groups or len(segments) == 1:  # A single one must not wait for a sum over all gates.
        return len(segments)
    numbers = sum(gate.data.size for gate in segments.template.gates if gate.form is not Form.PERMUTATION)
    return max(1, _MOST_NUMBERS // (1 + numbers))
