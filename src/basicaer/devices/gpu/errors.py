"""Errors of CUDA or ROCm, their compilers and CuPy's memory pool, turned into one sentence with the driver's own words.

CuPy raises the same classes for both, with the names that each has for its errors.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from basicaer.errors import DeviceFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["reported"]


@contextlib.contextmanager
def reported(
    cupy: Any, number: int, doing: str, on_loss: Callable[[str], None] = lambda _problem: None
) -> Iterator[None]:
    """Turn the errors of a GPU into a DeviceFailedError that says which GPU, what it was doing, and what helps.

    The traceback of the original error is dropped: its frames would hold memory of the GPU for as long as anybody keeps
    the error.

    Parameters
    ----------
    on_loss
        Called with the reason if the GPU cannot be used in this process any more: after some errors, such as an access
        outside of its memory, every further call fails.
    """
    cuda = cupy.cuda
    try:
        yield
    except cuda.memory.OutOfMemoryError as error:
        happened = f"ran out of memory while {doing}"
        remedy = "use fewer qubits, precision='single' or device='CPU', or free what else uses its memory"
        failure: Exception = error
    except cuda.compiler.CompileException as error:
        happened = "cannot compile the kernels"
        remedy = "this is a fault of basicaer or of the installation of CUDA or ROCm; device='CPU' works without"
        failure = error
    except (cuda.runtime.CUDARuntimeError, cuda.driver.CUDADriverError) as error:
        happened = f"failed while {doing}"
        remedy = "if the next job fails too, start Python again, or use device='CPU'"
        failure = error
        if _is_lost(cupy, number):
            remedy = "it cannot be used again before Python is started again; device='CPU' works"
            words = _words(error)
            on_loss(f"GPU {number} failed while {doing} ({words}), and cannot be used before Python is started again")
    else:
        return
    raise DeviceFailedError(f"GPU {number} {happened} ({_words(failure)}); {remedy}.") from failure.with_traceback(None)


def _is_lost(cupy: Any, number: int) -> bool:
    """Tell, after an error of CUDA, whether every call from now on fails."""
    try:
        cupy.cuda.Device(number).synchronize()
    except (cupy.cuda.runtime.CUDARuntimeError, cupy.cuda.driver.CUDADriverError):
        return True
    return False


def _words(error: Exception) -> str:
    """Return what an error says, on one line and not too long."""
    words = " ".join(str(error).split())
    return words if len(words) <= 300 else f"{words[:300]}..."
