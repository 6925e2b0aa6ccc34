"""A GPU that is emulated on the CPU, so that the CUDA device is tested on machines without one.

`EmulatedCupy` takes the place of the module `cupy`; its kernels are compiled by g++ and run block by block.
"""

from emulated_gpu.building import why_unavailable
from emulated_gpu.gpu import Copy, Launch
from emulated_gpu.stand_in import EmulatedCupy

__all__ = ["Copy", "EmulatedCupy", "Launch", "why_unavailable"]
