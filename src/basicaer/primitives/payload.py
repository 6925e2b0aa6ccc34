"""The payload that a primitive's job sends to its worker, and the records in which results come back."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np
from qiskit.primitives import BitArray, DataBin, PubResult, SamplerPubResult

from basicaer.engine.bits import lowest_bits, shifted_down

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.compile.sweep import ProgramSweep
    from basicaer.engine.method import MethodChoice
    from basicaer.options import DeviceOptions, Precision
    from basicaer.records import FinishedExperiment
    from basicaer.simulation import Persistence

__all__ = [
    "Begun",
    "Estimated",
    "EstimatorTask",
    "PrimitivePayload",
    "Register",
    "Sampled",
    "SamplerTask",
    "Task",
    "shots_for",
]

_VALUES_AT_ONCE = 2**14  # values that are turned into bytes between two polls
_WORD_BITS = 64
_FEWEST_SHOTS, _USUAL_SHOTS, _MOST_SHOTS = 100, 10_000, 2**20

_Task = TypeVar("_Task")

Terms = tuple[tuple[int, int, float], ...]  # (x, z, factor), with x and z as `State.expectations` takes them


def shots_for(precision: float) -> int:
    """Return how many shots an estimator takes where outcomes are too many to be followed: for a variance of 1 at most.

    Parameters
    ----------
    precision
        The standard deviation that is asked for; 0 if none is.
    """
    if not precision:
        return _USUAL_SHOTS
    within = min(max(precision, 1e-9), 1.0)  # Tiny numbers have no inverse square.
    return min(max(ceil(1 / within**2), _FEWEST_SHOTS), _MOST_SHOTS)


class Register(NamedTuple):
    """A classical register, whose bit j is classical bit ``bits[j]`` of the circuit."""

    name: str
    bits: tuple[int, ...]

    @property
    def n_bytes(self) -> int:
        """How many bytes a value takes in a `BitArray`."""
        return (len(self.bits) + 7) // 8

    def bytes_of(self, values: Sequence[int], poll: Callable[[], None]) -> NDArray[np.uint8]:
        """Return this register's part of values of all classical bits; poll now and then.

        Row i has the bytes of the register's part of ``values[i]``, the highest byte first.
        """
        rows = np.empty((len(values), self.n_bytes), np.uint8)
        for start in range(0, len(values), _VALUES_AT_ONCE):
            poll()
            part = values[start : start + _VALUES_AT_ONCE]
            n_bytes = (max(max(part).bit_length(), *(bit + 1 for bit in self.bits), 1) + 7) // 8
            whole = np.frombuffer(b"".join([value.to_bytes(n_bytes, "little") for value in part]), np.uint8)
            rows[start : start + len(part)] = self._of_bytes(whole.reshape(len(part), n_bytes))
        return rows

    def bytes_of_words(self, words: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return this register's part of values of all classical bits, which are below 2**63, along a new last axis."""
        first, count = min(self.bits, default=0), len(self.bits)
        if self.bits == tuple(range(first, first + count)) and first + count < _WORD_BITS:  # as in most circuits
            in_bytes = lowest_bits(shifted_down(words, first), count).astype(">i8")[..., None].view(np.uint8)
            return in_bytes[..., in_bytes.shape[-1] - self.n_bytes :]
        return self._of_bytes(words.astype("<i8")[..., None].view(np.uint8))

    def _of_bytes(self, values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return this register's part of values whose bytes, the lowest first, are along the last axis."""
        whole = np.unpackbits(values, axis=-1, bitorder="little")
        bits = np.zeros((*values.shape[:-1], len(self.bits)), np.uint8)  # bits beyond the values are 0
        within = [j for j, bit in enumerate(self.bits) if bit < whole.shape[-1]]
        bits[..., within] = whole[..., [self.bits[j] for j in within]]
        return np.packbits(bits, axis=-1, bitorder="little")[..., ::-1]


@dataclass(frozen=True, slots=True)
class SamplerTask:
    """A PUB of the sampler, lowered."""

    sweep: ProgramSweep
    choice: MethodChoice
    shape: tuple[int, ...]
    metadata: Any
    shots: int
    registers: tuple[Register, ...]

    @property
    def evolved_qubits(self) -> int:
        """Qubits of the state that is evolved."""
        return self.sweep.structure.state_qubits * self.choice.axes


@dataclass(frozen=True, slots=True)
class EstimatorTask:
    """A PUB of the estimator, lowered.

    At each place of its shape it has observable ``observables[place]`` and parameter set ``sets[place]``, by number;
    ``terms[k]`` is observable k as a sum of Paulis.
    """

    sweep: ProgramSweep
    shape: tuple[int, ...]
    metadata: Any
    precision: float
    terms: tuple[Terms, ...]
    sets: NDArray[np.intp]
    observables: NDArray[np.intp]
    choice: MethodChoice

    @property
    def evolved_qubits(self) -> int:
        """Qubits of the state that is evolved."""
        return self.sweep.structure.state_qubits * self.choice.axes


Task = SamplerTask | EstimatorTask


# Results travel as plain arrays and become Qiskit's where they are asked for, since Qiskit 2.0 cannot pickle its own.


@dataclass(frozen=True, slots=True)
class Sampled:
    """The outcomes of a `SamplerTask`: ``arrays[j][set, shot, byte]`` for register j, the highest byte first."""

    shape: tuple[int, ...]
    metadata: Any
    shots: int
    registers: tuple[Register, ...]
    arrays: list[NDArray[np.uint8]]
    how: dict[str, Any]

    def as_qiskit(self) -> SamplerPubResult:
        """Return the result as Qiskit's."""
        bits = {
            one.name: BitArray(array.reshape(*self.shape, self.shots, one.n_bytes), len(one.bits))
            for one, array in zip(self.registers, self.arrays, strict=True)
        }
        metadata = {"shots": self.shots, "circuit_metadata": self.metadata, **self.how}
        return SamplerPubResult(DataBin(**bits, shape=self.shape), metadata=metadata)


@dataclass(frozen=True, slots=True)
class Estimated:
    """The values of an `EstimatorTask`, in the order of its places."""

    shape: tuple[int, ...]
    metadata: Any
    precision: float
    values: NDArray[np.float64]
    stds: NDArray[np.float64]
    how: dict[str, Any]

    def as_qiskit(self) -> PubResult:
        """Return the result as Qiskit's."""
        data = DataBin(evs=self.values.reshape(self.shape), stds=self.stds.reshape(self.shape), shape=self.shape)
        metadata = {"target_precision": self.precision, "circuit_metadata": self.metadata, **self.how}
        return PubResult(data, metadata=metadata)


class Begun(NamedTuple):
    """How far an `EstimatorTask` is.

    Attributes
    ----------
    shots
        With how many shots its values are taken; None if they are exact.
    sets
        All sets of parameters before this one are done.
    values, stds, how
        Those of an `Estimated`, as far as they are known.
    """

    shots: int | None
    sets: int
    values: NDArray[np.float64]
    stds: NDArray[np.float64]
    how: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PrimitivePayload(Generic[_Task]):
    """The payload of a primitive's or gradient's job: tasks and how to run them.

    Attributes
    ----------
    gpu
        The same as in `basicaer.payload.Payload`.
    persistence
        How the job is saved; None if it is not.
    ranks
        The `Comm` of this rank, if several run the job together.
    """

    tasks: tuple[_Task, ...]
    seed: int
    devices: DeviceOptions
    precision: Precision
    gpu: int | None
    is_quick: bool = False
    persistence: Persistence | None = None
    ranks: Any = None

    @property
    def is_saved(self) -> bool:
        """Whether it is saved when it is cancelled."""
        return self.persistence is not None

    @property
    def argument(self) -> PrimitivePayload[_Task]:
        """The payload itself."""
        return self

    def split(self, _most: int) -> list[PrimitivePayload[_Task]]:
        """Return it as it is: tasks run one after another."""
        return [self]

    def partial_result(self, _job_id: str, _finished: Mapping[int, FinishedExperiment | None]) -> None:
        """Return nothing: finished tasks are not handed over before the others."""
        return

    def join(self, results: Sequence[list[Sampled | Estimated]]) -> list[Sampled | Estimated]:
        """Return the result of the only piece."""
        return results[0]
