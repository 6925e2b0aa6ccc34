"""Why no GPU can be used, and what helps: the sentences of the probe, and the commands in them.

A command never offers a CuPy build beside one that is there: builds share one folder, and break each other.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Cause", "extra_for", "install", "install_again", "install_compiler", "no_cupy"]

_NOTHING_TO_DO = "the CPU runs everything, and there is nothing to install"


class Cause(Enum):
    """A reason why no GPU can be used, and the remedy; words in braces are filled in."""

    FORKED = (
        "this process was forked from one that had used CUDA, which does not survive that",
        "start workers in another way, as ProcessPoolExecutor(mp_context=multiprocessing.get_context('spawn')) does",
    )
    MACOS = ("CuPy does not exist for macOS", _NOTHING_TO_DO)
    NO_DRIVER = ("this machine has no GPU driver", _NOTHING_TO_DO)
    CARD_WITHOUT_DRIVER = ("this machine has an NVIDIA card and no driver for it", "install NVIDIA's driver")
    NO_ACCESS = (
        "this machine has an NVIDIA driver, which this container cannot use",
        "start the container with access to GPUs, as docker run --gpus all and apptainer exec --nv do",
    )
    OLD_DRIVER = ("the NVIDIA driver is for CUDA {driver}, and basicaer needs CUDA 12 or later", "update the driver")
    HIDDEN = (
        "{variable}='{value}' hides all GPUs",
        "unset it, or give it numbers that {tool} lists; in a batch job, request a GPU",
    )
    TWO_BUILDS = (
        "several CuPy builds are installed ({builds}), which break each other",
        "uninstall all of them, then install one: {command}",
    )
    OTHER_MAKER = ("{build} is for {maker} GPUs, and this machine has no {maker} driver", "replace it: {command}")
    NO_CUPY = ("CuPy is not installed", "{command} {download}")
    OLD_CUPY = ("{build} {version} is installed, and basicaer needs CuPy 13.6 or later", "update it: {command}")
    FILES_GONE = (
        "files of {build} are missing, as after another CuPy build was uninstalled",
        "install it again: {command}",
    )
    NO_FOLDER = (
        "CuPy cannot make the folder of its kernels ({error})",
        "set CUPY_CACHE_DIR to a folder that can be written",
    )
    NO_IMPORT = ("CuPy does not import ({error})", "{remedy}")
    NO_AMD_DRIVER = ("there is no AMD driver", "install one")
    NEWER_CUPY = (
        "the driver is for CUDA {driver} and CuPy for {runtime}",
        "update the driver, or replace CuPy: {command}",
    )
    OLDER_CUDA = ("CuPy is for CUDA {runtime}, and basicaer needs CUDA 12 or later", "replace it: {command}")
    OLD_CARD = (
        "{card} has compute capability {capability}, and CuPy for CUDA 13 needs 7.5 or later",
        "replace it: {command}",
    )
    NO_DEVICE = ("the driver shows no GPU", "check that {tool} lists one; in a batch job, request a GPU")
    RESTART = ("the NVIDIA driver was updated after this machine was started ({error})", "restart the machine")
    NOT_USABLE = ("no usable {maker} driver or device ({error})", "check {tool}, or update the driver")
    NO_COMPILER = ("{compiler} does not load ({error})", "{remedy}")

    def sentence(self, **words: object) -> str:
        """Return reason and remedy with words filled in, as a part of a sentence."""
        return "; ".join(self.value).format(**words)


_NEWEST_BUILD = "cupy-cuda13x"
_TO_REPLACE = {"cupy", "cupy-cuda11x"}  # pip would compile the first for half an hour; the second is too old
_DOWNLOADS = {
    "cuda12": "downloads 230 MB and installs it",
    "cuda13": (
        "downloads 131 MB and installs it; for a GPU older than compute capability 7.5, such as GTX 10 or V100, take "
        "[cuda12], 230 MB"
    ),
    "rocm": "installs it",
}
_COMPILERS = {  # main version of CUDA -> the wheels of its compiler, and of the headers that the compiler looks for
    12: "nvidia-cuda-nvrtc-cu12 nvidia-cuda-runtime-cu12",
    13: "'nvidia-cuda-nvrtc>=13,<14' 'nvidia-cuda-runtime>=13,<14'",
}


def extra_for(driver: int) -> str:
    """Return the extra whose CuPy a driver of NVIDIA can run: 12040 is a driver for CUDA 12.4, 0 is one of AMD."""
    return "rocm" if driver == 0 else "cuda13" if driver >= 13000 else "cuda12"


def install(extra: str, instead_of: Iterable[str] = ()) -> str:
    """Return the command that installs the CuPy build of an extra, after it has removed others."""
    removed = " ".join(instead_of)
    return f"{f'pip uninstall -y {removed} && ' if removed else ''}pip install 'basicaer[{extra}]'"


def install_again(build: str, driver: int, flags: str) -> str:
    """Return the command that installs a build with these flags, or instead of it one that the driver can run."""
    if build in _TO_REPLACE or (build == _NEWEST_BUILD and driver < 13000):
        return install(extra_for(driver), [build])
    return f"pip install {flags} {build}"


def install_compiler(runtime: int) -> str:
    """Return the command that installs NVIDIA's compiler for the CuPy that is there; 12090 is one for CUDA 12.9."""
    return f"pip install {_COMPILERS.get(runtime // 1000, _COMPILERS[13])}"


def no_cupy(extra: str) -> str:
    """Return the sentence that CuPy is not installed, with what installs it and how much it downloads."""
    return Cause.NO_CUPY.sentence(command=install(extra), download=_DOWNLOADS[extra])
