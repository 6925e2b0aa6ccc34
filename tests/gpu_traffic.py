"""What the passes of a circuit family ask of a card: as planned, for any size, and as the emulated card counts it."""

import runpy
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from basicaer.compile.lower import lower
from basicaer.devices.gpu.binding import bind, first_places
from basicaer.devices.gpu.device import CupyDevice
from basicaer.devices.gpu.launches import Launches, PassLaunch
from basicaer.devices.gpu.shape import TileShape
from basicaer.engine.plan import Plan, Product
from basicaer.engine.program import Segment
from basicaer.options import Precision
from basicaer.plan.planner import plan_segment
from emulated_gpu import EmulatedCupy

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
FAMILIES = runpy.run_path(str(BENCHMARKS / "families.py"))["FAMILIES"]
SHAPES = {Precision.DOUBLE: TileShape(12, 4, 3, uses_lanes=True), Precision.SINGLE: TileShape(13, 5, 4)}  # on an H200
DTYPES = {Precision.DOUBLE: np.dtype(np.complex128), Precision.SINGLE: np.dtype(np.complex64)}
SECTOR_BYTES, LINE_BYTES = 32, 128
WARP_BITS = 5


class Traffic(NamedTuple):
    """What one pass asks for.

    Attributes
    ----------
    products
        Matrices that were planned for it.
    barriers
        Passed by each block.
    conflict_degree
        The worst of any access to shared memory.
    sectors_loaded, sectors_stored
        By a warp that does so, over what its bytes fill: 1 at best. Amplitudes that are known to be 0 are not loaded.
    halves_loaded, halves_stored
        The same for halves of lines of 128 bytes.
    grows
        Whether it reads a part of the state only, the rest being 0.
    loaded_bits
        It reads 2**loaded_bits amplitudes.
    """

    products: int
    exchanges: int
    operations: int
    barriers: int
    conflict_degree: int
    sectors_loaded: int
    sectors_stored: int
    halves_loaded: int
    halves_stored: int
    grows: bool
    loaded_bits: int


class Planned(NamedTuple):
    """A family, planned and bound."""

    segment: Segment
    plan: Plan
    launches: Launches
    traffic: list[Traffic]


@cache
def segment_of(family, n):
    (segment,) = (block for block in lower(FAMILIES[family](n)).body if isinstance(block, Segment))
    return segment


def planned(family, n, precision, *, zero=True):
    """Plan and bind a family, from |0...0> or from any state."""
    segment, shape = segment_of(family, n), SHAPES[precision]
    plan = plan_segment(segment, n, CupyDevice(cupy=EmulatedCupy(), shapes=SHAPES).costs(n, precision))
    start = (first_places(plan, n), frozenset(range(n))) if zero else (tuple(range(n)), frozenset())
    launches = bind(plan, segment, shape, *start)
    assert all(isinstance(launch, PassLaunch) for launch in launches.launches)
    products = [sum(isinstance(step, Product) for step in current.steps) for current in plan.passes]
    return Planned(segment, plan, launches, [_traffic(launches, *each, precision) for each in enumerate(products)])


def counted(family, n, precision, *, zero=True):
    """Run a family on the emulated card; return the counts of each launch."""
    cupy = EmulatedCupy(counting=True)
    device = CupyDevice(cupy=cupy, shapes=SHAPES)
    segment = segment_of(family, n)
    state = device.new_state(n, precision)
    if not zero:
        state.load(np.full(2**n, 2 ** (-n / 2)))
    before = len(cupy.gpu.launches)
    state.run(segment, plan_segment(segment, n, device.costs(n, precision)))
    launched = cupy.gpu.launches[before:]
    return [launch.counts for launch in launched if launch.kernel.startswith("run_pass")]


def _traffic(launches, number, products, precision):
    record = launches.passes[number]
    stages = launches.stages[record["first_stage"] :][: record["stages"]]
    exchanges = [stage for stage in stages if stage["exchange"]]
    bank_bits, thread_bits = SHAPES[precision].row_bits, int(record["thread_bits"])
    lane_bits = min(bank_bits, thread_bits)  # bits in which threads differ that access shared memory at a time
    banks = [
        rank(column >> shift & 2**bank_bits - 1 for column in _columns(launches.places, stage["places"], lane_bits))
        for stage in exchanges
        for shift in (0, 16)  # where threads write, and where they read
    ]
    warp_bits, zero = min(WARP_BITS, thread_bits), int(record["zero"])
    pieces = [
        _pieces([column for column in columns if not column & unread], piece // precision.amplitude_bytes)
        for piece in (SECTOR_BYTES, LINE_BYTES // 2)
        for way, unread in (("load_threads", zero), ("store_threads", 0))
        for columns in [_columns(launches.tables, record[way], warp_bits)]
    ]
    return Traffic(
        products,
        exchanges=len(exchanges),
        operations=int(stages["operations"].sum()),
        barriers=int(stages["exchange"].sum() + record["store_after_barrier"]),
        conflict_degree=2 ** max((lane_bits - found for found in banks), default=0),
        sectors_loaded=pieces[0],
        sectors_stored=pieces[1],
        halves_loaded=pieces[2],
        halves_stored=pieces[3],
        grows=bool(zero),
        loaded_bits=len(launches.place) - zero.bit_count(),
    )


def _columns(table, begin, bits):
    """Return the columns of a map over GF(2) that is given by a table of its values, which begins somewhere."""
    return [int(table[begin + 2**bit] ^ table[begin]) for bit in range(bits)]


def _pieces(columns, amplitudes):
    """Return how many pieces of memory, of `amplitudes` each, a warp reaches, over how many its own would fill."""
    reached = rank(int(column) & -amplitudes for column in columns)
    return 2**reached * amplitudes // 2 ** len(columns)


def rank(vectors):
    """Return how many of the vectors over GF(2), given as masks, are linearly independent."""
    basis = []
    for vector in vectors:
        rest = vector
        for known in basis:
            rest = min(rest, rest ^ known)
        if rest:
            basis.append(rest)
    return len(basis)
