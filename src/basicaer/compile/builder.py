"""Builds blocks: joins gates to segments, joins phases, and splits off the measurements at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from basicaer.compile.footprint import Footprint, footprint
from basicaer.engine.program import (
    Break,
    Continue,
    For,
    If,
    Measure,
    Phase,
    Readout,
    Reset,
    Save,
    Segment,
    SetState,
    Switch,
    While,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from basicaer.engine.program import Block, Gate, Operation

__all__ = ["BlockBuilder", "with_final_measurements"]


# A phase commutes with everything but what replaces or shows the state, or leaves the block before its end.
_ENDS_A_PHASE = (SetState, Save, Break, Continue, If, Switch, For, While)


class BlockBuilder:
    """A block to which operations are appended one after another."""

    def __init__(self) -> None:
        self._operations: list[Operation] = []
        self._gates: list[Gate] = []  # gates of the segment under construction
        self._open = False  # whether any of these has a formula
        self._phase: complex = 1.0  # the product of all phases that have not been appended
        self._used = Footprint(frozenset(), frozenset())  # the footprint of the first `_examined` operations
        self._examined = 0

    def add_gates(self, gates: Iterable[Gate]) -> None:
        """Append gates. A gate without qubits is a phase, which is collected unless it has a formula."""
        for gate in gates:
            if gate.formula is not None:
                self._open = True
                self._gates.append(gate)
            elif gate.targets or gate.controls:
                self._gates.append(gate)
            else:
                self._phase *= complex(gate.data[0])

    def add(self, operation: Operation) -> None:
        """Append an operation other than a gate."""
        self._close_segment()
        if isinstance(operation, _ENDS_A_PHASE) and self._phase != 1.0:
            self._operations.append(Phase(self._phase))
            self._phase = 1.0
        self._operations.append(operation)

    def _close_segment(self) -> None:
        if self._gates:
            self._operations.append(Segment(tuple(self._gates), self._open))
            self._gates = []
            self._open = False

    def add_resets(self, qubits: Iterable[int | None], *, starts_at_zero: bool) -> None:
        """Append resets of those qubits that may not be in |0>.

        Parameters
        ----------
        qubits
            State qubits, and None for idle ones, which are in |0>.
        starts_at_zero
            Whether every qubit is |0> where the block begins, so that one that nothing has acted on is so still.
        """
        self._close_segment()
        self._used = self._used.joined(footprint(operation) for operation in self._operations[self._examined :])
        self._examined = len(self._operations)
        used = self._used
        for qubit in qubits:
            if qubit is not None and (qubit in used.qubits or used.everything or not starts_at_zero):
                self.add(Reset(qubit))

    def block(self) -> Block:
        """Return the finished block."""
        self._close_segment()
        return (*self._operations, *([Phase(self._phase)] if self._phase != 1.0 else []))


def with_final_measurements(block: Block) -> tuple[Block, tuple[Measure, ...], tuple[Readout, ...]]:
    """Split off the measurements that can all be taken together after the other operations, and their readout errors.

    A measurement can wait when nothing after it acts on its qubit, or reads or writes its classical bits, other than
    measurements and readout errors that wait too. A readout error can wait when nothing after it reads or writes its
    bits; without a measurement that waits, none does.
    """
    first = next((i for i, operation in enumerate(block) if isinstance(operation, Measure)), len(block))
    busy_qubits: set[int] = set()
    busy_bits: set[int] = set()
    everything_busy = False
    final: list[Measure] = []
    readouts: list[Readout] = []
    recorded: set[int] = set()  # bits that the measurements or readout errors that wait change
    rest: list[Operation] = []
    for operation in reversed(block[first:]):
        if isinstance(operation, Readout) and not everything_busy:
            bits = footprint(operation).bits
            if bits.isdisjoint(busy_bits | recorded):
                readouts.append(operation)
                recorded |= bits
                continue
        if (
            isinstance(operation, Measure)
            and not everything_busy
            and operation.qubit not in busy_qubits
            and busy_bits.isdisjoint(operation.bits)
        ):
            final.append(operation)
            recorded |= set(operation.bits)
            continue
        rest.append(operation)
        touched = footprint(operation)
        busy_qubits |= touched.qubits
        busy_bits |= touched.bits
        everything_busy |= touched.everything
    final.reverse()
    readouts.reverse()
    if readouts and not final:
        return block, (), ()
    if not rest:
        return block[:first], tuple(final), tuple(readouts)
    builder = BlockBuilder()
    for operation in (*block[:first], *reversed(rest)):
        if isinstance(operation, Segment):  # segments with only such measurements between them become one
            builder.add_gates(operation.gates)
        else:
            builder.add(operation)
    return builder.block(), tuple(final), tuple(readouts)
