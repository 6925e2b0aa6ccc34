"""Which gates can run while some wires are local, and which wires to make local: the two questions of every level.

The same functions choose the tile of a pass and the matrix of a step within it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from basicaer.engine.bits import all_ones, mask_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from basicaer.plan.items import Item

__all__ = ["grow", "needs"]


def needs(
    items: Sequence[Item], todo: Iterable[int], n_qubits: int, most: int, boundary: int = 0
) -> list[tuple[int, int]]:
    """Return each gate that can run with at most `most` local wires, and the mask of the wires that it needs local.

    A gate needs the wires on which it pairs amplitudes, and all that any earlier gate needs with which it does not
    commute. With some wires local, exactly the gates whose need is among these can run, in program order.

    Parameters
    ----------
    todo
        Numbers of the items that have not run yet, in program order.
    boundary
        A mask of wires. A gate that only permutes basis states of these, and that nothing here has to precede, can run
        before anything is made local, and so needs nothing.
    """
    blocked = mask_of((n_qubits,))
    everything = all_ones(n_qubits)
    bit = [mask_of((q,)) for q in range(n_qubits)]
    # What a later gate on wire q needs because of earlier ones that act on q diagonally (z), as X (x) or otherwise (g).
    after_z, after_x, after_g = [0] * n_qubits, [0] * n_qubits, [0] * n_qubits
    found: list[tuple[int, int]] = []
    dead = 0  # wires on which no later gate can run, whatever its kind
    for number in todo:
        item = items[number]
        z, x, g = item.z, item.x, item.g
        need = 0
        for q in z:
            need |= after_g[q] | after_x[q]
        for q in x:
            need |= after_g[q] | after_z[q]
        for q in g:
            need |= after_g[q] | after_z[q] | after_x[q]
        if need or not (item.permutes and boundary and not item.wires & ~boundary):
            need |= item.x_mask | item.g_mask
        if need & blocked or need.bit_count() > most:
            need = blocked
        else:
            found.append((number, need))
        for q in g:
            after_g[q] |= need
            after_z[q] = after_x[q] = 0
        for q in x:
            after_x[q] |= need
        for q in z:
            after_z[q] |= need
        if need == blocked:
            for q in g:
                dead |= bit[q]
            for q in x:
                if after_z[q] & blocked:
                    dead |= bit[q]
            for q in z:
                if after_x[q] & blocked:
                    dead |= bit[q]
            if dead == everything:
                break
    return found


def grow(
    weight: Mapping[int, int],
    most: int,
    allowed: Callable[[int], bool] | None = None,
    *,
    per_wire: bool,
) -> int:
    """Return the mask of the wires to make local, grown by whole needs as long as any fits.

    Parameters
    ----------
    weight
        How many gates have each need.
    most
        How many wires may be local.
    allowed
        Whether a choice may be made at all; None if all may.
    per_wire
        Whether each step takes the most gates for each wire that it adds, rather than the most gates.
    """
    local = 0
    left = dict(weight)  # left[m] = how many gates more can run when the wires m are made local too
    while left:
        best: tuple[float, int, int] | None = None
        size = local.bit_count()
        for more in left:
            added = more.bit_count()
            if size + added > most or not (allowed is None or allowed(local | more)):
                continue
            outside = ~more
            gain = sum([gates for need, gates in left.items() if not need & outside])
            rank = (gain / added if per_wire else gain, -added, more)
            if best is None or rank > best:
                best = rank
        if best is None:
            break
        local |= best[2]
        rest: dict[int, int] = {}
        for need, gates in left.items():
            if missing := need & ~local:
                rest[missing] = rest.get(missing, 0) + gates
        left = rest
    return local
