"""A pass whose stages are decided -> the structures that `run_pass` reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.gpu.encoding import Encoder, PassArrays
from basicaer.devices.gpu.launches import PassLaunch
from basicaer.devices.gpu.merging import StageOperations
from basicaer.devices.gpu.operations import Factors, is_rounding
from basicaer.devices.gpu.structs import PASS, STAGE, Exchange
from basicaer.engine.bits import bit_at, mask_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.gpu.affine import Affine
    from basicaer.devices.gpu.operations import Factor, Operation, Table
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
    registers, threads
        The wire that each bit of the register's and of the thread's number stands for, chosen in the end.
    """

    needed: list[int] = field(default_factory=list)
    before: Affine | None = None
    gates: list[GateNumbers | Table] = field(default_factory=list)
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
    """

    wires: Sequence[int]
    outside: Sequence[int]
    place: Sequence[int]
    zero: frozenset[int]
    columns: Mapping[int, int]

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
        operations, scalar = _merged(stages)
        if not is_rounding(scalar):
            operations[-1].append(Factors({}, [({}, scalar)]))
        held: Sequence[int] = ()  # wires of the register bits after the previous stage
        same_places = True  # whether each thread writes only to places that no other thread has read
        for number, stage in enumerate(stages):
            entry = np.zeros((), STAGE)
            if number > 0:
                entry["exchange"] = Exchange.EXCHANGE if same_places else Exchange.EXCHANGE_AFTER_BARRIER
                self._fill_exchange(entry, stages[number - 1].threads, held, stage)
                same_places = stage.before is None
            encoder = Encoder(self._arrays, stage.registers, stage.threads, self._layout.outside)
            entry["first_operation"] = len(self._arrays.operations)
            for operation in operations[number]:
                encoder.add(operation)
            entry["operations"] = len(self._arrays.operations) - int(entry["first_operation"])
            held = encoder.registers()
            self._arrays.stages.append(entry)
        record = np.zeros((), PASS)
        record["first_stage"], record["stages"] = first_stage, len(stages)
        record["store_after_barrier"] = len(stages) == 1
        self._fill_load(record, stages[0])
        self._fill_store(record, stages[-1], held, store, store_flip)
        self._arrays.passes.append(record)
        return PassLaunch(len(self._arrays.passes) - 1, int(record["thread_bits"]), int(record["block_bits"]))

    def _fill_exchange(self, entry: NDArray[Any], threads: Sequence[int], held: Sequence[int], stage: Stage) -> None:
        """Say from which threads and registers amplitudes are put into shared memory, and how the stage gets them."""
        _fill(entry["put_thread"], [self._layout.columns[wire] for wire in threads])
        _fill(entry["put_register"], [self._layout.columns[wire] for wire in held])
        get, flip = _sources(stage.before, self._layout.columns)
        _fill(entry["get_thread"], [get[wire] for wire in stage.threads])
        _fill(entry["get_register"], [get[wire] for wire in stage.registers])
        of_block = [get.get(wire, 0) for wire in self._layout.outside]
        _fill(entry["get_block"], of_block)
        entry["get_block_bits"] = len(of_block) if any(of_block) else 0
        entry["get_flip"] = flip

    def _fill_load(self, record: NDArray[Any], first: Stage) -> None:
        """Say from where amplitudes are read."""
        at = {wire: bit_at(self._layout.place[wire]) for wire in self._layout.wires}
        load, record["load_flip"] = _sources(first.before, at)
        _fill(record["load_thread"], [load[wire] for wire in first.threads])
        _fill(record["load_register"], [load[wire] for wire in first.registers])
        _fill(record["load_block"], self._layout.of_block(load))
        record["zero"] = mask_of(self._layout.place[wire] for wire in self._layout.zero)
        record["thread_bits"], record["register_bits"] = len(first.threads), len(first.registers)
        record["block_bits"] = len(self._layout.outside)

    def _fill_store(
        self, record: NDArray[Any], last: Stage, held: Sequence[int], store: Mapping[int, int], store_flip: int
    ) -> None:
        """Say where amplitudes are written."""
        _fill(record["store_thread"], [store[wire] for wire in last.threads])
        _fill(record["store_register"], [store[wire] for wire in held])
        _fill(record["store_block"], self._layout.of_block(store))
        record["store_flip"] = store_flip


def _merged(stages: Sequence[Stage]) -> tuple[list[list[Operation]], Factor]:
    """Return the operations of each stage, and the factor by which all amplitudes have to be multiplied besides."""
    scalar: Factor = 1.0 + 0j
    operations = []
    for stage in stages:
        collected = StageOperations(stage.registers)
        for gate in stage.gates:
            collected.add(gate)
        scalar = scalar * collected.take_scalar()
        operations.append(collected.operations())
    return operations, scalar


def _sources(before: Affine | None, position: Mapping[int, int]) -> tuple[Mapping[int, int], int]:
    """Return where amplitudes come from, by wire as they are afterwards; see `Affine.sources`."""
    return before.sources(position) if before else (position, 0)


def _fill(columns: NDArray[Any], values: Sequence[int]) -> None:
    columns[: len(values)] = values
