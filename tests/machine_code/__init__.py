"""The kernels' machine code, run on the CPU: what a card would execute, without a card or a driver.

NVRTC compiles the kernels for a card, the disassembler lists their instructions, and a library that g++ builds once
carries these out, a warp at a time. `EmulatedCupy(build=MachineCode(90))` puts this under the emulated GPU in place of
what g++ makes of the kernels' text; tests do so where BASICAER_MACHINE_CODE is set.

`compiling`, `cubin`
    From a text to the listing, registers and constants of each kernel; what was compiled is kept on disk.
`listing`, `operands`
    Take the listing apart: instructions, their operands, and what they tell the scheduler.
`opcodes`, `actions`, `arithmetic_opcodes`, `flow_opcodes`, `memory_opcodes`
    What each opcode does. One that is not there ends the decoding with an error that names it.
`decoding`, `launching`
    A kernel as an array of steps, and its launch.
`runner.cpp` and the headers
    Carry out the steps: `call.h` reads and writes operands; `integers.h`, `floats.h`, `lanes.h` and `accesses.h` have a
    function for each thing that instructions do; `races.h` looks for data races; `counting.h` counts sectors.
`stand_in`
    The library that the emulated GPU launches.

Lanes of a warp that stand at the same instruction go together, and meet again as BSSY and BSYNC say. Blocks, and the
warps between two barriers, run in random order. Registers and shared memory begin with values that show when what
nobody wrote is used. Results are those of a card to the last bit, but for MUFU.RCP, whose result is rounded correctly
here.

What is not seen: two grids at a time, and wrong control bits, which tell the scheduler of a card what to wait for. The
compiler orders the lanes of a warp before it lets them wait at a barrier of the block; between lanes, that order counts
as if the kernel had asked for it. Of tensor cores only products in double precision are known. Atomics, fences,
asynchronous copies, clusters and barriers of some threads are not.
"""

from machine_code.compiling import why_unavailable
from machine_code.launching import kernel_of
from machine_code.stand_in import MachineCode

__all__ = ["MachineCode", "kernel_of", "why_unavailable"]
