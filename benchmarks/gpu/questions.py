"""What the parts of a pass of `run_pass` cost: moving amplitudes, exchanging them, and operations on them.

The costs with which the device's plans are made rest on these numbers: see `_costs` in devices/gpu/device.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.gpu.pass_arrays import PassArrays as Recorded
from basicaer.devices.gpu.passes import PassBuilder
from basicaer.devices.gpu.structs import CONDITION, FACTOR, OPERATION, PASS, ROTATION, STAGE
from basicaer.devices.gpu.structs import OperationKind as Kind
from basicaer.devices.gpu.tape import ONE, Tape
from basicaer.devices.numbers import GateNumbers
from basicaer.engine.device import SegmentBatch
from basicaer.engine.program import Form, Segment
from basicaer.options import Precision
from gpu.goals import EMPTY_PASS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.goals import Goal
    from numpy.typing import NDArray

    from basicaer.devices.gpu.device import CupyDevice
    from basicaer.devices.gpu.shape import TileShape as Shape
    from gpu.card import Card

OPERATIONS = 100
EXCHANGES = (1, 2, 4, 8)
_MOST_STAGES = 16


@dataclass(frozen=True)
class Question:
    """One pass that is timed, and the arrays that `run_pass` reads."""

    what: str
    tile: tuple[int, ...]
    passes: NDArray[Any]
    stages: NDArray[Any]
    operations: NDArray[Any]
    conditions: NDArray[Any]
    factors: NDArray[Any]
    rotations: NDArray[Any]
    places: NDArray[np.uint32]
    tables: NDArray[np.uint64]
    constants: NDArray[np.complexfloating]
    blocks: int
    threads: int
    goal: Goal | None = None

    @property
    def exchanges(self) -> int:
        """How often the threads of a block exchange the amplitudes of a tile."""
        return int((self.stages["exchange"] != 0).sum())


def questions(shape: Shape, n: int) -> Iterator[Question]:
    """Yield all passes over `n` qubits, with the largest tiles that the device can hold."""
    random = np.random.default_rng(9)
    k = min(shape.tile_bits, n)
    rows = shape.row_bits
    tiles = {
        "lowest bits": range(k),
        f"{rows} lowest and the highest": [*range(rows), *range(n - k + rows, n)],
        f"{rows} lowest and others spread evenly": [*range(rows), *_spread(rows, n, k - rows)],
        "random bits": sorted(random.permutation(n)[:k].tolist()),
    }
    for name, tile in tiles.items():
        for way, permuted in (("straight", ()), ("permuted", random.permutation(k).tolist())):
            question = _question(f"empty, {name}, {way}", shape, n, tile, permuted=permuted)
            # Tiles without the lowest bits read only parts of memory lines. Plans have none, so they have no goal.
            yield replace(question, goal=EMPTY_PASS if set(range(rows)) <= set(tile) else None)
    usual = tiles[f"{rows} lowest and the highest"]
    for exchanges in EXCHANGES:
        yield _question(f"{exchanges} exchanges", shape, n, usual, exchanges=exchanges)
    for kind in ("factors", "phases", "flips", "views", "diagonals", "rotations", "layers", "dense", "pairs"):
        yield _question(f"{OPERATIONS} {kind}", shape, n, usual, kind=kind)
    yield _question(f"8 exchanges, {OPERATIONS} dense", shape, n, usual, exchanges=8, kind="dense")


def ask(card: Card, device: CupyDevice, question: Question, vector: Any, *, rounds: int) -> float:
    """Return the seconds of a pass over a state; copying its arrays to the card is not timed."""
    cupy = card.cupy
    precision = Precision.DOUBLE if vector.dtype.itemsize == 16 else Precision.SINGLE
    module = device.card.kernels(precision, device.shapes[precision].register_bits)
    program = [
        _uploaded(cupy, array)
        for array in (
            *(question.passes, question.stages, question.operations, question.conditions),
            *(np.zeros(1, np.uint32), question.factors, question.rotations, question.places, question.tables),
        )
    ]
    constants = _uploaded(cupy, question.constants.astype(vector.dtype))
    first = _uploaded(cupy, np.zeros(1, np.uint64))  # the index at which the only state begins
    arguments = (vector, *program, constants, np.uint32(0), first, np.uint64(0))
    tile_bytes = vector.dtype.itemsize * 2 ** len(question.tile)

    def launch() -> None:
        module.launch("run_pass", question.blocks, question.threads, *arguments, shared_bytes=tile_bytes)

    return card.median_seconds(launch, rounds)


def _spread(first: int, n: int, count: int) -> list[int]:
    return sorted({round(bit) for bit in np.linspace(first, n - 1, count)})


def _question(
    what: str,
    shape: Shape,
    n: int,
    tile: Sequence[int],
    *,
    permuted: Sequence[int] = (),
    exchanges: int = 0,
    kind: str = "",
) -> Question:
    """Return a pass that permutes its tile's bits, with the given number of exchanges, and operations of one kind."""
    tile = tuple(tile)
    target = dict(zip(tile, [tile[b] for b in permuted] or tile, strict=True))
    for stages in range(1, _MOST_STAGES):
        recorded, bits = _recorded(shape, n, tile, target, stages)
        made = sum(int(stage["exchange"]) != 0 for stage in recorded.stages)
        if made >= exchanges:
            break
    else:
        raise AssertionError(f"No pass with tiles of {len(tile)} bits has {what}.")
    stages_array = np.array(recorded.stages, STAGE)
    nothing = np.zeros(0, OPERATION), np.zeros(0, CONDITION), np.zeros(1, FACTOR), np.zeros(1, ROTATION)
    made = (*nothing, np.zeros(1, complex)) if not kind else _operations(kind, shape, bits)
    operations, conditions, factors, rotations, constants = made
    per_stage = np.array_split(np.arange(len(operations)), len(stages_array))
    stages_array["first_operation"] = [part[0] if len(part) else 0 for part in per_stage]
    stages_array["operations"] = [len(part) for part in per_stage]
    return Question(
        what,
        tile,
        np.array(recorded.passes, PASS),
        stages_array,
        operations,
        conditions,
        factors,
        rotations,
        np.concatenate(recorded.places or [np.zeros(1, np.uint32)]),
        np.concatenate(recorded.tables),
        constants,
        blocks=2 ** bits[1],
        threads=2 ** bits[0],
    )


def _recorded(
    shape: Shape, n: int, tile: tuple[int, ...], target: dict[int, int], stages: int
) -> tuple[Recorded, tuple[int, int]]:
    """Record, as the device would, a pass of stages that do nothing but have different wires in registers."""
    builder = PassBuilder(shape, tile, range(n), frozenset())
    held = shape.register_bits
    # Wires that belong to memory lines stay out of registers.
    movable = [wire for wire in reversed(tile) if wire >= shape.row_bits]
    for number in range(stages):
        wires = tuple(movable[:held] if number % 2 else movable[-held:])
        nothing = GateNumbers(Form.DIAGONAL, np.full(2, ONE), wires[:1])
        builder.product(wires, [nothing])
    recorded = Recorded(Tape(SegmentBatch(Segment(()), (), 1), any_angle=False))
    finished = builder.finish(recorded, target)
    assert finished is not None  # It has at least one stage.
    return recorded, finished[1:]


def _operations(
    kind: str, shape: Shape, bits: tuple[int, int]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[np.complexfloating]]:
    """Return operations of one kind on each of the register's bits in turn.

    With them go their conditions, factors, rotations, and constants.
    """
    random = np.random.default_rng(10)
    operations, conditions = np.zeros(OPERATIONS, OPERATION), np.zeros(OPERATIONS, CONDITION)
    number = np.arange(OPERATIONS)
    operations["bit"] = number % shape.register_bits
    operations["registers"] = 2 ** (2**shape.register_bits) - 1
    operations["at"] = 40 * (number % 16)
    constants = np.zeros((16, 40), complex)  # constants[i] = the constants of one operation
    factors = np.zeros(OPERATIONS, FACTOR)
    factors["on_thread"] = factors["want_thread"] = 2 ** (number % bits[0])
    registers = range(2**shape.register_bits)
    ones = [sum(2**r for r in registers if r & 2**bit) for bit in range(shape.register_bits)]  # [bit] = where it is 1
    rotations = np.zeros(shape.register_bits, ROTATION)
    rotations["mask"] = rotations["row"] = 2 ** np.arange(shape.register_bits)
    match kind:
        case "factors":
            # As in a QFT, each thread gathers a factor of its own, and multiplies its amplitudes by it once.
            operations, conditions = operations[:1], conditions[:1]
            operations["kind"], conditions["threads"] = Kind.PHASE, OPERATIONS
            constants = np.exp(1j * random.uniform(0, 2 * np.pi, OPERATIONS + 1))
        case "phases":
            # Half of the registers are multiplied, by a factor that differs between threads.
            operations["kind"], conditions["threads"] = Kind.PHASE, 1
            operations["registers"] = [ones[bit] for bit in operations["bit"]]
            constants[:, :2] = np.exp(1j * random.uniform(0, 2 * np.pi, (16, 2)))
        case "flips":
            operations["kind"] = Kind.FLIP
            operations["at"] = 2**32 - 1  # Amplitudes flip in all registers.
        case "views":
            operations["kind"], operations["other"], conditions["threads"] = Kind.VIEW, 1, 5
        case "diagonals" | "rotations" | "layers":
            operations["kind"], operations["other"] = Kind.LAYER, kind != "rotations"
            operations["rotations"] = {"diagonals": 0, "rotations": 1, "layers": shape.register_bits}[kind]
            operations["registers"] = 0
            operations["at"] = 40 * (number % 15) + 2 * shape.register_bits  # behind shears and tangents
            operations["columns"] = operations["bit"] if kind == "rotations" else 0
            constants[:] = 0.7 * np.exp(1j * random.uniform(0, 2 * np.pi, (16, 40)))
        case "dense":
            operations["kind"] = Kind.DENSE
            constants[:, :4] = [_unitary(2, random).reshape(-1) for _ in range(16)]
        case "pairs":
            operations["kind"] = Kind.PAIR
            operations["bit"], operations["other"] = 0, 1
            constants[:, :16] = [_unitary(4, random).reshape(-1) for _ in range(16)]
    return operations, conditions, factors, rotations, constants.reshape(-1)


def _unitary(size: int, random: np.random.Generator) -> NDArray[np.complexfloating]:
    return np.linalg.qr(random.normal(size=(size, size)) + 1j * random.normal(size=(size, size)))[0]


def _uploaded(cupy: Any, array: NDArray[Any]) -> Any:
    host = np.frombuffer(array.tobytes() or bytes(16), np.uint8).copy()
    uploaded = cupy.empty(len(host), np.uint8)
    uploaded.set(host)
    return uploaded
