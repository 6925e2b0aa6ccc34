"""NVRTC by itself: compile CUDA C++ to machine code for any card on a machine that has neither a card nor a driver.

The library comes from a wheel: `nvidia-cuda-nvrtc` for CUDA 13, `nvidia-cuda-nvrtc-cu12` for CUDA 12; both may be
installed. With `--ptxas-options=-v` its messages say what each kernel takes.
"""

import ctypes
import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

# CuPy adds these options to ours. It gives the second to NVRTC itself, and NVRTC 12.0 refuses an option given twice.
CUPYS_OPTIONS = ("-ftz=true", "--device-as-default-execution-space")

_FILES = {12: "cuda_nvrtc/lib/libnvrtc.so.12", 13: "cu13/lib/libnvrtc.so.13"}


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
def library(cuda=13):
    """Return the NVRTC of CUDA 12 or 13, None if its wheel is not installed."""
    wheels = importlib.util.find_spec("nvidia")
    for folder in (wheels and wheels.submodule_search_locations) or ():
        path = Path(folder, _FILES[cuda])
        if path.exists():
            for part in path.parent.glob("libnvrtc-builtins.so.*"):
                ctypes.CDLL(str(part))  # NVRTC 13.0 does not find it
            found = ctypes.CDLL(str(path))
            found.nvrtcGetErrorString.restype = ctypes.c_char_p
            return found
    return None


def _call(cuda, function, *arguments):
    nvrtc = library(cuda)
    if status := nvrtc[function](*arguments):
        raise CompileError(f"{function}: {nvrtc.nvrtcGetErrorString(status).decode()}")


def version(cuda=13):
    """Return the version of NVRTC as (major, minor)."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    _call(cuda, "nvrtcVersion", ctypes.byref(major), ctypes.byref(minor))
    return major.value, minor.value


def compile_program(code, names, architecture, options=(), cuda=13):
    """Compile a text as CuPy does for a card of an architecture, with the kernels of some name expressions.

    Raises
    ------
    CompileError
        If the text has errors; the messages name file and line.
    """
    program = ctypes.c_void_p()
    _call(cuda, "nvrtcCreateProgram", ctypes.byref(program), code.encode(), b"kernels.cu", 0, None, None)
    try:
        for name in names:
            _call(cuda, "nvrtcAddNameExpression", program, name.encode())
        flags = [option.encode() for option in (f"-arch=sm_{architecture}", *options)]
        try:
            _call(cuda, "nvrtcCompileProgram", program, len(flags), (ctypes.c_char_p * len(flags))(*flags))
        except CompileError as error:
            raise CompileError(f"{error}\n{_bytes(cuda, program, 'ProgramLog').decode()}") from None
        log = _bytes(cuda, program, "ProgramLog").rstrip(b"\0").decode()
        return Compiled(_bytes(cuda, program, "CUBIN"), log, {name: _lowered(cuda, program, name) for name in names})
    finally:
        _call(cuda, "nvrtcDestroyProgram", ctypes.byref(program))


def _bytes(cuda, program, what):
    size = ctypes.c_size_t()
    _call(cuda, f"nvrtcGet{what}Size", program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    _call(cuda, f"nvrtcGet{what}", program, buffer)
    return buffer.raw


def _lowered(cuda, program, name):
    lowered = ctypes.c_char_p()
    _call(cuda, "nvrtcGetLoweredName", program, name.encode(), ctypes.byref(lowered))
    return lowered.value.decode()
