"""The errors that CuPy raises, under its names and with its words."""

from typing import ClassVar

_RUNTIME = {
    1: "cudaErrorInvalidValue: invalid argument",
    2: "cudaErrorMemoryAllocation: out of memory",
    3: "cudaErrorInitializationError: initialization error",
    35: "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version",
    100: "cudaErrorNoDevice: no CUDA-capable device is detected",
    101: "cudaErrorInvalidDevice: invalid device ordinal",
    400: "cudaErrorInvalidResourceHandle: invalid resource handle",
    600: "cudaErrorNotReady: device not ready",
    719: "cudaErrorLaunchFailure: unspecified launch failure",
}
_DRIVER = {
    1: "CUDA_ERROR_INVALID_VALUE: invalid argument",
    98: "hipErrorInvalidDeviceFunction: invalid device function",
    500: "CUDA_ERROR_NOT_FOUND: named symbol not found",
}


class _StatusError(RuntimeError):
    """An error with CUDA's number in `status`; `why` is what the emulator knows besides."""

    words: ClassVar = {}

    def __init__(self, status, why=""):
        super().__init__(self.words[status] + (f" ({why})" if why else ""))
        self.status = status


class CUDARuntimeError(_StatusError):
    words = _RUNTIME


class CUDADriverError(_StatusError):
    words = _DRIVER


class OutOfMemoryError(MemoryError):
    def __init__(self, size, total, limit=0):
        super().__init__(f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes).")


class CompileException(Exception):  # noqa: N818  CuPy's name
    """`str` of it is the compiler's text."""

    def __init__(self, message, source, name, options, backend="nvrtc"):
        super().__init__(message)
        self.source, self.name, self.options, self.backend = source, name, options, backend

    def get_message(self):
        return str(self)
