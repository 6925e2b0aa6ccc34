"""The cards that times are predicted for: numbers of their data sheets, and what is assumed where these say nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SCHEDULERS = 4  # of a multiprocessor; each issues one instruction in a cycle
_SHARED_RESERVED = 1 << 10  # bytes that the driver keeps of each block
_REGISTER_UNIT = 256  # registers are given to a warp in multiples of it


@dataclass(frozen=True)
class PredictedCard:
    """A card as the model sees it.

    Attributes
    ----------
    architecture
        90 for sm_90.
    clock
        Cycles a second; assumed to be the highest one all the time.
    copy_bytes_per_s
        What a copy reaches, read and written bytes together; assumed to be nine tenths of the data sheet's bandwidth.
    double_cycles, single_cycles
        For how long an instruction of a warp, in double or single precision, keeps a scheduler's unit busy.
    matrix_multiply_adds
        How many a scheduler's tensor core does in a cycle, in double precision; twice as many as other units. On 9.0
        this holds for products of 16 rows. The data sheets have the rates of whole cards.
    shared_per_block, shared_per_multiprocessor
        KiB.
    """

    name: str
    architecture: int
    multiprocessors: int
    clock: float
    copy_bytes_per_s: float
    double_cycles: int
    single_cycles: int
    matrix_multiply_adds: int
    shared_per_block: int
    shared_per_multiprocessor: int
    memory_bytes: int

    @property
    def slots_per_s(self) -> float:
        """How many instructions all schedulers can issue in a second."""
        return self.multiprocessors * SCHEDULERS * self.clock

    @property
    def properties(self) -> dict[str, Any]:
        """What the emulated card reports, so that the device chooses the tiles that it would choose on this one."""
        return {
            "name": self.name.encode(),
            "major": self.architecture // 10,
            "minor": self.architecture % 10,
            "multiProcessorCount": self.multiprocessors,
            "sharedMemPerBlockOptin": self.shared_per_block << 10,
            "sharedMemPerMultiprocessor": self.shared_per_multiprocessor << 10,
        }

    def resident_blocks(self, registers: int, threads: int, shared_bytes: int) -> int:
        """Return how many blocks a multiprocessor holds at a time."""
        warps = -(-threads // 32)
        of_a_warp = -(-32 * registers // _REGISTER_UNIT) * _REGISTER_UNIT
        shared = (self.shared_per_multiprocessor << 10) // (shared_bytes + _SHARED_RESERVED)
        return max(1, min(65536 // (of_a_warp * warps), shared, 64 // warps, 32))


CARDS = {
    "h200": PredictedCard("NVIDIA H200", 90, 132, 1.98e9, 4.3e12, 2, 1, 32, 227, 228, 141 << 30),
    "h100": PredictedCard("NVIDIA H100 80GB", 90, 132, 1.98e9, 3.0e12, 2, 1, 32, 227, 228, 80 << 30),
    "a100": PredictedCard("NVIDIA A100 40GB", 80, 108, 1.41e9, 1.4e12, 4, 2, 16, 163, 164, 40 << 30),
}
