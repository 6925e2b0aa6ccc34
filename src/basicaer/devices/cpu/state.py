"""A statevector in one NumPy array, changed in place: gate by gate if it is small, else in tiles."""

from __future__ import annotations

import contextlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from basicaer.devices.bound_plans import BoundPlans
from basicaer.devices.cpu import gatewise
from basicaer.devices.cpu.blas import single_threaded_blas
from basicaer.devices.cpu.expectations import expectations
from basicaer.devices.cpu.gatewise import BoundGate, Gatewise, along_targets, by_value, rows_of, squares, weight
from basicaer.devices.cpu.parts import part_of
from basicaer.devices.cpu.recipe import (
    Bound,
    Recipe,
    Wires,
    bind_reordering,
    first_places,
    recipe_for,
    recipe_to_undo,
)
from basicaer.devices.cpu.threads import run_parts, run_passes
from basicaer.devices.cpu.undoing import sums_of_passes, without_idle_passes
from basicaer.devices.marginals import summed_by_blocks
from basicaer.devices.numbers import GateNumbers
from basicaer.devices.operators import PauliOperator
from basicaer.engine.bits import deposit_bits, extract_bits, inverse_positions
from basicaer.engine.device import GatesOfBatch, SegmentBatch
from basicaer.engine.sampling import last_with_weight
from basicaer.engine.suspended import check_passes_done
from basicaer.errors import BasicAerError
from basicaer.wording import readable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.device import Generators
    from basicaer.engine.monitor import Monitor
    from basicaer.engine.plan import Plan
    from basicaer.engine.program import Gate, Segment

__all__ = ["ROW_QUBITS", "NumpyState", "allocation"]

_NO_LIMIT = contextlib.nullcontext()  # used for products so small that BLAS never uses several threads
_CHUNK_QUBITS = 16  # work without tiles polls after 2**16 amplitudes
_LEAST_OF_A_THREAD = 2**17  # each thread gets at least this many amplitudes
_PAGE_AMPLITUDES = 256  # pages of memory have 2**12 bytes or more, which are 256 amplitudes in double precision
ROW_QUBITS = 4
"""Rows of 2**4 amplitudes or more are read in whole cache lines."""

_bound_plans: BoundPlans[Bound] = BoundPlans()
_bound_gates: BoundPlans[list[BoundGate]] = BoundPlans(256)


class NumpyState:
    """A statevector in one array; see `basicaer.engine.device.State` for what each method promises."""

    def __init__(
        self,
        vector: NDArray[np.complexfloating],
        n_qubits: int,
        threads: int,
        monitor: Monitor,
        *,
        untouched: Iterable[int],
        place: Sequence[int] | None = None,
    ) -> None:
        self.n_qubits = n_qubits
        self._monitor = monitor
        self._vector = vector  # _vector[i] = the amplitude for which bit _place[q] of i is the value of qubit q
        self._place = tuple(range(n_qubits) if place is None else place)
        self._zero = frozenset(untouched)  # qubits that nothing has taken out of |0>
        self._passes_done = 0  # passes of the running segment
        self._threads = threads
        self._gatewise = Gatewise(n_qubits, vector.dtype)
        self.shares_memory = False  # whether the array is a part of a batch, which only the batch may change

    @property
    def any_untouched(self) -> bool:
        return bool(self._zero)

    def set_identity(self) -> None:
        self._forget_layout()
        self._vector[0] = 0
        diagonal = self._vector[:: 2 ** (self.n_qubits // 2) + 1]
        for part in self._chunks(len(diagonal)):
            diagonal[part] = 1

    def load(self, amplitudes: NDArray[np.complexfloating]) -> None:
        self._forget_layout()
        for part in self._chunks(len(self._vector)):
            np.copyto(self._vector[part], amplitudes[part], casting="same_kind")

    def run(self, segment: Segment, plan: Plan | None, after_pass: Callable[[], None] | None = None) -> None:
        if plan is None:
            self._run_gatewise(segment)
            return
        if not plan.passes:
            self._place, self._zero = Wires(self._place, self._zero).of_qubits(plan.wire_of)
            return
        with single_threaded_blas:
            if len(self._zero) == self.n_qubits and not self._passes_done:
                self._place = first_places(plan)
                self._populate()
            check_passes_done(self._passes_done, len(plan.passes))
            to = self._place, self._zero, self._vector.dtype, self._passes_done
            bound = _bound_plans.bound(plan, segment, to, lambda: self._bind(plan, segment))
            self._run_passes(bound, after_pass)
        self._place, self._zero = Wires(self._place, self._zero).of_qubits(plan.wire_of)

    def _bind(self, plan: Plan, segment: Segment) -> Bound:
        to, poll = (self._place, self._zero, self._vector.dtype, self._passes_done), self._monitor.poll
        if isinstance(segment.gates, GatesOfBatch):
            return recipe_for(plan, segment.gates.batch.template, to, poll).bound(segment.gates.alone(), poll)
        return Recipe(plan, segment, *to, poll).bound(poll=poll)

    def _run_passes(self, bound: Bound, after_pass: Callable[[], None] | None) -> None:
        if after_pass is None:
            run_passes(bound.passes, [self._vector[None]], self._threads_of_passes(), self._monitor)
            self._place, self._zero = bound.after[-1] if bound.after else (self._place, self._zero)
        else:
            for step, after in zip(bound.passes, bound.after, strict=True):
                run_passes((step,), [self._vector[None]], self._threads_of_passes(), self._monitor)
                self._passes_done += 1
                self._place, self._zero = after
                after_pass()
        self._passes_done = 0

    def _threads_of_passes(self) -> int:
        """Return how many threads gain by sharing a pass; fewer tiles take less time than to hand them over."""
        return min(self._threads, max(len(self._vector) // _LEAST_OF_A_THREAD, 1))

    def _populate(self) -> None:
        """Write to each page of a fresh state, piece by piece, polling in between.

        The operating system allocates and clears memory when it is first written to, some megabytes at a time. The
        rows of a tile are so far apart that the first tile would take as long as the whole state.
        """
        first = self._vector[0]
        for part in self._chunks(len(self._vector)):
            self._vector[part][::_PAGE_AMPLITUDES] = 0
        self._vector[0] = first

    def _run_gatewise(self, segment: Segment) -> None:
        poll = self._monitor.poll
        if self._vector.size > gatewise.FEW_AMPLITUDES:
            with single_threaded_blas:
                for gate in segment.gates:
                    poll()
                    self._gatewise.apply(self._vector, self._numbers(gate), poll)
        else:  # binding a gate takes as long as applying it, so bound gates are kept
            to = self._place, self._vector.dtype
            for bound in _bound_gates.bound(None, segment, to, lambda: self._bound_gates(segment)):
                poll()
                self._gatewise.run(bound, self._vector, poll)
        self._zero = self._zero.difference(*[gate.targets for gate in segment.gates])

    def _bound_gates(self, segment: Segment) -> list[BoundGate]:
        bound = []
        for gate in segment.gates:
            self._monitor.poll()
            bound.append(self._gatewise.bound(self._numbers(gate)))
        return bound

    def _numbers(self, gate: Gate) -> GateNumbers:
        """Return the numbers of a gate, on the index bits of its qubits."""
        return GateNumbers(
            gate.form, gate.data, self._places(gate.targets), self._places(gate.controls), gate.control_state
        )

    def prepare(self, qubits: tuple[int, ...], amplitudes: NDArray[np.complexfloating]) -> None:
        self._zero -= set(qubits)
        for rows in self._rows(qubits):
            zero = rows[(0,) * len(qubits)].copy()
            np.multiply(along_targets(amplitudes, len(qubits), rows.ndim), zero, out=rows, casting="same_kind")

    def weights(self, qubit: int) -> tuple[float, float]:
        if self._vector.size <= gatewise.FEW_AMPLITUDES:
            self._monitor.poll()
            values = by_value(self._vector[None], self._place[qubit])
            zero, one = np.einsum("shvl,shvl->v", values, values, dtype=np.float64).tolist()
            return zero, one
        zero = one = 0.0
        with self._one_blas_thread():
            for rows in self._rows((qubit,)):
                zero += weight(rows[0])
                one += weight(rows[1])
        return zero, one

    def collapse(self, qubit: int, *, outcome: bool, probability: float) -> None:
        if self._vector.size <= gatewise.FEW_AMPLITUDES:
            self._monitor.poll()
            values = by_value(self._vector[None], self._place[qubit])
            values[:, :, 1 - outcome] = 0
            values[:, :, int(outcome)] *= probability**-0.5
            return
        for rows in self._rows((qubit,)):
            rows[1 - outcome] = 0
            rows[int(outcome)] *= probability**-0.5

    def bring_into_order(self) -> None:
        n, home = self.n_qubits, range(self.n_qubits)
        place = list(self._place)
        if self.shares_memory and place != list(home):
            self._vector, self.shares_memory = self._copied(), False
        passes = []
        while place != list(home):
            places = _next_to_reorder(place, min(n, _CHUNK_QUBITS))
            passes.append(bind_reordering(places, place, home, self._vector.dtype))
        run_passes(passes, [self._vector[None]], self._threads_of_passes(), self._monitor, weight=0.0)
        self._place = tuple(home)

    def block_weights(self, block_qubits: int) -> NDArray[np.float64]:
        weights = np.zeros(2 ** (self.n_qubits - block_qubits))
        chunk_bits = min(self.n_qubits, _CHUNK_QUBITS)
        wire_at = inverse_positions(self._place)
        # A chunk is summed over the bits that number an amplitude within its block; the others number the block.
        of_block = [p for p in range(self.n_qubits) if wire_at[p] >= block_qubits]
        inside = [p for p in of_block if p < chunk_bits]
        outside = [p for p in of_block if p >= chunk_bits]
        number = deposit_bits(np.arange(2 ** len(inside)), [wire_at[p] - block_qubits for p in inside])
        shape = [2] * chunk_bits
        summed = tuple(chunk_bits - 1 - p for p in range(chunk_bits) if p not in inside)
        with self._one_blas_thread():
            for start in range(0, len(self._vector), 2**chunk_bits):
                self._monitor.poll()
                chunk = self._vector[start : start + 2**chunk_bits]
                which = deposit_bits(extract_bits(start, outside), [wire_at[p] - block_qubits for p in outside])
                if not inside:
                    weights[which] += weight(chunk)
                else:
                    weights[which + number] += squares(chunk).reshape(shape).sum(axis=summed).reshape(-1)
        return weights

    def block_probabilities(self, block: int, block_qubits: int) -> NDArray[np.float64]:
        inside, outside = self._place[:block_qubits], self._place[block_qubits:]
        start = deposit_bits(block, outside)
        if inside == tuple(range(block_qubits)):
            return squares(self._vector[start : start + 2**block_qubits])
        return squares(self._vector[_offsets(inside) + start])

    def probabilities(self, qubits: Sequence[int]) -> NDArray[np.float64]:
        return summed_by_blocks(self, qubits, self._monitor.poll)

    def indices_of_draws(
        self, block_qubits: int, blocks: NDArray[np.int64], thresholds: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        indices = np.empty(len(blocks), np.int64)
        hit, first = np.unique(blocks, return_index=True)
        for block, start, stop in zip(hit.tolist(), first.tolist(), [*first[1:].tolist(), len(blocks)], strict=True):
            self._monitor.poll()
            ends = self.block_probabilities(block, block_qubits).cumsum()
            found = ends.searchsorted(thresholds[start:stop], side="right")
            indices[start:stop] = last_with_weight(ends, found) + block * 2**block_qubits
        return indices

    def expectations(self, masks: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        placed = deposit_bits(np.array(masks, np.int64).reshape(-1, 2), self._place)
        return expectations(self._vector, placed, self._threads, self._monitor.poll, self._monitor.advance)

    def read(self, indices: NDArray[np.int64] | None = None) -> NDArray[np.complexfloating]:
        if indices is None:
            self.bring_into_order()
            return self._copied()
        found = np.empty(indices.size, self._vector.dtype)
        wanted = indices.reshape(-1)
        for part in self._chunks(len(found)):
            found[part] = self._vector[deposit_bits(wanted[part], self._place)]
        return found.reshape(indices.shape)

    def amplitudes(self) -> NDArray[np.complexfloating]:
        self.bring_into_order()
        vector, self._vector = self._vector, np.empty(0, self._vector.dtype)
        return vector

    def device_array(self) -> NDArray[np.complexfloating]:
        return self.amplitudes()

    def read_part(self, qubits: Sequence[int], value: int, part: int, out: NDArray[np.complexfloating]) -> None:
        self._monitor.poll()
        amplitudes = part_of(self._vector, [self._place[q] for q in qubits], value, part, len(out))
        np.copyto(out.reshape(amplitudes.shape), amplitudes)

    def write_part(self, qubits: Sequence[int], value: int, part: int, amplitudes: NDArray[np.complexfloating]) -> None:
        replaced = part_of(self._vector, [self._place[q] for q in qubits], value, part, len(amplitudes))
        np.copyto(replaced, amplitudes.reshape(replaced.shape))
        self._zero -= set(qubits)

    def operated(self, masks: Sequence[tuple[int, int]], factors: NDArray[np.float64]) -> Self:
        placed = [(deposit_bits(x, self._place), deposit_bits(z, self._place)) for x, z in masks]
        operator = PauliOperator(placed, factors[None], self.n_qubits)
        with allocation(self._vector.nbytes):
            vector = np.empty_like(self._vector)
        held = [self._vector[None]]  # emptied at the end, because the traceback of an error refers to `task`

        def task(number: int) -> None:
            operator.apply(held[0], number * operator.chunk, vector[None], self._monitor.poll)

        try:
            run_parts(task, len(vector) // operator.chunk, self._threads)
        finally:
            held.clear()
        return type(self)(vector, self.n_qubits, self._threads, self._monitor, untouched=(), place=self._place)

    def with_amplitudes(self, amplitudes: NDArray[np.complexfloating]) -> Self:
        with allocation(self._vector.nbytes):
            vector = np.empty_like(self._vector)
        for part in self._chunks(len(vector)):
            vector[deposit_bits(np.arange(len(vector))[part], self._place)] = amplitudes[part]
        return type(self)(vector, self.n_qubits, self._threads, self._monitor, untouched=(), place=self._place)

    def overlaps(self, bras: Sequence[Self]) -> NDArray[np.complex128]:
        found = np.zeros((len(bras), 1), complex)
        with self._one_blas_thread():
            for part in self._chunks(len(self._vector)):
                for number, bra in enumerate(bras):
                    found[number] += np.vdot(bra._vector[part].astype(complex), self._vector[part])  # noqa: SLF001
        return found

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
        assert plan is not None  # `undoing_costs` always gives costs  # noqa: S101
        own = segment.gates.alone() if isinstance(segment.gates, GatesOfBatch) else SegmentBatch(segment, (), 1)
        before = Wires(tuple(start["place"]), frozenset(start["zero"]))
        sums: dict[int, NDArray[np.complex128]] = {}
        states = [self._vector[None], *(bra._vector[None] for bra in bras)]  # noqa: SLF001  # the same class
        if plan.passes:
            with single_threaded_blas:
                recipe = recipe_to_undo(plan, own.template, before, self._vector.dtype, self._monitor.poll)
                to = *recipe.start, self._vector.dtype, 0
                # The segment has been run by this state, so that most often its passes are still there.
                bound = _bound_plans.bound(plan, segment, to, lambda: recipe.bound(own, self._monitor.poll))
                undone = without_idle_passes(recipe.undone(bound, own, generators), is_last=is_last)
                run_passes(undone, states, self._threads_of_passes(), self._monitor, weight=1.0 + 2.0 * len(bras))
                sums = sums_of_passes(undone, plan, self._monitor.poll)
            before = recipe.start
        for state in (self, *bras):
            state._place, state._zero = before  # noqa: SLF001  # the same class
        return sums

    def layout(self) -> dict[str, Any]:
        return {"place": list(self._place), "zero": sorted(self._zero), "passes_done": self._passes_done}

    def amplitude_parts(self) -> Iterator[NDArray[np.complexfloating]]:
        for part in self._chunks(len(self._vector)):
            yield self._vector[part]

    def restore(self, layout: Mapping[str, Any], parts: Iterable[bytes]) -> None:
        self._place, self._zero = tuple(layout["place"]), frozenset(layout["zero"])
        self._passes_done = layout["passes_done"]
        filled = 0
        for part in parts:
            amplitudes = np.frombuffer(part, self._vector.dtype)
            self._vector[filled : filled + len(amplitudes)] = amplitudes
            filled += len(amplitudes)

    def copy(self) -> Self:
        how = self._threads, self._monitor
        return type(self)(self._copied(), self.n_qubits, *how, untouched=self._zero, place=self._place)

    def _copied(self) -> NDArray[np.complexfloating]:
        """Return a copy of the array, made piece by piece."""
        with allocation(self._vector.nbytes):
            vector = np.empty_like(self._vector)
        for part in self._chunks(len(vector)):
            vector[part] = self._vector[part]
        return vector

    def release(self) -> None:
        self._vector = np.empty(0, self._vector.dtype)

    def _one_blas_thread(self) -> contextlib.AbstractContextManager[None]:
        """Return the context for work with BLAS, whose threads would otherwise keep spinning for 0.1 s after it."""
        return _NO_LIMIT if self._vector.size <= gatewise.FEW_AMPLITUDES else single_threaded_blas

    def _forget_layout(self) -> None:
        self._place, self._zero = tuple(range(self.n_qubits)), frozenset()

    def _places(self, qubits: tuple[int, ...]) -> tuple[int, ...]:
        return tuple([self._place[q] for q in qubits])

    def _rows(self, qubits: tuple[int, ...]) -> Iterator[NDArray[Any]]:
        """Yield the amplitudes as `rows_of` does, block by block, polling before each."""
        for rows in rows_of(self._vector, self.n_qubits, self._places(qubits)):
            self._monitor.poll()
            yield rows

    def _chunks(self, size: int) -> Iterator[slice]:
        """Yield the parts of an array, polling before each."""
        for start in range(0, size, 2**_CHUNK_QUBITS):
            self._monitor.poll()
            yield slice(start, start + 2**_CHUNK_QUBITS)


@lru_cache(maxsize=8)
def _offsets(places: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the index of each value of the qubits at `places`, if the other qubits are 0."""
    offsets: NDArray[np.int64] = deposit_bits(np.arange(2 ** len(places)), places)
    offsets.flags.writeable = False  # it is shared
    return offsets


def _next_to_reorder(place: list[int], size: int) -> list[int]:
    """Return the places to reorder next: the lowest ones, for long rows, then chains of places whose wires move."""
    chosen = dict.fromkeys(range(min(ROW_QUBITS, size)))
    wire_at = inverse_positions(place)
    misplaced = [p for p, q in enumerate(wire_at) if p != q]
    for first in misplaced:
        p = first
        while p not in chosen and len(chosen) < size:
            chosen[p] = None
            p = wire_at[p]
    for p in range(len(place)):
        if len(chosen) >= size:
            break
        chosen[p] = None
    return list(chosen)


@contextlib.contextmanager
def allocation(size: int) -> Iterator[None]:
    """Turn a MemoryError into an error that says how much memory was needed, with the allocator's own words."""
    try:
        yield
    except MemoryError as error:
        raise BasicAerError(
            f"The CPU could not give {readable(size)} for a state ({error or 'out of memory'}); "
            "close what else uses memory, use fewer qubits or precision='single'."
        ) from error
