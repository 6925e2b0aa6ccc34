"""Programs on density matrices: a density matrix of n qubits is evolved as a state of 2 n wires.

The entry in row r and column c is amplitude ``r + 2**n * c``. A gate acts on the rows and, complex conjugated, on the
columns, which are the upper half of the wires. An error is one matrix on the rows and columns of its qubits, its
superoperator, which is not unitary; so is a reset. The gates just before an error become part of its matrix.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.engine.bits import deposit_bits, mask_of
from basicaer.engine.liveness import Liveness
from basicaer.engine.program import Channel, For, Form, Gate, If, Measure, Phase, Reset, Segment, Switch, While
from basicaer.engine.unitaries import matrix_of_gate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.program import Block, Operation, Program

__all__ = ["on_density_matrices", "superoperator"]

_JOINED = 2  # qubits: up to this many, or those of an error, gates and errors become one matrix
_WIDEST_JOINED = 3  # qubits; matrices of wider errors are left as they are, since they are large
_LOOK_BACK = 64  # operations before an error among which those are looked for that become a part of it
_RESET = np.array([[[1, 0], [0, 0]], [[0, 1], [0, 0]]], complex)
_DEPHASING = np.array([[[1, 0], [0, 0]], [[0, 0], [0, 1]]], complex)


class _Map(NamedTuple):
    """A map of density matrices of some qubits: ``matrix[i, j]`` with the bits of rows below those of columns."""

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
    return replace(program, body=_Doubling(program, poll, forgets_outcomes=forgets_outcomes).block(program.body))


def superoperator(operators: NDArray[Any]) -> NDArray[np.complex128]:
    """Return the matrix of the map that Kraus operators make: ``rho -> sum of K rho K*``, columns of rho stacked."""
    size = operators.shape[1] ** 2
    if len(operators) == 1:
        whole = operators[0].conj()[:, None, :, None] * operators[0][None, :, None, :]
    else:
        whole = np.einsum("kij,kab->iajb", operators.conj(), operators)
    matrix: NDArray[np.complex128] = whole.reshape(size, size).astype(complex, copy=False)
    return matrix


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

    def _operations(self, block: Block) -> list[Operation]:
        found: list[Operation] = []
        waiting: list[Gate | _Map] = []
        for at, operation in enumerate(block):
            self._poll()
            match operation:
                case Segment(gates):
                    waiting += [gate for gate in gates if gate.targets or gate.controls]
                case Phase():  # a density matrix has no global phase
                    pass
                case Channel(qubits, operators):
                    if id(operators) not in self._maps:
                        self._maps[id(operators)] = superoperator(operators)
                    _add(waiting, _Map(qubits, self._maps[id(operators)]))
                case Reset(qubit):
                    _add(waiting, _Map((qubit,), superoperator(_RESET)))
                case Measure(qubit, bits) if self._live and not self._live.before(block, at + 1) & mask_of(bits):
                    _add(waiting, _Map((qubit,), superoperator(_DEPHASING)))
                case _:
                    found += self._segment(waiting)
                    waiting = []
                    found.append(self._with_blocks(operation))
        return found + self._segment(waiting)

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

    def _segment(self, waiting: Sequence[Gate | _Map]) -> list[Segment]:
        """Return gates and maps as a segment; none if there are none."""
        gates: list[Gate] = []
        for one in waiting:
            if isinstance(one, _Map):
                targets = (*one.qubits, *self._columns(one.qubits))
                gates.append(Gate("error", "G" * len(targets), targets, Form.MATRIX, one.matrix))
            else:
                gates += (one, self._on_columns(one))
        return [Segment(tuple(gates), any(gate.formula is not None for gate in gates))] if gates else []

    def _on_columns(self, gate: Gate) -> Gate:
        return gate._replace(
            targets=self._columns(gate.targets),
            controls=self._columns(gate.controls),
            data=gate.data if gate.form is Form.PERMUTATION else gate.data.conj(),
            formula=gate.formula and gate.formula._replace(conjugated=not gate.formula.conjugated),
        )

    def _columns(self, qubits: tuple[int, ...]) -> tuple[int, ...]:
        return tuple([qubit + self._n for qubit in qubits])


def _add(waiting: list[Gate | _Map], new: _Map) -> None:
    """Append a map, joined with those before it that act on no other qubits, and that it can be brought next to."""
    most = max(_JOINED, len(new.qubits))
    between: set[int] = set()  # qubits of what stays between the map and what is looked at
    at = len(waiting) - 1
    while most <= _WIDEST_JOINED and at >= 0 and len(waiting) - at <= _LOOK_BACK:
        one = waiting[at]
        qubits = one.qubits if isinstance(one, _Map) else (*one.targets, *one.controls)
        joined = dict.fromkeys((*new.qubits, *qubits))
        is_near = between.isdisjoint(qubits) and len(joined) < len(new.qubits) + len(qubits)
        if is_near and len(joined) <= most and not (isinstance(one, Gate) and one.formula is not None):
            both = tuple(joined)
            new = _Map(both, _on(both, new) @ _on(both, _as_map(one)))
            del waiting[at]
        else:
            between.update(qubits)
            if between.issuperset(new.qubits):
                break
        at -= 1
    waiting.append(new)


def _as_map(one: Gate | _Map) -> _Map:
    if isinstance(one, _Map):
        return one
    return _Map((*one.targets, *one.controls), superoperator(matrix_of_gate(one)[None]))


def _on(qubits: tuple[int, ...], one: _Map) -> NDArray[np.complex128]:
    """Return the matrix of a map on more qubits."""
    if qubits == one.qubits:
        return one.matrix
    rows, columns = _entries(len(qubits), tuple([qubits.index(qubit) for qubit in one.qubits]))
    whole = np.zeros((4 ** len(qubits),) * 2, complex)
    whole[rows, columns] = one.matrix
    return whole


@lru_cache(maxsize=256)
def _entries(k: int, places: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows and columns to which the matrix of a map on some of k qubits goes, once for each other index."""
    on = [*places, *(place + k for place in places)]
    others = [place for place in range(2 * k) if place not in on]
    rest = deposit_bits(np.arange(2 ** len(others)), others)
    indices = rest[:, None] + deposit_bits(np.arange(4 ** len(places)), on)
    return indices[:, :, None], indices[:, None, :]
