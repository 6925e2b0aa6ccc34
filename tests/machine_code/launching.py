"""Kernels as machine code that can be launched on the CPU, with what a card's launch is given."""

import ctypes
import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np

from emulated_gpu.building import shared_library
from machine_code.compiling import compiled
from machine_code.decoding import OPERAND, STEP, steps_of
from machine_code.listing import instructions_of

_HERE = Path(__file__).parent
_FLAGS = (
    *("-std=c++17", "-O2", "-march=native", "-shared", "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique"),
    *("-ffp-contract=off", "-fno-strict-aliasing", "-Wall", "-Wextra", "-Werror"),
)
_LOCAL_BYTES = 4096  # of each thread of a kernel that uses local memory
_MOST_ISSUED = 1 << 36  # far more instructions than any launch of the tests needs


class Architecture(NamedTuple):
    """Where the compiler expects things: arguments in constant bank 0, and shared memory as an address."""

    argument_place: int
    shared_place: int


ARCHITECTURES = {
    75: Architecture(0x160, 0),
    80: Architecture(0x160, 0),
    90: Architecture(0x210, 0x400),
}

# These are the structures of structures.h.
COUNTS = np.dtype(
    [(name, "u8") for name in ("issued", "acting", "lanes", "bytes", "sectors", "new_sectors", "wavefronts")]
)
ISSUED = np.dtype(
    [
        *[("step", "u4"), ("block", "u4"), ("sectors", "u2"), ("new_sectors", "u2"), ("wavefronts", "u2")],
        *[("warp", "u1"), ("acts", "u1")],
    ]
)
RANGE = np.dtype([("begin", "u8"), ("end", "u8"), ("is_large", "u8")])


class _Launch(ctypes.Structure):
    _fields_ = (
        *[("steps", ctypes.c_void_p), ("step_count", ctypes.c_uint64)],
        *[(name, ctypes.c_void_p) for name in ("arguments", "literals", "variables")],
        *[(name, ctypes.c_uint64) for name in ("argument_bytes", "argument_place", "literal_bytes", "variable_bytes")],
        *[(name, ctypes.c_uint64) for name in ("shared_place", "shared_bytes", "local_bytes")],
        *[(name, ctypes.c_uint32) for name in ("blocks_x", "blocks_y", "threads", "reserved")],
        *[(name, ctypes.c_uint64) for name in ("seed", "sample", "most_issued")],
        *[("ranges", ctypes.c_void_p), ("range_count", ctypes.c_uint64)],
        *[("ignored_barrier", ctypes.c_int64), ("counts_memory", ctypes.c_uint64)],
        *[("counts", ctypes.c_void_p), ("issued", ctypes.c_void_p), ("issued_room", ctypes.c_uint64)],
        *[("issued_count", ctypes.c_uint64), ("blocks_run", ctypes.c_uint64), ("why", ctypes.c_char * 400)],
    )


class Ran(NamedTuple):
    """What came of a launch.

    Attributes
    ----------
    why
        Why it failed; empty if it did not.
    counts
        COUNTS of each instruction.
    issued
        ISSUED for each instruction that warps issued, in order, as many as there was room for.
    issued_count
        How many there were.
    blocks
        How many blocks ran.
    """

    why: str
    counts: np.ndarray
    issued: np.ndarray
    issued_count: int
    blocks: int


@functools.cache
def _runner():
    """Return the library that runs machine code."""
    headers = [path.read_text("utf-8") for path in sorted(_HERE.glob("*.h"))]
    source = (_HERE / "runner.cpp").read_text("utf-8")
    library = ctypes.CDLL(str(shared_library(source, _FLAGS, _HERE, headers)))
    library.structure_bytes.restype = ctypes.c_uint64
    sizes = [*(dtype.itemsize for dtype in (OPERAND, STEP, COUNTS, ISSUED, RANGE)), ctypes.sizeof(_Launch)]
    if [library.structure_bytes(which) for which in range(len(sizes))] != sizes:
        raise TypeError("structures.h has other structures than decoding.py and launching.py")
    return library


def _handler_number(name):
    if (number := _runner().handler_number(name.encode())) < 0:
        raise LookupError(f"runner.cpp has no handler {name}")
    return number


class Kernel:
    """A kernel's machine code for one architecture.

    Attributes
    ----------
    name
        Its name expression.
    instructions
        What the disassembler says of them.
    registers
        How many a thread takes.
    barriers
        Numbers of the instructions that are barriers of a block.
    """

    def __init__(self, name, code, architecture):
        self.name, self.architecture = name, ARCHITECTURES[architecture]
        self.instructions = instructions_of(code.listing)[code.symbols[name]]
        self.registers = code.registers[name]
        # Where shared memory does not begin at 0, the compiler counts what lies before it as the kernel's own.
        self.static_shared_bytes = max(0, code.static_shared_bytes[name] - self.architecture.shared_place)
        self.barriers = [n for n, instruction in enumerate(self.instructions) if instruction.opcode == "BAR"]
        self._steps = steps_of(self.instructions, name, _handler_number)
        self._literals, self._variables = code.literals[name], code.variables
        uses_local = any(instruction.opcode in {"LDL", "STL"} for instruction in self.instructions)
        self._local_bytes = _LOCAL_BYTES if uses_local else 0

    def launch(
        self,
        arguments,
        *,
        grid,
        threads,
        shared_bytes,
        ranges,
        seed=0,
        sample=0,
        counts_memory=False,
        issued_room=0,
        ignored_barrier=-1,
    ):
        """Run it.

        Parameters
        ----------
        arguments
            Their bytes as a launch passes them, each aligned to its size.
        ranges
            RANGE of each allocation of global memory.
        sample
            How many randomly chosen blocks run; 0 for all.
        counts_memory
            Whether sectors and wavefronts are counted.
        issued_room
            How many of the issued instructions are kept.
        ignored_barrier
            The number of an instruction that is passed over; -1 for none.
        """
        counts, issued = np.zeros(len(self.instructions), COUNTS), np.zeros(issued_room, ISSUED)
        asked = _Launch(
            steps=self._steps.ctypes.data,
            step_count=len(self._steps),
            arguments=_address_of(arguments),
            argument_bytes=len(arguments),
            argument_place=self.architecture.argument_place,
            literals=_address_of(self._literals),
            literal_bytes=len(self._literals),
            variables=_address_of(self._variables),
            variable_bytes=len(self._variables),
            shared_place=self.architecture.shared_place,
            shared_bytes=self.static_shared_bytes + shared_bytes,
            local_bytes=self._local_bytes,
            blocks_x=grid[0],
            blocks_y=grid[1],
            threads=threads,
            seed=seed % 2**64,
            sample=sample,
            most_issued=_MOST_ISSUED,
            ranges=ranges.ctypes.data,
            range_count=len(ranges),
            ignored_barrier=ignored_barrier,
            counts_memory=counts_memory,
            counts=counts.ctypes.data,
            issued=issued.ctypes.data,
            issued_room=issued_room,
        )
        _runner().run(ctypes.byref(asked))
        return Ran(asked.why.decode(), counts, issued[: asked.issued_count], asked.issued_count, asked.blocks_run)


def _address_of(data):
    """Return where bytes lie; their owner must outlive the use."""
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p)


@functools.cache
def kernel_of(text, names, name, architecture, options=()):
    """Return the kernel `name` of a text that is compiled with all of `names`."""
    return Kernel(name, compiled(text, names, architecture, options), architecture)
