"""The compiled kernels of one precision on one card, and launching them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from basicaer.devices.gpu.kernels import COMPILE_OPTIONS, kernel_names, kernel_source
from basicaer.errors import BasicAerError

if TYPE_CHECKING:
    from basicaer.options import Precision

__all__ = ["MOST_STATES", "Module"]

MOST_STATES = 65535  # of a launch: the y axis of a grid has no more
_STATIC_SHARED_BYTES = 48 * 1024  # more must be asked for


class Module:
    """Compiled when it is made; CuPy keeps what it compiles in a folder, for the next process.

    Raises
    ------
    BasicAerError
        If that folder cannot be used.
    """

    def __init__(self, cupy: Any, precision: Precision, register_bits: int) -> None:
        names = kernel_names(precision, register_bits)
        module = cupy.RawModule(code=kernel_source(), options=COMPILE_OPTIONS, name_expressions=tuple(names.values()))
        try:
            self._kernels = {name: module.get_function(instance) for name, instance in names.items()}
        except OSError as error:
            raise BasicAerError(
                f"CuPy cannot keep the compiled kernels ({error}); set CUPY_CACHE_DIR to a folder that can be written, "
                "or CUPY_CACHE_IN_MEMORY=1."
            ) from error

    def launch(
        self, name: str, blocks: int, threads: int, *arguments: Any, shared_bytes: int = 0, states: int = 1
    ) -> None:
        """Queue a kernel on the current stream."""
        kernel = self._kernels[name]
        if shared_bytes > max(_STATIC_SHARED_BYTES, kernel.max_dynamic_shared_size_bytes):
            kernel.max_dynamic_shared_size_bytes = shared_bytes
        kernel((blocks, states), (threads,), arguments, shared_mem=shared_bytes)
