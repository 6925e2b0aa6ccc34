"""A stand-in for the module `cupy`: what the device code calls of it, by the same names and with the same behaviour."""

from functools import partial
from types import SimpleNamespace

from emulated_gpu import building
from emulated_gpu.errors import CompileException, CUDADriverError, CUDARuntimeError, OutOfMemoryError
from emulated_gpu.gpu import EmulatedGpu
from emulated_gpu.kernels import RawModule, compile_using_nvrtc
from emulated_gpu.memory import (
    DeviceArray,
    DevicePointer,
    Memory,
    PinnedMemory,
    PinnedMemoryPointer,
    PooledPinnedMemory,
    UnownedMemory,
    copy,
    empty,
    fill,
)
from emulated_gpu.streams import Event, Stream, get_elapsed_time

_COPY_KINDS = {1: "host to device", 2: "device to host", 3: "device to device"}


class Device:
    """One card, number 0."""

    def __init__(self, gpu, device=None):
        self._gpu = gpu
        self.id = 0 if device is None else int(device)

    def use(self):
        self._gpu.check()
        if self.id != 0:
            raise CUDARuntimeError(101)

    def __enter__(self):
        self.use()
        return self

    def __exit__(self, *_):
        pass

    def synchronize(self):
        self.use()
        for stream in list(self._gpu.all_streams):
            stream.know_finished(stream.launched)
        self._gpu.raise_late_error()

    @property
    def mem_info(self):
        self.use()
        return self._gpu.memory_info()

    @property
    def compute_capability(self):
        properties = self._gpu.device_properties(self.id)
        return f"{properties['major']}{properties['minor']}"


class EmulatedCupy:
    """Handed to the device in place of the module `cupy`; `gpu` is where tests look and set.

    Parameters
    ----------
    build
        Makes the library of a module, from the card, the text, the kernels' names and the options; default: g++ does.
        If it has an `architecture`, such as 90 for sm_90, the card is of that compute capability.
    counting
        Whether launches count what they ask of memory (kernels are compiled with BASICAER_COUNTING).
    sanitize
        Whether kernels run under AddressSanitizer and UndefinedBehaviorSanitizer. These end the process at the first
        finding, and want Python started with LD_PRELOAD=$(g++ -print-file-name=libasan.so) and
        ASAN_OPTIONS=detect_leaks=0.
    version
        CuPy's. Before 14.2 it compiles templates in every process.
    hip
        Whether CuPy is built for ROCm.
    """

    def __init__(self, *, build=None, counting=False, sanitize=False, version="14.2.0", hip=False):
        gpu = self.gpu = EmulatedGpu()
        gpu.is_hip = hip
        if hasattr(build, "architecture"):
            gpu.properties |= dict(zip(("major", "minor"), divmod(build.architecture, 10), strict=True))
        build = build or partial(_built_by_gxx, counting=counting, sanitize=sanitize)
        gpu.null_stream = Stream(gpu, null=True)
        self.__version__ = version
        self.ndarray = partial(DeviceArray, gpu)
        self.empty = partial(empty, gpu)
        self.RawModule = partial(RawModule, gpu, build, counting=counting)
        pool = SimpleNamespace(
            used_bytes=gpu.used_bytes,
            total_bytes=gpu.total_pool_bytes,
            free_bytes=gpu.free_bytes,
            free_all_blocks=gpu.free_all_blocks,
        )
        self.get_default_memory_pool = lambda: pool
        self.cuda = SimpleNamespace(
            Device=partial(Device, gpu),
            Stream=partial(Stream, gpu),
            Event=partial(Event, gpu),
            Memory=partial(Memory, gpu),
            PinnedMemory=partial(PinnedMemory, gpu),
            PinnedMemoryPointer=PinnedMemoryPointer,
            UnownedMemory=UnownedMemory,
            MemoryPointer=DevicePointer,
            get_current_stream=gpu.current_stream,
            get_elapsed_time=get_elapsed_time,
            alloc_pinned_memory=partial(_pinned, gpu),
            set_allocator=_set_allocator,
            get_cuda_path=lambda: None,
            runtime=_runtime(gpu),
            driver=SimpleNamespace(CUDADriverError=CUDADriverError),
            memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
            compiler=SimpleNamespace(
                CompileException=CompileException, compile_using_nvrtc=partial(compile_using_nvrtc, gpu)
            ),
            nvrtc=SimpleNamespace(getVersion=lambda: gpu.compiler_version),
        )


def _built_by_gxx(_gpu, text, names, options, *, counting, sanitize):
    return building.build(text, names, options, counting=counting, sanitize=sanitize)


def _set_allocator(allocator):
    """Every array has an allocation of its own already."""
    if allocator is not None:
        raise NotImplementedError("the emulator can only be asked to have no pool")


def _pinned(gpu, size):
    gpu.check()
    return PooledPinnedMemory(size)


def _runtime(gpu):
    def count():
        gpu.check()
        return 1

    def copy_async(dst, src, size, kind, stream, /):
        copy(gpu, dst, src, size, kind=_COPY_KINDS[kind], stream=stream)

    return SimpleNamespace(
        CUDARuntimeError=CUDARuntimeError,
        is_hip=gpu.is_hip,
        getDeviceCount=count,
        getDeviceProperties=gpu.device_properties,
        driverGetVersion=lambda: 0 if gpu.no_driver else gpu.driver_version,
        runtimeGetVersion=lambda: gpu.runtime_version,
        memGetInfo=gpu.memory_info,
        memcpyAsync=copy_async,
        memsetAsync=lambda ptr, value, size, stream: fill(gpu, ptr, value, size),
        **{"memcpy" + kind.title().replace(" ", ""): number for number, kind in _COPY_KINDS.items()},
    )
