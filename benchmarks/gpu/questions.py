"""What the parts of a pass of `run_pass` cost: moving amplitudes, exchanging them, and operations on them.

The costs with which the device's plans are made rest on these numbers: see `_costs` in devices/gpu/device.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.gpu.encoding import PassArrays as Recorded
from basicaer.devices.gpu.passes import PassBuilder
from basicaer.devices.gpu.structs import OPERATION, PASS, STAGE
from basicaer.devices.gpu.structs import OperationKind as Kind
from basicaer.devices.numbers import GateNumbers
from basicaer.engine.program import Form
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
    for kind in ("factors", "phases", "flips", "real", "crossed", "dense", "pairs"):
        yield _question(f"{OPERATIONS} {kind}", shape, n, usual, kind=kind)
    yield _question(f"8 exchanges, {OPERATIONS} dense", shape, n, usual, exchanges=8, kind="dense")


def ask(card: Card, device: CupyDevice, question: Question, vector: Any, *, rounds: int) -> float:
    """Return the seconds of a pass over a state; copying its arrays to the card is not timed."""
    cupy = card.cupy
    precision = Precision.DOUBLE if vector.dtype.itemsize == 16 else Precision.SINGLE
    module = device.card.kernels(precision, device.shapes[precision].register_bits)
    program = [
        _uploaded(cupy, array)
        for array in (question.passes, question.stages, question.operations, np.zeros(1, np.uint32))
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
    operations, constants = _operations(kind, shape, bits) if kind else (np.zeros(0, OPERATION), None)
    per_stage = np.array_split(np.arange(len(operations)), len(stages_array))
    stages_array["first_operation"] = [part[0] if len(part) else 0 for part in per_stage]
    stages_array["operations"] = [len(part) for part in per_stage]
    return Question(
        what,
        tile,
        np.array(recorded.passes, PASS),
        stages_array,
        operations,
        np.zeros(1, complex) if constants is None else constants,
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
        nothing = GateNumbers(Form.DIAGONAL, np.ones((2, 1)), wires[:1])
        builder.product(wires, [nothing])
    recorded = Recorded()
    finished = builder.finish(recorded, target)
    assert finished is not None  # It has at least one stage.
    return recorded, finished[1:]


def _operations(kind: str, shape: Shape, bits: tuple[int, int]) -> tuple[NDArray[Any], NDArray[np.complexfloating]]:
    """Return operations of one kind on each of the register's bits in turn, and their constants."""
    random = np.random.default_rng(10)
    operations = np.zeros(OPERATIONS, OPERATION)
    number = np.arange(OPERATIONS)
    operations["bit"] = number % shape.register_bits
    operations["at"] = 16 * (number % 16)
    constants = np.zeros((16, 16), complex)  # constants[i] = the constants of one operation
    phases = np.exp(1j * random.uniform(0, 2 * np.pi, 16))
    match kind:
        case "factors":
            # As in a QFT, each thread gathers a factor of its own, and multiplies its amplitudes by it once.
            operations["kind"] = Kind.FACTOR
            operations["on_thread"] = operations["want_thread"] = 2 ** (number % bits[0])
            operations["kind"][-1] = Kind.PHASE
            operations["on_thread"][-1] = operations["want_thread"][-1] = 0
            constants[:, 0] = phases
        case "phases":
            # Half of the registers are multiplied, each by a factor of its own.
            operations["kind"] = np.where(number % 2, Kind.PHASE, Kind.FACTOR)
            odd = number % 2 == 1
            operations["on_register"][odd] = 2 ** (number[odd] // 2 % shape.register_bits)
            operations["want_register"] = operations["on_register"]
            constants[:, 0] = phases
        case "flips":
            operations["kind"] = Kind.FLIP
            operations["at"] = 2**32 - 1  # Amplitudes flip in all registers.
        case "real" | "crossed":
            operations["kind"] = Kind.REAL if kind == "real" else Kind.CROSSED
            angle = random.uniform(0, 2 * np.pi, 16)
            c, s = np.cos(angle), np.sin(angle)
            # A constant holds the two entries of a row; those off the diagonal are imaginary if crossed, as in RX.
            constants[:, 0], constants[:, 1] = c - 1j * s, (s if kind == "real" else -s) + 1j * c
        case "dense":
            operations["kind"] = Kind.DENSE
            constants[:, :4] = [_unitary(2, random).reshape(-1) for _ in range(16)]
        case "pairs":
            operations["kind"] = Kind.PAIR
            constants[:] = [_unitary(4, random).reshape(-1) for _ in range(16)]
    return operations, constants.reshape(-1)


def _unitary(size: int, random: np.random.Generator) -> NDArray[np.complexfloating]:
    return np.linalg.qr(random.normal(size=(size, size)) + 1j * random.normal(size=(size, size)))[0]


def _uploaded(cupy: Any, array: NDArray[Any]) -> Any:
    host = np.frombuffer(array.tobytes() or bytes(16), np.uint8).copy()
    uploaded = cupy.empty(len(host), np.uint8)
    uploaded.set(host)
    return uploaded
