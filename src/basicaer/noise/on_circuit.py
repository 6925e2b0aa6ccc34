"""Where the errors of a noise model act in a circuit, and how likely each is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from qiskit.circuit import Delay, Gate, Measure, Reset
from qiskit.circuit.library import Initialize

from basicaer.compile.idle import measures_each_qubit
from basicaer.compile.noise import NEVER_NOISY, NOISE_INSTRUCTIONS, errors_in
from basicaer.compile.saves import is_save
from basicaer.compile.unitary import definition_of, inner_circuit
from basicaer.compile.values import Values
from basicaer.engine.expected_errors import shares_of
from basicaer.engine.program import Channel
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qiskit import QuantumCircuit

    from basicaer.compile.noise import CircuitNoise

__all__ = ["NoiseOnCircuit", "NoiseSite", "sites_on"]

_SHOWN = 20


class NoiseSite(NamedTuple):
    """An instruction of a circuit with an error.

    Attributes
    ----------
    instruction
        The name under which the model has the error: the instruction's label or, if it has none, its name. That of an
        error that stands in the circuit is its own.
    qubits
        Its qubits.
    error
        The error of the model, or the instruction that is one.
    probability
        How likely the error does anything: any operator but the most likely one, for a readout error a wrong value.
        Where this depends on the state, it is the average over all states.
    """

    instruction: str
    qubits: tuple[int, ...]
    error: Any
    probability: float


@dataclass(frozen=True, slots=True, repr=False)
class NoiseOnCircuit(Sequence[NoiseSite]):
    """The sites of a circuit where a noise model has errors; the body of a loop counts once, and so does every branch.

    It is a sequence of all sites, those of `quantum` first.

    Attributes
    ----------
    quantum
        The sites of quantum errors, in the order of the circuit.
    readout
        The sites of readout errors.
    """

    quantum: tuple[NoiseSite, ...]
    readout: tuple[NoiseSite, ...]

    @property
    def expected_errors(self) -> float:
        """How many quantum errors occur in a shot, on average."""
        return sum(site.probability for site in self.quantum)

    @property
    def expected_misreadings(self) -> float:
        """How many recorded values are wrong in a shot, on average."""
        return sum(site.probability for site in self.readout)

    def __len__(self) -> int:
        return len(self.quantum) + len(self.readout)

    @overload
    def __getitem__(self, index: int) -> NoiseSite: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[NoiseSite, ...]: ...
    def __getitem__(self, index: int | slice) -> NoiseSite | tuple[NoiseSite, ...]:
        return (*self.quantum, *self.readout)[index]

    def __repr__(self) -> str:
        heading = f"{counted(len(self), 'site')}: {self.expected_errors:.3g} errors"
        if self.expected_misreadings:
            heading += f" and {self.expected_misreadings:.3g} wrong readings"
        lines = [f"{heading} per shot"]
        lines += [
            f"  {site.instruction} on {', '.join(map(str, site.qubits))}: {site.probability:.3g}, {site.error!r}"
            for site in self[:_SHOWN]
        ]
        return "\n".join([*lines, *([f"  and {len(self) - _SHOWN} more"] if len(self) > _SHOWN else [])])


def sites_on(circuit: QuantumCircuit, noise: CircuitNoise, error_of: Any, readout_of: Any) -> NoiseOnCircuit:
    """Return the sites of a circuit.

    Parameters
    ----------
    error_of, readout_of
        Return the model's quantum error of a name on qubits, and its readout error of a qubit.
    """
    place = f"circuit '{circuit.name}'"
    quantum: list[NoiseSite] = []
    readout: list[NoiseSite] = []
    measured: set[int] = set()
    for one in _found(circuit, noise, {q: i for i, q in enumerate(circuit.qubits)}, place):
        name, qubits, own = one.name, one.qubits, one.error
        if own is None:
            channels, own = noise.of(name, qubits, qubits), error_of(name, qubits)
        else:
            found = errors_in(own, qubits, range(own.num_clbits), place)
            channels = [channel for channel in found if isinstance(channel, Channel)]
        if channels:
            none = prod(1 - sum(shares_of(channel)) for channel in channels)
            quantum.append(NoiseSite(name, qubits, own, 1 - none))
        if one.is_measured:
            measured |= set(qubits)
            if noise.read_together.isdisjoint(qubits):
                readout += _misread(qubits, readout_of(qubits))
    for wide in noise.wide:
        if measured.issuperset(wide):
            readout += _misread(wide, readout_of(wide))
    return NoiseOnCircuit(tuple(quantum), tuple(readout))


def _misread(qubits: tuple[int, ...], error: Any) -> list[NoiseSite]:
    if error is None:
        return []
    return [NoiseSite("measure", qubits, error, 1 - float(error.probabilities.trace()) / len(error.probabilities))]


class _Found(NamedTuple):
    """An instruction that may have errors; `error` is the instruction itself if it is an error."""

    name: str
    qubits: tuple[int, ...]
    is_measured: bool = False
    error: Any = None


def _found(circuit: QuantumCircuit, noise: CircuitNoise, number: Mapping[Any, int], place: str) -> Iterator[_Found]:
    """Yield the instructions of a circuit and of what is inside of them, as they are lowered."""
    for item in circuit.data:
        name, operation = noise.key(item), item.operation
        qubits = tuple([number[qubit] for qubit in item.qubits])
        if item.is_control_flow():
            for block in operation.blocks:
                yield from _found(block, noise, dict(zip(block.qubits, qubits, strict=True)), place)
        elif item.name in NOISE_INSTRUCTIONS:
            yield _Found(item.name, qubits, error=operation)
        elif item.name in NEVER_NOISY:
            continue
        elif isinstance(operation, Measure) or measures_each_qubit(operation):
            yield from _each(name, qubits, noise, is_measured=True)
        elif isinstance(operation, Reset):
            yield from _each(name, qubits, noise, is_measured=False)
        else:
            inside = _inside(operation, place, is_whole=name in noise.names)
            if inside is not None:
                yield from _found(inside, noise, dict(zip(inside.qubits, qubits, strict=True)), place)
            if inside is None or not isinstance(operation, Gate):
                yield _Found(name, qubits)


def _each(name: str, qubits: tuple[int, ...], noise: CircuitNoise, *, is_measured: bool) -> Iterator[_Found]:
    """Yield what acts on each of its qubits by itself, and before it all of it if the model has an error of that."""
    together = len(qubits) > 1 and bool(noise.of(name, qubits, qubits))
    if together:
        yield _Found(name, qubits)
    for qubit in qubits:
        if is_measured or not together:
            yield _Found("" if together else name, (qubit,), is_measured)


def _inside(operation: Any, place: str, *, is_whole: bool) -> QuantumCircuit | None:
    """Return the circuit whose instructions have errors of their own; a gate with an error of its own has none."""
    if isinstance(operation, Gate):
        return None if is_whole else inner_circuit(operation, place, Values())
    if isinstance(operation, Delay | Initialize) or is_save(operation):
        return None
    inside: QuantumCircuit | None = definition_of(operation, place)
    return inside
