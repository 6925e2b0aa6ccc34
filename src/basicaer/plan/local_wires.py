"""Finds out which gates can run while some wires are local, and chooses the wires to make local.

A pass has both questions, for its tile, and so has a step within it, for its matrix: the same functions answer them.
"""

from __future__ import annotations

from heapq import nlargest
from typing import TYPE_CHECKING

from basicaer.engine.bits import all_ones, bit_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from basicaer.plan.actions import GateAction

__all__ = ["choose_wires", "count_needs", "runnable_gates"]

# A search ends after this many gates that cannot run, and as many more as the second number says for each that can.
_PATIENCE = 512
_PATIENCE_FOR_EACH = 4
_CANDIDATES = 400  # only this many needs, those of the most gates, are compared with all others


def runnable_gates(
    actions: Sequence[GateAction], waiting: Iterable[int], n_qubits: int, most_local: int, boundary: int = 0
) -> tuple[dict[int, int], int]:
    """Find each gate that can run with at most `most_local` local wires, and which wires it needs local.

    A gate needs the wires on which it pairs amplitudes, and the needs of all earlier gates with which it does not
    commute. With some wires local, exactly the gates whose need is among these can run, in program order.

    The search ends if no wire is left on which a gate could run, or if too few of the gates examined last can run.

    Parameters
    ----------
    waiting
        Numbers of the gates that have not run yet, in program order.
    boundary
        A mask of wires. A gate that only permutes basis states of these, and that no other gate here has to precede,
        can run before any wire is made local, and so needs none.

    Returns
    -------
    tuple
        The need of each gate that can run, as a mask of wires, by the gate's number, in program order; and how many
        gates were examined.
    """
    blocked = bit_at(n_qubits)
    everything = all_ones(n_qubits)
    # for_z[q] is the need that a later gate inherits if it acts on wire q diagonally; for_x and for_g likewise if it
    # acts there as a function of X, or in any other way.
    for_z, for_x, for_g = [0] * n_qubits, [0] * n_qubits, [0] * n_qubits
    runnable: dict[int, int] = {}
    dead = 0  # wires on which no later gate can run, whatever its kind
    examined = 0
    patience = _PATIENCE
    for number in waiting:
        examined += 1
        z, x, g, _, x_mask, g_mask, permutes, wires, wires_mask = actions[number]
        if not wires_mask & ~dead:  # nothing more is found out about wires that are dead
            patience -= 1
            if patience < 0:
                break
            continue
        need = 0
        for q in z:
            need |= for_z[q]
        for q in x:
            need |= for_x[q]
        for q in g:
            need |= for_g[q]
        if need or not (permutes and boundary and not wires_mask & ~boundary):
            need |= x_mask | g_mask
        if need & blocked or need.bit_count() > most_local:
            need = blocked
        else:
            runnable[number] = need
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
            for q in wires:
                if for_z[q] & for_x[q] & blocked:
                    dead |= bit_at(q)
            if dead == everything or patience < 0:
                break
    return runnable, examined


def count_needs(runnable: Mapping[int, int], size: Sequence[int]) -> dict[int, int]:
    """Count the gates with each need, other than the need of no wire.

    Parameters
    ----------
    runnable
        ``runnable[number]`` is the need of a gate; see `runnable_gates`.
    size
        ``size[number]`` is the number of gates that the gate of this number stands for; see `Bundles`.
    """
    need_counts: dict[int, int] = {}
    for number, need in runnable.items():
        if need:
            need_counts[need] = need_counts.get(need, 0) + size[number]
    return need_counts


def choose_wires(
    need_counts: Mapping[int, int],
    most_local: int,
    allowed: Callable[[int], bool] | None = None,
    *,
    per_wire: bool,
) -> int:
    """Return the mask of the wires to make local. It grows by whole needs as long as one fits.

    Parameters
    ----------
    need_counts
        The number of gates with each need.
    most_local
        How many wires may be local.
    allowed
        Tells whether a mask may be chosen; None if every mask may.
    per_wire
        Whether each step adds the need that lets the most gates run for each wire added, rather than the most gates.
    """
    local = 0
    left = dict(
        need_counts
    )  # left[mask] is the number of further gates that run if the wires of the mask are local too
    while left:
        best: tuple[float, int, int] | None = None
        size = local.bit_count()
        candidates = left if len(left) <= _CANDIDATES else nlargest(_CANDIDATES, left, key=left.__getitem__)
        for more in candidates:
            added = more.bit_count()
            if size + added > most_local or not (allowed is None or allowed(local | more)):
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
