"""The CUDA sources as they are compiled: one text, and the names of the kernels that are instantiated from it."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from basicaer.errors import BasicAerError
from basicaer.options import Precision

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["COMPILE_OPTIONS", "kernel_names", "kernel_source"]

COMPILE_OPTIONS = ("--std=c++17",)

_SOURCES = ("pass.cu", "constants.cu", "wide.cu", "state.cu", "readout.cu", "paulis.cu", "adjoint.cu")
_INCLUDE = re.compile(r'^#include "([\w.]+)"$')
_REALS = {Precision.DOUBLE: "double", Precision.SINGLE: "float"}
_KERNELS = (
    "make_constants",
    "multiply_wide",
    "begin_states",
    "clear",
    "set_identity",
    "collapse",
    "prepare",
    "sum_probabilities",
    "sum_pauli_products",
    "add_parts",
    "apply_terms",
    "sum_transitions",
    "read_probabilities",
    "read_amplitudes",
    "write_amplitudes",
    "find_draws",
)


def kernel_names(precision: Precision, register_bits: int) -> dict[str, str]:
    """Return for each kernel the C++ name of its instance, such as ``clear<double>``."""
    real = _REALS[precision]
    return {name: f"{name}<{real}>" for name in _KERNELS} | {"run_pass": f"run_pass<{real}, {register_bits}>"}


@cache
def kernel_source() -> str:
    """Return all sources as one text.

    Headers are copied into the text, since CuPy's cache of compiled kernels would not notice a change of one that the
    compiler reads. ``#line`` keeps the names of files and the numbers of lines in the compiler's messages.

    Raises
    ------
    BasicAerError
        If the sources are missing.
    """
    folder = _folder()
    included: set[str] = set()

    def expanded(name: str) -> list[str]:
        if name in included:
            return []
        included.add(name)
        lines = [f'#line 1 "{name}"']
        for number, line in enumerate(folder.joinpath(name).read_text("utf-8").splitlines(), start=1):
            if line == "#pragma once":
                lines.append("")
            elif match := _INCLUDE.match(line):
                lines += [*expanded(match[1]), f'#line {number + 1} "{name}"']
            else:
                lines.append(line)
        return lines

    return "\n".join(line for name in _SOURCES for line in expanded(name)) + "\n"


def _folder() -> Traversable:
    """Return the folder of the sources: within the installed package or, in an editable install, in the checkout."""
    package = resources.files("basicaer")
    for folder in (package / "kernels", Path(str(package)).parents[1] / "kernels"):
        if (folder / _SOURCES[0]).is_file():
            return folder
    raise BasicAerError(f"The CUDA sources are missing from {package}; install basicaer again.")
