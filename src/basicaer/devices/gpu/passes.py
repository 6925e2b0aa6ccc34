"""One pass over the state: gates of a tile -> a launch of `run_pass`.

Which wires a thread holds in registers is chosen by the gates. The order of the others, the bits of the thread's
number, is free; it is chosen so that the lanes of a warp read and write whole lines of memory and, in an exchange,
different banks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basicaer.devices.gpu.affine import Affine, affine_rows
from basicaer.devices.gpu.encoding import Encoder, Recorded
from basicaer.devices.gpu.lanes import LANE_BITS, bank_columns, ordered_threads
from basicaer.devices.gpu.operations import Factors, StageOperations, Table, condition_of, moved_before, without_known
from basicaer.devices.gpu.structs import PASS, STAGE, Exchange
from basicaer.engine.bits import mask_of, positions_of
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.cpu.gatewise import GateNumbers

__all__ = ["PassBuilder", "Shape", "is_wide", "paired_by"]


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
class _Stage:
    """Gates between two exchanges.

    Attributes
    ----------
    needed
        Wires that its gates need in registers.
    before
        How the wires are permuted on the way into the stage; None if they are not.
    registers, threads
        The wire that each bit of the register's and of the thread's number stands for, chosen in the end.
    """

    needed: list[int] = field(default_factory=list)
    before: Affine | None = None
    gates: list[GateNumbers | Table] = field(default_factory=list)
    registers: tuple[int, ...] = ()
    threads: tuple[int, ...] = ()


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
        self._alone = {wire: mask_of((wire,)) for wire in self._wires}  # each wire's mask
        self._at = {wire: mask_of((self._place[wire],)) for wire in self._wires}
        self._stages: list[_Stage] = []
        self._pending = Affine(self._wires)  # permutations that no exchange has taken along yet
        self._after: list[GateNumbers] = []  # diagonal gates that act after them

    @property
    def wires(self) -> tuple[int, ...]:
        """The tile's wires, by place."""
        return tuple(self._wires)

    def product(self, wires: Sequence[int], gates: Iterable[GateNumbers]) -> None:
        """Add gates that act together, with the given wires in registers: those on which any acts not diagonally."""
        for gate in gates:
            if gate.form is Form.PERMUTATION and len(gate.targets) > 2:
                self.monomials([gate])
                continue
            # So many wires are together only where one gate forced them to be.
            self._enter(wires if len(wires) <= self._shape.register_bits else paired_by(gate))
            self._add(gate)

    def monomials(self, gates: Iterable[GateNumbers]) -> None:
        """Add gates that permute basis states or multiply them by phases."""
        for whole in gates:
            gate = without_known(whole, self._known)
            if gate is None:
                continue
            if gate.form is Form.DIAGONAL:
                if self._pending.disturbs(gate.targets) or self._pending.disturbs(gate.controls):
                    self._after.append(gate)
                else:
                    self._stage().gates.append(gate)
            elif len(gate.controls) <= 1 and len(gate.targets) == 1:
                if gate.data[0] == 1:
                    self._move_before(gate.targets)
                    self._pending.flip(gate.targets[0], condition_of(gate))
            elif not gate.controls and (rows := affine_rows(gate.data)) is not None:
                self._move_before(gate.targets)
                self._pending.permute(gate.targets, rows)
            else:
                self._enter(gate.targets)
                self._add(gate)

    def written_from(self) -> dict[int, tuple[int, int]]:
        """Return for each wire of how many it is the parity when written, and how many of them registers must hold."""
        needed = mask_of(self._stages[-1].needed) if self._stages else 0
        return {wire: (made.bit_count(), (made & needed).bit_count()) for wire, made in self._sources().items()}

    def finish(self, recorded: Recorded, target: Mapping[int, int]) -> tuple[int, tuple[int, int]] | None:
        """Record the pass; return its number and the bits of its threads' and blocks' numbers; None if it does nothing.

        Parameters
        ----------
        target
            The place at which each wire of the tile is written, all of them places of the tile.
        """
        self._move_before(self._wires)
        if not self._stages:
            if self._pending.is_identity and all(target[wire] == self._place[wire] for wire in self._wires):
                return None
            self._stages.append(_Stage())
        # The wires that lanes must stand for so that a warp reads and writes whole lines, or at worst halves.
        loaded = self._loaded_together()
        if loaded is None:
            self._stages.insert(0, _Stage())
            loaded = self._loaded_together()
        stored = self._stored_together(target)
        if stored is not None and len(self._stages) == 1 and len(stored | (loaded or set())) > LANE_BITS:
            stored = None
        if stored is None:
            self._stages.append(_Stage(before=self._taken()))
            stored = self._stored_together(target)
        self._hold(loaded or set(), stored or set())
        store, store_flip = self._pending.images({wire: mask_of((target[wire],)) for wire in self._wires})
        return self._record(recorded, store, store_flip)

    def _enter(self, wires: Sequence[int]) -> None:
        """Begin a stage that has the given wires in registers, unless one is there and nothing waits to be permuted."""
        if self._stages and self._pending.is_identity:
            needed = self._stages[-1].needed
            more = [wire for wire in wires if wire not in needed]
            if len(needed) + len(more) <= self._shape.register_bits:
                needed += more
                return
        self._stages.append(_Stage(list(wires), self._taken()))
        self._stages[-1].gates += self._after
        self._after = []

    def _stage(self) -> _Stage:
        """Return the stage that gates are added to, a new one if there is none."""
        if not self._stages:
            self._stages.append(_Stage())
        return self._stages[-1]

    def _taken(self) -> Affine | None:
        """Return the permutation that waits, None if it is none, and begin another."""
        if self._pending.is_identity:
            return None
        taken, self._pending = self._pending, Affine(self._wires)
        return taken

    def _add(self, whole: GateNumbers) -> None:
        gate = without_known(whole, self._known)
        if gate is not None:
            self._stages[-1].gates.append(gate)

    def _move_before(self, wires: Collection[int]) -> None:
        """Let the gates on any of the wires that act after the waiting permutation act before it."""
        touched = [not set(wires).isdisjoint((*gate.targets, *gate.controls)) for gate in self._after]
        moved = [moved_before(gate, self._pending) for gate, moves in zip(self._after, touched, strict=True) if moves]
        if any(gate is None for gate in moved):
            self._enter(())  # takes all of them
        elif moved:
            self._after = [gate for gate, moves in zip(self._after, touched, strict=True) if not moves]
            self._stage().gates += [gate for gate in moved if gate is not None]

    def _sources(self) -> dict[int, int]:
        """Return of which wires, as a mask, each is the parity when it is written."""
        if self._pending.is_identity:
            return self._alone
        return self._pending.sources(self._alone)[0]

    def _loaded_together(self) -> set[int] | None:
        """Return the wires of the first stage that make up a line when it is read; None if registers take them."""
        first = self._stages[0]
        row = [wire for wire in self._wires if self._place[wire] < self._shape.row_bits]
        made_of = first.before.images(self._alone)[0] if first.before else self._alone
        return self._together([made_of[wire] for wire in row], first)

    def _stored_together(self, target: Mapping[int, int]) -> set[int] | None:
        """Return the wires of the last stage that make up a line when it is written; None if registers take them."""
        row = [wire for wire in self._wires if target[wire] < self._shape.row_bits]
        made_of = self._sources()
        return self._together([made_of[wire] for wire in sorted(row, key=target.__getitem__)], self._stages[-1])

    def _together(self, masks: Sequence[int], stage: _Stage) -> set[int] | None:
        """Return the wires of the masks of a line if lanes can stand for all of them."""
        free = len(self._wires) - self._shape.register_bits
        if free < self._shape.row_bits:  # a state so small that an exchange takes longer
            return set()
        # A half of a line, 64 bytes, is what a card's memory hands out at least.
        for lines in (masks, masks[: self._shape.row_bits - 1]):
            wires = {wire for mask in lines for wire in positions_of(mask)}
            if wires.isdisjoint(stage.needed) and len(wires) <= min(LANE_BITS, free):
                return wires
        return None

    def _hold(self, loaded: set[int], stored: set[int]) -> None:
        """Choose which wires each stage holds in registers, and which each bit of the thread's number stands for."""
        banks = dict(zip(self._wires, bank_columns(len(self._wires), self._shape.row_bits), strict=True))
        last = len(self._stages) - 1
        for number, stage in enumerate(self._stages):
            lines = (loaded if number == 0 else set()) | (stored if number == last else set())
            stage.registers = _pairs_first(self._filled(stage, lines), stage.gates)
            views = [banks] if last > 0 else []
            if number > 0 and stage.before is not None:
                views.append(stage.before.sources(banks)[0])
            wires = [wire for wire in self._wires if wire not in stage.registers]
            stage.threads = ordered_threads(wires, lines, views, self._shape.row_bits)

    def _filled(self, stage: _Stage, lines: set[int]) -> tuple[int, ...]:
        """Add to the wires that a stage needs in registers, best such as no phase depends on; the highest first."""
        free = self._shape.register_bits - len(stage.needed)
        if not free:
            return tuple(stage.needed)
        used = {wire for gate in stage.gates for wire in _acts_on(gate)}
        others = [wire for wire in reversed(self._wires) if wire not in stage.needed]
        others.sort(key=lambda wire: (wire in lines, wire in used))
        return (*stage.needed, *others[:free])

    def _record(self, recorded: Recorded, store: Mapping[int, int], store_flip: int) -> tuple[int, tuple[int, int]]:
        record = np.zeros((), PASS)
        load, load_flip = _columns(self._stages[0].before, self._at)
        for prefix, columns, stage in (("load", load, self._stages[0]), ("store", store, self._stages[-1])):
            _fill(record[f"{prefix}_thread"], [columns[wire] for wire in stage.threads])
            outside = [mask_of((self._place[wire],)) ^ columns.get(wire, 0) for wire in self._outside]
            _fill(record[f"{prefix}_block"], outside)
        _fill(record["load_register"], [load[wire] for wire in self._stages[0].registers])
        record["load_flip"], record["store_flip"] = load_flip, store_flip
        record["zero"] = mask_of(self._place[wire] for wire in self._zero)
        thread_bits, block_bits = len(self._stages[0].threads), len(self._outside)
        record["thread_bits"], record["register_bits"] = thread_bits, self._shape.register_bits
        record["block_bits"], record["first_stage"] = block_bits, len(recorded.stages)
        record["stages"] = len(self._stages)
        record["store_after_barrier"] = len(self._stages) == 1
        collected = [StageOperations(stage.registers) for stage in self._stages]
        scalar = 1.0 + 0j
        for operations, stage in zip(collected, self._stages, strict=True):
            for gate in stage.gates:
                operations.add(gate)
            scalar *= operations.scalar()
        banks = dict(zip(self._wires, bank_columns(len(self._wires), self._shape.row_bits), strict=True))
        held: Sequence[int] = ()  # wires of the register bits after the stage before
        same_places = True  # whether each thread read last from where it would write now
        for number, stage in enumerate(self._stages):
            entry = np.zeros((), STAGE)
            if number > 0:
                previous = self._stages[number - 1]
                entry["exchange"] = Exchange.EXCHANGE if same_places else Exchange.EXCHANGE_AFTER_BARRIER
                _fill(entry["put_thread"], [banks[wire] for wire in previous.threads])
                _fill(entry["put_register"], [banks[wire] for wire in held])
                get, flip = _columns(stage.before, banks)
                _fill(entry["get_thread"], [get[wire] for wire in stage.threads])
                _fill(entry["get_register"], [get[wire] for wire in stage.registers])
                from_outside = [get.get(wire, 0) for wire in self._outside]
                _fill(entry["get_block"], from_outside)
                entry["get_block_bits"] = len(from_outside) if any(from_outside) else 0
                entry["get_flip"] = flip
                same_places = stage.before is None
            encoder = Encoder(recorded, stage.registers, stage.threads, self._outside)
            entry["first_operation"] = len(recorded.operations)
            for operation in collected[number].operations():
                encoder.add(operation)
            if number == len(self._stages) - 1 and scalar != 1:
                encoder.add(Factors({}, [({}, scalar)]))
            held = encoder.registers()
            entry["operations"] = len(recorded.operations) - int(entry["first_operation"])
            recorded.stages.append(entry)
        _fill(record["store_register"], [store[wire] for wire in held])
        recorded.passes.append(record)
        return len(recorded.passes) - 1, (thread_bits, block_bits)


def _columns(before: Affine | None, position: Mapping[int, int]) -> tuple[Mapping[int, int], int]:
    """Return where amplitudes come from, by wire as they are afterwards; see `Affine.sources`."""
    return before.sources(position) if before else (position, 0)


def _acts_on(gate: GateNumbers | Table) -> tuple[int, ...]:
    return gate.wires if isinstance(gate, Table) else (*gate.targets, *gate.controls)


def paired_by(gate: GateNumbers) -> tuple[int, ...]:
    """Return the wires on which a gate acts otherwise than diagonally."""
    return () if gate.form is Form.DIAGONAL else gate.targets


def _pairs_first(wires: Sequence[int], gates: Iterable[GateNumbers | Table]) -> tuple[int, ...]:
    """Order wires such that those of the first gates on two of them are bits 0 and 1, 2 and 3, where `PAIR` acts."""
    order: list[int] = []
    for gate in gates:
        if not isinstance(gate, Table) and gate.form is not Form.DIAGONAL and len(gate.targets) == 2:
            if order and not set(order).isdisjoint(gate.targets):
                continue
            order += gate.targets
    return (*order, *(wire for wire in wires if wire not in order))


def _fill(columns: NDArray[Any], values: Sequence[int]) -> None:
    columns[: len(values)] = values
