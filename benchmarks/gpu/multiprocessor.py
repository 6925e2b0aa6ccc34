"""The model of multiprocessor.cpp, called with what warps issued: how many cycles a block takes on a card."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpu.predicted_cards import PredictedCard

_HERE = Path(__file__).parent
_FLAGS = ("-std=c++17", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror")

# As in multiprocessor.cpp. Opcodes that are not here take an issue slot and no unit.
_UNITS = ("any", "double", "single", "integer", "multiply", "slow", "global load", "global store", "shared", "barrier")
_UNIT_OF = {
    **dict.fromkeys(("DFMA", "DMUL", "DADD", "DSETP", "DMMA"), "double"),
    **dict.fromkeys(("FFMA", "FMUL", "FADD"), "single"),
    **dict.fromkeys(("ISETP", "IADD3", "VIADD", "LOP3", "SHF", "PRMT", "LEA", "SEL", "FSEL", "PLOP3"), "integer"),
    **dict.fromkeys(("P2R", "R2P", "IMNMX", "VIMNMX"), "integer"),
    **dict.fromkeys(("S2R", "S2UR", "LDC", "POPC", "MUFU", "F2F", "F2I", "I2F"), "slow"),
    **dict.fromkeys(("LDS", "STS"), "shared"),
    "IMAD": "multiply",
    "LDG": "global load",
    "STG": "global store",
    "BAR": "barrier",
}
_SLOW_CYCLES, _INTEGER_CYCLES = 8, 2
_COUNTED_BLOCKS = 24  # over which the cycles for a block are averaged, at least
_LATENCIES = {
    "latency": 25,  # of what has no fixed one
    "shared_latency": 24,
    "near_latency": 33,  # of what a cache has
    "memory_latency": 700,
    "barrier_latency": 12,
    "next_block": 300,  # from the end of a block to the first instruction of the next
    "most_queued_stores": 20000,  # how far stores may be ahead of memory: a multiprocessor's share of the L2 cache
}


class _Instruction(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_int32)
        for name in ("unit", "busy", "stall", "raised_until_written", "raised_until_read", "awaited")
    )


class _Card(ctypes.Structure):
    _fields_ = (
        ("bytes_per_cycle", ctypes.c_double),
        *((name, ctypes.c_int32) for name in _LATENCIES),
    )


class _Shape(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_int32) for name in ("warps", "resident", "blocks", "wanted"))


class Simulated(NamedTuple):
    """Cycles for a block, once all is under way, and how much of the issue slots, memory and FP64 units is in use."""

    cycles: float
    issue_share: float
    memory_share: float
    double_share: float


def double_cycles(instruction: Any, card: PredictedCard) -> int:
    """Return for how long an instruction keeps the units for double precision busy; 0 if it does not take them.

    Tensor cores count as these units: it is not known whether both work at the same time.
    """
    return _busy(instruction, card) if _UNIT_OF.get(instruction.opcode) == "double" else 0


def _busy(instruction: Any, card: PredictedCard) -> int:
    """Return for how many cycles an instruction keeps its unit busy."""
    if instruction.opcode == "DMMA":
        from machine_code.arithmetic_opcodes import matrix_sizes

        rows, columns, depth = matrix_sizes(instruction.modifiers)
        return rows * columns * depth // card.matrix_multiply_adds
    unit = _UNIT_OF.get(instruction.opcode, "any")
    busy = {"double": card.double_cycles, "single": card.single_cycles, "slow": _SLOW_CYCLES}
    return busy.get(unit, _INTEGER_CYCLES if unit in {"integer", "multiply"} else 1)


def is_work(opcode: str) -> bool:
    """Tell whether an instruction does arithmetic on amplitudes, or loads or stores what is in memory."""
    return _UNIT_OF.get(opcode) in {"double", "single", "global load", "global store", "shared"}


@cache
def _library() -> ctypes.CDLL:
    from emulated_gpu.building import shared_library

    tests = _HERE.parents[1] / "tests" / "machine_code"
    headers = [(tests / "structures.h").read_text("utf-8")]
    source = (_HERE / "multiprocessor.cpp").read_text("utf-8")
    return ctypes.CDLL(str(shared_library(source, _FLAGS, tests, headers)))


def simulate(kernel: Any, traces: list[NDArray[Any]], card: PredictedCard, warps: int, resident: int) -> Simulated:
    """Let a multiprocessor run blocks that are like traced ones, `resident` at a time.

    Parameters
    ----------
    traces
        What the warps of each traced block issued, in order.
    warps
        How many a block has.
    """
    instructions = (_Instruction * len(kernel.instructions))()
    for entry, instruction in zip(instructions, kernel.instructions, strict=True):
        entry.unit = _UNITS.index(_UNIT_OF.get(instruction.opcode, "any"))
        entry.busy = _busy(instruction, card)
        for name, value in instruction.control._asdict().items():
            setattr(entry, name, value)
    of_warps = [np.ascontiguousarray(trace[trace["warp"] == warp]) for trace in traces for warp in range(warps)]
    model = _Card(
        bytes_per_cycle=card.copy_bytes_per_s / card.multiprocessors / card.clock,
        **_LATENCIES,
    )
    wanted = resident * (2 + max(4, -(-_COUNTED_BLOCKS // resident)))  # blocks that began together end together
    shape = _Shape(warps=warps, resident=resident, blocks=len(traces), wanted=wanted)
    result = (ctypes.c_double * len(Simulated._fields))()
    pointers = (ctypes.c_void_p * len(of_warps))(*(trace.ctypes.data for trace in of_warps))
    sizes = (ctypes.c_uint64 * len(of_warps))(*map(len, of_warps))
    if _library().simulate(instructions, pointers, sizes, ctypes.byref(model), ctypes.byref(shape), result):
        raise RuntimeError(f"The model stands still in {kernel.name}: all warps wait for each other.")
    return Simulated(*result)
