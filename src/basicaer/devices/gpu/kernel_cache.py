"""Kernels that can be launched: compiled, or loaded from the folder where an earlier process has kept them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from basicaer.devices.gpu.kernels import COMPILE_OPTIONS, kernel_source
from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["keeps_templates", "kernel_cache_folder", "load_kernels"]


class _MachineCode(NamedTuple):
    """What NVRTC makes of the sources, and for each C++ name of a kernel the symbol of its code."""

    symbols: dict[str, str]
    binary: bytes


def kernel_cache_folder() -> Path:
    """Return the folder where compiled kernels are kept, which is CuPy's."""
    return Path(os.environ.get("CUPY_CACHE_DIR", Path.home() / ".cupy" / "kernel_cache"))


def keeps_templates(cupy: Any) -> bool:
    """Tell whether CuPy keeps compiled templates; before 14.2 each process compiles them, to know their symbols."""
    return tuple(map(int, cupy.__version__.split(".")[:2])) >= (14, 2)


def load_kernels(cupy: Any, names: Sequence[str]) -> dict[str, Any]:
    """Return the kernels with some C++ names, ready for the current card.

    Raises
    ------
    BasicAerError
        If CuPy needs its folder and cannot write there.
    """
    if keeps_templates(cupy) or cupy.cuda.runtime.is_hip:  # CuPy has the options that hipRTC wants
        module = cupy.RawModule(code=kernel_source(), options=COMPILE_OPTIONS, name_expressions=tuple(names))
        try:
            return {name: module.get_function(name) for name in names}
        except OSError as error:
            raise BasicAerError(
                f"CuPy cannot keep the compiled kernels ({error}); set CUPY_CACHE_DIR to a folder that can be written, "
                "or CUPY_CACHE_IN_MEMORY=1."
            ) from error
    code = _machine_code(cupy, tuple(names))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "kernels.cubin")
        path.write_bytes(code.binary)
        module = cupy.RawModule(path=str(path))
        return {name: module.get_function(code.symbols[name]) for name in names}  # the first one loads the file


def _machine_code(cupy: Any, names: tuple[str, ...]) -> _MachineCode:
    """Return the kernels' machine code for the current card: what is kept, else compiled now and kept if possible."""
    source, options = kernel_source(), (*COMPILE_OPTIONS, "-ftz=true")  # CuPy gives newer versions the second option
    made_of = source, options, names, cupy.__version__, cupy.cuda.nvrtc.getVersion()
    key = hashlib.sha256(repr((*made_of, cupy.cuda.Device().compute_capability)).encode()).hexdigest()
    path = kernel_cache_folder() / f"basicaer-{key}"
    kept = None if (in_memory := os.environ.get("CUPY_CACHE_IN_MEMORY") == "1") else _read(path)
    if kept is not None:
        return kept
    binary, symbols = cupy.cuda.compiler.compile_using_nvrtc(source, options, name_expressions=names)
    code = _MachineCode(symbols, binary)
    if not in_memory:
        _write(path, code)
    return code


def _read(path: Path) -> _MachineCode | None:
    """Return what a file holds, None if there is no such file or it is damaged."""
    try:
        digest, content = path.read_bytes().split(b"\n", 1)
    except (OSError, ValueError):
        return None
    if digest != _digest(content):
        return None
    symbols, binary = content.split(b"\n", 1)
    return _MachineCode(json.loads(symbols), binary)


def _write(path: Path, code: _MachineCode) -> None:
    """Write a file, if its folder can be written; otherwise the next process compiles again."""
    content = json.dumps(code.symbols).encode() + b"\n" + code.binary
    new = path.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(_digest(content) + b"\n" + content)
        new.replace(path)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
