"""One pass over the state: gates of a tile -> a launch of `run_pass`.

Which wires a thread holds in registers is chosen by the gates. The order of the others, the bits of the thread's
number, is free; it is chosen so that the threads of a warp read and write whole lines of memory and, in an exchange,
use different banks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from basicaer.devices.gpu.affine import Affine, affine_rows
from basicaer.devices.gpu.lanes import acts_on, with_lanes
from basicaer.devices.gpu.operations import Table
from basicaer.devices.gpu.recording import PassLayout, PassRecorder, Stage
from basicaer.devices.gpu.rewriting import condition_of, moved_before, paired_by, without_known
from basicaer.devices.gpu.thread_order import WARP_BITS, columns_apart, ordered_threads
from basicaer.engine.bits import bit_at, mask_of, positions_of
from basicaer.engine.program import Form

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from basicaer.devices.gpu.launches import PassLaunch
    from basicaer.devices.gpu.pass_arrays import PassArrays
    from basicaer.devices.gpu.shape import TileShape
    from basicaer.devices.numbers import GateNumbers

__all__ = ["PassBuilder"]


class PassBuilder:
    """Collects the gates of one pass, in order.

    Parameters
    ----------
    tile
        Its wires, at least as many as are held in registers.
    place
        ``place[w]`` is the index bit that holds wire w.
    zero
        Wires that are |0>.
    """

    def __init__(self, shape: TileShape, tile: Iterable[int], place: Sequence[int], zero: frozenset[int]) -> None:
        self._shape = shape
        self._place = tuple(place)
        self._wires = sorted(tile, key=place.__getitem__)  # _wires[b] = the wire of tile bit b
        self._zero = zero
        inside = set(self._wires)
        self._known = dict.fromkeys(zero - inside, False)
        self._outside = [wire for wire in range(len(place)) if wire not in inside and wire not in zero]
        self._mask = {wire: bit_at(wire) for wire in self._wires}  # _mask[wire] = the mask of that wire alone
        self._stages: list[Stage] = []
        self._pending = Affine(self._wires)  # permutations that no exchange has taken along yet
        self._after: list[GateNumbers] = []  # diagonal gates that act after `_pending`
        self._is_closed = False

    @property
    def wires(self) -> tuple[int, ...]:
        """The tile's wires, by place."""
        return tuple(self._wires)

    # Collecting gates

    def product(self, wires: Sequence[int], gates: Iterable[GateNumbers]) -> None:
        """Add gates that act together, with `wires` in registers: all on which any gate does not act diagonally."""
        for gate in gates:
            if gate.form is Form.PERMUTATION and len(gate.targets) > 2:
                self.monomials([gate])
                continue
            # A product has more wires than registers only where one gate forced it to; then gates go one by one.
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
                if gate.data[0] == 1:  # it is X; otherwise it does nothing
                    self._move_before(gate.targets)
                    self._pending.flip(gate.targets[0], condition_of(gate))
            elif not gate.controls and (rows := affine_rows(gate.data)) is not None:
                self._move_before(gate.targets)
                self._pending.permute(gate.targets, rows)
            else:
                self._enter(gate.targets)
                self._add(gate)

    def _enter(self, wires: Sequence[int]) -> None:
        """Begin a stage that has the given wires in registers, unless one is there and no permutation is pending."""
        if self._stages and self._pending.is_identity:
            needed = self._stages[-1].needed
            more = [wire for wire in wires if wire not in needed]
            if len(needed) + len(more) <= self._shape.register_bits:
                needed += more
                return
        self._stages.append(Stage(list(wires), self._take_pending()))
        self._stages[-1].gates += self._after
        self._after = []

    def _stage(self) -> Stage:
        """Return the stage that gates are added to, a new one if there is none."""
        if not self._stages:
            self._stages.append(Stage())
        return self._stages[-1]

    def _take_pending(self) -> Affine | None:
        """Return the pending permutation, None if it is the identity, and begin another."""
        if self._pending.is_identity:
            return None
        taken, self._pending = self._pending, Affine(self._wires)
        return taken

    def _add(self, whole: GateNumbers) -> None:
        gate = without_known(whole, self._known)
        if gate is not None:
            self._stages[-1].gates.append(gate)

    def _move_before(self, wires: Collection[int]) -> None:
        """Let the gates on any of the wires that act after the pending permutation act before it."""
        touched = [not set(wires).isdisjoint((*gate.targets, *gate.controls)) for gate in self._after]
        moved = [moved_before(gate, self._pending) for gate, moves in zip(self._after, touched, strict=True) if moves]
        if any(gate is None for gate in moved):
            self._enter(())  # begins a stage, which takes all of `_after`
        elif moved:
            self._after = [gate for gate, moves in zip(self._after, touched, strict=True) if not moves]
            self._stage().gates += [gate for gate in moved if gate is not None]

    # Deciding how the pass moves amplitudes

    def written_from(self) -> dict[int, tuple[int, int]]:
        """Return for each wire of how many it is the parity when written, and how many of them registers must hold."""
        self._close()
        needed = mask_of(self._stages[-1].needed) if self._stages else 0
        return {wire: (made.bit_count(), (made & needed).bit_count()) for wire, made in self._stored_parities().items()}

    def finish(self, arrays: PassArrays, target: Mapping[int, int]) -> PassLaunch | None:
        """Add the pass to the arrays that `run_pass` reads; return its launch, or None if it does nothing.

        Parameters
        ----------
        target
            The place at which each wire of the tile is written, all of them places of the tile.
        """
        self._close()
        if not self._stages:
            if self._pending.is_identity and all(target[wire] == self._place[wire] for wire in self._wires):
                return None
            self._stages.append(Stage())
        # A warp reads and writes whole lines, or at worst halves, if its threads differ in certain wires. If registers
        # hold some of these, there is one more stage, which does nothing but read or write.
        loaded = self._loaded_together()
        if loaded is None:
            self._stages.insert(0, Stage())
            loaded = self._loaded_together()
        stored = self._stored_together(target)
        if stored is not None and len(self._stages) == 1:
            together = stored.union(loaded or (), self._stages[0].lanes)
            stored = stored if len(together) <= WARP_BITS else None
        if stored is None:
            self._stages.append(Stage(before=self._take_pending()))
            stored = self._stored_together(target)
        lanes = [stage.lanes for stage in self._stages if stage.lanes]
        columns = columns_apart(self._wires, lanes, self._shape.row_bits)
        self._hold(loaded or set(), stored or set(), columns)
        store, store_flip = self._pending.images({wire: bit_at(target[wire]) for wire in self._wires})
        layout = PassLayout(self._wires, self._outside, self._place, self._zero, columns, self._shape.row_bits)
        return PassRecorder(arrays, layout).record(self._stages, store, store_flip)

    def _close(self) -> None:
        """Decide which gates each stage has: no more can be added."""
        if self._is_closed:
            return
        self._is_closed = True
        self._move_before(self._wires)
        if self._shape.uses_lanes and len(self._wires) - self._shape.register_bits >= WARP_BITS:
            self._stages = with_lanes(self._stages, self._shape.register_bits)

    def _stored_parities(self) -> dict[int, int]:
        """Return for each wire, as it is written, the mask of the last stage's wires whose parity it is."""
        if self._pending.is_identity:
            return self._mask
        return self._pending.sources(self._mask)[0]

    def _loaded_together(self) -> set[int] | None:
        """Return the wires of the first stage that make up a line when it is read; None if registers take them."""
        first = self._stages[0]
        row = [wire for wire in self._wires if self._place[wire] < self._shape.row_bits]
        made_of = first.before.images(self._mask)[0] if first.before else self._mask
        return self._together([made_of[wire] for wire in row], first)

    def _stored_together(self, target: Mapping[int, int]) -> set[int] | None:
        """Return the wires of the last stage that make up a line when it is written; None if registers take them."""
        row = [wire for wire in self._wires if target[wire] < self._shape.row_bits]
        made_of = self._stored_parities()
        return self._together([made_of[wire] for wire in sorted(row, key=target.__getitem__)], self._stages[-1])

    def _together(self, masks: Sequence[int], stage: Stage) -> set[int] | None:
        """Return the wires of the masks of a line if the threads of a warp can differ in all of them."""
        free = len(self._wires) - self._shape.register_bits
        if free < self._shape.row_bits:  # the state is so small that an exchange takes longer
            return set()
        # Half a line, 64 bytes, is the least that a card's memory hands out.
        for line in (masks, masks[: self._shape.row_bits - 1]):
            wires = {wire for mask in line for wire in positions_of(mask)}
            if wires.isdisjoint(stage.needed) and len(wires.union(stage.lanes)) <= min(WARP_BITS, free):
                return wires
        return None

    def _hold(self, loaded: set[int], stored: set[int], columns: Mapping[int, int]) -> None:
        """Choose which wires each stage holds in registers, and which each bit of the thread's number stands for."""
        last = len(self._stages) - 1
        for number, stage in enumerate(self._stages):
            lines = (loaded if number == 0 else set()) | (stored if number == last else set())
            stage.registers = _pairs_first(self._filled(stage, lines), stage.gates)
            views = [columns] if last > 0 else []
            if number > 0 and stage.before is not None:
                views.append(stage.before.sources(columns)[0])
            wires = [wire for wire in self._wires if wire not in stage.registers]
            stage.threads = ordered_threads(wires, lines, views, self._shape.row_bits, stage.lanes)

    def _filled(self, stage: Stage, lines: set[int]) -> tuple[int, ...]:
        """Add wires to those that a stage needs in registers, first such that no gate acts on, the highest first."""
        free = self._shape.register_bits - len(stage.needed)
        if not free:
            return tuple(stage.needed)
        used = {wire for gate in stage.gates for wire in acts_on(gate)}
        others = [wire for wire in reversed(self._wires) if wire not in (*stage.needed, *stage.lanes)]
        others.sort(key=lambda wire: (wire in lines, wire in used))
        return (*stage.needed, *others[:free])


def _pairs_first(wires: Sequence[int], gates: Iterable[GateNumbers | Table]) -> tuple[int, ...]:
    """Order wires such that those of the first gates on two of them are bits 0 and 1, 2 and 3, where `PAIR` acts."""
    order: list[int] = []
    for gate in gates:
        if not isinstance(gate, Table) and gate.form is not Form.DIAGONAL and len(gate.targets) == 2:
            if order and not set(order).isdisjoint(gate.targets):
                continue
            order += gate.targets
    return (*order, *(wire for wire in wires if wire not in order))
