"""A plan, bound to numbers and to where wires stand -> launches of kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from basicaer.devices.gpu.launches import ClearLaunch, Launch, Launches, WideLaunch
from basicaer.devices.gpu.pass_arrays import PassArrays
from basicaer.devices.gpu.passes import PassBuilder
from basicaer.devices.gpu.recipes import Recipe
from basicaer.devices.gpu.rewriting import by_diagonal_targets, is_wide, paired_by, without_known
from basicaer.devices.gpu.structs import (
    COLUMNS,
    CONDITION,
    FACTOR,
    MOST_BLOCK_BITS,
    MOST_WIDE_TARGETS,
    OPERATION,
    PASS,
    ROTATION,
    STAGE,
    WIDE,
)
from basicaer.devices.gpu.tape import Tape
from basicaer.devices.numbers import GateNumbers, data_of_sets, numbers_of
from basicaer.engine.bits import bit_at, has_bit, inverse_positions, mask_of
from basicaer.engine.device import SegmentBatch
from basicaer.engine.plan import Part, PlannedGate, Product
from basicaer.engine.program import Form, Segment
from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from basicaer.devices.gpu.shape import TileShape
    from basicaer.engine.plan import Pass, Plan, Step

__all__ = ["bind", "bind_reordering", "first_places", "recorded"]


def first_places(plan: Plan, n_wires: int) -> tuple[int, ...]:
    """Return where each wire should stand when the first pass begins, all of them being |0>."""
    first = plan.passes[0]
    paired = next((set(step.wires) for step in first.steps if isinstance(step, Product)), set())
    order = sorted(first.tile, key=paired.__contains__)  # wires that are not in registers when read come first
    order = plan.wires_in_order(order)
    return tuple(inverse_positions([*order, *range(len(order), n_wires)]))


def bind(
    plan: Plan | None,
    segment: Segment,
    shape: TileShape,
    place: Sequence[int],
    zero: frozenset[int],
) -> Launches:
    """Bind a plan to the numbers of a segment: see `recorded`."""
    return recorded(plan, SegmentBatch(segment, (), 1), shape, place, zero).launches


def recorded(
    plan: Plan | None,
    segments: SegmentBatch,
    shape: TileShape,
    place: Sequence[int],
    zero: frozenset[int],
    *,
    any_angle: bool = False,
) -> Recipe:
    """Bind a plan; or without one the segment's gates, as many in a pass as follow one another in a tile.

    Segments that differ only in their numbers are bound together: operations are such that they suit all of them.

    Parameters
    ----------
    place
        ``place[w]`` is the index bit that holds wire w.
    zero
        Wires that are |0>.
    any_angle
        As for `Tape`.
    """
    tape = Tape(segments, any_angle=any_angle)
    binding = _Binding(shape, place, zero, tape)
    gates = segments.template.gates
    if plan is None:
        planned = [PlannedGate.whole(gate.target_actions, gate.targets, gate.controls) for gate in gates]
        each = [binding.pieces(one, number, segments) for number, one in enumerate(planned)]
        binding.one_by_one([(piece, one.paired) for one, some in zip(planned, each, strict=True) for piece in some])
        return binding.recipe()
    pieces = [binding.pieces(one, i, segments) for one, i in zip(plan.gates, plan.origins, strict=True)]
    paired = [gate.paired for gate in plan.gates]
    for number, current in enumerate(plan.passes):
        following = plan.passes[number + 1] if number + 1 < len(plan.passes) else None
        if len(current.tile) > shape.tile_bits:
            gates_of_pass = [gate for step in current.steps for gate in step.gates]
            binding.one_by_one([(piece, paired[gate]) for gate in gates_of_pass for piece in pieces[gate]])
        else:
            binding.one_pass(current, following, pieces, paired)
    return binding.recipe()


def bind_reordering(shape: TileShape, place: Sequence[int], zero: frozenset[int]) -> Launches:
    """Return what brings each wire w to place w."""
    binding = _Binding(shape, place, zero, Tape(SegmentBatch(Segment(()), (), 1), any_angle=False))
    binding.reorder()
    return binding.recipe().launches


class _Binding:
    """The launches of a segment in the making."""

    def __init__(self, shape: TileShape, place: Sequence[int], zero: frozenset[int], tape: Tape) -> None:
        self._shape = shape
        self._place = list(place)
        self._zero = zero
        self._tape = tape
        self._arrays = PassArrays(tape)
        self._launches: list[Launch] = []
        self._repeatable = True  # Numbers of gates that run by themselves are not on the tape.

    def pieces(self, planned: PlannedGate, origin: int, segments: SegmentBatch) -> list[GateNumbers]:
        """Return a gate; one that acts diagonally on some of its targets is one gate for each of their values.

        Numbers are places on the tape, but for permutations and for gates that run by themselves: these have
        ``data[s]``, their numbers in set s.
        """
        gate = segments.template.gates[origin]
        numbers = numbers_of(planned, gate)
        is_split = planned.part is Part.WHOLE and gate.form is not Form.DIAGONAL and "Z" in gate.target_actions
        diagonal = [j for j, action in enumerate(gate.target_actions) if action == "Z"] if is_split else []
        if numbers.form is Form.PERMUTATION:
            return by_diagonal_targets(numbers, diagonal) if is_split else [numbers]
        indices = numbers._replace(data=np.arange(numbers.data.size).reshape(numbers.data.shape))
        found = []
        for piece in by_diagonal_targets(indices, diagonal) if is_split else [indices]:
            if is_wide(piece, self._shape):
                own = segments.data.get(origin)
                data = numbers.data[None] if own is None else data_of_sets(planned, gate, own)
                found.append(piece._replace(data=data.reshape(len(data), -1)[:, piece.data]))
                self._repeatable &= own is None
            else:
                found.append(piece._replace(data=self._tape.leaves(planned, origin, numbers.data, piece.data)))
        return found

    def one_pass(
        self,
        current: Pass,
        following: Pass | None,
        pieces: Sequence[Sequence[GateNumbers]],
        paired: Sequence[Sequence[int]],
    ) -> None:
        """Add a pass of a plan.

        Parameters
        ----------
        pieces
            ``pieces[g]`` is gate g of the plan as one or more gates.
        paired
            ``paired[g]`` are the wires that it may take out of |0>.
        """
        builder = self._builder(current.tile)
        done: set[int] = set()  # wires that are no longer |0> when the builder's pass ends
        for step in current.steps:
            narrow: list[GateNumbers] = []
            for gate in step.gates:
                for piece in pieces[gate]:
                    if is_wide(piece, self._shape):
                        self._add_step(builder, step, narrow)
                        narrow = []
                        self._end(builder, {wire: self._place[wire] for wire in builder.wires}, done)
                        self._add_wide(piece, paired[gate])
                        builder, done = self._builder(current.tile), set()
                    else:
                        narrow.append(piece)
                        done.update(paired[gate])
            self._add_step(builder, step, narrow)
        self._end(builder, self._targets(builder, following, paired), done)

    def one_by_one(self, gates: Sequence[tuple[GateNumbers, Sequence[int]]]) -> None:
        """Add gates, each with the wires that it may take out of |0>, in tiles as they come."""
        tile: list[int] = []
        waiting: list[tuple[GateNumbers, Sequence[int]]] = []

        def end() -> None:
            if waiting:
                builder = self._builder(self._filled(tile))
                for gate, _ in waiting:
                    if gate.form is Form.MATRIX:
                        builder.product(gate.targets, [gate])
                    else:
                        builder.monomials([gate])
                stay = {wire: self._place[wire] for wire in builder.wires}
                self._end(builder, stay, {wire for _, wires in waiting for wire in wires})
            tile.clear()
            waiting.clear()

        for gate, paired in gates:
            if is_wide(gate, self._shape):
                end()
                self._add_wide(gate, paired)
                continue
            needed = [wire for wire in paired_by(gate) if wire not in tile]
            if len(tile) + len(needed) > self._shape.tile_bits:
                end()
                needed = list(gate.targets)
            tile += needed
            waiting.append((gate, paired))
        end()

    def reorder(self) -> None:
        """Bring every wire w to place w, a tile at a time."""
        while any(place != wire for wire, place in enumerate(self._place)):
            wire_at = inverse_positions(self._place)
            size = min(self._shape.tile_bits, len(self._place))
            places = dict.fromkeys(range(min(self._shape.row_bits, size)))
            for first in [p for p, wire in enumerate(wire_at) if p != wire]:
                at = first
                while at not in places and len(places) < size:  # follow a cycle of wires that take each other's places
                    places[at] = None
                    at = wire_at[at]
            for at in range(len(wire_at)):
                if len(places) == size:
                    break
                places[at] = None
            builder = self._builder([wire_at[p] for p in places])
            self._end(builder, self._home(builder.wires), set())

    def recipe(self) -> Recipe:
        """Return all that was added."""
        arrays = self._arrays
        lengths, numbers = arrays.rows()
        used, which = np.unique(numbers, return_inverse=True)
        launches = Launches(
            tuple(self._launches),
            np.array(arrays.passes, PASS),
            np.array(arrays.stages, STAGE),
            np.array(arrays.operations, OPERATION),
            np.array(arrays.conditions, CONDITION),
            np.array(arrays.columns or np.zeros(1), COLUMNS),
            np.array(arrays.factors or [(0, 0, 0, 0)], FACTOR),
            np.array(arrays.rotations or [(0, 0, 0, 0)], ROTATION),
            np.concatenate(arrays.places or [np.zeros(1, np.uint32)]),
            np.concatenate(arrays.tables or [np.zeros(1, np.uint64)]),
            np.concatenate([[0], lengths.cumsum()]).astype(np.uint32),
            which.astype(np.uint32),
            self._tape.values[:, used],
            tuple(self._place),
            self._zero,
        )
        return Recipe(self._tape, used, launches, is_repeatable=self._repeatable)

    def _builder(self, tile: Iterable[int]) -> PassBuilder:
        return PassBuilder(self._shape, self._filled(tile), self._place, self._zero)

    def _filled(self, tile: Iterable[int]) -> list[int]:
        """Add wires to a tile until it has whole lines of memory, where it has room, and registers are filled."""
        wires = list(tile)
        wire_at = inverse_positions(self._place)
        row = [wire for wire in wire_at[: self._shape.row_bits] if wire not in wires]
        wires += row[: self._shape.tile_bits - len(wires)]
        least = min(self._shape.register_bits + self._shape.row_bits, self._shape.tile_bits, len(self._place))
        more = [wire for wire in wire_at if wire not in wires]
        return wires + more[: max(0, least - len(wires))]

    @staticmethod
    def _add_step(builder: PassBuilder, step: Step, gates: Sequence[GateNumbers]) -> None:
        if isinstance(step, Product):
            together = {wire: None for gate in gates for wire in paired_by(gate)}
            builder.product(tuple(together), gates)
        else:
            builder.monomials(gates)

    def _end(self, builder: PassBuilder, target: Mapping[int, int], paired: set[int]) -> None:
        """Add a pass that writes each wire at its place in `target`, and takes the wires of `paired` out of |0>.

        If its gates undo each other there is nothing to launch, and the wires have still not been written.
        """
        launch = builder.finish(self._arrays, target)
        if launch is not None:
            assert launch.block_bits <= MOST_BLOCK_BITS  # no card has memory for more  # noqa: S101
            self._launches.append(launch)
            for wire, place in target.items():
                self._place[wire] = place
            self._zero -= paired

    def _targets(self, builder: PassBuilder, following: Pass | None, paired: Sequence[Sequence[int]]) -> dict[int, int]:
        """Return where a pass writes each wire of its tile: for the next one, or home."""
        wires = builder.wires
        if following is None:
            return self._home(wires)
        product = next((step.gates for step in following.steps if isinstance(step, Product)), ())
        first = {wire for gate in product for wire in paired[gate]}
        # Wires of the next tile stand lowest, best those that neither pass needs in registers when it reads or writes.
        written_from = builder.written_from()

        def unfit(wire: int) -> tuple[bool, int, int]:
            made_of, in_registers = written_from[wire]
            return wire not in following.tile, in_registers + (wire in first), made_of

        order = sorted(wires, key=unfit)
        places = sorted(self._place[wire] for wire in wires)
        return dict(zip(order, places, strict=True))

    def _home(self, wires: Sequence[int]) -> dict[int, int]:
        """Return the place of each wire's own number where that is among the tile's places; the others go anywhere."""
        places = {self._place[wire] for wire in wires}
        target = {wire: wire for wire in wires if wire in places}
        free = sorted(places - target.keys())
        return target | dict(zip([wire for wire in wires if wire not in target], free, strict=True))

    def _add_wide(self, whole: GateNumbers, paired: Sequence[int]) -> None:
        """Add a launch for a gate by itself."""
        gate = without_known(whole, dict.fromkeys(self._zero - set(whole.targets), False))
        if gate is None:
            return
        if len(gate.targets) > MOST_WIDE_TARGETS:
            raise BasicAerError(
                f"A gate on {len(gate.targets)} qubits is wider than the {MOST_WIDE_TARGETS} that the GPU takes; "
                "decompose it or use device='CPU'."
            )
        if stale := self._zero & set(gate.targets):  # wires that are known to be 0 have not been written yet
            self._launches.append(ClearLaunch(mask_of(self._place[wire] for wire in stale)))
        record = np.zeros((), WIDE)
        record["target"][: len(gate.targets)] = [bit_at(self._place[wire]) for wire in gate.targets]
        taken = {*gate.targets, *gate.controls, *self._zero}
        rest = [wire for wire in inverse_positions(self._place) if wire not in taken]
        record["rest"][: len(rest)] = [bit_at(self._place[wire]) for wire in rest]
        record["on"] = mask_of(
            self._place[wire] for j, wire in enumerate(gate.controls) if has_bit(gate.control_state, j)
        )
        record["targets"], record["rest_bits"] = len(gate.targets), len(rest)
        launch = WideLaunch(record, gate.data, gate.form is Form.PERMUTATION, len(gate.targets), len(rest))
        record["groups_each"] = launch.groups_each
        self._launches.append(launch)
        self._zero -= set(paired)
