"""A function of a library, with types: the most frequent outcome of each of many circuits, as soon as each is known.

`mypy --strict` reads this file; a misspelt option of `run` would be an error.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Unpack

from qiskit import QuantumCircuit

from basicaer import BasicAer, BasicAerError, BasicAerJob, QasmSimulatorOptions


async def most_frequent(
    circuits: Sequence[QuantumCircuit], **options: Unpack[QasmSimulatorOptions]
) -> AsyncIterator[tuple[int, str]]:
    """Yield the position and the most frequent outcome of each circuit, in the order in which the jobs end."""
    backend = BasicAer.get_backend("qasm_simulator")

    async def outcome(position: int, job: BasicAerJob) -> tuple[int, str]:
        counts: dict[str, int] = (await job).get_counts()
        return position, max(counts, key=lambda one: counts[one])

    jobs = [backend.run(circuit, **options) for circuit in circuits]
    for found in asyncio.as_completed([outcome(position, job) for position, job in enumerate(jobs)]):
        yield await found


def flipped(n_qubits: int, flips: Sequence[int]) -> QuantumCircuit:
    """Return a circuit that flips some qubits and measures all."""
    circuit = QuantumCircuit(n_qubits)
    circuit.x(flips)
    circuit.measure_all()
    return circuit


async def main() -> None:
    """Run the function on a few circuits, and on one that is refused."""
    circuits = [flipped(3, [qubit]) for qubit in range(3)]
    found = [one async for one in most_frequent(circuits, shots=100, memory=True)]
    for position, outcome in sorted(found):
        print(f"circuit {position}: {outcome}")
    try:
        _ = [one async for one in most_frequent(circuits, shots=-1)]
    except BasicAerError as refusal:
        print(f"{type(refusal).__name__}: {refusal}")


asyncio.run(main())
