"""Machine code under the emulated GPU, in place of what g++ makes of the kernels' own text."""

import ctypes
from dataclasses import dataclass, field

import numpy as np

from emulated_gpu import building
from machine_code.launching import RANGE, kernel_of


@dataclass
class MachineCode:
    """Builds libraries for `EmulatedCupy`: pass it as `build`.

    Attributes
    ----------
    architecture
        90 for sm_90.
    ignored
        ignored[kernel] = the number of a barrier's instruction that is passed over.
    large_bytes
        Allocations of so many bytes are those whose traffic is counted as that of memory.
    launched
        Called with the kernel, its grid, threads and bytes of shared memory, and what came of the launch.
    settings
        Further arguments of `Kernel.launch`.
    """

    architecture: int
    ignored: dict = field(default_factory=dict)
    large_bytes: int = 1 << 26
    launched: object = None
    settings: dict = field(default_factory=dict)

    def __call__(self, gpu, text, names, options):
        """Return the library of a text's kernels for the memory of an emulated card."""
        return _Library(self, gpu, text, tuple(names), tuple(options))


class _Library:
    """Stands for `emulated_gpu.building.Library`, which still tells what parameters a kernel has."""

    def __init__(self, machine_code, gpu, text, names, options):
        self._machine_code, self._gpu = machine_code, gpu
        self._text, self._names, self._options = text, names, options
        self._built = building.build(text, names, options, counting=False, sanitize=False)
        self.parameters = self._built.parameters

    def __contains__(self, name):
        return name in self._built

    def launch(self, name, pointers, *, grid, threads, shared_bytes, seed, counts):
        """Run a kernel on a grid (x, y); return why the launch failed, an empty text if it did not."""
        del counts
        chosen = self._machine_code
        kernel = kernel_of(self._text, self._names, name, chosen.architecture, self._options)
        arguments = b""
        for (_, size), pointer in zip(self.parameters(name), pointers, strict=True):
            arguments += bytes(-len(arguments) % size) + ctypes.string_at(pointer, size)
        with self._gpu.lock:
            memories = [(m.ptr, m.ptr + m.size, m.size >= chosen.large_bytes) for m in self._gpu.memories]
        shape = {"grid": grid, "threads": threads, "shared_bytes": shared_bytes}
        ran = kernel.launch(
            arguments,
            **shape,
            ranges=np.array(memories, RANGE),
            seed=seed,
            ignored_barrier=chosen.ignored.get(name, -1),
            **chosen.settings,
        )
        if chosen.launched:
            chosen.launched(kernel, **shape, ran=ran)
        return ran.why
