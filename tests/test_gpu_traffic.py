"""What the GPU's passes ask of a card, counted without one: memory in whole pieces, few exchanges, no bank conflicts.

The table bounds the work of every family from above: a change that adds work fails, one that saves work lowers it.
"""

from math import ceil
from typing import NamedTuple

import pytest

from basicaer.devices.gpu import passes, thread_order
from basicaer.devices.gpu.binding import _Binding
from basicaer.devices.gpu.passes import PassBuilder
from basicaer.options import Precision
from emulated_gpu import why_unavailable
from gpu_traffic import FAMILIES, SECTOR_BYTES, counted, planned, rank

N = 28  # qubits of circuits that are only planned
N_COUNTED = 14  # qubits of circuits that are run: a few tiles
DOUBLE, SINGLE = Precision.DOUBLE, Precision.SINGLE

needs_compiler = pytest.mark.skipif(why_unavailable() is not None, reason=why_unavailable() or "")
each_family = pytest.mark.parametrize("family", FAMILIES)


class Most(NamedTuple):
    """All passes of a family together, from |0...0>.

    Attributes
    ----------
    passes, exchanges, operations
        At 28 qubits.
    barriers
        Passed by each block, at 28 qubits.
    multiply_adds
        For each amplitude of the state, rounded up; at 16 qubits, where no amplitude is known to be 0.
    """

    passes: int
    exchanges: int
    barriers: int
    operations: int
    multiply_adds: int


MOST = {
    ("qft", DOUBLE): Most(3, 7, 7, 62, 127),
    ("qft", SINGLE): Most(3, 5, 5, 61, 128),
    ("ghz", DOUBLE): Most(3, 1, 3, 3, 8),
    ("ghz", SINGLE): Most(3, 1, 3, 3, 8),
    ("qaoa_complete", DOUBLE): Most(5, 12, 12, 49, 148),
    ("qaoa_complete", SINGLE): Most(5, 11, 11, 43, 146),
    ("qaoa_regular", DOUBLE): Most(6, 17, 17, 89, 304),
    ("qaoa_regular", SINGLE): Most(5, 17, 17, 86, 309),
    ("ansatz_cx_chain", DOUBLE): Most(8, 38, 45, 244, 638),
    ("ansatz_cx_chain", SINGLE): Most(8, 47, 59, 255, 622),
    ("ansatz_cz_chain", DOUBLE): Most(5, 28, 28, 156, 618),
    ("ansatz_cz_chain", SINGLE): Most(5, 27, 27, 148, 609),
    ("ansatz_cx_all", DOUBLE): Most(9, 22, 26, 64, 192),
    ("ansatz_cx_all", SINGLE): Most(8, 20, 23, 68, 192),
    ("tfim", DOUBLE): Most(5, 28, 28, 162, 661),
    ("tfim", SINGLE): Most(5, 27, 27, 149, 647),
    ("volume", DOUBLE): Most(11, 33, 33, 101, 1200),
    ("volume", SINGLE): Most(9, 39, 39, 204, 1200),
    ("grid", DOUBLE): Most(9, 38, 38, 228, 848),
    ("grid", SINGLE): Most(9, 35, 35, 206, 855),
    ("grover", DOUBLE): Most(19, 48, 48, 148, 563),
    ("grover", SINGLE): Most(19, 47, 47, 130, 562),
    ("uccsd", DOUBLE): Most(19, 23, 39, 154, 624),
    ("uccsd", SINGLE): Most(19, 22, 36, 144, 616),
}


def check(family, precision):
    """Check the passes of a family at 28 qubits against what holds for all, and against the table."""
    traffic = planned(family, N, precision).traffic
    for one in traffic:
        assert one.sectors_stored == one.halves_stored == 1
        # What little a QFT from |0...0> reads at first is in half sectors: too little to matter.
        assert one.sectors_loaded == one.halves_loaded == 1 or one.loaded_bits <= N - 10
        assert one.conflict_degree <= 2
        assert one.exchanges <= one.products
    assert sum(one.conflict_degree > 1 for one in traffic) <= 1
    most = MOST[family, precision]
    assert len(traffic) <= most.passes
    assert sum(one.exchanges for one in traffic) <= most.exchanges
    assert sum(one.barriers for one in traffic) <= most.barriers
    assert sum(one.operations for one in traffic) <= most.operations


@each_family
def test_at_28_qubits_a_pass_of_s_products_has_s_exchanges_at_most_and_uses_memory_in_whole_pieces(family, precision):
    check(family, precision)


@needs_compiler
@each_family
@pytest.mark.parametrize("zero", [True, False], ids=["from zero", "from any state"])
def test_what_is_counted_is_what_was_planned(family, precision, zero):
    """The bounds at sizes that cannot be run here hold for what a card would do, since the two agree at this size."""
    expected = planned(family, N_COUNTED, precision, zero=zero).traffic
    found = counted(family, N_COUNTED, precision, zero=zero)
    assert len(found) == len(expected)
    for one, counts in zip(expected, found, strict=True):
        assert counts.barriers == one.barriers
        if not one.grows:  # otherwise some blocks, and some threads of other blocks, have nothing to read
            assert counts.sectors_loaded == one.sectors_loaded * counts.bytes_loaded // SECTOR_BYTES
            assert counts.bytes_loaded == 2**N_COUNTED * precision.amplitude_bytes
        assert counts.sectors_stored == one.sectors_stored * counts.bytes_stored // SECTOR_BYTES
        assert counts.worst_conflict_degree == (one.conflict_degree if one.exchanges else 0)
    if not zero:
        multiply_adds = ceil(sum(counts.multiply_adds for counts in found) / 2**N_COUNTED)
        assert multiply_adds <= MOST[family, precision].multiply_adds


@each_family
def test_memory_is_used_in_whole_pieces_from_any_state(family, precision):
    traffic = planned(family, N_COUNTED, precision, zero=False).traffic
    assert all(one.exchanges <= one.products + 1 for one in traffic)
    for one in (*traffic, *planned(family, N, precision, zero=False).traffic):
        assert one.sectors_loaded == one.sectors_stored == one.halves_loaded == one.halves_stored == 1


def in_any_order(wires, lines, views, row_bits, lanes=()):
    return tuple(reversed(wires))


def holding_the_lowest(builder, stage, lines):
    others = [wire for wire in builder.wires if wire not in (*stage.needed, *stage.lanes)]
    return (*stage.needed, *others)[: builder._shape.register_bits]


def places_unchanged(binding, builder, following, paired):
    return {wire: binding._place[wire] for wire in builder.wires}


MUTATIONS = {
    "threads differ in any wires": (passes, "ordered_threads", in_any_order),
    "banks are the lowest bits": (thread_order, "shared_columns", lambda bits, _: tuple(2**bit for bit in range(bits))),
    "registers take lines": (PassBuilder, "_filled", holding_the_lowest),
    "an exchange after the load, one before the store": (PassBuilder, "_together", lambda *_: None),
    "phases by parities wait for an exchange": (passes, "moved_before", lambda *_: None),
    "wires are written where they were": (_Binding, "_targets", places_unchanged),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_worse_choice_is_noticed(mutation, precision, monkeypatch):
    monkeypatch.setattr(*MUTATIONS[mutation])
    for family in FAMILIES:
        try:
            check(family, precision)
        except AssertionError:
            return
    pytest.fail("all families pass")


def test_rank_counts_independent_vectors():
    assert [rank(v) for v in ([], [0], [1, 2, 3], [1, 2, 4], [6, 3, 5])] == [0, 0, 2, 3, 2]
