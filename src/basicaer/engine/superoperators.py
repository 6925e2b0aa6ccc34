"""Programs on density matrices: a density matrix of n qubits is evolved as a state of 2 n wires.

The entry in row r and column c is amplitude ``r + 2**n * c``. A gate acts on the rows and, complex conjugated, on the
columns, which are the upper half of the wires. An error is one matrix on the rows and columns of its qubits, its
superoperator, which is not unitary; so is a reset. The gates just before an error become part of its matrix.

Numbers have a first axis for the sets of parameters, which has size 1 where all sets have the same.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.engine.bits import deposit_bits, mask_of
from basicaer.engine.device import GatesOfBatch, SegmentBatch
from basicaer.engine.liveness import Liveness
from basicaer.engine.lru_cache import LruCache
from basicaer.engine.program import Channel, For, Form, Gate, If, Measure, Phase, Reset, Segment, Switch, While, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.program import Block, Operation, Program

__all__ = ["density_segments", "on_density_matrices", "superoperator"]

_JOINED = 2  # qubits: up to this many, or those of an error, gates and errors become one matrix
_WIDEST_JOINED = 3  # qubits; matrices of wider errors are left as they are, since they are large
_LOOK_BACK = 64  # operations before an error among which those are looked for that become a part of it
_RESET = np.array([[[1, 0], [0, 0]], [[0, 1], [0, 0]]], complex)
_DEPHASING = np.array([[[1, 0], [0, 0]], [[0, 0], [0, 1]]], complex)

_programs: LruCache[tuple[Program, Program]] = LruCache(most=16, most_in_all=5_000)  # gates
_templates: LruCache[Segment] = LruCache(most=64, most_in_all=50_000)  # gates


class _Act(NamedTuple):
    """A gate on the rows: ``data[s]`` are its numbers in set s."""

    gate: Gate
    data: NDArray[Any]

    @property
    def qubits(self) -> tuple[int, ...]:
        return (*self.gate.targets, *self.gate.controls)


class _Map(NamedTuple):
    """A map of density matrices of some qubits: ``matrix[s, i, j]``, with the bits of rows below those of columns."""

    qubits: tuple[int, ...]
    matrix: NDArray[np.complex128]


def on_density_matrices(
    program: Program, *, forgets_outcomes: bool = False, poll: Callable[[], None] = lambda: None
) -> Program:
    """Return a program on density matrices: without errors and resets, which have become gates.

    Parameters
    ----------
    forgets_outcomes
        Whether outcomes matter only where the program itself reads them. Other measurements are errors then, which
        destroy the phases between 0 and 1.
    poll
        Called before each operation.
    """

    def doubled() -> tuple[Program, Program]:
        body = _Doubling(program, poll, forgets_outcomes=forgets_outcomes).block(program.body)
        return replace(program, body=body), program

    size = sum(len(one.gates) for one in walk(program.body) if isinstance(one, Segment))
    # The program is kept with what was made of it, so no other one can get its id.
    return _programs.get_or_make((id(program), forgets_outcomes), size, doubled)[0]


def density_segments(
    template: Program, segments: Mapping[int, SegmentBatch], size: int, poll: Callable[[], None]
) -> list[SegmentBatch]:
    """Return the gates on density matrices of many programs that differ in numbers only, and have no branches.

    Parameters
    ----------
    template
        One of the programs.
    segments
        ``segments[place]`` is the segment at a place of the body in all programs, where these differ.
    size
        The number of programs.
    """
    doubling = _Doubling(template, poll, forgets_outcomes=False)
    waiting = doubling.waiting(template.body, segments)
    return [doubling.batch(waiting, size)] if waiting else []


def superoperator(operators: NDArray[Any]) -> NDArray[np.complex128]:
    """Return the matrix of the map that Kraus operators make: ``rho -> sum of K rho K*``, columns of rho stacked."""
    size = operators.shape[1] ** 2
    whole: NDArray[np.complex128] = np.einsum("kij,kab->iajb", operators.conj(), operators).reshape(size, size)
    return whole.astype(complex, copy=False)


class _Doubling:
    """Makes the blocks of one program into blocks on density matrices."""

    def __init__(self, program: Program, poll: Callable[[], None], *, forgets_outcomes: bool) -> None:
        self._n = program.state_qubits
        self._poll = poll
        self._live = Liveness(program) if forgets_outcomes else None
        self._blocks: dict[int, Block] = {}  # _blocks[id(block)]: a block that is used twice stays one
        self._maps: dict[int, NDArray[np.complex128]] = {}  # _maps[id(operators)], those of the program's channels

    def block(self, block: Block) -> Block:
        if id(block) not in self._blocks:
            self._blocks[id(block)] = tuple(self._operations(block))
        return self._blocks[id(block)]

    def _operations(self, block: Block) -> Iterator[Operation]:
        waiting: list[_Act | _Map] = []
        for at, operation in enumerate(block):
            self._poll()
            if not self._joins(waiting, operation, block, at):
                if waiting:
                    yield self._segment(waiting)
                    waiting = []
                yield self._with_blocks(operation)
        if waiting:
            yield self._segment(waiting)

    def waiting(self, block: Block, segments: Mapping[int, SegmentBatch]) -> list[_Act | _Map]:
        """Return the gates and maps of a block of nothing else."""
        waiting: list[_Act | _Map] = []
        for at, operation in enumerate(block):
            self._poll()
            if at in segments:
                data = segments[at].data
                for number, gate in enumerate(segments[at].template.gates):
                    if gate.targets or gate.controls:
                        waiting.append(_Act(gate, data.get(number, gate.data[None])))
            else:
                self._joins(waiting, operation, block, at)
        return waiting

    def _joins(self, waiting: list[_Act | _Map], operation: Operation, block: Block, at: int) -> bool:
        """Add an operation to those that wait to become one segment; tell whether it can be."""
        match operation:
            case Segment(gates):
                waiting += [_Act(gate, gate.data[None]) for gate in gates if gate.targets or gate.controls]
            case Phase():  # a density matrix has no global phase
                pass
            case Channel(qubits, operators):
                if id(operators) not in self._maps:
                    self._maps[id(operators)] = superoperator(operators)[None]
                _add(waiting, _Map(qubits, self._maps[id(operators)]))
            case Reset(qubit):
                _add(waiting, _Map((qubit,), superoperator(_RESET)[None]))
            case Measure(qubit, bits) if self._live and not self._live.before(block, at + 1) & mask_of(bits):
                _add(waiting, _Map((qubit,), superoperator(_DEPHASING)[None]))
            case _:
                return False
        return True

    def _with_blocks(self, operation: Operation) -> Operation:
        match operation:
            case If(condition, then, otherwise):
                return If(condition, self.block(then), self.block(otherwise))
            case Switch(target, cases):
                return Switch(target, tuple([(held, self.block(one)) for held, one in cases]))
            case For(bodies):
                return operation._replace(bodies=tuple([self.block(body) for body in bodies]))
            case While(condition, body):
                return While(condition, self.block(body))
            case _:
                return operation

    def _segment(self, waiting: Sequence[_Act | _Map]) -> Segment:
        """Return gates and maps as a segment."""
        if any(isinstance(one, _Act) and one.gate.formula is not None for one in waiting):
            return Segment(tuple([gate for gate, _ in self._gates(waiting)]), open=True)
        return Segment(GatesOfBatch(self.batch(waiting, 1), 0))

    def batch(self, waiting: Sequence[_Act | _Map], size: int) -> SegmentBatch:
        """Return gates and maps as a batch of segments, which shares its template with others of the structure."""
        made = list(self._gates(waiting))
        key = tuple(
            [
                (gate.target_actions, gate.targets, gate.controls, gate.control_state, gate.form, _kind(gate, data))
                for gate, data in made
            ]
        )
        template = _templates.get_or_make(key, len(made), lambda: Segment(tuple([gate for gate, _ in made])))
        groups: dict[tuple[int, ...], list[int]] = {}
        for number, (gate, data) in enumerate(made):
            if gate.form is not Form.PERMUTATION:
                groups.setdefault(data.shape, []).append(number)
        together = []
        for (count, *shape), numbers in groups.items():
            of_each = np.stack([made[number][1] for number in numbers], axis=1)
            together.append(
                (numbers, np.broadcast_to(of_each, (size, len(numbers), *shape)) if count == 1 else of_each)
            )
        return SegmentBatch(template, together, size)

    def _gates(self, waiting: Sequence[_Act | _Map]) -> Iterator[tuple[Gate, NDArray[Any]]]:
        """Yield the gates on wires, each with the numbers of all sets; its own are those of a set that is typical."""
        for one in waiting:
            if isinstance(one, _Map):
                targets = (*one.qubits, *self._columns(one.qubits))
                typical = _typical(one.matrix)
                yield Gate("error", "G" * len(targets), targets, Form.MATRIX, typical), one.matrix
                continue
            gate = one.gate
            conjugated = one.data if gate.form is Form.PERMUTATION else one.data.conj()
            of_columns = gate._replace(
                targets=self._columns(gate.targets),
                controls=self._columns(gate.controls),
                data=_typical(conjugated),
                formula=gate.formula and gate.formula._replace(conjugated=not gate.formula.conjugated),
            )
            yield gate._replace(data=_typical(one.data)), one.data
            yield of_columns, conjugated

    def _columns(self, qubits: tuple[int, ...]) -> tuple[int, ...]:
        return tuple([qubit + self._n for qubit in qubits])


def _typical(data: NDArray[Any]) -> NDArray[Any]:
    """Return the numbers of the first set whose numbers are not all real, or else of the first set."""
    are_complex = data.imag.reshape(len(data), -1).any(axis=1)
    typical: NDArray[Any] = data[are_complex.argmax()]
    return typical


def _kind(gate: Gate, data: NDArray[Any]) -> bytes | bool:
    """Return what gates must have in common, besides what a plan depends on, to share a template."""
    if gate.form is Form.PERMUTATION:
        return data.tobytes()
    return bool(gate.data.imag.any())


def _add(waiting: list[_Act | _Map], new: _Map) -> None:
    """Append a map, joined with those before it that act on no other qubits, and that it can be brought next to."""
    most = max(_JOINED, len(new.qubits))
    between: set[int] = set()  # qubits of what stays between the map and what is looked at
    at = len(waiting) - 1
    while most <= _WIDEST_JOINED and at >= 0 and len(waiting) - at <= _LOOK_BACK:
        one = waiting[at]
        joined = dict.fromkeys((*new.qubits, *one.qubits))
        is_near = between.isdisjoint(one.qubits) and len(joined) < len(new.qubits) + len(one.qubits)
        if is_near and len(joined) <= most and not (isinstance(one, _Act) and one.gate.formula is not None):
            both = tuple(joined)
            new = _Map(both, _on(both, new) @ _on(both, one if isinstance(one, _Map) else _as_map(one)))
            del waiting[at]
        else:
            between.update(one.qubits)
            if between.issuperset(new.qubits):
                break
        at -= 1
    waiting.append(new)


def _as_map(one: _Act) -> _Map:
    gate, data = one
    size = 2 ** len(gate.targets)
    matrices = data
    if gate.form is Form.DIAGONAL:
        matrices = data[:, :, None] * np.eye(size)
    elif gate.form is Form.PERMUTATION:
        matrices = np.zeros((1, size, size))
        matrices[0, data[0], np.arange(size)] = 1
    if gate.controls:
        whole = np.zeros((len(matrices), *(size * 2 ** len(gate.controls),) * 2), complex)
        whole[:] = np.eye(whole.shape[1])
        acting = slice(size * gate.control_state, size * (gate.control_state + 1))
        whole[:, acting, acting] = matrices
        matrices = whole
    rows = matrices.shape[1]
    both: NDArray[np.complex128] = matrices.conj()[:, :, None, :, None] * matrices[:, None, :, None, :]
    return _Map(one.qubits, both.reshape(len(matrices), rows**2, rows**2))


def _on(qubits: tuple[int, ...], one: _Map) -> NDArray[np.complex128]:
    """Return the matrix of a map on more qubits."""
    if qubits == one.qubits:
        return one.matrix
    rows, columns = _entries(len(qubits), tuple([qubits.index(qubit) for qubit in one.qubits]))
    size = 4 ** len(qubits)
    whole = np.zeros((len(one.matrix), size, size), complex)
    whole[:, rows, columns] = one.matrix[:, None]
    return whole


@lru_cache(maxsize=256)
def _entries(k: int, places: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows and columns to which the matrix of a map on some of k qubits goes, once for each other index."""
    on = [*places, *(place + k for place in places)]
    others = [place for place in range(2 * k) if place not in on]
    rest = deposit_bits(np.arange(2 ** len(others)), others)
    indices = rest[:, None] + deposit_bits(np.arange(4 ** len(places)), on)
    return indices[:, :, None], indices[:, None, :]
