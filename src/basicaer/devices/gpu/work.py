"""What a state and a batch of states on a card have in common: memory, kernels, copies, and few launches in flight."""

from __future__ import annotations

import contextlib
from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from basicaer.devices.bound_plans import BoundPlans
from basicaer.devices.gpu.errors import reported
from basicaer.devices.gpu.launches import ClearLaunch, Launches, PassLaunch, WideLaunch, bind, first_places
from basicaer.devices.gpu.module import MOST_STATES
from basicaer.devices.gpu.structs import MOST_THREADS
from basicaer.devices.gpu.walks import SumWalk, walk_over
from basicaer.engine.bits import deposit_bits, mask_of
from basicaer.engine.suspended import check_passes_done
from basicaer.options import Precision

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.gpu.device import CupyDevice
    from basicaer.engine.checkpoint import Checkpoint
    from basicaer.engine.device import State
    from basicaer.engine.plan import Plan
    from basicaer.engine.program import Segment

__all__ = ["DTYPES", "CardWork", "blocks_for"]

DTYPES: dict[Precision, np.dtype[Any]] = {
    Precision.DOUBLE: np.dtype(np.complex128),
    Precision.SINGLE: np.dtype(np.complex64),
}
_IN_FLIGHT = 2  # passes that are queued at a time, so that a cancelled run stops within two
_MOST_BLOCKS = 4096  # of kernels whose threads take several indices each
_ALIGNMENT, _INDEX_BYTES = 16, 8

_bound_plans: BoundPlans[Launches] = BoundPlans()


@lru_cache
def blocks_for(size: int) -> int:
    """Return how many blocks go through so many indices."""
    return min(_MOST_BLOCKS, -(-size // MOST_THREADS))


class CardWork:
    """States of `n_qubits` qubits in a card's memory, `count` of them one after another, all laid out alike.

    A state of fewer qubits than a thread holds in registers is kept with more, which stay |0>.
    """

    def __init__(
        self, device: CupyDevice, n_qubits: int, precision: Precision, checkpoint: Checkpoint, count: int = 1
    ) -> None:
        self.n_qubits = n_qubits
        self._count = count
        self._checkpoint = checkpoint
        self._device = device
        self._cupy = device.cupy
        self._precision = precision
        self._dtype = DTYPES[precision]
        self._shape = device.shapes[precision]
        self._wires = max(n_qubits, self._shape.register_bits)
        with self._working("making a state"):
            self._stream = device.stream()
        with self._working("making a state"):
            self._module = device.module(precision)
            self._vector: Any = self._cupy.empty(count * 2**self._wires, self._dtype)
            self._begins = self._uploaded(self._first(range(count)))  # of each state the index where it begins
            self._over_indices("begin_states", count, np.uint64(2**self._wires))
        # The amplitude at i of a state has bit _place[w] of i as the value of wire w; the first wires are the qubits.
        self._place = tuple(range(self._wires))
        self._zero = frozenset(range(self._wires))  # still |0>: amplitudes for which one of them is 1 are not written
        self._passes_done = 0  # launches of the segment that runs

    def release(self) -> None:
        """Give the memory back; nothing is to be done with it afterwards."""
        self._vector = None

    @contextlib.contextmanager
    def _working(self, doing: str) -> Iterator[None]:
        """Work on this card and stream; errors say what was being done. Polls first."""
        self._checkpoint.poll()
        stream = getattr(self, "_stream", None)
        card = self._cupy.cuda.Device(self._device.number)
        with reported(self._cupy, self._device.number, doing), card, stream or contextlib.nullcontext():
            yield

    def _run(self, segments: Sequence[Segment], plan: Plan | None, *, counted: bool) -> None:
        """Apply to each state its own of `segments`, all of which `plan` is for."""
        wire_of = (*(plan.wire_of if plan else range(self.n_qubits)), *range(self.n_qubits, self._wires))
        if plan is None or plan.passes:
            if plan and len(self._zero) == self._wires:
                self._place = first_places(plan, self._wires)
            alike: dict[Any, list[tuple[int, Launches]]] = {}  # by what is the same of several states' launches
            for number, segment in enumerate(segments):
                bound = self._bound(segment, plan)
                alike.setdefault(bound.structure if len(segments) > 1 else None, []).append((number, bound))
            with self._working("running gates"):
                for members in alike.values():
                    for start in range(0, len(members), MOST_STATES):
                        numbers, several = zip(*members[start : start + MOST_STATES], strict=True)
                        self._launch(several, numbers, counted=counted)
            self._place, self._zero = bound.place, bound.zero
        self._place = tuple([self._place[wire] for wire in wire_of])
        self._zero = frozenset(q for q, wire in enumerate(wire_of) if wire in self._zero)

    def _bound(self, segment: Segment, plan: Plan | None) -> Launches:
        self._checkpoint.poll()
        to = self._shape, self._place, self._zero, self._dtype
        return _bound_plans.bound(plan, segment, to, lambda: bind(plan, segment, *to[:3], dtype=self._dtype))

    def _launch(self, bound: Sequence[Launches], states: Sequence[int] = (0,), *, counted: bool) -> None:
        """Queue the launches of states that have the same structure, each with numbers of its own.

        There are never more than a few at a time; polls before each, and returns when all are done.

        Parameters
        ----------
        bound
            For each of the states, its launches.
        states
            Which ones they are.
        counted
            Whether they are passes of the program that runs: these are told to the checkpoint, which may pause.
        """
        launches = bound[0].launches
        if counted:
            check_passes_done(self._passes_done, len(launches))
        wide = [number for number, launch in enumerate(launches) if isinstance(launch, WideLaunch)]
        program, first, constants, records, matrices = self._uploaded_program(bound, states, wide)
        stride = np.uint64(bound[0].constants.size)
        queued: deque[Any] = deque()
        try:
            for number, launch in enumerate(launches):
                if number < self._passes_done:  # done before this state was saved
                    continue
                self._checkpoint.poll()
                match launch:
                    case PassLaunch(at, thread_bits, block_bits):
                        self._module.launch(
                            "run_pass",
                            2**block_bits,
                            2**thread_bits,
                            *(self._vector, *program, constants, np.uint32(at), first, stride),
                            shared_bytes=self._dtype.itemsize * 2 ** (thread_bits + self._shape.register_bits),
                            states=len(states),
                        )
                    case WideLaunch():
                        group = launch.groups_each * 2**launch.targets
                        matrix = matrices[wide.index(number)]
                        self._module.launch(
                            "multiply_wide",
                            2**launch.rest_bits // launch.groups_each,
                            min(MOST_THREADS, group),
                            *(self._vector, records[wide.index(number)], matrix, matrix, np.uint32(launch.permutes)),
                            *(first, np.uint64(0 if launch.permutes else launch.matrix.size)),
                            shared_bytes=group * self._dtype.itemsize,
                            states=len(states),
                        )
                    case ClearLaunch(where):
                        self._clear(where, first, len(states))
                event = self._cupy.cuda.Event(disable_timing=True)
                event.record(self._stream)
                queued.append(event)
                if len(queued) >= _IN_FLIGHT:
                    queued.popleft().synchronize()
                if counted and isinstance(launch, PassLaunch):
                    self._checkpoint.advance(1)
                if counted and self._checkpoint.at_pause is not None:
                    self._passes_done = number + 1
                    self._checkpoint.pause(cast("State", self))  # a batch is never counted
            if counted:
                self._passes_done = 0
        finally:
            self._stream.synchronize()  # what was uploaded is read until then

    def _uploaded_program(
        self, bound: Sequence[Launches], states: Sequence[int], wide: Sequence[int]
    ) -> tuple[Sequence[Any], Any, Any, Sequence[Any], Sequence[Any]]:
        """Bring all that launches read to the card: what all states share, where each begins, and its own numbers."""
        one = bound[0]
        matrices = []
        for number in wide:
            launch = one.launches[number]
            assert isinstance(launch, WideLaunch)  # noqa: S101  # for the type checker
            if launch.permutes:
                matrices.append(launch.matrix.astype(np.uint32))
            else:
                own = [each.launches[number].matrix for each in bound]  # type: ignore[union-attr]
                matrices.append(np.array(own, self._dtype))
        uploaded = self._uploaded_together(
            [
                *(one.passes, one.stages, one.operations, one.columns, self._first(states)),
                np.array([each.constants for each in bound]),
                *(one.launches[number].record for number in wide),  # type: ignore[union-attr]
                *matrices,
            ]
        )
        return uploaded[:4], uploaded[4], uploaded[5], uploaded[6 : 6 + len(wide)], uploaded[6 + len(wide) :]

    def _first(self, states: Sequence[int]) -> NDArray[np.uint64]:
        """Return the index of each state's first amplitude."""
        return np.array(states, np.uint64) * np.uint64(2**self._wires)

    def _weights(self, qubits: Sequence[int]) -> NDArray[np.float64]:
        """Return the sum of the probabilities for each state and each value of some qubits."""
        with self._working("summing probabilities"):
            self._write_zeros()
            way = walk_over(self._wires, [self._place[q] for q in qubits])
            sums = self._summed("sum_probabilities", way, way.sums * 2**way.block_bits, 1)
            return np.array([way.by_value(own) for own in sums])

    def _expectations(self, x: int, z: int) -> NDArray[np.float64]:
        """Return each state's expectation value of a product of Paulis, relative to its norm."""
        with self._working("computing an expectation value"):
            self._write_zeros()
            way = walk_over(self._wires, ())
            masks = [np.uint64(deposit_bits(mask, self._place)) for mask in (x, z)]
            sums = self._summed("sum_pauli_products", way, 2 * 2**way.block_bits, 2, *masks)
            re, im = sums.reshape(self._count, -1, 2).sum(axis=1).T
        values = (re + 1j * im) * 1j ** (x & z).bit_count()
        return np.asarray(values.real / self._weights(()).sum(axis=1))

    def _summed(self, kernel: str, way: SumWalk, sums_each: int, parts: int, *arguments: Any) -> NDArray[np.float64]:
        """Launch a kernel that sums over each state; return a row of sums for each."""
        rows = []
        walk = self._uploaded(way.record)
        for states, first in self._in_turn():
            sums = self._cupy.empty(len(states) * sums_each, np.float64)
            self._module.launch(
                kernel,
                2**way.block_bits,
                2**way.thread_bits,
                *(self._vector, walk, first, *arguments, sums),
                shared_bytes=parts * 8 * 2**way.thread_bits,
                states=len(states),
            )
            rows.append(self._downloaded(sums).reshape(len(states), -1))
        return np.concatenate(rows)

    def _collapse(self, qubit: int, outcomes: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> None:
        """Project a qubit of each state onto its outcome, and renormalise."""
        factors = np.zeros((self._count, 2))
        factors[np.arange(self._count), outcomes.astype(int)] = probabilities**-0.5
        with self._working("collapsing a qubit"):
            self._write_zeros()
            there = self._uploaded(factors)
            for states, first in self._in_turn():
                own = there[states.start * factors[0].nbytes : states.stop * factors[0].nbytes]
                arguments = np.uint32(self._place[qubit]), first, own
                self._on_each("collapse", *arguments, states=len(states))
            self._stream.synchronize()  # what was uploaded is read until then

    def _write_zeros(self) -> None:
        """Write the amplitudes that are known to be 0 and have not been written."""
        if unwritten := mask_of(self._place[wire] for wire in self._zero):
            for states, first in self._in_turn():
                self._clear(unwritten, first, len(states))
        self._zero = frozenset(range(self.n_qubits, self._wires))

    def _clear(self, where: int, first: Any, states: int) -> None:
        self._on_each("clear", np.uint64(where), first, states=states)

    def _in_turn(self) -> Iterator[tuple[range, Any]]:
        """Yield states, as many as a launch takes, and the array of where they begin."""
        for start in range(0, self._count, MOST_STATES):
            states = range(start, min(start + MOST_STATES, self._count))
            yield states, self._begins[states.start * _INDEX_BYTES : states.stop * _INDEX_BYTES]

    def _on_each(self, kernel: str, *arguments: Any, states: int) -> None:
        """Launch a kernel over the indices of so many states."""
        size = 2**self._wires
        self._module.launch(
            kernel, blocks_for(size), MOST_THREADS, self._vector, np.uint64(size), *arguments, states=states
        )

    def _over_indices(self, kernel: str, size: int, *arguments: Any) -> None:
        self._module.launch(kernel, blocks_for(size), MOST_THREADS, self._vector, np.uint64(size), *arguments)

    def _columns(self, places: Sequence[int]) -> Any:
        return self._uploaded(np.array([mask_of((place,)) for place in places] or [0], np.uint64))

    def _uploaded(self, array: NDArray[Any]) -> Any:
        return self._uploaded_together([array])[0]

    def _uploaded_together(self, arrays: Sequence[NDArray[Any]]) -> list[Any]:
        """Copy host arrays to the card in one transfer from pinned memory; return a view on the bytes of each."""
        ends = np.cumsum([-(-max(array.nbytes, 1) // _ALIGNMENT) * _ALIGNMENT for array in arrays]).tolist()
        pinned = self._cupy.cuda.alloc_pinned_memory(ends[-1])
        host = np.frombuffer(pinned, np.uint8, ends[-1])
        starts = [0, *ends[:-1]]
        for start, array in zip(starts, arrays, strict=True):
            host[start : start + array.nbytes] = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
        buffer = self._cupy.empty(ends[-1], np.uint8)
        buffer.set(host, self._stream)
        self._stream.synchronize()
        return [buffer[start:end] for start, end in zip(starts, ends, strict=True)]

    def _downloaded(self, array: Any) -> NDArray[Any]:
        found: NDArray[Any] = array.get(stream=self._stream)
        self._stream.synchronize()
        return found
