"""A pass whose stages are decided -> the structures that `run_pass` reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.gpu.encoding import Encoder, Places
from basicaer.devices.gpu.launches import PassLaunch
from basicaer.devices.gpu.merging import Owed, StageOperations
from basicaer.devices.gpu.operations import Diagonal, Factors, Matrix
from basicaer.devices.gpu.structs import NO_LANES, NO_TABLES, PASS, STAGE, Exchange
from basicaer.devices.gpu.thread_order import WARP_BITS, rank
from basicaer.engine.bits import all_ones, bit_at, mask_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.gpu.affine import Affine
    from basicaer.devices.gpu.operations import Operation, Table
    from basicaer.devices.gpu.pass_arrays import PassArrays
    from basicaer.devices.gpu.tape import Tape
    from basicaer.devices.numbers import GateNumbers

__all__ = ["PassLayout", "PassRecorder", "Stage"]


@dataclass
class Stage:
    """Gates between two exchanges.

    Attributes
    ----------
    needed
        Wires that its gates need in registers.
    before
        How the wires are permuted when the stage begins; None if they are not.
    lanes
        No wires, or the two that are bits 0 and 1 of the thread's number, in this order.
    lane_gates
        Matrices on these wires, which act after all other gates.
    registers, threads
        The wire that each bit of the register's and of the thread's number stands for, chosen in the end.
    """

    needed: list[int] = field(default_factory=list)
    before: Affine | None = None
    gates: list[GateNumbers | Table] = field(default_factory=list)
    lanes: tuple[int, ...] = ()
    lane_gates: list[GateNumbers] = field(default_factory=list)
    registers: tuple[int, ...] = ()
    threads: tuple[int, ...] = ()


@dataclass(frozen=True)
class PassLayout:
    """Where the amplitudes of a pass are.

    Attributes
    ----------
    wires
        The tile's, by their place.
    outside
        The wires that the bits of the block's number stand for.
    place
        ``place[w]`` is the index bit that holds wire w when the pass begins.
    zero
        Wires that are |0> then.
    columns
        For each wire of the tile the column of its places in shared memory.
    row_bits
        2**row_bits amplitudes are a line of memory, and what the banks of shared memory serve at a time.
    """

    wires: Sequence[int]
    outside: Sequence[int]
    place: Sequence[int]
    zero: frozenset[int]
    columns: Mapping[int, int]
    row_bits: int

    def of_block(self, columns: Mapping[int, int]) -> list[int]:
        """Return the columns of index bits for the block's number, given those that permute the tile's wires."""
        return [bit_at(self.place[wire]) ^ columns.get(wire, 0) for wire in self.outside]


class PassRecorder:
    """Adds one pass to the arrays that `run_pass` reads."""

    def __init__(self, arrays: PassArrays, layout: PassLayout) -> None:
        self._arrays = arrays
        self._layout = layout

    def record(self, stages: Sequence[Stage], store: Mapping[int, int], store_flip: int) -> PassLaunch:
        """Add the pass; return its launch.

        Parameters
        ----------
        store
            For each wire, as the last stage leaves it, the combination of index bits that is 1 in the index at which an
            amplitude is written.
        store_flip
            Index bits that are combined with all of these indices.
        """
        first_stage = len(self._arrays.stages)
        put = Places([], [], [], 0)  # where the stage before has left its amplitudes
        last = len(stages) - 1
        same_places = True  # whether each thread writes only to places that no other thread has read
        for number, (stage, operations) in enumerate(zip(stages, _merged(stages, self._arrays.tape), strict=True)):
            entry = np.zeros((), STAGE)
            entry["put_blocks"] = entry["get_blocks"] = NO_TABLES
            if number > 0:
                entry["exchange"] = Exchange.EXCHANGE if same_places else Exchange.EXCHANGE_AFTER_BARRIER
                self._fill_exchange(entry, put, stage)
                same_places = stage.before is None
            encoder = Encoder(self._arrays, stage.registers, stage.threads, self._layout.outside)
            entry["first_operation"] = len(self._arrays.operations)
            for operation in operations:
                encoder.add(operation)
            encoder.finish()
            entry["lanes"] = encoder.add_lanes(_in_lanes(stage, self._arrays.tape)) if stage.lanes else NO_LANES
            put = self._stored(encoder, store) if number == last else self._put(encoder)
            entry["operations"] = len(self._arrays.operations) - int(entry["first_operation"])
            self._arrays.stages.append(entry)
        record = np.zeros((), PASS)
        record["first_stage"], record["stages"] = first_stage, len(stages)
        record["store_after_barrier"] = len(stages) == 1
        self._fill_load(record, stages[0])
        self._fill_store(record, put, store_flip)
        self._arrays.passes.append(record)
        return PassLaunch(len(self._arrays.passes) - 1, int(record["thread_bits"]), int(record["block_bits"]))

    def _put(self, encoder: Encoder) -> Places:
        """Return where amplitudes are put into shared memory after an encoder's operations."""
        return _places(encoder, self._layout.columns, self._layout.row_bits, all_ones(self._layout.row_bits))

    def _stored(self, encoder: Encoder, store: Mapping[int, int]) -> Places:
        """Return where amplitudes are written after an encoder's operations."""
        columns = dict.fromkeys(self._layout.outside, 0) | dict(store)
        return _places(encoder, columns, WARP_BITS, -bit_at(self._layout.row_bits - 1))

    def _fill_exchange(self, entry: NDArray[Any], put: Places, stage: Stage) -> None:
        """Say where amplitudes are put into shared memory, and how the next stage gets them."""
        _fill(entry["put_register"], put.register)
        if any(put.block):
            entry["put_blocks"] = self._arrays.add_tables(put.block, 0)
        get, flip = _sources(stage.before, self._layout.columns)
        entry["places"] = self._arrays.add_places(put.thread, [get[wire] for wire in stage.threads], (put.flip, flip))
        _fill(entry["get_register"], [get[wire] for wire in stage.registers])
        of_block = [get.get(wire, 0) for wire in self._layout.outside]
        if any(of_block):
            entry["get_blocks"] = self._arrays.add_tables(of_block, 0)

    def _fill_load(self, record: NDArray[Any], first: Stage) -> None:
        """Say from where amplitudes are read."""
        at = {wire: bit_at(self._layout.place[wire]) for wire in self._layout.wires}
        load, flip = _sources(first.before, at)
        record["load_threads"] = self._arrays.add_tables([load[wire] for wire in first.threads], 0)
        _fill(record["load_register"], [load[wire] for wire in first.registers])
        record["load_blocks"] = self._arrays.add_tables(self._layout.of_block(load), flip)
        record["zero"] = mask_of(self._layout.place[wire] for wire in self._layout.zero)
        record["thread_bits"], record["register_bits"] = len(first.threads), len(first.registers)
        record["block_bits"] = len(self._layout.outside)

    def _fill_store(self, record: NDArray[Any], at: Places, store_flip: int) -> None:
        """Say where amplitudes are written."""
        record["store_threads"] = self._arrays.add_tables(at.thread, 0)
        _fill(record["store_register"], at.register)
        of_block = [bit_at(self._layout.place[wire]) ^ at.block[b] for b, wire in enumerate(self._layout.outside)]
        record["store_blocks"] = self._arrays.add_tables(of_block, store_flip ^ at.flip)


def _places(encoder: Encoder, columns: Mapping[int, int], together: int, mask: int) -> Places:
    """Return where amplitudes are put; a warp uses memory as well as if all threads saw registers in the same order.

    Parameters
    ----------
    together
        Threads that differ in so many of their lowest bits access memory at a time.
    mask
        The bits of a place that say which bank, or which piece of memory, it is in.
    """
    places = encoder.places(columns)
    as_they_are = [columns[wire] for wire in encoder.threads[:together]]
    if rank(c & mask for c in places.thread[:together]) != rank(c & mask for c in as_they_are):
        encoder.settle_views()
        places = encoder.places(columns)
    return places


def _merged(stages: Sequence[Stage], tape: Tape) -> list[list[Operation]]:
    """Return the operations of each stage; the last one also multiplies by what all amplitudes still need."""
    owed = Owed(tape)
    operations = []
    for stage in stages:
        collected = StageOperations(stage.registers, tape)
        for gate in stage.gates:
            collected.add(gate)
        operations.append(collected.operations(owed))
    left = owed.paid()
    if not tape.is_one(left):
        last = next((one for found in reversed(operations) for one in found if isinstance(one, Diagonal)), None)
        if last is None:
            operations[-1].append(Factors({}, [({}, left)]))
        else:
            last.factors.append(({}, left))
    return operations


def _in_lanes(stage: Stage, tape: Tape) -> Matrix:
    """Return the product of a stage's matrices in lanes."""
    collected = StageOperations(stage.lanes, tape)
    for gate in stage.lane_gates:
        collected.add(gate)
    (product,) = collected.operations(Owed(tape))
    assert isinstance(product, Matrix)  # noqa: S101
    return product


def _sources(before: Affine | None, position: Mapping[int, int]) -> tuple[Mapping[int, int], int]:
    """Return where amplitudes come from, by wire as they are afterwards; see `Affine.sources`."""
    return before.sources(position) if before else (position, 0)


def _fill(columns: NDArray[Any], values: Sequence[int]) -> None:
    columns[: len(values)] = values
