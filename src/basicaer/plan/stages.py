"""Plans the stages of a segment whose state is divided among ranks: as few exchanges of wires as possible.

The rules are those of passes, one level up: what a tile is to a pass, the local wires are to a stage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from basicaer.engine.bits import all_ones, bit_at, has_bit, mask_of, positions_of
from basicaer.engine.lru_cache import LruCache
from basicaer.engine.stages import Exchange, Stage, Stages
from basicaer.errors import BasicAerError
from basicaer.plan.actions import pieces_of, polled, structure
from basicaer.plan.bundles import Bundles
from basicaer.plan.local_wires import choose_wires, count_needs, runnable_gates
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from basicaer.engine.program import Segment
    from basicaer.plan.actions import GateAction, Structure

__all__ = ["plan_stages"]

_stages: LruCache[Stages] = LruCache(most=128, most_in_all=200_000)  # gates


def plan_stages(
    segment: Segment,
    n_qubits: int,
    rank_qubits: int,
    ranks: tuple[int, ...] | None,
    *,
    poll: Callable[[], None] = lambda: None,
) -> Stages:
    """Return the stages of a segment, as `basicaer.engine.stages.StagePlanner` describes.

    They are made only if no segment of the same structure was planned lately for the same wires.
    """
    gates = structure(segment.gates, poll)
    return _stages.get_or_make(
        (n_qubits, rank_qubits, ranks, gates),
        len(segment.gates),
        lambda: _Staging(gates, n_qubits, n_qubits - rank_qubits, ranks, poll).stages(),
    )


class _Staging:
    """Stages in the making. As in a plan, its numbers of gates are leaders of bundles.

    Attributes
    ----------
    first
        Gates that can stand in the first stage wherever their wire is, if they have one.
    local
        The mask of the wires that are local; None as long as they can be chosen.
    """

    def __init__(
        self,
        gates: Structure,
        n_qubits: int,
        n_local: int,
        ranks: tuple[int, ...] | None,
        poll: Callable[[], None],
    ) -> None:
        pieces = pieces_of(gates, n_qubits, poll, split=False)
        self.gates, self.origins, self.actions, self.wire_of = pieces
        self.n_qubits, self.n_local = n_qubits, n_local
        self.poll = poll
        self.ranks = ranks
        self.local = None if ranks is None else all_ones(n_qubits) & ~mask_of(ranks)
        self.first = _first_on_their_wires(self.actions, poll, most=1 if ranks is None else 0)
        alone = set(self.first)
        rest = [number for number in range(len(self.actions)) if number not in alone]
        self.bundles = Bundles(self.actions, rest, n_qubits, poll)
        self.waiting = list(self.bundles.leaders)

    def stages(self) -> Stages:
        """Return the finished stages."""
        locals_of: list[int] = []  # locals_of[i] = the wires that are local in stage i
        gates_of: list[tuple[int, ...]] = []
        while self.waiting or not locals_of:
            self.poll()
            runnable, _ = runnable_gates(self.actions, self.waiting, self.n_qubits, self.n_local)
            if self.local is None or not any(not need & ~self.local for need in runnable.values()):
                self.local = self.chosen(runnable)
            now = [number for number, need in runnable.items() if not need & ~self.local]
            locals_of.append(self.local)
            gates_of.append(self.bundles.gates_of(now))
            done = set(now)
            self.waiting = [number for number in self.waiting if number not in done]
        gates_of[0] = (*self.first, *gates_of[0])
        ranks = self.ranks
        if ranks is None:
            ranks = tuple(_soonest_first(positions_of(all_ones(self.n_qubits) & ~locals_of[0]), locals_of))
        stages = [
            Stage(one, gates) for one, gates in zip(_exchanges(ranks, locals_of, self.n_qubits), gates_of, strict=True)
        ]
        return Stages(self.n_qubits, tuple(self.gates), self.origins, ranks, tuple(stages), tuple(self.wire_of))

    def chosen(self, runnable: dict[int, int]) -> int:
        """Return the mask of the wires to make local next, as many of those that are local as possible among them."""
        if self.waiting and not runnable:
            self.refuse()
        local = choose_wires(count_needs(runnable, self.bundles.size), self.n_local, per_wire=False)
        held = () if self.local is None else positions_of(self.local)
        wanted = (wire for number in self.waiting for wire in positions_of(self.actions[number].pairs))
        for wires in (held, wanted, range(self.n_qubits)):
            for wire in wires:
                if local.bit_count() == self.n_local:
                    return local
                local |= bit_at(wire)
        return local

    def refuse(self) -> None:
        """Refuse a gate that pairs amplitudes on more wires than are local: the first one that waits."""
        wires = self.actions[self.waiting[0]].pairs.bit_count()
        most = max(self.n_qubits - wires, 0)
        raise BasicAerError(
            f"A gate brings the amplitudes of {counted(wires, 'qubit')} together, and each of "
            f"{2 ** (self.n_qubits - self.n_local)} ranks holds {counted(self.n_local, 'qubit')} of {self.n_qubits}; "
            f"run it on at most {counted(2**most, 'rank')}, or give the gate a definition by smaller ones."
        )


def _first_on_their_wires(actions: Sequence[GateAction], poll: Callable[[], None], *, most: int) -> list[int]:
    """Return the gates on `most` wires or fewer, 0 or 1, before which no gate acts on theirs but such gates."""
    taken = 0
    first = []
    for number, action in enumerate(polled(actions, poll)):
        if len(action.wires) <= most and not action.wires_mask & taken:
            first.append(number)
        else:
            taken |= action.wires_mask
    return first


def _soonest_first(wires: Iterable[int], locals_of: Sequence[int]) -> list[int]:
    """Order wires by when they are local next.

    The first go to the lowest bits of the rank's number, which ranks of one host differ in: they leave these soonest.
    """

    def until(wire: int) -> int:
        return next((stage for stage, local in enumerate(locals_of) if has_bit(local, wire)), len(locals_of))

    return sorted(wires, key=until)


def _exchanges(ranks: tuple[int, ...], locals_of: Sequence[int], n_qubits: int) -> list[Exchange]:
    """Return the exchange before each stage, given the wires that are global at first and those local in each stage."""
    held = list(ranks)  # held[j] = the wire that bit j of the rank's number holds
    exchanges = []
    for stage, local in enumerate(locals_of):
        bits = [bit for bit, wire in enumerate(held) if has_bit(local, wire)]
        into = tuple(held[bit] for bit in bits)
        leaving = all_ones(n_qubits) & ~mask_of(held) & ~local
        out = tuple(_soonest_first(positions_of(leaving), locals_of[stage:]))
        for bit, wire in zip(bits, out, strict=True):
            held[bit] = wire
        exchanges.append(Exchange(out, into))
    return exchanges
