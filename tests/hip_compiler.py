"""Clang for AMD's cards: compile HIP to assembly on a machine without a card, a driver and ROCm.

Clang comes from the wheel `ziglang`. It is the compiler that hipRTC has inside, perhaps of another version. What HIP's
headers declare is in `hip.h`.
"""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

# CuPy adds the first of these to our options, and hipRTC the second.
_OPTIONS = ("-fgpu-flush-denormals-to-zero", "-O3", "-x", "hip", "--cuda-device-only", "-nogpuinc", "-nogpulib", "-S")


class Usage(NamedTuple):
    """What a kernel takes: lanes of a wave, registers of a lane, and bytes of memory for what is not in registers."""

    lanes: int
    registers: int
    spilled_registers: int
    memory: int


class CompileError(Exception):
    """Holds the compiler's messages."""


def is_installed():
    """Whether the wheel is installed."""
    return importlib.util.find_spec("ziglang") is not None


class Assembly(NamedTuple):
    """What clang makes of a text."""

    text: str

    def usage(self, kernel):
        """Return what a kernel takes, given its name without the arguments of its template."""
        entries = self.text.split("amdhsa.kernels:")[1].split("\n  - ")
        (entry,) = (entry for entry in entries if re.search(rf"\.name: +_Z{len(kernel)}{kernel}[Iv]", entry))
        fields = ("wavefront_size", "vgpr_count", "vgpr_spill_count", "private_segment_fixed_size")
        return Usage(*(int(re.search(rf"\.{field}: +(\d+)", entry)[1]) for field in fields))

    def instructions(self, kernel):
        """Return the text of a kernel."""
        return re.search(rf"^_Z{len(kernel)}{kernel}[Iv]\w*:.*?^\.Lfunc_end", self.text, re.DOTALL | re.MULTILINE)[0]


def compile_to_assembly(code, names, architecture, options=()):
    """Compile a text for an architecture such as gfx90a, with the kernels of some name expressions.

    Raises
    ------
    CompileError
        If the text has errors; the messages name file and line.
    """
    instances = "".join(f"template __global__ decltype({name}) {name};\n" for name in names)
    command = [sys.executable, "-m", "ziglang", "clang", *_OPTIONS, f"--offload-arch={architecture}", *options]
    command += ["-include", str(Path(__file__).with_name("hip.h")), "-", "-o", "-"]
    done = subprocess.run(command, input=code + instances, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompileError(done.stderr)
    return Assembly(done.stdout)
