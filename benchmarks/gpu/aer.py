"""Aer's GPU build, with its own kernels and with cuStateVec. Timed: what Aer says an experiment took, on the host.

That is its fusion, the evolution from |0...0>, and one shot of all qubits; assembly is outside, and so is `transpile`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from basicaer.engine.program import Segment
    from gpu.card import Card


class Aer:
    """The simulator; making it raises ImportError where there is none for GPUs."""

    name = "Aer"
    starts = ("zero",)

    def __init__(self, card: Card) -> None:
        from qiskit_aer import AerSimulator

        if card.emulated or "GPU" not in AerSimulator().available_devices():
            raise ImportError("this build of qiskit-aer uses no GPU")
        self._make = AerSimulator

    def entries(self, family: str, segment: Segment, n: int, vector: Callable[[], Any]) -> list[AerCircuit]:
        """Return the circuit with Aer's own kernels and with cuStateVec."""
        from families import FAMILIES

        del segment  # Aer is given the circuit itself
        circuit = FAMILIES[family](n).measure_all(inplace=False)
        options = {"method": "statevector", "device": "GPU"}
        options["precision"] = "double" if vector().dtype.itemsize == 16 else "single"
        return [AerCircuit(self._make(cuStateVec_enable=on, **options), circuit) for on in (False, True)]


class AerCircuit:
    """A circuit on Aer; `seconds` is what the last run took by its own account."""

    name = Aer.name
    starts = Aer.starts

    def __init__(self, simulator: Any, circuit: Any) -> None:
        from qiskit import transpile

        self.setting = "cuStateVec" if simulator.options.cuStateVec_enable else "own kernels"
        self._simulator = simulator
        self._circuit = transpile(circuit, simulator, optimization_level=0)
        self.seconds = 0.0

    def start(self, how: str) -> None:
        """Do nothing: a run begins with |0...0>."""

    def run(self) -> None:
        """Run it to the end."""
        result = self._simulator.run(self._circuit, shots=1).result()
        if not result.success:
            raise RuntimeError(f"Aer: {result.status}")
        self.seconds = result.results[0].time_taken
