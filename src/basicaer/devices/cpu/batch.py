"""Many small states in one NumPy array, changed together: a gate's numbers are an array with a row for each state.

Gates are gathered before they are applied. Gates on one qubit are multiplied into one matrix for each qubit, and the
matrices of up to five qubits are applied as one product. Gates that permute basis states or multiply them by phases are
gathered in one index array and one array of factors. What has been gathered is applied as soon as a gate comes that
does not commute with it.
"""

from __future__ import annotations

from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from basicaer.devices.cpu.denormals import without_denormals
from basicaer.devices.cpu.expectations import Observables, expectations_of_each
from basicaer.devices.cpu.gatewise import FEW_AMPLITUDES, by_value, rows_of, squares
from basicaer.devices.cpu.permutations import source_indices
from basicaer.devices.cpu.recipe import Wires, first_places, recipe_for, recipe_to_undo
from basicaer.devices.cpu.set_numbers import kron, of_sets
from basicaer.devices.cpu.threads import run_parts
from basicaer.devices.cpu.undoing import sums_of_passes, without_idle_passes
from basicaer.devices.likeness import are_alike, largest_distance
from basicaer.devices.numbers import GateNumbers
from basicaer.devices.operators import PauliOperator
from basicaer.engine.bits import deposit_bits, extract_bits
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.cpu.tiles import BoundPass
    from basicaer.engine.device import Generators, SegmentBatch, State
    from basicaer.engine.monitor import Monitor
    from basicaer.engine.plan import Plan
    from basicaer.engine.program import Gate

__all__ = ["NumpyBatch"]

_WIDEST = 5  # at most this many qubits have their matrices applied as one product
_FEW_COMPARED = 2**10  # at most this many amplitudes, of all pairs of states, are compared at once
_TINY = np.finfo(float).tiny
# Work on many states at a time makes array operations long enough for two threads to gain by taking turns at holding
# the interpreter's lock; on one thread fewer states, which stay in the second-level cache, would be a fifth faster.
_AMPLITUDES_AT_ONCE = 2**17  # amplitudes taken through passes together: two buffers of 2 MiB in double
_AMPLITUDES_BOUND, _FEWEST_BOUND = 2**17, 32  # amplitudes, and least states, whose numbers are bound together
_AMPLITUDES_UNDONE = 2**16  # amplitudes of kets that are undone together
_AMPLITUDES_READ = 2**18  # amplitudes whose expectation values are computed together
_PART_AMPLITUDES = 2**17  # amplitudes that one thread works on at a time: 2 MiB in double precision


class NumpyBatch:
    """See `basicaer.engine.device.Batch` for what each method promises."""

    def __init__(
        self,
        states: NDArray[np.complexfloating],
        n_qubits: int,
        threads: int,
        monitor: Monitor,
        as_state: Callable[[NDArray[np.complexfloating], Sequence[int]], State],
        *,
        untouched: Iterable[int] = (),
    ) -> None:
        self.n_qubits = n_qubits
        self._states = states  # _states[i, j] = amplitude of state i where bit _place[q] of j is qubit q
        self._place = tuple(range(n_qubits))
        self._zero = frozenset(untouched)  # qubits that nothing has taken out of |0>
        self._as_state = as_state
        self._threads = threads
        self._monitor = monitor

    def __len__(self) -> int:
        return len(self._states)

    def run(self, segments: SegmentBatch, plan: Plan | None) -> None:
        if plan is not None:
            self._run_plan(segments, plan)
            return
        self._in_order()
        self._zero = frozenset()

        def task(part: slice) -> None:
            own = segments[part]
            gathered = _GatheredGates(self._states[part], self.n_qubits, self._monitor.poll)
            for number, gate in enumerate(own.template.gates):
                gathered.add(gate, own.data.get(number))
            gathered.apply()

        self._in_parts(task)

    def _run_plan(self, segments: SegmentBatch, plan: Plan) -> None:
        if not plan.passes:
            self._place, self._zero = Wires(self._place, self._zero).of_qubits(plan.wire_of)
            return
        if len(self._zero) == self.n_qubits:
            self._place = first_places(plan)
        to, poll = (self._place, self._zero, self._states.dtype, 0), self._monitor.poll
        template = segments.template
        recipe = recipe_for(plan, template, to, poll)

        def task(part: slice) -> None:
            bound = recipe.bound(segments[part], poll)
            states = self._states[part]
            at_once = max(_AMPLITUDES_AT_ONCE // states.shape[1], 1)
            with without_denormals(states.dtype):
                for start in range(0, len(states), at_once):
                    some = slice(start, start + at_once)
                    self._run_passes([one.of_sets(some) for one in bound.passes], states[some])

        self._in_parts(task, most=_AMPLITUDES_BOUND, at_least=_FEWEST_BOUND)
        self._place, self._zero = recipe.after[-1].of_qubits(plan.wire_of)

    def _run_passes(self, passes: Sequence[BoundPass], states: NDArray[np.complexfloating]) -> None:
        """Run passes over some of the states, on one thread."""
        largest = max(one.tile_size for one in passes)
        room = np.empty((2, len(states) * largest), states.dtype)
        for one in passes:
            tiles, other = room[:, : len(states) * one.tile_size].reshape(2, len(states), -1)
            buffers = (tiles, other)
            for number in range(len(one.bases)):
                buffers = one.run([states], number, buffers, self._monitor.poll)

    def _in_order(self) -> None:
        """Let bit q of an index be qubit q."""
        if self._place != tuple(range(self.n_qubits)):
            self._states = self._gathered(deposit_bits(np.arange(self._states.shape[1]), self._place))
            self._place = tuple(range(self.n_qubits))

    def _gathered(self, columns: NDArray[np.intp]) -> NDArray[np.complexfloating]:
        gathered = np.empty_like(self._states)

        def task(part: slice) -> None:
            np.take(self._states[part], columns, axis=1, out=gathered[part], mode="clip")

        self._in_parts(task)
        return gathered

    def block_weights(self, block_qubits: int) -> NDArray[np.float64]:
        self._monitor.poll()
        of_all = squares(self._states)
        if self._place != tuple(range(self.n_qubits)):  # numbers half as long are brought into order
            of_all = np.take(of_all, deposit_bits(np.arange(of_all.shape[1]), self._place), axis=1)
        if not block_qubits:
            return of_all
        weights: NDArray[np.float64] = of_all.reshape(len(self), -1, 2**block_qubits).sum(axis=2)
        return weights

    def expectations(self, masks: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        values = np.empty((len(self), len(masks)))
        placed = deposit_bits(np.array(masks, np.int64).reshape(-1, 2), self._place)
        observables = Observables(placed, self.n_qubits)

        def task(part: slice) -> None:
            states = self._states[part]
            values[part] = expectations_of_each(states, observables, self._monitor.poll)

        self._in_parts(task, most=_AMPLITUDES_READ)
        return values

    def weights(self, qubit: int) -> NDArray[np.float64]:
        weights = np.empty((len(self), 2))

        def task(part: slice) -> None:
            values = by_value(self._states[part], self._place[qubit])
            weights[part] = np.einsum("shvl,shvl->sv", values, values, dtype=np.float64)

        self._in_parts(task)
        return weights

    def norms(self) -> NDArray[np.float64]:
        norms = np.empty(len(self))

        def task(part: slice) -> None:
            numbers = self._states[part].view(self._states.real.dtype)
            norms[part] = np.einsum("si,si->s", numbers, numbers, dtype=np.float64)

        self._in_parts(task)
        return norms

    def collapse(self, qubit: int, outcomes: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> None:
        factors = np.zeros((len(self), 1, 2, 1), self._states.real.dtype)
        factors[np.arange(len(self)), 0, outcomes.astype(np.intp), 0] = probabilities**-0.5

        def task(part: slice) -> None:
            by_value(self._states[part], self._place[qubit])[...] *= factors[part]

        self._in_parts(task)

    def take(self, numbers: NDArray[np.intp]) -> Self:
        taken = np.empty((len(numbers), self._states.shape[1]), self._states.dtype)

        def task(part: slice) -> None:
            np.take(self._states, numbers[part], axis=0, out=taken[part], mode="clip")

        self._in_parts(task, len(numbers))
        return self._with(taken)

    def join(self, others: Sequence[Self]) -> Self:
        if any(batch._place != self._place for batch in others):  # noqa: SLF001  # the same class
            for batch in (self, *others):
                batch._in_order()  # noqa: SLF001  # a method of the same class
        joined = self._with(np.concatenate([batch._states for batch in (self, *others)]))  # noqa: SLF001  # the same class
        joined._zero = self._zero.intersection(*(batch._zero for batch in others))  # noqa: SLF001  # the same class
        return joined

    def _with(self, states: NDArray[np.complexfloating]) -> Self:
        made = type(self)(states, self.n_qubits, self._threads, self._monitor, self._as_state, untouched=self._zero)
        made._place = self._place  # noqa: SLF001  # an attribute of the same class
        return made

    def layout(self) -> dict[str, Any]:
        return {"place": list(self._place), "zero": sorted(self._zero)}

    def operated(self, masks: Sequence[tuple[int, int]], factors: NDArray[np.float64]) -> Self:
        placed = [(deposit_bits(x, self._place), deposit_bits(z, self._place)) for x, z in masks]
        states = np.empty_like(self._states)

        def task(part: slice) -> None:
            operator = PauliOperator(placed, factors[part], self.n_qubits)
            for start in range(0, states.shape[1], operator.chunk):
                operator.apply(self._states[part], start, states[part], self._monitor.poll)

        self._in_parts(task)
        return self._with(states)

    def overlaps(self, bras: Sequence[Self]) -> NDArray[np.complex128]:
        found = np.empty((len(bras), len(self)), complex)

        def task(part: slice) -> None:
            for own, bra in zip(found, bras, strict=True):
                self._monitor.poll()
                own[part] = np.vecdot(bra._states[part].astype(complex), self._states[part])  # noqa: SLF001  # as above

        self._in_parts(task)
        return found

    def undo(  # as the contract has it
        self,
        bras: Sequence[Self],
        segments: SegmentBatch,
        plan: Plan | None,
        start: Mapping[str, Any],
        generators: Generators,
        *,
        is_last: bool = False,
    ) -> dict[int, NDArray[np.complex128]]:
        assert plan is not None  # `undoing_costs` always gives costs  # noqa: S101
        before = Wires(tuple(start["place"]), frozenset(start["zero"]))
        found: dict[int, dict[int, NDArray[np.complex128]]] = {}  # found[first state of a part][gate]
        if plan.passes:
            poll = self._monitor.poll
            recipe = recipe_to_undo(plan, segments.template, before, self._states.dtype, poll)

            def task(part: slice) -> None:
                some = segments[part]
                own = {gate: [of_sets(one, 0, part) for one in each] for gate, each in generators.items()}
                undone = without_idle_passes(recipe.undone(recipe.bound(some, poll), some, own), is_last=is_last)
                states = [batch._states[part] for batch in (self, *bras)]  # noqa: SLF001  # a method of the class
                with without_denormals(self._states.dtype):
                    for one in undone:
                        room = np.empty((2, len(states), len(states[0]) * one.tile_size), self._states.dtype)
                        for number in range(len(one.bases)):
                            one.run(states, number, (room[0], room[1]), poll)
                found[part.start] = sums_of_passes(undone, plan, poll)

            self._in_parts(task, most=_AMPLITUDES_UNDONE)
            before = recipe.start
        for batch in (self, *bras):
            batch._place, batch._zero = before  # noqa: SLF001  # the same class
        parts = [found[first] for first in sorted(found)]
        return {gate: np.concatenate([part[gate] for part in parts], axis=1) for gate in (parts[0] if parts else ())}

    def alike(self, keys: NDArray[np.int64], *, up_to_phase: bool) -> NDArray[np.intp]:
        if len(self) ** 2 * self._states.shape[1] <= _FEW_COMPARED:
            return self._alike_in_pairs(keys, up_to_phase=up_to_phase)
        # Equal states have equal overlaps with any state, so they are adjacent once all are sorted by such overlaps.
        overlaps = np.empty(len(self), self._states.dtype)
        other = _any_state(self._states.shape[1]).astype(self._states.dtype)

        def task(part: slice) -> None:
            np.matmul(self._states[part], other, out=overlaps[part])

        self._in_parts(task)
        values = abs(overlaps) if up_to_phase else overlaps.real
        order = np.lexsort((values, keys))
        most = largest_distance(self._states.dtype) * self._states.shape[1] ** 0.5
        near = (np.diff(values[order]) < most) & (np.diff(keys[order]) == 0)
        for place in near.nonzero()[0].tolist():
            near[place] = are_alike(*self._states[order[place : place + 2]], up_to_phase=up_to_phase)
        if not near.any():
            return np.arange(len(self))
        run = np.concatenate([[0], np.cumsum(~near)])  # run[place] = number of the run of equal states
        first = np.full(run[-1] + 1, len(order))
        np.minimum.at(first, run, order)
        found = np.empty(len(order), np.intp)
        found[order] = first[run]
        return found

    def _alike_in_pairs(self, keys: NDArray[np.int64], *, up_to_phase: bool) -> NDArray[np.intp]:
        """Do what `alike` does by comparing all pairs at once, which is faster for few small states."""
        self._monitor.poll()
        states = self._states
        if up_to_phase:  # phases are chosen that make the overlap of each with one fixed state positive
            overlaps = states @ _any_state(states.shape[1])
            states = states * (overlaps.conj() / np.maximum(abs(overlaps), _TINY))[:, None]
        differences = states[:, None] - states[None]
        squares_of_distances = np.einsum("ijk,ijk->ij", differences.conj(), differences).real
        same = (squares_of_distances < largest_distance(self._states.dtype) ** 2) & (keys[:, None] == keys)
        first: NDArray[np.intp] = same.argmax(axis=1)
        return first

    def state(self, number: int) -> State:
        return self._as_state(self._states[number], self._place)

    def _in_parts(
        self,
        task: Callable[[slice], None],
        count: int | None = None,
        *,
        most: int = _PART_AMPLITUDES,
        at_least: int = 1,
    ) -> None:
        """Poll, and call a function with each part of the states, or of `count` new ones, on several threads.

        Parameters
        ----------
        most
            Amplitudes of the states of a part.
        at_least
            States of a part, whatever their size.
        """
        self._monitor.poll()
        count = len(self._states) if count is None else count
        step = max(most // self._states.shape[1], at_least)
        if count * 2**self.n_qubits <= FEW_AMPLITUDES:  # a product this small is never given to several threads
            task(slice(0, count))
            return
        parts = [slice(start, min(start + step, count)) for start in range(0, count, step)]
        run_parts(lambda number: task(parts[number]), len(parts), self._threads)


class _Monomial(NamedTuple):
    """``new[i] = factors[i] * old[source[i]]``, for all states or, with a further axis first, for each."""

    source: NDArray[np.intp] | None
    factors: NDArray[np.complexfloating] | None


class _GatheredGates:
    """Gates that have been gathered and not yet been applied to some of the states."""

    def __init__(self, states: NDArray[np.complexfloating], n: int, poll: Callable[[], None]) -> None:
        self._states = states
        self._room = np.empty_like(states)
        self._n = n
        self._poll = poll
        self._single: dict[int, NDArray[Any]] = {}  # _single[q][i] = matrix on qubit q of state i; these act first
        self._monomial = _Monomial(None, None)  # acts after the matrices
        self._touched: set[int] = set()  # qubits on which `_monomial` acts
        self._permuted: set[int] = set()  # qubits on which it does not act diagonally

    def add(self, gate: Gate, data: NDArray[Any] | None) -> None:
        """Add a gate: ``data[i]`` are its numbers for state i; with None, all states have the gate's own numbers."""
        numbers = gate.data[None] if data is None else data
        if len(gate.targets) == 1 and not gate.controls:
            self._add_single(gate.form, gate.targets[0], numbers)
        elif gate.form is Form.MATRIX:
            self.apply()
            self._apply_matrices(gate, numbers)
        else:
            self._add_monomial(gate, numbers)

    def apply(self) -> None:
        """Apply everything that has been gathered."""
        self._poll()
        # column_of[i] = the column of the array that holds amplitude i; None means column i.
        column_of: NDArray[np.intp] | None = None
        qubits = sorted(self._single)
        for start in range(0, len(qubits), _WIDEST):
            column_of = self._multiply(qubits[start : start + _WIDEST], column_of)
        source, factors = self._monomial
        if source is not None:
            column_of = source if column_of is None else column_of[source]
        if column_of is not None:
            np.take(self._states, column_of, axis=1, out=self._room, mode="clip")
            self._states[...] = self._room
        if factors is not None:
            np.multiply(self._states, factors, out=self._states, casting="same_kind")
        self._single = {}
        self._monomial = _Monomial(None, None)
        self._touched, self._permuted = set(), set()

    def _add_single(self, form: Form, qubit: int, numbers: NDArray[Any]) -> None:
        if form is Form.PERMUTATION:
            numbers = np.eye(2)[numbers[0]].T[None]
        elif form is Form.DIAGONAL:
            numbers = numbers[..., None] * np.eye(2)
        # A diagonal gate commutes with the factors and controls that have been gathered after the matrices.
        if qubit in self._touched and (form is not Form.DIAGONAL or qubit in self._permuted):
            self.apply()
        before = self._single.get(qubit)
        self._single[qubit] = numbers if before is None else numbers @ before

    def _add_monomial(self, gate: Gate, numbers: NDArray[Any]) -> None:
        source, factors = self._monomial
        if gate.form is Form.PERMUTATION:
            own = source_indices(
                range(self._n),
                [GateNumbers(gate.form, numbers[0], gate.targets, gate.controls, gate.control_state)],
            )
            source = own if source is None else source[own]
            factors = None if factors is None else factors[:, own]
            self._permuted.update(gate.targets)
        else:
            index = np.arange(2**self._n)
            phases = numbers[:, extract_bits(index, gate.targets)]
            phases[:, extract_bits(index, gate.controls) != gate.control_state] = 1
            factors = phases if factors is None else factors * phases
        self._monomial = _Monomial(source, factors)
        self._touched.update(gate.targets, gate.controls)

    def _multiply(self, qubits: Sequence[int], column_of: NDArray[np.intp] | None) -> NDArray[np.intp] | None:
        """Multiply by the matrices that have been gathered for some qubits, ascending; return the new `column_of`."""
        # The first factor of a Kronecker product is the most significant one.
        matrices = reduce(kron, [self._single[qubit] for qubit in reversed(qubits)])
        source, column_of_result = _columns(self._n, tuple(qubits))
        if source is None:
            source = column_of
        elif column_of is not None:
            source = column_of[source]
        if source is None:
            np.copyto(self._room, self._states)
        else:
            np.take(self._states, source, axis=1, out=self._room, mode="clip")
        shape = (len(self._room), -1, 2 ** len(qubits))
        matrices = matrices.swapaxes(1, 2).astype(self._room.dtype, copy=False)
        np.matmul(self._room.reshape(shape), matrices, out=self._states.reshape(shape))
        return column_of_result

    def _apply_matrices(self, gate: Gate, numbers: NDArray[Any]) -> None:
        """Apply a gate by itself, with a matrix for each state."""
        size = 2 ** len(gate.targets)
        own = numbers.astype(self._states.dtype, copy=False)
        for state, matrix in zip(self._states, np.broadcast_to(own, (len(self._states), size, size)), strict=True):
            for rows in rows_of(state, self._n, gate.targets, gate.controls, gate.control_state):
                rows[...] = matrix.dot(rows.reshape(size, -1)).reshape(rows.shape)


@lru_cache(maxsize=256)
def _columns(n: int, qubits: tuple[int, ...]) -> tuple[NDArray[np.intp] | None, NDArray[np.intp] | None]:
    """Return the columns that bring some qubits to the front, and those that bring them back; None if all stay."""
    if qubits == tuple(range(len(qubits))):
        return None, None
    order = (*qubits, *(q for q in range(n) if q not in qubits))
    source, back = deposit_bits(np.arange(2**n), order), extract_bits(np.arange(2**n), order)
    source.flags.writeable = back.flags.writeable = False  # they are shared
    return source, back


@lru_cache(maxsize=16)
def _any_state(size: int) -> NDArray[np.complex128]:
    """Return random amplitudes, the same ones each time, with which two different states hardly have equal overlaps."""
    parts = np.random.default_rng(size).normal(size=(2, size))
    return np.asarray(parts[0] + 1j * parts[1])
