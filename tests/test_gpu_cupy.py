"""CuPy itself, where it is installed, has all that the emulated GPU stands in for; it imports without a driver.

`nox -s kernels` installs it. The emulator has no more than the device and its benchmark call, and refuses the rest.
"""

import inspect
import re
from types import SimpleNamespace
from typing import NamedTuple

import pytest

import nvrtc
from basicaer.devices.gpu import kernel_cache, kernels
from basicaer.devices.gpu.kernel_cache import keeps_templates
from basicaer.devices.gpu.kernels import COMPILE_OPTIONS, kernel_names, kernel_source
from basicaer.devices.gpu.probe import _load_compiler, probe_gpu
from basicaer.devices.gpu.shape import usual_shape
from basicaer.devices.gpu.surroundings import look_around
from basicaer.options import Precision
from emulated_gpu import EmulatedCupy, memory, streams
from emulated_gpu.kernels import RawKernel, RawModule
from emulated_gpu.stand_in import Device

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # CuPy's own
cupy = pytest.importorskip("cupy", reason="CuPy is not installed")

OURS = EmulatedCupy()
CLASSES = {  # the emulator's, and CuPy's
    "ndarray": (memory.DeviceArray, "ndarray"),
    "memory": (memory.DevicePointer, "cuda.MemoryPointer"),
    "pinned": (memory.PinnedMemoryPointer, "cuda.PinnedMemoryPointer"),
    "stream": (streams.Stream, "cuda.Stream"),
    "event": (streams.Event, "cuda.Event"),
    "device": (Device, "cuda.Device"),
    "module": (RawModule, "RawModule"),
    "kernel": (RawKernel, "RawKernel"),
}
# Attributes that the emulator sets when it makes an object, and those that only the emulator has.
SET = {"ndarray": ["data", "shape", "dtype", "ndim", "size", "itemsize", "nbytes"], "device": ["id"]}
SET |= {"memory": ["ptr", "mem"], "pinned": ["ptr"]}
OWN = {"stream": ["know_finished"], "event": ["is_known_done"]}


def found(path):
    """Return what CuPy has under a dotted name."""
    at = cupy
    for name in path.split("."):
        at = getattr(at, name)
    return at


def flat(namespace, before=""):
    """Return all that the emulator has in place of the module, by dotted name."""
    for name, value in vars(namespace).items():
        if name.startswith("_") or name == "gpu":
            continue
        if isinstance(value, SimpleNamespace):
            yield from flat(value, f"{before}{name}.")
        else:
            yield before + name, value


def parameters(function):
    """Names of parameters that a caller may give, in order; CuPy's compiled functions have them in their docstrings."""
    try:
        given = inspect.signature(function).parameters.values()
        if not any(p.kind is p.VAR_KEYWORD for p in given):
            return [p.name for p in given if p.name != "self" and p.kind is not p.VAR_POSITIONAL]
    except (TypeError, ValueError):
        pass
    name = getattr(function, "__name__", "")
    signature = rf"^ *(?:\w+\.)?(?:{name}|__init__)\((.*?)\)(?: ->|$)"
    written = re.findall(signature, function.__doc__ or "", re.MULTILINE)[-1]
    every = [re.split(r"\s*=", one)[0].split()[-1] for one in written.split(",") if one.strip()]
    return [name for name in every if name not in {"self", "*", r"\*"}]


def takes(theirs, ours):
    """Whether CuPy's function takes the parameters of the emulator's, by name and, where allowed there, by position."""
    known = parameters(theirs)
    own = [p for p in inspect.signature(ours).parameters.values() if p.name not in {"self", "gpu"}]
    own = [p for p in own if p.kind is not p.VAR_POSITIONAL and p.name not in {"counting", "sanitize"}]
    placed = [p.name for p in own if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
    by_place = len(known) >= len(placed) and [n for n in known if n in placed] == placed == known[: len(placed)]
    return by_place and {p.name for p in own} <= set(known)


@pytest.mark.parametrize("path", [path for path, _ in flat(OURS)])
def test_what_the_emulator_has_cupy_has(path):
    theirs, ours = found(path), dict(flat(OURS))[path]
    if isinstance(ours, type):
        assert isinstance(theirs, type)
        if issubclass(ours, Exception):
            assert issubclass(ours, theirs.__mro__[1]), "caught by the same clauses"
    elif callable(ours):
        assert takes(theirs, ours), (parameters(theirs), inspect.signature(ours))
    elif isinstance(ours, int):
        assert theirs == ours
    else:
        assert type(theirs) is type(ours)


@pytest.mark.parametrize("kind", CLASSES)
def test_objects_have_the_attributes_and_methods_that_the_emulators_have(kind):
    ours, path = CLASSES[kind]
    theirs = found(path)
    inherited = dir(bytearray) if issubclass(ours, bytearray) else dir(object)
    own = [name for name in vars(ours) if name not in inherited and not name.startswith("_")]
    for name in {*own, *SET.get(kind, ())} - {*OWN.get(kind, ())}:
        assert hasattr(theirs, name), name
        function = vars(ours).get(name)
        if inspect.isfunction(function):
            assert takes(getattr(theirs, name), function), (name, parameters(getattr(theirs, name)))
    for special in ("__enter__", "__exit__", "__getitem__", "__len__", "__call__"):
        assert special not in vars(ours) or hasattr(theirs, special)


def test_a_kernel_is_called_with_what_the_device_gives():
    assert parameters(cupy.RawKernel.__call__) == ["grid", "block", "args", "shared_mem"]
    assert cupy.cuda.Stream.null.ptr == OURS.cuda.Stream(null=True).ptr == 0


def test_errors_say_what_the_emulators_say():
    for status in (1, 35, 100, 101, 400, 600, 719):
        ours, theirs = (module.cuda.runtime.CUDARuntimeError(status) for module in (OURS, cupy))
        assert (str(ours), ours.status) == (str(theirs), theirs.status)
    errors = [module.cuda.memory.OutOfMemoryError(10**9, 10**6) for module in (OURS, cupy)]
    assert len({str(error) for error in errors}) == 1
    errors = [module.cuda.compiler.CompileException("words", "", "", ()) for module in (OURS, cupy)]
    assert {str(error) for error in errors} == {"words"}


def test_without_a_driver_the_probe_says_so():
    probe_gpu.cache_clear()
    if cupy.cuda.runtime.driverGetVersion():
        pytest.skip("there is a driver here")
    assert look_around().nvidia == 0
    assert "; the CPU runs everything, and there is nothing to install" in probe_gpu().problem


# The tests below compile as the device does, with CuPy's compiler and the cache that is in use with its version. They
# replace what asks the driver for a card, and the loading of the result.


class Compiled(NamedTuple):
    """What a text became, and with which options; there are none if it was in the cache."""

    binary: bytes
    symbols: dict
    options: tuple


@pytest.fixture
def compile_as_the_device_does(monkeypatch, tmp_path):
    """A function that compiles kernels for an architecture; it has the signature of `compile_kernels`."""
    from cupy.cuda import compiler

    _load_compiler(cupy)
    given = []  # the options of each compilation

    def compile_program(program, options):
        given.append(options)
        return real.compileProgram(program, options)

    real = compiler.nvrtc
    every = {name: getattr(real, name) for name in dir(real) if not name.startswith("_")}
    monkeypatch.setattr(compiler, "nvrtc", SimpleNamespace(**every | {"compileProgram": compile_program}))
    monkeypatch.delenv("CUPY_CACHE_IN_MEMORY", raising=False)
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path / "cache"))

    def compile_kernels(names, architecture="90"):
        given.clear()
        # CuPy's own function remembers its answer for each card, and asks the driver which card there is.
        monkeypatch.setattr(
            compiler, "_get_arch_for_options_for_nvrtc", lambda _arch=None: (f"-arch=sm_{architecture}", "cubin")
        )
        if keeps_templates(cupy):
            binary, symbols = by_cupy(compiler, names, architecture, tmp_path / "cache", monkeypatch)
        else:
            card = SimpleNamespace(compute_capability=architecture)
            monkeypatch.setattr(cupy.cuda, "Device", lambda: card)
            symbols, binary = kernel_cache._machine_code(cupy, tuple(names))
        options = [options for options in given if f"-arch=sm_{architecture}" in options]  # others are of empty texts
        return Compiled(binary, symbols, tuple(option for option in next(iter(options), ()) if option[:2] != "-I"))

    return compile_kernels


def by_cupy(compiler, names, architecture, folder, monkeypatch):
    """Compile what `RawModule` compiles."""
    from cupy.cuda._compiler_cache import DiskKernelCacheBackend

    class Module:
        def load(self, cubin):
            self.cubin = cubin

        def _set_mapping(self, mapping):
            self.mapping = mapping

    monkeypatch.setattr(compiler, "function", SimpleNamespace(Module=Module))
    monkeypatch.setattr(compiler, "_kernel_cache_backend", DiskKernelCacheBackend(str(folder)))
    made = compiler._compile_module_with_cache(
        kernel_cache.kernel_source(), COMPILE_OPTIONS, arch=architecture, name_expressions=tuple(names)
    )
    return made.cubin, made.mapping


@pytest.mark.parametrize("architecture", ["75", "80", "90"])
def test_cupy_compiles_the_kernels(compile_as_the_device_does, architecture, precision):
    names = list(kernel_names(precision, usual_shape(precision, 2**16, 2**17, 1024).register_bits).values())
    made = compile_as_the_device_does(names, architecture)
    assert made.binary.startswith(b"\x7fELF")
    assert set(made.symbols) == set(names)
    assert all(made.symbols[name].encode() in made.binary for name in names)


def test_the_compiler_is_given_the_options_with_which_every_architecture_is_tested(compile_as_the_device_does):
    options = compile_as_the_device_does(["clear<double>"]).options
    assert sorted(options) == sorted([*COMPILE_OPTIONS, *nvrtc.CUPYS_OPTIONS, "-arch=sm_90"])


def test_the_cache_sees_a_changed_header(compile_as_the_device_does, monkeypatch, tmp_path):
    names = kernel_names(Precision.DOUBLE, 4)["clear"], kernel_names(Precision.DOUBLE, 4)["collapse"]
    first = compile_as_the_device_does(names)
    assert first.options
    assert compile_as_the_device_does(names) == first._replace(options=())
    folder = tmp_path / "kernels"
    folder.mkdir()
    for path in kernels._folder().iterdir():
        (folder / path.name).write_text(path.read_text("utf-8"), "utf-8")
    header = folder / "index.cuh"
    header.write_text(header.read_text("utf-8").replace("(value >> position & 1) != 0", "(value >> position & 1) == 0"))
    monkeypatch.setattr(kernels, "_folder", lambda: folder)
    kernel_source.cache_clear()
    changed = compile_as_the_device_does(names)
    kernel_source.cache_clear()
    assert changed.options
    assert changed.binary != first.binary
