"""Which gates can run while some wires are local, and which wires to make local: the two questions of every level.

The same functions choose the tile of a pass and the matrix of a step within it.
"""

from __future__ import annotations

from heapq import nlargest
from typing import TYPE_CHECKING

from basicaer.engine.bits import all_ones, mask_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from basicaer.plan.items import Item

__all__ = ["grow", "needs", "weights_of"]

_PATIENCE = 512  # gates that cannot run and are looked at, before none is looked at any more
_PATIENCE_FOR_EACH = 4  # ... for each one that can run
_CANDIDATES = 400  # needs that are compared with all others


def needs(
    items: Sequence[Item], todo: Iterable[int], n_qubits: int, most: int, boundary: int = 0
) -> tuple[list[tuple[int, int]], int]:
    """Return each gate that can run with at most `most` local wires, with the mask of the wires that it needs local.

    A gate needs the wires on which it pairs amplitudes, and all that any earlier gate needs with which it does not
    commute. With some wires local, exactly the gates whose need is among these can run, in program order.

    The search ends where no wire is left on which a gate could run, or where none has run for so long that it is not
    worth looking any further. The second value returned is the number of gates that were looked at.

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
    # What a later gate needs that acts on wire q diagonally (z), as X (x) or otherwise (g).
    for_z, for_x, for_g = [0] * n_qubits, [0] * n_qubits, [0] * n_qubits
    found: list[tuple[int, int]] = []
    dead = 0  # wires on which no later gate can run, whatever its kind
    looked = 0
    patience = _PATIENCE
    for number in todo:
        looked += 1
        z, x, g, _, x_mask, g_mask, permutes = item = items[number]
        need = 0
        for q in z:
            need |= for_z[q]
        for q in x:
            need |= for_x[q]
        for q in g:
            need |= for_g[q]
        if need or not (permutes and boundary and not item.wires & ~boundary):
            need |= x_mask | g_mask
        if need & blocked or need.bit_count() > most:
            need = blocked
        else:
            found.append((number, need))
            patience += _PATIENCE_FOR_EACH
        for q in g:
            for_z[q] = for_x[q] = for_g[q] = need
        for q in x:
            for_z[q] |= need
            for_g[q] |= need
        for q in z:
            for_x[q] |= need
            for_g[q] |= need
        if need == blocked:
            patience -= 1
            for q in (*z, *x, *g):
                if for_z[q] & for_x[q] & blocked:
                    dead |= mask_of((q,))
            if dead == everything or patience < 0:
                break
    return found, looked


def weights_of(found: Iterable[tuple[int, int]], size: Sequence[int]) -> dict[int, int]:
    """Return how many gates have each need, other than that of nothing; item i stands for ``size[i]`` gates."""
    weight: dict[int, int] = {}
    for number, need in found:
        if need:
            weight[need] = weight.get(need, 0) + size[number]
    return weight


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
        heaviest = left if len(left) <= _CANDIDATES else nlargest(_CANDIDATES, left, key=left.__getitem__)
        for more in heaviest:
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
