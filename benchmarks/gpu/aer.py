"""Aer's GPU build, with its own kernels and with cuStateVec.

Timed: what Aer says that an experiment took on the host, which is fusion, the evolution from |0...0>, and one shot of
all qubits. Not timed: assembly and `transpile`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from basicaer.engine.program import Segment
    from gpu.card import Card


class Aer:
    """The simulator; its constructor raises ImportError where there is no build of Aer for GPUs."""

    name = "Aer"
    starts = ("zero",)

    def __init__(self, card: Card) -> None:
        from qiskit_aer import AerSimulator

        if card.emulated or "GPU" not in AerSimulator().available_devices():
            raise ImportError("this build of qiskit-aer uses no GPU")
        self._make = AerSimulator

    def entries(self, family: str, segment: Segment, n: int, vector: Callable[[], Any]) -> list[AerCircuit]:
        """Return the circuit prepared for Aer's own kernels and for cuStateVec."""
        from families import FAMILIES

        del segment  # Aer gets the circuit itself.
        circuit = FAMILIES[family](n).measure_all(inplace=False)
        options = {"method": "statevector", "device": "GPU"}
        options["precision"] = "double" if vector().dtype.itemsize == 16 else "single"
        return [AerCircuit(self._make(cuStateVec_enable=on, **options), circuit) for on in (False, True)]


class AerCircuit:
    """A circuit that was prepared for Aer; `seconds` is what the last run took, as Aer measured it."""

    name = Aer.name
    starts = Aer.starts

    def __init__(self, simulator: Any, circuit: Any) -> None:
        from qiskit import transpile

        self.setting = "cuStateVec" if simulator.options.cuStateVec_enable else "own kernels"
        self._simulator = simulator
        self._circuit = transpile(circuit, simulator, optimization_level=0)
        self.seconds = 0.0

    def start(self, how: str) -> None:
        """Do nothing, because a run begins with |0...0>."""

    def run(self) -> None:
        """Run the circuit, and keep what Aer says that it took."""
        result = self._simulator.run(self._circuit, shots=1).result()
        if not result.success:
            raise RuntimeError(f"Aer: {result.status}")
        self.seconds = result.results[0].time_taken
