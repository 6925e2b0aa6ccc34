"""Compiles kernels with g++ into libraries that Python loads. Each text is compiled once on a machine."""

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from emulated_gpu.errors import CompileException

_HERE = Path(__file__).parent
_HEADERS = ("cuda_on_cpu.h", "counting.h", "fibers.h")
_ALWAYS = (
    "-std=c++17",
    "-O1",
    "-shared",
    "-fPIC",
    "-fvisibility=hidden",
    "-fno-gnu-unique",
    "-fno-exceptions",
    "-fno-strict-aliasing",
)
_PLAIN = ("-U_FORTIFY_SOURCE",)
_SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-g")
_loaded = {}
_lock = threading.Lock()


def why_unavailable():
    """Return why kernels cannot run here, in a word or two; None if they can."""
    if sys.platform != "linux":
        return "not Linux"
    return None if shutil.which("g++") else "no g++"


@functools.cache
def _compiler_version():
    return subprocess.run(["g++", "--version"], check=True, capture_output=True, text=True).stdout


def cache_folder():
    """Return a folder that belongs to this user, since what lies there is loaded into the process."""
    folder = Path(tempfile.gettempdir(), f"basicaer-emulated-gpu-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user")
    return folder


def _flags(options, *, counting, sanitize):
    """Return g++'s flags. Of NVRTC's options it has those that g++ knows too; the others are about the card."""
    shared = [option for option in options if option.startswith(("-D", "-U", "-I", "-std="))]
    shared += [option[1:] for option in options if option.startswith("--std=")]
    counted = ["-DBASICAER_COUNTING"] if counting else []
    return [*_ALWAYS, *(_SANITIZED if sanitize else _PLAIN), *counted, *shared]


def _check_sanitizer():
    """Raise before a library is loaded that would end the process: AddressSanitizer must have been preloaded."""
    if not hasattr(ctypes.CDLL(None), "__asan_init"):
        raise RuntimeError("sanitized kernels need Python started with LD_PRELOAD=$(g++ -print-file-name=libasan.so)")


class Library:
    """A module's kernels, by name expression."""

    def __init__(self, path, names):
        library = ctypes.CDLL(str(path))
        self._launchers = {}
        for number, name in enumerate(names):
            launcher, parameters = library[f"launch_{number}"], library[f"parameters_{number}"]
            launcher.argtypes = [
                *[ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint, ctypes.c_size_t],
                *[ctypes.c_uint64, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t],
            ]
            parameters.restype = ctypes.c_char_p
            pairs = parameters()
            kinds = [(chr(pairs[i]), pairs[i + 1]) for i in range(0, len(pairs), 2)]
            self._launchers[name] = launcher, kinds

    def __contains__(self, name):
        return name in self._launchers

    def parameters(self, name):
        """Return (kind, bytes) of each parameter, kind being p, f, i, u, s: pointer, float, signed, unsigned, other."""
        return self._launchers[name][1]

    def launch(self, name, pointers, *, grid, threads, shared_bytes, seed, counts):
        """Run a kernel on a grid (x, y); return why the launch failed, an empty text if it did not."""
        message = ctypes.create_string_buffer(400)
        counts = None if counts is None else ctypes.byref(counts)
        launcher = self._launchers[name][0]
        failed = launcher(pointers, *grid, threads, shared_bytes, seed, counts, message, len(message))
        return message.value.decode() if failed else ""


def build(code, names, options, *, counting, sanitize):
    """Return the library of `code` with launchers for the kernels `names`, compiled unless it has been before."""
    if sanitize:
        _check_sanitizer()
    flags = _flags(options, counting=counting, sanitize=sanitize)
    launchers = "".join(f"CUDA_ON_CPU_LAUNCHER({number}, {name})\n" for number, name in enumerate(names))
    source = f'#include "cuda_on_cpu.h"\n#line 1 "kernels"\n{code}\n#line 1 "launchers"\n{launchers}'
    headers = [(_HERE / header).read_text("utf-8") for header in _HEADERS]
    with _lock:
        path = shared_library(source, flags, _HERE, headers)
        if path not in _loaded:
            _loaded[path] = Library(path, names)
        return _loaded[path]


def shared_library(source, flags, folder, headers):
    """Return the path of the library that g++ makes of a text, which includes the texts `headers` from a folder.

    Raises
    ------
    CompileException
        If the text has errors.
    """
    key = hashlib.sha256("\0".join([_compiler_version(), *flags, *headers, source]).encode()).hexdigest()
    path = cache_folder() / f"{key[:40]}.so"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=path.parent) as place:
            result = Path(place, "library.so")
            command = ["g++", *flags, f"-I{folder}", "-x", "c++", "-", "-o", str(result)]
            done = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
            if done.returncode:
                raise CompileException(done.stderr, source, path.name, flags)
            result.replace(path)  # atomic, since others may build the same library
    return path
