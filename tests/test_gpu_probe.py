"""The search for a GPU, on machines that are made up: every cause that it can name, and what it advises."""

import ctypes
import importlib.machinery
import importlib.metadata
import importlib.util
import json
import re
import string
import sys
import types
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from basicaer import cli
from basicaer.cli import devices
from basicaer.devices.cpu.device import NumpyDevice
from basicaer.devices.gpu import probe as gpu_probe
from basicaer.devices.gpu import surroundings
from basicaer.devices.gpu.causes import Cause
from documents import ROOT, text_of

GHZ = ROOT / "examples" / "ghz.qasm"
CARDS = {
    0: {"name": b"NVIDIA H100", "major": 9, "minor": 0, "totalGlobalMem": 80 * 2**30},
    1: {"name": b"NVIDIA T4", "major": 7, "minor": 5, "totalGlobalMem": 15 * 2**30},
}


def basicaer(*arguments):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


class CudaError(RuntimeError):
    """An error of CuPy, which has CUDA's number of it."""

    def __init__(self, status, words):
        super().__init__(words)
        self.status = status


class DriverLibrary:
    """NVIDIA's libcuda, as far as it is asked."""

    def __init__(self, version):
        self._version = version

    def cuDriverGetVersion(self, pointer):  # noqa: N802
        pointer._obj.value = self._version
        return 0 if self._version else 34  # the library that comes with the compiler raises CUDA_ERROR_STUB_LIBRARY


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A function that makes up a machine: its files, packages, driver, and what CuPy finds. By default all is well.

    `found` is what there is of CuPy's folder: all of it, nothing, or what Python runs when it is imported.
    """
    gpu_probe.probe_gpu.cache_clear()
    real_version, real_find, real_library = importlib.metadata.version, importlib.util.find_spec, ctypes.CDLL
    root = tmp_path / "root"
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ROCM_PATH", "ROCM_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(surroundings, "_ROOT", root)
    loaded = []

    def make(
        *,
        system="linux",
        files=("dev/nvidiactl",),
        environment=(),
        builds=(("cupy-cuda12x", "14.2.0"),),
        library=12040,
        found=True,
        driver=None,
        count=2,
        error=None,
        compiler=(12, 9),
        runtime=12090,
    ):
        builds = dict(builds)
        for name, _, text in (file.partition("=") for file in files):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, "utf-8")
        for name, value in dict(environment).items():
            monkeypatch.setenv(name, value)

        def version(name):
            if name.startswith("cupy"):
                if name in builds:
                    return builds[name]
                raise importlib.metadata.PackageNotFoundError(name)
            return real_version(name)

        def find_spec(name, package=None):
            if name == "cupy" and found is False:
                return None
            return real_find(name, package)

        def load(name, *arguments, **keys):
            if name in {"libcuda.so.1", "nvcuda.dll"}:
                if library is None:
                    raise OSError(f"{name}: cannot open shared object file")
                return DriverLibrary(library)
            if Path(name).is_relative_to(tmp_path):
                return loaded.append(name)
            return real_library(name, *arguments, **keys)

        def device_count():
            if error is not None:
                raise error
            return count

        def compiler_version():
            if isinstance(compiler, Exception):
                raise compiler
            return compiler() if callable(compiler) else compiler

        cupy = types.ModuleType("cupy")
        cupy.__spec__ = importlib.machinery.ModuleSpec("cupy", None, origin="cupy/__init__.py")
        cupy.__version__ = "14.2.0"
        cupy.cuda = types.SimpleNamespace(
            runtime=types.SimpleNamespace(
                driverGetVersion=lambda: (library or 0) if driver is None else driver,
                getDeviceCount=device_count,
                runtimeGetVersion=lambda: runtime,
                getDeviceProperties=CARDS.__getitem__,
                is_hip=any("rocm" in build for build in builds),
            ),
            nvrtc=types.SimpleNamespace(getVersion=compiler_version),
        )
        monkeypatch.setattr(sys, "platform", system)
        monkeypatch.setattr(importlib.metadata, "version", version)
        monkeypatch.setattr(importlib.util, "find_spec", find_spec)
        monkeypatch.setattr(ctypes, "CDLL", load)
        monkeypatch.setitem(sys.modules, "cupy", cupy)
        if isinstance(found, str):
            monkeypatch.delitem(sys.modules, "cupy")
            folder = tmp_path / "packages" / "cupy"
            folder.mkdir(parents=True)
            if found:
                (folder / "__init__.py").write_text(found, "utf-8")
            others = [path for path in sys.path if not Path(path, "cupy").is_dir()]
            monkeypatch.setattr(sys, "path", [str(folder.parent), *others])
            importlib.invalidate_caches()
        try:
            return gpu_probe.probe_gpu()
        finally:
            if isinstance(found, str):
                sys.modules.pop("cupy", None)

    make.loaded = loaded
    yield make
    gpu_probe.probe_gpu.cache_clear()


# Every cause and what is said of it. A machine is made up by what differs from one where all is well.

BANNER = """
try:
    raise ImportError("libcublas.so.12: cannot open shared object file")
except ImportError as error:
    raise ImportError(f'''
================================================================
Failed to import CuPy.

Original error:
  ImportError: {error}
================================================================
''') from error
"""
NOTHING_TO_DO = "; the CPU runs everything, and there is nothing to install"
NO_DEVICE_ERROR = CudaError(100, "cudaErrorNoDevice: no CUDA-capable device is detected")
CUDA12, CUDA13 = {"cupy-cuda12x": "14.2.0"}, {"cupy-cuda13x": "14.2.0"}
ROCM = {"builds": {"cupy-rocm-7-0": "14.0.1"}, "files": ("opt/rocm/version",), "library": None}
AMD = ROCM | {"driver": 70051831, "runtime": 70051831}
NO_ACCESS = (
    "this machine has an NVIDIA driver, which this container cannot use; start the container with access to GPUs, "
    "as docker run --gpus all and apptainer exec --nv do"
)
PCI = "sys/bus/pci/devices/0000:01:00.0"

STATES = {
    "macOS": (Cause.MACOS, {"system": "darwin", "library": None}, f"CuPy does not exist for macOS{NOTHING_TO_DO}"),
    "a laptop": (
        Cause.NO_DRIVER,
        {"library": None, "builds": (), "found": False, "files": (f"{PCI}/vendor=0x8086", f"{PCI}/class=0x030000")},
        f"this machine has no GPU driver{NOTHING_TO_DO}",
    ),
    "a laptop with CuPy": (Cause.NO_DRIVER, {"library": None}, f"this machine has no GPU driver{NOTHING_TO_DO}"),
    "the library of a compiler in place of a driver": (
        Cause.NO_DRIVER,
        {"library": 0},
        f"this machine has no GPU driver{NOTHING_TO_DO}",
    ),
    "a driver that CuPy does not see": (
        Cause.NO_DRIVER,
        {"driver": 0},
        f"this machine has no GPU driver{NOTHING_TO_DO}",
    ),
    "a card without driver": (
        Cause.CARD_WITHOUT_DRIVER,
        {"library": None, "files": (f"{PCI}/vendor=0x10de\n", f"{PCI}/class=0x030200\n")},
        "this machine has an NVIDIA card and no driver for it; install NVIDIA's driver",
    ),
    "only the sound of a card": (
        Cause.NO_DRIVER,
        {"library": None, "files": (f"{PCI}/vendor=0x10de", f"{PCI}/class=0x040300", "sys/bus/pci/devices/empty/a")},
        f"this machine has no GPU driver{NOTHING_TO_DO}",
    ),
    "a container without driver": (
        Cause.NO_ACCESS,
        {"library": None, "files": ("proc/driver/nvidia/version",)},
        NO_ACCESS,
    ),
    "a container with a driver and without cards": (
        Cause.NO_ACCESS,
        {"files": (), "error": NO_DEVICE_ERROR},
        NO_ACCESS,
    ),
    "a driver for CUDA 11": (
        Cause.OLD_DRIVER,
        {"library": 11080, "builds": {"cupy-cuda11x": "13.6.0"}},
        "the NVIDIA driver is for CUDA 11.8, and basicaer needs CUDA 12 or later; update the driver",
    ),
    **{
        f"CUDA_VISIBLE_DEVICES={value}": (
            Cause.HIDDEN,
            {"environment": {"CUDA_VISIBLE_DEVICES": value}, **more},
            (
                f"CUDA_VISIBLE_DEVICES='{value}' hides all GPUs; unset it, or give it numbers that nvidia-smi -L "
                "lists; in a batch job, request a GPU"
            ),
        )
        for value, more in {
            "": {"builds": (), "found": False},  # before anything has to be installed
            "-1": {},
            "NoDevFiles": {},
            "5": {"error": NO_DEVICE_ERROR},
            "6": {"count": 0},
        }.items()
    },
    "a hidden card of AMD": (
        Cause.HIDDEN,
        {**AMD, "environment": {"HIP_VISIBLE_DEVICES": "4"}, "error": CudaError(100, "hipErrorNoDevice")},
        (
            "HIP_VISIBLE_DEVICES='4' hides all GPUs; unset it, or give it numbers that rocminfo lists; in a batch job, "
            "request a GPU"
        ),
    ),
    "two builds": (
        Cause.TWO_BUILDS,
        {"builds": CUDA12 | CUDA13},
        (
            "several CuPy builds are installed (cupy-cuda12x 14.2.0, cupy-cuda13x 14.2.0), which break each other; "
            "uninstall all of them, then install one: pip uninstall -y cupy-cuda12x cupy-cuda13x && "
            "pip install 'basicaer[cuda12]'"
        ),
    ),
    "a build for AMD and a driver of NVIDIA": (
        Cause.OTHER_MAKER,
        {"builds": ROCM["builds"]},
        (
            "cupy-rocm-7-0 is for AMD GPUs, and this machine has no AMD driver; replace it: pip uninstall -y "
            "cupy-rocm-7-0 && pip install 'basicaer[cuda12]'"
        ),
    ),
    "a build for NVIDIA and a driver of AMD": (
        Cause.OTHER_MAKER,
        ROCM | {"builds": CUDA13},
        (
            "cupy-cuda13x is for NVIDIA GPUs, and this machine has no NVIDIA driver; replace it: pip uninstall "
            "-y cupy-cuda13x && pip install 'basicaer[rocm]'"
        ),
    ),
    "no CuPy and an older driver": (
        Cause.NO_CUPY,
        {"builds": (), "found": False},
        "CuPy is not installed; pip install 'basicaer[cuda12]' downloads 230 MB and installs it",
    ),
    "no CuPy and a new driver": (
        Cause.NO_CUPY,
        {"builds": (), "found": False, "library": 13010},
        (
            "CuPy is not installed; pip install 'basicaer[cuda13]' downloads 131 MB and installs it; for a GPU older "
            "than compute capability 7.5, such as GTX 10 or V100, take [cuda12], 230 MB"
        ),
    ),
    "the rest of an uninstalled CuPy": (
        Cause.NO_CUPY,
        {"builds": (), "found": ""},
        "CuPy is not installed; pip install 'basicaer[cuda12]' downloads 230 MB and installs it",
    ),
    "no CuPy and ROCm": (
        Cause.NO_CUPY,
        ROCM | {"builds": (), "found": False},
        "CuPy is not installed; pip install 'basicaer[rocm]' installs it",
    ),
    "no CuPy and ROCm elsewhere": (
        Cause.NO_CUPY,
        {"builds": (), "found": False, "library": None, "environment": {"ROCM_PATH": "/apps/rocm"}},
        "CuPy is not installed; pip install 'basicaer[rocm]' installs it",
    ),
    "an old CuPy": (
        Cause.OLD_CUPY,
        {"builds": {"cupy-cuda12x": "13.5.1"}},
        (
            "cupy-cuda12x 13.5.1 is installed, and basicaer needs CuPy 13.6 or later; update it: pip install --upgrade "
            "cupy-cuda12x"
        ),
    ),
    "an old CuPy for an old CUDA": (
        Cause.OLD_CUPY,
        {"builds": {"cupy-cuda11x": "12.3.0"}},
        (
            "cupy-cuda11x 12.3.0 is installed, and basicaer needs CuPy 13.6 or later; update it: pip uninstall -y "
            "cupy-cuda11x && pip install 'basicaer[cuda12]'"
        ),
    ),
    "files that another build took along": (
        Cause.FILES_GONE,
        {"found": False},
        (
            "files of cupy-cuda12x are missing, as after another CuPy build was uninstalled; install it again: pip "
            "install --force-reinstall --no-deps cupy-cuda12x"
        ),
    ),
    "files of which some are left": (
        Cause.FILES_GONE,
        {"found": "", "builds": CUDA13, "library": 13000},
        (
            "files of cupy-cuda13x are missing, as after another CuPy build was uninstalled; install it again: pip "
            "install --force-reinstall --no-deps cupy-cuda13x"
        ),
    ),
    "files of a build that is too new": (
        Cause.FILES_GONE,
        {"found": False, "builds": CUDA13},
        (
            "files of cupy-cuda13x are missing, as after another CuPy build was uninstalled; install it again: pip "
            "uninstall -y cupy-cuda13x && pip install 'basicaer[cuda12]'"
        ),
    ),
    "no folder of kernels": (
        Cause.NO_FOLDER,
        {"found": "raise PermissionError(13, 'Permission denied', '/root/.cupy')"},
        (
            "CuPy cannot make the folder of its kernels ([Errno 13] Permission denied: '/root/.cupy'); set "
            "CUPY_CACHE_DIR to a folder that can be written"
        ),
    ),
    **{
        f"an import that fails: {name}": (
            Cause.NO_IMPORT,
            {"found": source},
            f"CuPy does not import ({reason}); install it again: pip install --force-reinstall --no-deps cupy-cuda12x",
        )
        for name, source, reason in [
            ("banner", BANNER, "libcublas.so.12: cannot open shared object file"),
            ("NumPy", "raise AttributeError('of another NumPy')", "of another NumPy"),
            ("another cupy", "pass", "module 'cupy' has no attribute '__version__'"),
        ]
    },
    "a folder that no package owns": (
        Cause.NO_IMPORT,
        {"builds": (), "found": "raise ImportError('no core')"},
        "CuPy does not import (no core); install it again: pip install 'basicaer[cuda12]'",
    ),
    "CuPy of conda that does not import": (
        Cause.NO_IMPORT,
        {"builds": {"cupy": "14.0.0"}, "found": "raise ImportError('no core')"},
        "CuPy does not import (no core); install it again: pip uninstall -y cupy && pip install 'basicaer[cuda12]'",
    ),
    "CuPy for ROCm without ROCm": (
        Cause.NO_IMPORT,
        ROCM | {"files": (), "found": "raise ImportError('libamdhip64.so.7: cannot open shared object file')"},
        "CuPy does not import (libamdhip64.so.7: cannot open shared object file); install ROCm 7",
    ),
    "ROCm without driver": (Cause.NO_AMD_DRIVER, AMD | {"driver": 0}, "there is no AMD driver; install one"),
    "a driver older than CuPy": (
        Cause.NEWER_CUPY,
        {"builds": CUDA13, "runtime": 13020, "error": CudaError(35, "cudaErrorInsufficientDriver")},
        (
            "the driver is for CUDA 12.4 and CuPy for 13.2; update the driver, or replace CuPy: pip uninstall -y "
            "cupy-cuda13x && pip install 'basicaer[cuda12]'"
        ),
    ),
    "CuPy for CUDA 11": (
        Cause.OLDER_CUDA,
        {"builds": {"cupy-cuda11x": "13.6.0"}, "runtime": 11080, "library": 13000},
        (
            "CuPy is for CUDA 11.8, and basicaer needs CUDA 12 or later; replace it: pip uninstall -y cupy-cuda11x && "
            "pip install 'basicaer[cuda13]'"
        ),
    ),
    "an old card": (
        Cause.OLD_CARD,
        {"builds": CUDA13, "library": 13000, "runtime": 13000, "count": 1, "capability": (7, 0)},
        (
            "NVIDIA H100 has compute capability 7.0, and CuPy for CUDA 13 needs 7.5 or later; replace it: pip "
            "uninstall -y cupy-cuda13x && pip install 'basicaer[cuda12]'"
        ),
    ),
    **{
        f"no card: {name}": (
            Cause.NO_DEVICE,
            more,
            f"the driver shows no GPU; check that {tool} lists one; in a batch job, request a GPU",
        )
        for name, tool, more in [
            ("error", "nvidia-smi", {"error": NO_DEVICE_ERROR}),
            ("count", "nvidia-smi", {"count": 0}),
            ("Windows", "nvidia-smi", {"error": NO_DEVICE_ERROR, "system": "win32", "files": ()}),
            ("WSL", "nvidia-smi", {"error": NO_DEVICE_ERROR, "files": ("dev/dxg",)}),
            ("AMD", "rocminfo", AMD | {"count": 0}),
        ]
    },
    "a driver that was updated": (
        Cause.RESTART,
        {"error": CudaError(803, "cudaErrorSystemDriverMismatch: system has unsupported display driver")},
        (
            "the NVIDIA driver was updated after this machine was started (cudaErrorSystemDriverMismatch: system has "
            "unsupported display driver); restart the machine"
        ),
    ),
    "an error of the driver": (
        Cause.NOT_USABLE,
        {"error": CudaError(999, "cudaErrorUnknown: unknown error")},
        "no usable NVIDIA driver or device (cudaErrorUnknown: unknown error); check nvidia-smi, or update the driver",
    ),
    "an error of AMD's driver": (
        Cause.NOT_USABLE,
        AMD | {"error": RuntimeError("hipErrorUnknown")},
        "no usable AMD driver or device (hipErrorUnknown); check rocminfo, or update the driver",
    ),
    **{
        f"no compiler of CUDA {version}": (
            Cause.NO_COMPILER,
            {
                "builds": {f"cupy-cuda{version}x": "14.2.0"},
                "library": 13000,
                "runtime": version * 1000,
                "compiler": RuntimeError(f"CuPy failed to load libnvrtc.so.{version}"),
            },
            f"CUDA's compiler NVRTC does not load (CuPy failed to load libnvrtc.so.{version}); pip install {wheels}",
        )
        for version, wheels in [
            (12, "nvidia-cuda-nvrtc-cu12 nvidia-cuda-runtime-cu12"),
            (13, "'nvidia-cuda-nvrtc>=13,<14' 'nvidia-cuda-runtime>=13,<14'"),
        ]
    },
    "no compiler of ROCm": (
        Cause.NO_COMPILER,
        AMD | {"compiler": RuntimeError("libhiprtc.so.7")},
        "ROCm's compiler hipRTC does not load (libhiprtc.so.7); install ROCm 7, which has it",
    ),
}
ELSEWHERE = {Cause.FORKED}  # tests/test_gpu_life.py forks processes


def as_pattern(cause):
    """The sentences of a cause: any words where its own have braces."""
    parts = string.Formatter().parse("; ".join(cause.value))
    return "".join(re.escape(words) + ("" if name is None else "(?s:.*)") for words, name, _, _ in parts)


@pytest.mark.parametrize(("cause", "state", "said"), STATES.values(), ids=STATES)
def test_each_cause_is_found_and_said_with_what_helps(machine, monkeypatch, cause, state, said):
    state = dict(state)
    if capability := state.pop("capability", None):
        monkeypatch.setitem(CARDS, 0, CARDS[0] | dict(zip(("major", "minor"), capability, strict=True)))
    if state.get("builds") == ROCM["builds"]:
        monkeypatch.setitem(CARDS, 0, AMD_CARD)
        state.setdefault("count", 1)
    assert machine(**state).problem == said
    assert re.fullmatch(as_pattern(cause), said)


def test_every_cause_is_tested():
    assert {cause for cause, _, _ in STATES.values()} | ELSEWHERE == set(Cause)


def test_no_advice_offers_a_build_beside_one_that_is_there():
    """Every command that installs a build where there is one removes that first, or writes the same one anew."""
    for _, state, said in STATES.values():
        builds = dict(state.get("builds", CUDA12))
        if builds and "pip install 'basicaer[" in said:
            assert f"pip uninstall -y {' '.join(builds)} && pip install" in said


def test_the_page_has_every_cause_with_what_to_do():
    section = text_of("docs/devices.md").split("## Why it is off")[1].split("\n## ")[0]
    rows = [row.split(" | ")[0] for row in section.splitlines() if row.startswith("| `")]
    said = [" ".join(re.sub("`", "", row).removeprefix("| ").split()) for row in rows]
    for cause in Cause:
        reason = cause.value[0]
        shown = reason.format(**{name: "..." for _, name, _, _ in string.Formatter().parse(reason) if name})
        assert said.count(shown) == 1, shown


# What is found where a GPU can be used.

AMD_CARD = {"name": b"AMD Instinct MI210", "gcnArchName": b"gfx90a:sramecc+:xnack-", "totalGlobalMem": 64 * 2**30}


def test_all_is_well_with_the_gpu(machine):
    probe = machine()
    assert probe.problem == ""
    assert (probe.cupy, probe.driver, probe.runtime) == ("14.2.0", "12.4", "12.9")
    assert probe.cards == (
        "0: NVIDIA H100, compute capability 9.0, 80 GiB, arithmetic in double precision at 1/2 of the speed of single",
        "1: NVIDIA T4, compute capability 7.5, 15 GiB, arithmetic in double precision at 1/32 of the speed of single",
    )


@pytest.mark.parametrize(
    "state",
    [
        {"builds": {"cupy-cuda12x": "13.6.0"}, "library": 13010},  # an older build is used, and nothing is downloaded
        {"builds": {"cupy": "15.0.0rc1"}, "library": 14000, "runtime": 14000},
        {"environment": {"CUDA_VISIBLE_DEVICES": "1"}},
        {"system": "win32", "files": ()},
        {"builds": ROCM["builds"], "files": ("opt/rocm/version",), "runtime": 70051831, "driver": 70051831},
    ],
    ids=["older build", "other builds", "one card", "Windows", "both makers"],
)
def test_any_usable_cupy_is_used(machine, monkeypatch, state):
    if state.get("builds") == ROCM["builds"]:
        monkeypatch.setitem(CARDS, 0, AMD_CARD)
        state = state | {"count": 1}
    assert machine(**state).problem == ""


def test_one_card_that_is_new_enough_suffices(machine, monkeypatch):
    monkeypatch.setitem(CARDS, 0, CARDS[0] | {"major": 7})
    assert machine(builds=CUDA13, library=13000, runtime=13000).problem == ""


@pytest.mark.parametrize(
    ("capability", "cost"), [((6, 0), "1/2"), ((6, 1), "1/32"), ((8, 0), "1/2"), ((8, 9), "1/64"), ((12, 0), "1/64")]
)
def test_what_double_precision_costs_follows_from_the_compute_capability(machine, monkeypatch, capability, cost):
    monkeypatch.setitem(CARDS, 0, CARDS[0] | dict(zip(("major", "minor"), capability, strict=True)))
    (card,) = machine(count=1).cards
    assert card.endswith(f"80 GiB, arithmetic in double precision at {cost} of the speed of single")


def test_of_a_card_that_is_not_in_the_table_nothing_is_said_of_double_precision(machine, monkeypatch):
    monkeypatch.setitem(CARDS, 0, CARDS[0] | {"major": 99})
    assert machine(count=1).cards == ("0: NVIDIA H100, compute capability 99.0, 80 GiB",)


def test_what_is_found_is_found_once(machine):
    assert machine() is gpu_probe.probe_gpu()


def test_what_is_known_is_told_with_a_problem(machine):
    assert (machine(builds=(), found=False).cupy, gpu_probe.probe_gpu().cards) == ("", ())
    gpu_probe.probe_gpu.cache_clear()
    probe = machine(error=NO_DEVICE_ERROR)
    assert (probe.cupy, probe.driver, probe.runtime, probe.cards) == ("14.2.0", "12.4", "12.9", ())
    gpu_probe.probe_gpu.cache_clear()
    assert len(machine(compiler=RuntimeError("none")).cards) == 2


def test_a_compiler_in_a_wheel_of_nvidia_is_loaded_where_cupy_does_not_look_there(machine, monkeypatch, tmp_path):
    folder = tmp_path / "nvidia" / "cuda_nvrtc" / "lib"
    folder.mkdir(parents=True)
    libraries = [folder / "libnvrtc-builtins.so.12.9", folder / "libnvrtc.so.12"]
    for library in [*libraries, folder / "libnvrtc.alt.so.12"]:
        library.touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "nvidia", raising=False)

    def version():
        if not machine.loaded:
            raise RuntimeError("CuPy failed to load libnvrtc.so.12")
        return 12, 9

    assert machine(compiler=version).problem == ""
    assert machine.loaded == [str(library) for library in libraries]


@pytest.fixture
def rocm(machine, monkeypatch):
    """`machine` where CuPy is built for ROCm, which has other names and numbers."""
    monkeypatch.setitem(CARDS, 0, AMD_CARD)
    return partial(machine, count=1, **AMD)


def test_all_is_well_with_rocm(rocm):
    probe = rocm()
    assert probe.problem == ""
    assert (probe.platform, probe.driver, probe.runtime) == ("ROCm", "7.0", "7.0")
    assert probe.cards == ("0: AMD Instinct MI210, gfx90a, 64 GiB",)


# Where it is shown.


def test_info_shows_a_card_of_amd(rocm, monkeypatch):
    monkeypatch.setattr(devices, "gpu_device", lambda _number: NumpyDevice())
    rocm()
    lines = basicaer("info").stdout.splitlines()[2:]
    assert lines[0].startswith("GPU 0: AMD Instinct MI210, gfx90a, 64 GiB; ")
    assert lines[1:] == ["  CuPy 14.2.0, driver for ROCm 7.0, runtime 7.0"]


def test_info_shows_the_cards_and_what_fits_them(machine, monkeypatch):
    monkeypatch.setattr(NumpyDevice, "free_bytes", lambda _self: 2**33)
    monkeypatch.setattr(devices, "gpu_device", lambda number: NumpyDevice(number + 1))  # as much room as the CPU
    monkeypatch.setenv("CUPY_CACHE_DIR", "/some/folder")
    machine(library=13020)
    cpu, *lines = basicaer("info").stdout.splitlines()[1:]
    room = cpu.partition(", ")[2]
    slower = "arithmetic in double precision at 1/{} of the speed of single"
    assert lines == [
        f"GPU 0: NVIDIA H100, compute capability 9.0, 80 GiB, {slower.format(2)}; {room}",
        f"GPU 1: NVIDIA T4, compute capability 7.5, 15 GiB, {slower.format(32)}; {room}",
        "  CuPy 14.2.0, driver for CUDA 13.2, runtime 12.9",
        "  kernels are kept in /some/folder",
    ]


def test_info_shows_cards_that_cannot_be_used(machine):
    machine(compiler=RuntimeError("CuPy failed to load libnvrtc.so.12"))
    lines = basicaer("info").stdout.splitlines()[2:]
    assert lines[0].startswith("GPU: off, CUDA's compiler NVRTC does not load")
    assert lines[1].startswith("GPU 0: NVIDIA H100, compute capability 9.0, 80 GiB, arithmetic in double precision")


def test_the_reason_reaches_whoever_asks_for_the_gpu(machine):
    machine(library=11040)
    problem = "the NVIDIA driver is for CUDA 11.4, and basicaer needs CUDA 12 or later; update the driver"
    assert f"--device GPU cannot be used: {problem}; " in basicaer("run", GHZ, "--device", "GPU").stderr
    summary = json.loads(basicaer("run", GHZ, "--json").stdout)
    assert summary["device_reason"] == f"no GPU: {problem}"
