"""CUDA C++ to machine code and its listing, with NVRTC and the disassembler from their wheels; no card and no driver.

The versions are pinned in pyproject.toml, because another compiler makes other code.
"""

import ctypes
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import nvrtc
from emulated_gpu.building import cache_folder
from machine_code.cubin import sections_of

WHEELS = ("nvidia-cuda-nvrtc", "nvidia-cuda-cuobjdump", "nvidia-cuda-nvdisasm")
_ADDED_BY_CUPY = "-ftz=true"


class Code(NamedTuple):
    """What was compiled of a text.

    Attributes
    ----------
    listing
        The disassembler's text, with all kernels.
    symbols
        Mangled names by name expression.
    registers, static_shared_bytes
        What each kernel takes, by name expression.
    literals
        What is in constant bank 2 of each kernel, by name expression.
    variables
        What is in constant bank 3: `__constant__` variables.
    """

    listing: str
    symbols: dict[str, str]
    registers: dict[str, int]
    static_shared_bytes: dict[str, int]
    literals: dict[str, bytes]
    variables: bytes


@functools.cache
def why_unavailable():
    """Return why nothing can be compiled here, None if it can."""
    missing = [wheel for wheel in WHEELS if not _version(wheel)]
    return f"not installed: {', '.join(missing)}" if missing else None


def _version(wheel):
    try:
        return importlib.metadata.version(wheel)
    except importlib.metadata.PackageNotFoundError:
        return ""


def versions():
    """Return the versions of the compiler and of the disassembler."""
    return {wheel: _version(wheel) for wheel in WHEELS}


@functools.cache
def compiled(text, names, architecture, options=()):
    """Compile a text with the kernels of some name expressions as CuPy would; what was done before is kept on disk.

    Raises
    ------
    nvrtc.CompileError
        If the text has errors.
    """
    options = (*options, _ADDED_BY_CUPY, "--ptxas-options=-v")
    key = json.dumps([text, names, architecture, options, versions()])
    kept = cache_folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:40]}.json"
    if not kept.exists():
        _load_builtins()
        program = nvrtc.compile_program(text, names, architecture, options)
        whole = kept.with_suffix(f".{os.getpid()}")
        whole.write_text(json.dumps(_described(program, names)), "utf-8")
        whole.replace(kept)  # atomic, since others may compile the same
    found = json.loads(kept.read_text("utf-8"))
    literals = {name: bytes.fromhex(data) for name, data in found.pop("literals").items()}
    return Code(**found | {"literals": literals, "variables": bytes.fromhex(found["variables"])})


def _described(program, names):
    sections = sections_of(program.cubin)

    def data(name):
        return sections[name].data.hex() if name in sections else ""

    shared = {name: sections.get(f".nv.shared.{program.lowered[name]}") for name in names}
    return {
        "listing": _listing(program.cubin),
        "symbols": program.lowered,
        "registers": {name: program.usage(name).registers for name in names},
        "static_shared_bytes": {name: section.size if section else 0 for name, section in shared.items()},
        "literals": {name: data(f".nv.constant2.{program.lowered[name]}") for name in names},
        "variables": data(".nv.constant3"),
    }


@functools.cache
def _folder(kind):
    """Return the folder `kind` of NVIDIA's wheels."""
    for place in importlib.util.find_spec("nvidia").submodule_search_locations:
        if (path := Path(place, "cu13", kind)).is_dir():
            return path
    raise FileNotFoundError(f"NVIDIA's wheels have no folder {kind}")


@functools.cache
def _load_builtins():
    """Load what NVRTC opens by name, which it finds if it is loaded already."""
    for path in _folder("lib").glob("libnvrtc-builtins.so.*"):
        ctypes.CDLL(str(path))


def _listing(cubin):
    tools = _folder("bin")
    environment = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}  # cuobjdump calls nvdisasm
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "kernels.cubin")
        path.write_bytes(cubin)
        command = [tools / "cuobjdump", "-sass", path]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
