"""NVRTC by itself: compile CUDA C++ to machine code for any card on a machine that has neither a card nor a driver.

The library comes from the wheel `nvidia-cuda-nvrtc`; with `--ptxas-options=-v` its messages say what each kernel takes.
"""

import ctypes
import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Usage(NamedTuple):
    """What each thread of a kernel takes: registers, and bytes of memory where these run out."""

    registers: int
    stack: int
    spill_stores: int
    spill_loads: int


class CompileError(Exception):
    """Holds the compiler's messages."""


class Compiled(NamedTuple):
    """A compiled program: its machine code, the messages, and for each name expression the kernel's mangled name."""

    cubin: bytes
    log: str
    lowered: dict[str, str]

    def usage(self, name):
        """Return what the kernel of a name expression takes; the program was compiled with ``--ptxas-options=-v``."""
        start = self.log.index(f"Compiling entry function '{self.lowered[name]}'")
        lines = self.log[start:].split("Compiling entry function", 2)[1]
        patterns = (
            r"Used (\d+) registers",
            r"(\d+) bytes stack frame",
            r"(\d+) bytes spill stores",
            r"(\d+) bytes spill loads",
        )
        return Usage(*(int(re.search(pattern, lines)[1]) for pattern in patterns))


@cache
def library():
    """Return NVRTC, None if its wheel is not installed."""
    wheels = importlib.util.find_spec("nvidia")
    for folder in (wheels and wheels.submodule_search_locations) or ():
        for path in Path(folder).glob("cu13/lib/libnvrtc.so.13"):
            found = ctypes.CDLL(str(path))
            found.nvrtcGetErrorString.restype = ctypes.c_char_p
            return found
    return None


def _call(function, *arguments):
    if status := library()[function](*arguments):
        raise CompileError(f"{function}: {library().nvrtcGetErrorString(status).decode()}")


def supported():
    """Return the architectures that NVRTC makes machine code for: 75 is sm_75, compute capability 7.5."""
    count = ctypes.c_int()
    _call("nvrtcGetNumSupportedArchs", ctypes.byref(count))
    numbers = (ctypes.c_int * count.value)()
    _call("nvrtcGetSupportedArchs", numbers)
    return list(numbers)


def compile_program(code, names, architecture, options=()):
    """Compile a text as CuPy does for a card of an architecture, with the kernels of some name expressions.

    Raises
    ------
    CompileError
        If the text has errors; the messages name file and line.
    """
    program = ctypes.c_void_p()
    _call("nvrtcCreateProgram", ctypes.byref(program), code.encode(), b"kernels.cu", 0, None, None)
    try:
        for name in names:
            _call("nvrtcAddNameExpression", program, name.encode())
        flags = [option.encode() for option in (f"-arch=sm_{architecture}", *options)]
        try:
            _call("nvrtcCompileProgram", program, len(flags), (ctypes.c_char_p * len(flags))(*flags))
        except CompileError as error:
            raise CompileError(f"{error}\n{_bytes(program, 'ProgramLog').decode()}") from None
        log = _bytes(program, "ProgramLog").rstrip(b"\0").decode()
        return Compiled(_bytes(program, "CUBIN"), log, {name: _lowered(program, name) for name in names})
    finally:
        _call("nvrtcDestroyProgram", ctypes.byref(program))


def _bytes(program, what):
    size = ctypes.c_size_t()
    _call(f"nvrtcGet{what}Size", program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    _call(f"nvrtcGet{what}", program, buffer)
    return buffer.raw


def _lowered(program, name):
    lowered = ctypes.c_char_p()
    _call("nvrtcGetLoweredName", program, name.encode(), ctypes.byref(lowered))
    return lowered.value.decode()
