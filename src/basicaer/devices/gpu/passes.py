"""One pass over the state: gates of a tile -> a launch of `run_pass`.

Which wires a thread holds in registers is chosen by the gates. The order of the others, the bits of the thread's
number, is free; it is chosen so that the lanes of a warp read and write whole lines of memory and, in an exchange,
different banks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.devices.gpu.affine import Affine, affine_rows, rank
from basicaer.devices.gpu.operations import (
    Factors,
    Flip,
    Matrix,
    Operation,
    StageOperations,
    Table,
    condition_of,
    without_known,
)
from basicaer.devices.gpu.structs import (
    EXCHANGE,
    EXCHANGE_AFTER_BARRIER,
    MOST_BLOCK_BITS,
    MOST_REGISTER_BITS,
    MOST_THREAD_BITS,
    PASS,
    STAGE,
    Kind,
)
from basicaer.engine.bits import all_ones, mask_of
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.gatewise import GateNumbers

__all__ = ["PassBuilder", "Recorded", "Shape", "is_wide"]

_LANE_BITS = 5


class Shape(NamedTuple):
    """How a tile is held on a device.

    Attributes
    ----------
    tile_bits
        Wires of a tile, at most.
    register_bits
        Wires that a thread holds in registers.
    row_bits
        2**row_bits amplitudes are a line of memory, and the lanes that access shared memory at a time.
    """

    tile_bits: int
    register_bits: int
    row_bits: int


@dataclass
class Recorded:
    """What the launches of a run read, collected: each kind of structure in one list."""

    passes: list[NDArray[Any]] = field(default_factory=list)
    stages: list[NDArray[Any]] = field(default_factory=list)
    operations: list[tuple[int, ...]] = field(default_factory=list)
    columns: list[NDArray[np.uint32]] = field(default_factory=list)
    constants: list[NDArray[Any]] = field(default_factory=list)
    constants_size: int = 0

    def add_constants(self, numbers: NDArray[Any]) -> int:
        """Add complex numbers; return where they are."""
        at = self.constants_size
        self.constants.append(numbers.reshape(-1))
        self.constants_size += numbers.size
        return at


@dataclass
class _Stage:
    registers: tuple[int, ...]
    before: Affine | None  # how the wires are permuted on the way into the stage
    operations: StageOperations | None
    threads: tuple[int, ...] = ()  # wire of each bit of the thread's number

    def finished(self) -> list[Operation]:
        return self.operations.operations() if self.operations else []


def is_wide(gate: GateNumbers, shape: Shape) -> bool:
    """Tell whether a gate has to be applied by a launch of its own."""
    if gate.form is Form.DIAGONAL or len(gate.targets) <= min(2, shape.register_bits):
        return False
    return gate.form is Form.MATRIX or bool(gate.controls) or affine_rows(gate.data) is None


class PassBuilder:
    """Collects the gates of one pass, in order.

    Parameters
    ----------
    tile
        Its wires, at least as many as are held in registers.
    place
        ``place[w]`` is where wire w stands in an amplitude's index.
    zero
        Wires that are |0>.
    """

    def __init__(self, shape: Shape, tile: Iterable[int], place: Sequence[int], zero: frozenset[int]) -> None:
        self._shape = shape
        self._place = tuple(place)
        self._wires = sorted(tile, key=place.__getitem__)  # tile bit b is that of wire self._wires[b]
        self._zero = zero
        inside = set(self._wires)
        self._known = dict.fromkeys(zero - inside, False)
        self._outside = [wire for wire in range(len(place)) if wire not in inside and wire not in zero]
        self._stages: list[_Stage] = []
        self._pending = Affine(self._wires)
        self._scalar = 1.0 + 0j

    @property
    def wires(self) -> tuple[int, ...]:
        """The tile's wires, by place."""
        return tuple(self._wires)

    def product(self, wires: Sequence[int], gates: Iterable[GateNumbers]) -> None:
        """Add gates of one matrix: those that act otherwise than diagonally do so on the given wires only."""
        for gate in gates:
            if gate.form is Form.PERMUTATION and len(gate.targets) > 2:
                self.monomials([gate])
                continue
            # So many wires are together only where one gate forced them to be.
            self._enter(wires if len(wires) <= self._shape.register_bits else _paired(gate))
            self._add(gate)

    def monomials(self, gates: Iterable[GateNumbers]) -> None:
        """Add gates that permute basis states or multiply them by phases."""
        for whole in gates:
            gate = without_known(whole, self._known)
            if gate is None:
                continue
            if gate.form is Form.DIAGONAL:
                if not self._pending.changed.isdisjoint((*gate.targets, *gate.controls)):
                    self._enter(())
                self._add(gate)
            elif len(gate.controls) <= 1 and len(gate.targets) == 1:
                if gate.data[0] == 1:
                    self._pending.flip(gate.targets[0], condition_of(gate))
            elif not gate.controls and (rows := affine_rows(gate.data)) is not None:
                self._pending.permute(gate.targets, rows)
            else:
                self._enter(gate.targets)
                self._add(gate)

    def finish(self, recorded: Recorded, target: Mapping[int, int]) -> tuple[int, tuple[int, int]] | None:
        """Record the pass; return its number and the bits of its threads' and blocks' numbers; None if it does nothing.

        Parameters
        ----------
        target
            The place at which each wire of the tile is written, all of them places of the tile.
        """
        stays = all(target[wire] == self._place[wire] for wire in self._wires)
        if not self._stages and stays and not self._pending.changed:
            return None
        if not self._stages:
            self._stages.append(_Stage(self._natural_registers(()), None, None))
        row = [wire for wire in self._wires if self._place[wire] < self._shape.row_bits]
        row_after = [wire for wire in self._wires if target[wire] < self._shape.row_bits]
        store, store_flip = self._pending.images({wire: mask_of((target[wire],)) for wire in self._wires})
        if not self._loads_well(row):
            self._stages.insert(0, _Stage(self._natural_registers(row), None, None))
        self._order_threads(row, row_after)
        if not self._is_whole(self._stages[-1], store, len(row_after)):
            self._stages.append(_Stage(self._natural_registers(row_after), self._taken(), None))
            store, store_flip = Affine(self._wires).images({wire: mask_of((target[wire],)) for wire in self._wires})
            self._order_threads(row, row_after)
        return self._record(recorded, store, store_flip)

    def _enter(self, wires: Sequence[int]) -> None:
        """Begin a stage that has the given wires in registers, unless they are and nothing waits to be permuted."""
        if self._stages and not self._pending.changed and set(wires) <= set(self._stages[-1].registers):
            if self._stages[-1].operations is None:
                self._stages[-1].operations = StageOperations(self._stages[-1].registers)
            return
        if self._stages:
            self._leave()
        chosen = list(wires)
        held = self._stages[-1].registers if self._stages else ()
        # Fill up with wires that are there already, or that stand high, where they are in no row of memory.
        for wire in (*held, *reversed(self._wires)):
            if len(chosen) == self._shape.register_bits:
                break
            if wire not in chosen:
                chosen.append(wire)
        self._stages.append(_Stage(tuple(chosen), self._taken(), StageOperations(chosen)))

    def _leave(self) -> None:
        operations = self._stages[-1].operations
        if operations is not None:
            self._scalar *= operations.scalar()

    def _taken(self) -> Affine | None:
        """Return the permutation that waits, None if it is none, and begin another."""
        taken, self._pending = self._pending, Affine(self._wires)
        return taken if taken.changed else None

    def _add(self, whole: GateNumbers) -> None:
        gate = without_known(whole, self._known)
        if gate is None:
            return
        if not self._stages or self._stages[-1].operations is None:
            self._enter(())
        operations = self._stages[-1].operations
        assert operations is not None  # that is what entering a stage is for  # noqa: S101
        operations.add(gate)

    def _natural_registers(self, kept_out: Sequence[int]) -> tuple[int, ...]:
        """Return wires to hold in registers where no gate asks for any: those that stand highest."""
        free = [wire for wire in reversed(self._wires) if wire not in kept_out]
        return tuple([*free, *kept_out][: self._shape.register_bits])

    def _columns_of_load(self) -> tuple[dict[int, int], int]:
        before = self._stages[0].before or Affine(self._wires)
        return before.sources({wire: mask_of((self._place[wire],)) for wire in self._wires})

    def _loads_well(self, row: Sequence[int]) -> bool:
        """Tell whether the first stage can read whole lines, with a row's wires, or what becomes of them, in lanes."""
        first = self._stages[0]
        if first.before is None:
            return set(row).isdisjoint(first.registers)
        columns, _ = self._columns_of_load()
        low = all_ones(self._shape.row_bits)
        return rank(columns[wire] & low for wire in self._wires if wire not in first.registers) == len(row)

    def _is_whole(self, stage: _Stage, columns: Mapping[int, int], lines: int) -> bool:
        """Tell whether the lanes of a warp access whole lines."""
        low = all_ones(self._shape.row_bits)
        return rank(columns[wire] & low for wire in stage.threads[:_LANE_BITS]) == lines

    def _bank_columns(self) -> dict[int, int]:
        """Return where in shared memory each wire of the tile takes an amplitude."""
        banks = self._shape.row_bits
        cycle = _bank_cycle(banks)
        return {
            wire: mask_of((bit,)) ^ (cycle[bit % len(cycle)] if bit >= banks else 0)
            for bit, wire in enumerate(self._wires)
        }

    def _order_threads(self, row: Sequence[int], row_after: Sequence[int]) -> None:
        """Choose for each stage which wire each bit of the thread's number stands for."""
        banks = self._bank_columns()
        low = all_ones(self._shape.row_bits)
        load, _ = self._columns_of_load()
        last = len(self._stages) - 1
        for number, stage in enumerate(self._stages):
            wires = [wire for wire in self._wires if wire not in stage.registers]
            views = []  # maps under which the first lanes should go to different places
            if number < last or number > 0:
                views.append(banks)
            if number > 0 and stage.before is not None:
                views.append(stage.before.sources(banks)[0])
            preferred = [
                wire
                for wire in (*(row if number == 0 else ()), *(row_after if number == last else ()))
                if wire in wires
            ]
            if number == 0:
                views.append({wire: load[wire] for wire in wires})
            order = list(dict.fromkeys(wire for wire in (*preferred, *wires) if wire in wires))
            best: tuple[int, tuple[int, ...]] | None = None
            for lanes in combinations(order, min(self._shape.row_bits, len(order))):
                score = sum(rank(view[wire] & low for wire in lanes) for view in views)
                if best is None or score > best[0]:
                    best = score, lanes
                if score == len(views) * len(lanes):
                    break
            chosen = best[1] if best else ()
            stage.threads = (*chosen, *(wire for wire in order if wire not in chosen))

    def _record(self, recorded: Recorded, store: Mapping[int, int], store_flip: int) -> tuple[int, tuple[int, int]]:
        record = np.zeros((), PASS)
        load, load_flip = self._columns_of_load()
        for prefix, columns, stage in (("load", load, self._stages[0]), ("store", store, self._stages[-1])):
            _fill(record[f"{prefix}_thread"], [columns[wire] for wire in stage.threads])
            _fill(record[f"{prefix}_register"], [columns[wire] for wire in stage.registers])
            outside = [mask_of((self._place[wire],)) ^ columns.get(wire, 0) for wire in self._outside]
            _fill(record[f"{prefix}_block"], outside)
        record["load_flip"], record["store_flip"] = load_flip, store_flip
        record["zero"] = mask_of(self._place[wire] for wire in self._zero)
        thread_bits, block_bits = len(self._stages[0].threads), len(self._outside)
        record["thread_bits"], record["register_bits"] = thread_bits, self._shape.register_bits
        record["block_bits"], record["first_stage"] = block_bits, len(recorded.stages)
        record["stages"] = len(self._stages)
        record["store_after_barrier"] = len(self._stages) == 1
        self._leave()
        banks = self._bank_columns()
        same_places = True  # whether each thread read last from where it would write now
        previous: _Stage | None = None
        for stage in self._stages:
            entry = np.zeros((), STAGE)
            if previous is not None:
                entry["exchange"] = EXCHANGE if same_places else EXCHANGE_AFTER_BARRIER
                _fill(entry["put_thread"], [banks[wire] for wire in previous.threads])
                _fill(entry["put_register"], [banks[wire] for wire in previous.registers])
                get, flip = (stage.before or Affine(self._wires)).sources(banks)
                _fill(entry["get_thread"], [get[wire] for wire in stage.threads])
                _fill(entry["get_register"], [get[wire] for wire in stage.registers])
                _fill(entry["get_block"], [get.get(wire, 0) for wire in self._outside])
                entry["get_flip"] = flip
                same_places = stage.before is None
            operations = stage.finished()
            if stage is self._stages[-1] and self._scalar != 1:
                operations = [*operations, Factors({}, [({}, self._scalar)])]
            encoder = _Encoder(recorded, stage, self._outside)
            entry["first_operation"] = len(recorded.operations)
            for operation in operations:
                encoder.add(operation)
            entry["operations"] = len(recorded.operations) - int(entry["first_operation"])
            recorded.stages.append(entry)
            previous = stage
        recorded.passes.append(record)
        return len(recorded.passes) - 1, (thread_bits, block_bits)


def _paired(gate: GateNumbers) -> tuple[int, ...]:
    return () if gate.form is Form.DIAGONAL else gate.targets


@lru_cache
def _bank_cycle(bits: int) -> tuple[int, ...]:
    """Return all banks but the first, single bits first: any few taken out, the rest still reach all."""
    single = [2**j for j in range(bits)]
    return (*single, *(bank for bank in range(1, 2**bits) if bank not in single))


def _fill(columns: NDArray[Any], values: Sequence[int]) -> None:
    columns[: len(values)] = values


class _Encoder:
    """Turns operations on wires into those on bits of the register's, the thread's and the block's number."""

    def __init__(self, recorded: Recorded, stage: _Stage, outside: Sequence[int]) -> None:
        self._recorded = recorded
        self._bits = (stage.registers, stage.threads, tuple(outside))
        self._where = {wire: (part, bit) for part, wires in enumerate(self._bits) for bit, wire in enumerate(wires)}

    def add(self, operation: Operation) -> None:
        match operation:
            case Matrix(wires, matrix, condition) if len(wires) == 1:
                kind, numbers = _classified(matrix)
                self._put(kind, condition, bit=self._register(wires[0]), at=self._recorded.add_constants(numbers))
            case Matrix(wires, matrix, condition):
                low, high = map(self._register, wires)
                if low > high:
                    low, high, order = high, low, [0, 2, 1, 3]
                    matrix = matrix[np.ix_(order, order)]
                self._put(Kind.PAIR, condition, bit=low, other=high, at=self._recorded.add_constants(matrix))
            case Flip(wire, condition):
                self._put(Kind.FLIP, condition, bit=self._register(wire))
            case Factors(inside, factors):
                numbers = np.array([factor for _, factor in factors])
                at = self._recorded.add_constants(numbers)
                for number, (condition, _) in enumerate(factors):
                    self._put(Kind.FACTOR, condition, at=at + number)
                self._put(Kind.PHASE, inside)
            case Table(wires, factors, condition):
                columns = np.zeros(MOST_REGISTER_BITS + MOST_THREAD_BITS + MOST_BLOCK_BITS, np.uint32)
                first = (MOST_THREAD_BITS, 0, MOST_THREAD_BITS + MOST_REGISTER_BITS)
                for j, wire in enumerate(wires):
                    part, bit = self._where[wire]
                    columns[first[part] + bit] = 2**j
                self._recorded.columns.append(columns)
                at = self._recorded.add_constants(factors)
                self._put(Kind.TABLE, condition, at=at, columns=(len(self._recorded.columns) - 1) * len(columns))

    def _register(self, wire: int) -> int:
        part, bit = self._where[wire]
        assert part == 0, f"wire {wire} is not in registers"  # noqa: S101  # planned so
        return bit

    def _put(
        self, kind: Kind, condition: Mapping[int, bool], *, bit: int = 0, other: int = 0, at: int = 0, columns: int = 0
    ) -> None:
        on, want = [0, 0, 0], [0, 0, 0]
        for wire, value in condition.items():
            part, position = self._where[wire]
            on[part] |= mask_of((position,))
            want[part] |= mask_of((position,)) if value else 0
        row = (int(kind), bit, other, 0, on[0], want[0], on[1], want[1], on[2], want[2], at, columns, 0)
        self._recorded.operations.append(row)


def _classified(matrix: NDArray[Any]) -> tuple[Kind, NDArray[Any]]:
    """Return how a matrix on one wire is applied with the least arithmetic, and the numbers for it."""
    (a, b), (c, d) = matrix
    if not np.any(np.imag(matrix)):
        return Kind.REAL, np.array([a.real + 1j * b.real, c.real + 1j * d.real])
    if a.imag == 0 and d.imag == 0 and b.real == 0 and c.real == 0:
        return Kind.CROSSED, np.array([a.real + 1j * b.imag, c.imag + 1j * d.real])
    return Kind.DENSE, matrix
