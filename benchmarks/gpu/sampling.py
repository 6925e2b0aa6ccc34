"""What launches ask of a card: a few blocks of each run as machine code on the CPU, in memory that is hardly used."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from basicaer.devices.gpu.device import CupyDevice
from gpu.multiprocessor import double_cycles, is_work, simulate
from gpu.ours import Ours

if TYPE_CHECKING:
    from basicaer.engine.program import Segment
    from basicaer.options import Precision
    from gpu.predicted_cards import PredictedCard

_TESTS = Path(__file__).parents[2] / "tests"
_SAMPLED_BLOCKS = 6
_MOST_TRACED = 4_000_000  # instructions of the sampled blocks together
_LARGE_BYTES = 1 << 26  # allocations of so many bytes are not in a cache, and their contents do not matter here


@dataclass(frozen=True)
class SampledLaunch:
    """A launch, as sampled blocks tell.

    Attributes
    ----------
    instructions, double_instructions, other_instructions
        How many all warps issue; those for the units of double precision; those that neither do arithmetic nor load or
        store.
    sectors
        Of 32 bytes each, that blocks read and write in memory behind the caches, each once.
    issue_seconds, double_seconds
        What it would take if nothing but issue slots, or these units, limited it.
    model_seconds
        What the model of a multiprocessor says.
    """

    kernel: str
    blocks: int
    warps: int
    instructions: float
    double_instructions: float
    other_instructions: float
    sectors: float
    issue_seconds: float
    double_seconds: float
    model_seconds: float


class Sampler:
    """A device of ours on a predicted card; launches run on machine code, a few blocks of each."""

    def __init__(self, card: PredictedCard) -> None:
        sys.path.append(str(_TESTS))
        from emulated_gpu import EmulatedCupy
        from machine_code import MachineCode

        self._card = card
        settings = {"sample": _SAMPLED_BLOCKS, "counts_memory": True, "issued_room": _MOST_TRACED}
        build = MachineCode(card.architecture, large_bytes=_LARGE_BYTES, launched=self._launched, settings=settings)
        self.cupy = EmulatedCupy(build=build)
        self.cupy.gpu.properties, self.cupy.gpu.total_bytes = card.properties, card.memory_bytes
        self.cupy.gpu.lazy_bytes = _LARGE_BYTES
        self.device = CupyDevice(cupy=self.cupy)
        self._found: list[SampledLaunch] = []

    def randomise(self, _vector: Any) -> None:
        """Do nothing where a real card is given random numbers: the state's contents do not matter."""

    def ours(self, segment: Segment, n: int, precision: Precision) -> Ours:
        """Return a planned circuit, to be run by `launches`."""
        return Ours(self, self.device, segment, n, precision)

    def launches(self, ours: Ours, start: str) -> list[SampledLaunch]:
        """Run a circuit and return its launches."""
        ours.start(start)
        self._found = []
        ours.run()
        ours.release()
        return self._found

    def _launched(self, kernel: Any, *, grid: tuple[int, int], threads: int, shared_bytes: int, ran: Any) -> None:
        if ran.why:
            return
        if ran.issued_count > _MOST_TRACED:
            raise RuntimeError(f"The sampled blocks of {kernel.name} issue more than {_MOST_TRACED} instructions.")
        card, blocks, warps = self._card, grid[0] * grid[1], -(-threads // 32)
        scale = blocks / ran.blocks
        instructions = scale * float(ran.counts["issued"].sum())
        double = np.array([double_cycles(instruction, card) for instruction in kernel.instructions])
        doubles = scale * float(ran.counts["acting"][double > 0].sum())
        busy = scale * float((ran.counts["acting"] * double).sum())
        is_other = [not is_work(instruction.opcode) for instruction in kernel.instructions]
        others = scale * float(ran.counts["issued"][is_other].sum())
        shared = shared_bytes + kernel.static_shared_bytes
        resident = card.resident_blocks(kernel.registers, threads, shared)
        resident = max(1, min(resident, -(-blocks // card.multiprocessors)))
        traces = [ran.issued[ran.issued["block"] == block] for block in range(ran.blocks)]
        simulated = simulate(kernel, traces, card, warps, resident)
        rounds = max(1.0, blocks / card.multiprocessors)
        self._found.append(
            SampledLaunch(
                kernel=kernel.name,
                blocks=blocks,
                warps=warps,
                instructions=instructions,
                double_instructions=doubles,
                other_instructions=others,
                sectors=scale * float(ran.counts["new_sectors"].sum()),
                issue_seconds=instructions / card.slots_per_s,
                double_seconds=busy / card.slots_per_s,
                model_seconds=simulated.cycles * rounds / card.clock,
            )
        )
