"""The GPU as a device: states in its memory, changed and read by the kernels, driven through CuPy."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from basicaer.devices.bound_plans import BoundPlans
from basicaer.devices.gpu.errors import reported
from basicaer.devices.gpu.kernels import COMPILE_OPTIONS, kernel_names, kernel_source
from basicaer.devices.gpu.launches import (
    ClearLaunch,
    Launches,
    PassLaunch,
    WideLaunch,
    bind,
    bind_reordering,
    first_places,
)
from basicaer.devices.gpu.passes import Shape
from basicaer.devices.gpu.walks import walk_over
from basicaer.engine.bits import deposit_bits, mask_of
from basicaer.engine.checkpoint import Checkpoint
from basicaer.engine.plan import Costs
from basicaer.options import Precision

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.plan import Plan
    from basicaer.engine.program import Segment

__all__ = ["CupyDevice", "CupyState", "usual_shape"]

_DTYPES: dict[Precision, np.dtype[Any]] = {
    Precision.DOUBLE: np.dtype(np.complex128),
    Precision.SINGLE: np.dtype(np.complex64),
}
_IN_FLIGHT = 2  # passes that are queued at a time, so that a cancelled run stops within two
_THREADS = 256
_MOST_BLOCKS = 4096  # of kernels whose threads take several indices each
_ALIGNMENT = 16  # bytes
_STATIC_SHARED_BYTES = 48 * 1024  # more must be asked for
_PART_AMPLITUDES = 2**20  # that are brought to the host at a time
_SCRATCH_BYTES = 2**26  # what a run uploads, and sums on their way back

_bound_plans: BoundPlans[Launches] = BoundPlans()


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


class _Module:
    """The compiled kernels of one precision on one card."""

    def __init__(self, cupy: Any, precision: Precision, register_bits: int) -> None:
        names = kernel_names(precision, register_bits)
        module = cupy.RawModule(code=kernel_source(), options=COMPILE_OPTIONS, name_expressions=tuple(names.values()))
        self._kernels = {name: module.get_function(instance) for name, instance in names.items()}

    def launch(
        self, name: str, blocks: int, threads: int, *arguments: Any, shared_bytes: int = 0, states: int = 1
    ) -> None:
        """Queue a kernel on the current stream."""
        kernel = self._kernels[name]
        if shared_bytes > max(_STATIC_SHARED_BYTES, kernel.max_dynamic_shared_size_bytes):
            kernel.max_dynamic_shared_size_bytes = shared_bytes
        kernel((blocks, states), (threads,), arguments, shared_mem=shared_bytes)


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
        self._modules: dict[Precision, _Module] = {}
        self._lock = threading.Lock()
        self._streams = threading.local()

    def new_state(self, n_qubits: int, precision: Precision, checkpoint: Checkpoint | None = None) -> CupyState:
        return CupyState(self, n_qubits, precision, checkpoint or Checkpoint())

    def costs(self, n_qubits: int, precision: Precision) -> Costs | None:
        del n_qubits  # the planner makes tiles no larger than the state
        return _costs(self.shapes[precision], precision)

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

    def module(self, precision: Precision) -> _Module:
        """Return the compiled kernels, compiled now if they are not yet."""
        with self._lock:
            if precision not in self._modules:
                self._modules[precision] = _Module(self.cupy, precision, self.shapes[precision].register_bits)
            return self._modules[precision]


class CupyState:
    """A statevector in a GPU's memory; see `basicaer.engine.device.State` for what each method promises.

    A state of fewer qubits than a thread holds in registers is kept with more, which stay |0>.
    """

    def __init__(self, device: CupyDevice, n_qubits: int, precision: Precision, checkpoint: Checkpoint) -> None:
        self.n_qubits = n_qubits
        self._checkpoint = checkpoint
        self._device = device
        self._cupy = device.cupy
        self._precision = precision
        self._dtype = _DTYPES[precision]
        self._shape = device.shapes[precision]
        self._wires = max(n_qubits, self._shape.register_bits)
        with self._working("making a state"):
            self._stream = device.stream()
        with self._working("making a state"):
            self._module = device.module(precision)
            self._vector: Any = self._cupy.empty(2**self._wires, self._dtype)
            self._vector[:1].set(np.ones(1, self._dtype))
        # The amplitude at i has bit _place[w] of i as the value of wire w; the first wires are the qubits.
        self._place = tuple(range(self._wires))
        self._zero = frozenset(range(self._wires))  # still |0>: amplitudes for which one of them is 1 are not written
        self._passes_done = 0  # launches of the segment that runs

    def set_identity(self) -> None:
        with self._working("making the identity"):
            self._forget_layout()
            self._clear()
            self._over_indices("set_identity", 2**self.n_qubits, np.uint32(self.n_qubits // 2))

    def load(self, amplitudes: NDArray[np.complexfloating]) -> None:
        with self._working("loading a state"):
            self._forget_layout()
            self._clear()
            self._vector[: 2**self.n_qubits].set(np.ascontiguousarray(amplitudes, self._dtype))

    def run(self, segment: Segment, plan: Plan | None) -> None:
        wire_of = (*(plan.wire_of if plan else range(self.n_qubits)), *range(self.n_qubits, self._wires))
        if plan is None or plan.passes:
            if plan and len(self._zero) == self._wires:
                self._place = first_places(plan, self._wires)
            to = self._shape, self._place, self._zero, self._dtype
            bound = _bound_plans.bound(plan, segment, to, lambda: bind(plan, segment, *to[:3], dtype=self._dtype))
            with self._working("running gates"):
                self._launch(bound)
            self._place, self._zero = bound.place, bound.zero
        self._place = tuple([self._place[wire] for wire in wire_of])
        self._zero = frozenset(q for q, wire in enumerate(wire_of) if wire in self._zero)

    def prepare(self, qubits: tuple[int, ...], amplitudes: NDArray[np.complexfloating]) -> None:
        with self._working("preparing qubits"):
            self._write_zeros()
            self._zero -= set(qubits)
            taken = [self._place[q] for q in qubits]
            rest = [p for p in range(self._wires) if p not in taken]
            self._over_indices(
                "prepare",
                2 ** len(rest),
                self._columns(rest),
                np.uint32(len(rest)),
                self._columns(taken),
                np.uint32(len(taken)),
                self._uploaded(np.ascontiguousarray(amplitudes, self._dtype)),
            )

    def probability_of_one(self, qubit: int) -> float:
        zero, one = self._weights([qubit])
        return float(one / (zero + one))

    def collapse(self, qubit: int, *, outcome: bool, probability: float) -> None:
        with self._working("collapsing a qubit"):
            self._write_zeros()
            place, factor = np.uint32(self._place[qubit]), np.float64(probability**-0.5)
            self._over_indices("collapse", self._vector.size, place, np.uint32(outcome), factor)

    def settle(self) -> None:
        bound = bind_reordering(self._shape, self._place, self._zero, self._dtype)
        with self._working("bringing amplitudes into order"):
            self._launch(bound, counted=False)
        self._place, self._zero = bound.place, bound.zero

    def block_weights(self, block_qubits: int) -> NDArray[np.float64]:
        return self._weights(range(block_qubits, self.n_qubits))

    def block_probabilities(self, block: int, block_qubits: int) -> NDArray[np.float64]:
        with self._working("reading probabilities"):
            self._write_zeros()
            probabilities = self._cupy.empty(2**block_qubits, np.float64)
            first = np.uint64(deposit_bits(block, self._place[block_qubits : self.n_qubits]))
            columns = self._columns(self._place[:block_qubits])
            blocks = _blocks(2**block_qubits)
            self._module.launch(
                "read_weights", blocks, _THREADS, self._vector, first, columns, np.uint32(block_qubits), probabilities
            )
            return self._downloaded(probabilities)

    def find(self, block_qubits: int, blocks: NDArray[np.int64], targets: NDArray[np.float64]) -> NDArray[np.int64]:
        hit, begin = np.unique(blocks, return_index=True)
        with self._working("looking up draws"):
            self._write_zeros()
            places = self._cupy.empty(len(blocks), np.uint64)
            columns = np.array([mask_of((p,)) for p in self._place[:block_qubits]], np.uint64)
            first = deposit_bits(hit.astype(np.int64), self._place[block_qubits : self.n_qubits])
            threads = min(_THREADS, 2**block_qubits)
            self._module.launch(
                "find_draws",
                len(hit),
                threads,
                self._vector,
                self._uploaded(columns),
                self._uploaded(np.bitwise_xor.accumulate(columns)),
                np.uint32(block_qubits),
                self._uploaded(first.astype(np.uint64)),
                self._uploaded(np.array([*begin, len(blocks)], np.uint64)),
                self._uploaded(targets),
                places,
                shared_bytes=8 * threads,
            )
            found: NDArray[np.int64] = self._downloaded(places).astype(np.int64) + blocks * 2**block_qubits
        return found

    def expectation(self, x: int, z: int) -> float:
        with self._working("computing an expectation value"):
            self._write_zeros()
            way = walk_over(self._wires, ())
            sums = self._cupy.empty(2 * 2**way.block_bits, np.float64)
            self._module.launch(
                "sum_products",
                2**way.block_bits,
                2**way.thread_bits,
                self._vector,
                self._uploaded(way.record),
                np.uint64(deposit_bits(x, self._place)),
                np.uint64(deposit_bits(z, self._place)),
                sums,
                shared_bytes=2 * 8 * 2**way.thread_bits,
            )
            re, im = self._downloaded(sums).reshape(-1, 2).sum(axis=0)
        value = complex(re, im) * 1j ** (x & z).bit_count()
        return float(value.real / self._weights(()).sum())

    def amplitudes(self) -> NDArray[np.complexfloating]:
        self.settle()
        with self._working("bringing amplitudes to the host"):
            self._write_zeros()
            vector: NDArray[np.complexfloating] = self._downloaded(self._vector[: 2**self.n_qubits])
        self.release()
        return vector

    def layout(self) -> dict[str, Any]:
        return {"place": list(self._place), "zero": sorted(self._zero), "passes_done": self._passes_done}

    def amplitude_parts(self) -> Iterator[NDArray[np.complexfloating]]:
        for start in range(0, self._vector.size, _PART_AMPLITUDES):
            with self._working("bringing amplitudes to the host"):
                part = self._downloaded(self._vector[start : start + _PART_AMPLITUDES])
            yield part

    def restore(self, layout: Mapping[str, Any], parts: Iterable[bytes]) -> None:
        self._place, self._zero = tuple(layout["place"]), frozenset(layout["zero"])
        self._passes_done = layout["passes_done"]
        filled = 0
        for part in parts:
            amplitudes = np.frombuffer(part, self._dtype)
            with self._working("loading a state"):
                self._vector[filled : filled + len(amplitudes)].set(amplitudes)
            filled += len(amplitudes)

    def copy(self) -> Self:
        copied = object.__new__(type(self))
        copied.__dict__.update(self.__dict__)
        with self._working("copying a state"):
            vector = self._cupy.empty(2**self._wires, self._dtype)
            runtime = self._cupy.cuda.runtime
            runtime.memcpyAsync(
                vector.data.ptr, self._vector.data.ptr, vector.nbytes, runtime.memcpyDeviceToDevice, self._stream.ptr
            )
            self._stream.synchronize()
        copied._vector = vector
        return copied

    def release(self) -> None:
        self._vector = None

    @contextlib.contextmanager
    def _working(self, doing: str) -> Iterator[None]:
        """Work on this state's card and stream; errors say what was being done. Polls first."""
        self._checkpoint.poll()
        stream = getattr(self, "_stream", None)
        card = self._cupy.cuda.Device(self._device.number)
        with reported(self._cupy, self._device.number, doing), card, stream or contextlib.nullcontext():
            yield

    def _launch(self, bound: Launches, *, counted: bool = True) -> None:
        """Queue launches, never more than a few at a time, polling before each; return when all are done."""
        named = {"passes": bound.passes, "stages": bound.stages, "operations": bound.operations}
        wide = [launch for launch in bound.launches if isinstance(launch, WideLaunch)]
        numbers = [w.matrix.astype(np.uint32 if w.permutes else self._dtype) for w in wide]
        uploaded = self._uploaded_together(
            [*named.values(), bound.columns, bound.constants, *(w.record for w in wide), *numbers]
        )
        program, records, matrices = uploaded[:5], deque(uploaded[5 : 5 + len(wide)]), deque(uploaded[5 + len(wide) :])
        queued: deque[Any] = deque()
        try:
            for number_of_launch, launch in enumerate(bound.launches):
                if number_of_launch < self._passes_done:  # done before this state was saved
                    if isinstance(launch, WideLaunch):
                        records.popleft()
                        matrices.popleft()
                    continue
                self._checkpoint.poll()
                match launch:
                    case PassLaunch(number, thread_bits, block_bits):
                        tile_bytes = self._dtype.itemsize * 2 ** (thread_bits + self._shape.register_bits)
                        none = np.uint64(0)
                        arguments = (self._vector, *program, np.uint32(number), none, none)
                        self._module.launch(
                            "run_pass", 2**block_bits, 2**thread_bits, *arguments, shared_bytes=tile_bytes
                        )
                    case WideLaunch():
                        group = launch.groups_each * 2**launch.targets
                        matrix = matrices.popleft()
                        self._module.launch(
                            "multiply_wide",
                            2**launch.rest_bits // launch.groups_each,
                            min(_THREADS, group),
                            self._vector,
                            records.popleft(),
                            matrix,
                            matrix,
                            np.uint32(launch.permutes),
                            shared_bytes=group * self._dtype.itemsize,
                        )
                    case ClearLaunch(where):
                        self._over_indices("clear", self._vector.size, np.uint64(where))
                event = self._cupy.cuda.Event(disable_timing=True)
                event.record(self._stream)
                queued.append(event)
                if len(queued) >= _IN_FLIGHT:
                    queued.popleft().synchronize()
                if counted and isinstance(launch, PassLaunch):
                    self._checkpoint.advance(1)
                if counted and self._checkpoint.at_pause is not None:
                    self._passes_done = number_of_launch + 1
                    self._checkpoint.pause(self)
            if counted:
                self._passes_done = 0
        finally:
            self._stream.synchronize()  # what was uploaded is read until then

    def _weights(self, qubits: Sequence[int]) -> NDArray[np.float64]:
        """Return the sum of the probabilities for each value of some qubits."""
        with self._working("summing probabilities"):
            self._write_zeros()
            way = walk_over(self._wires, [self._place[q] for q in qubits])
            sums = self._cupy.empty(way.sums * 2**way.block_bits, np.float64)
            self._module.launch(
                "sum_weights",
                2**way.block_bits,
                2**way.thread_bits,
                self._vector,
                self._uploaded(way.record),
                sums,
                shared_bytes=8 * 2**way.thread_bits,
            )
            return way.by_value(self._downloaded(sums))

    def _write_zeros(self) -> None:
        """Write the amplitudes that are known to be 0 and have not been written."""
        self._clear()
        self._zero = frozenset(range(self.n_qubits, self._wires))

    def _clear(self) -> None:
        if unwritten := mask_of(self._place[wire] for wire in self._zero):
            self._over_indices("clear", self._vector.size, np.uint64(unwritten))

    def _forget_layout(self) -> None:
        self._place = tuple(range(self._wires))
        self._zero = frozenset(range(self.n_qubits, self._wires))

    def _over_indices(self, kernel: str, size: int, *arguments: Any) -> None:
        self._module.launch(kernel, _blocks(size), _THREADS, self._vector, np.uint64(size), *arguments)

    def _columns(self, places: Sequence[int]) -> Any:
        return self._uploaded(np.array([mask_of((place,)) for place in places] or [0], np.uint64))

    def _uploaded(self, array: NDArray[Any]) -> Any:
        return self._uploaded_together([array])[0]

    def _uploaded_together(self, arrays: Sequence[NDArray[Any]]) -> list[Any]:
        """Copy host arrays to the card in one transfer from pinned memory; return a view on the bytes of each."""
        ends = np.cumsum([-(-max(array.nbytes, 1) // _ALIGNMENT) * _ALIGNMENT for array in arrays]).tolist()
        pinned = self._cupy.cuda.alloc_pinned_memory(ends[-1])
        host = np.frombuffer(pinned, np.uint8, ends[-1])
        starts = [0, *ends[:-1]]
        for start, array in zip(starts, arrays, strict=True):
            host[start : start + array.nbytes] = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
        buffer = self._cupy.empty(ends[-1], np.uint8)
        buffer.set(host, self._stream)
        self._stream.synchronize()
        return [buffer[start:end] for start, end in zip(starts, ends, strict=True)]

    def _downloaded(self, array: Any) -> NDArray[Any]:
        found: NDArray[Any] = array.get(stream=self._stream)
        self._stream.synchronize()
        return found


@lru_cache
def _blocks(size: int) -> int:
    return min(_MOST_BLOCKS, -(-size // _THREADS))
