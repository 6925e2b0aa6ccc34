"""The kernels' machine code, run on the CPU."""

from machine_code.compiling import why_unavailable
from machine_code.launching import kernel_of
from machine_code.stand_in import MachineCode

__all__ = ["MachineCode", "kernel_of", "why_unavailable"]
