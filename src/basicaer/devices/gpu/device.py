"""The GPU as a device: states in its memory, changed and read by the kernels, driven through CuPy."""

from __future__ import annotations

import threading
from typing import Any

from basicaer.devices.gpu.batch import CupyBatch
from basicaer.devices.gpu.errors import reported
from basicaer.devices.gpu.module import Module
from basicaer.devices.gpu.passes import Shape
from basicaer.devices.gpu.state import CupyState
from basicaer.engine.checkpoint import Checkpoint
from basicaer.engine.plan import Costs
from basicaer.options import Precision

__all__ = ["CupyDevice", "usual_shape"]

_SCRATCH_BYTES = 2**26  # what a run uploads, and sums on their way back


def usual_shape(precision: Precision, per_block: int, per_multiprocessor: int, reserved: int) -> Shape:
    """Return how tiles are held on a card: as large as lets two blocks share a multiprocessor, up to 64 KiB.

    Parameters
    ----------
    per_block, per_multiprocessor
        Bytes of shared memory that a block may have, and that blocks on a multiprocessor share.
    reserved
        Bytes of each block that the driver keeps.
    """
    registers, rows = (4, 3) if precision is Precision.DOUBLE else (5, 4)
    most = min(2**16, per_block, per_multiprocessor // 2 - reserved)
    return Shape((most // precision.amplitude_bytes).bit_length() - 1, registers, rows)


def _costs(shape: Shape, precision: Precision) -> Costs:
    """Return what to plan with: a pass costs most, an exchange a sixth of it, arithmetic little.

    Derived from the memory bandwidth and the arithmetic of an H200, not measured yet.
    """
    move = 2 * precision.amplitude_bytes / 4.8e12
    return Costs(
        tile_qubits=shape.tile_bits,
        shared_qubits=min(shape.row_bits, shape.tile_bits - 1),
        product=(move / 4,) * (shape.register_bits + 1),
        rearrange=move / 6,
        multiply=move / 20,
        move=move,
        step_seconds=0.0,
        selectors=64,
    )


def _cupy() -> Any:
    import cupy

    return cupy


class CupyDevice:
    """A GPU.

    Parameters
    ----------
    number
        Which one, as the driver counts them.
    cupy
        The module; None to import it.
    shapes
        How tiles are held, for each precision; None to choose by the card's shared memory.
    """

    name = "GPU"
    is_host = False

    def __init__(self, number: int = 0, *, cupy: Any = None, shapes: dict[Precision, Shape] | None = None) -> None:
        cupy = cupy or _cupy()
        self.cupy = cupy
        self.number = number
        with reported(cupy, number, "being looked at"):
            properties = cupy.cuda.runtime.getDeviceProperties(number)
        self.card: str = properties["name"].decode()
        sizes = [
            properties["sharedMemPerBlockOptin"],
            properties["sharedMemPerMultiprocessor"],
            properties.get("reservedSharedMemPerBlock", 1024),
        ]
        self.shapes = shapes or {p: usual_shape(p, *sizes) for p in Precision}
        self._modules: dict[Precision, Module] = {}
        self._lock = threading.Lock()
        self._streams = threading.local()

    def kind(self, precision: Precision) -> str:
        """Return its name and how it holds tiles, which cards with less shared memory do otherwise."""
        tile, register, row = self.shapes[precision]
        return f"{self.name} (tiles of {tile}, {register} and {row} bits)"

    def new_state(self, n_qubits: int, precision: Precision, checkpoint: Checkpoint | None = None) -> CupyState:
        return CupyState(self, n_qubits, precision, checkpoint or Checkpoint())

    def new_batch(
        self, n_qubits: int, precision: Precision, count: int, checkpoint: Checkpoint | None = None
    ) -> CupyBatch:
        """Return `count` states, each |0...0>, that are changed together; see `CupyBatch`."""
        return CupyBatch(self, n_qubits, precision, checkpoint or Checkpoint(), count)

    def most_states(self, n_qubits: int, precision: Precision) -> int:
        """Return how many states of a batch fit the card's free memory."""
        each = int(precision.amplitude_bytes * 2 ** max(n_qubits, self.shapes[precision].register_bits))
        return max(0, self.free_bytes() - self.scratch_bytes(precision)) // each

    def costs(self, n_qubits: int, precision: Precision) -> Costs | None:
        del n_qubits  # the planner makes tiles no larger than the state
        return _costs(self.shapes[precision], precision)

    def runs_by_plan(self, n_gates: int, n_qubits: int, precision: Precision, *, any_untouched: bool) -> bool:
        del n_gates, n_qubits, precision, any_untouched
        return True

    def free_bytes(self) -> int:
        with reported(self.cupy, self.number, "telling how much memory is free"), self.cupy.cuda.Device(self.number):
            free, _ = self.cupy.cuda.runtime.memGetInfo()
            return int(free) + int(self.cupy.get_default_memory_pool().free_bytes())

    def scratch_bytes(self, precision: Precision) -> int:
        del precision
        return _SCRATCH_BYTES

    def stream(self) -> Any:
        """Return the calling thread's stream; CuPy's pool gives memory that was freed to the same stream only."""
        if not hasattr(self._streams, "own"):
            self._streams.own = self.cupy.cuda.Stream(non_blocking=True)
        return self._streams.own

    def module(self, precision: Precision) -> Module:
        """Return the compiled kernels, compiled now if they are not yet."""
        with self._lock:
            if precision not in self._modules:
                self._modules[precision] = Module(self.cupy, precision, self.shapes[precision].register_bits)
            return self._modules[precision]
