"""A statevector in a card's memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from basicaer.devices.gpu.adjoint import CupyReversible
from basicaer.devices.gpu.running import blocks_for
from basicaer.devices.gpu.structs import MOST_THREADS
from basicaer.devices.marginals import summed_by_blocks
from basicaer.engine.bits import bit_at, deposit_bits, highest_position
from basicaer.engine.device import GatesOfBatch, SegmentBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.gpu.card import Card
    from basicaer.devices.gpu.shape import TileShape
    from basicaer.engine.device import Generators
    from basicaer.engine.monitor import Monitor
    from basicaer.engine.plan import Plan
    from basicaer.engine.program import Segment
    from basicaer.options import Precision

__all__ = ["CupyState"]

_MOST_SUMMED_QUBITS = 20  # with more, the sums of all their values would take much memory beside the state
_PART_AMPLITUDES = 2**20  # amplitudes brought to the host at a time, unless all are needed at once


_WRITTEN_AT_ONCE = 2**20  # amplitudes that are brought to a card with their places at a time


class CupyState(CupyReversible):
    """See `basicaer.engine.device.State` for what each method promises."""

    _shares_memory = False  # whether the amplitudes are a part of a batch, which only the batch may change

    @classmethod
    def on(  # noqa: PLR0917  # as the constructor
        cls,
        vector: Any,
        card: Card,
        shape: TileShape,
        n_qubits: int,
        precision: Precision,
        monitor: Monitor,
        *,
        untouched: Iterable[int],
        place: Sequence[int] | None = None,
    ) -> Self:
        """Return a state that changes amplitudes which are on a card already.

        Parameters
        ----------
        vector
            2**n_qubits amplitudes; `n_qubits` is at least what a thread holds in registers.
        untouched
            Qubits that are |0>; where one of them is 1, what `vector` has does not count.
        place
            ``place[q]`` is the index bit that holds qubit q; the order of the qubits by default.
        """
        assert n_qubits >= shape.register_bits  # Otherwise threads would write behind the vector.  # noqa: S101
        state = cls(card, shape, n_qubits, precision, monitor=monitor, vector=vector)
        state._place = tuple(range(n_qubits) if place is None else place)
        state._zero = frozenset(untouched)
        return state

    @property
    def any_untouched(self) -> bool:
        return any(qubit < self.n_qubits for qubit in self._zero)

    def set_identity(self) -> None:
        with self._working("making the identity"):
            self._forget_layout()
            self._write_zeros()
            self._go_through("set_identity", 2**self.n_qubits, np.uint32(self.n_qubits // 2))

    def load(self, amplitudes: NDArray[np.complexfloating]) -> None:
        with self._working("loading a state"):
            self._forget_layout()
            self._write_zeros()
            self._queue.fill(self._vector[: 2**self.n_qubits], np.ascontiguousarray(amplitudes, self._dtype))

    def run(self, segment: Segment, plan: Plan | None, after_pass: Callable[[], None] | None = None) -> None:
        self._run(_alone(segment), plan, counted=True, after_pass=after_pass)

    def prepare(self, qubits: tuple[int, ...], amplitudes: NDArray[np.complexfloating]) -> None:
        with self._working("preparing qubits"):
            self._write_zeros()
            self._zero -= set(qubits)
            taken = [self._place[q] for q in qubits]
            others = [place for place in range(self._wires) if place not in taken]
            self._go_through(
                "prepare",
                2 ** len(others),
                self._columns(others),
                np.uint32(len(others)),
                self._columns(taken),
                np.uint32(len(taken)),
                self._queue.upload(np.ascontiguousarray(amplitudes, self._dtype)),
            )

    def weights(self, qubit: int) -> tuple[float, float]:
        zero, one = self._weights([qubit])[0].tolist()
        return zero, one

    def collapse(self, qubit: int, *, outcome: bool, probability: float) -> None:
        self._collapse(qubit, np.array([outcome]), np.array([probability]))

    def bring_into_order(self) -> None:
        if self._shares_memory and self._place != tuple(range(self._wires)):
            self.__dict__.update(self.copy().__dict__)
        self.in_order()

    def block_weights(self, block_qubits: int) -> NDArray[np.float64]:
        weights: NDArray[np.float64] = self._weights(range(block_qubits, self.n_qubits))[0]
        return weights

    def block_probabilities(self, block: int, block_qubits: int) -> NDArray[np.float64]:
        with self._working("reading probabilities"):
            self._write_zeros()
            size = 2**block_qubits
            probabilities = self._queue.empty(size, np.float64)
            first = np.uint64(deposit_bits(block, self._place[block_qubits : self.n_qubits]))
            columns = self._columns(self._place[:block_qubits])
            arguments = self._vector, first, columns, np.uint32(block_qubits), probabilities
            self._kernels.launch("read_probabilities", blocks_for(size), MOST_THREADS, *arguments)
            return self._queue.download(probabilities)

    def probabilities(self, qubits: Sequence[int]) -> NDArray[np.float64]:
        if len(qubits) > _MOST_SUMMED_QUBITS:
            return summed_by_blocks(self, qubits, self._monitor.poll)
        sums: NDArray[np.float64] = self._weights(qubits)[0]
        return sums

    def indices_of_draws(
        self, block_qubits: int, blocks: NDArray[np.int64], thresholds: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        hit, begin = np.unique(blocks, return_index=True)  # each block that has draws, and its first one
        with self._working("looking up draws"):
            self._write_zeros()
            places = self._queue.empty(len(blocks), np.uint64)
            columns = np.array([bit_at(place) for place in self._place[:block_qubits]], np.uint64)
            first = deposit_bits(hit.astype(np.int64), self._place[block_qubits : self.n_qubits])
            threads = min(MOST_THREADS, 2**block_qubits)
            self._kernels.launch(
                "find_draws",
                len(hit),
                threads,
                self._vector,
                self._queue.upload(columns),
                self._queue.upload(np.bitwise_xor.accumulate(columns)),
                np.uint32(block_qubits),
                self._queue.upload(first.astype(np.uint64)),
                self._queue.upload(np.array([*begin, len(blocks)], np.uint64)),
                self._queue.upload(thresholds),
                places,
                shared_bytes=thresholds.itemsize * threads,
            )
            found: NDArray[np.int64] = self._queue.download(places).astype(np.int64) + blocks * 2**block_qubits
        return found

    def expectations(self, masks: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        values: NDArray[np.float64] = self._expectations(masks, counted=True)[0]
        return values

    def read(self, indices: NDArray[np.int64] | None = None) -> NDArray[np.complexfloating]:
        if indices is None:
            self.bring_into_order()
        elif not indices.size:
            return np.empty(indices.shape, self._dtype)
        with self._working("bringing amplitudes to the host"):
            self._write_zeros()
            if indices is None:
                return self._queue.download(self._vector[: 2**self.n_qubits])
            places = deposit_bits(indices.reshape(-1), self._place[: self.n_qubits]).astype(np.uint64)
            found = self._queue.empty(places.size, self._dtype)
            self._go_through("read_amplitudes", places.size, self._queue.upload(places), found)
            return self._queue.download(found).reshape(indices.shape)

    def amplitudes(self) -> NDArray[np.complexfloating]:
        vector = self.read()
        self.release()
        return vector

    def device_array(self) -> Any:
        self.bring_into_order()
        with self._working("finishing a state"):
            self._write_zeros()
            vector = self._queue.handed_over(self._vector[: 2**self.n_qubits])
        self.release()
        return vector

    def read_part(self, qubits: Sequence[int], value: int, part: int, out: NDArray[np.complexfloating]) -> None:
        with self._working("bringing amplitudes to the host"):
            self._write_zeros()
            found = self._queue.empty(len(out), self._dtype)
            places = self._queue.upload(self._places_of_part(qubits, value, part, len(out)))
            self._go_through("read_amplitudes", len(out), places, found)
            out[:] = self._queue.download(found)

    def write_part(self, qubits: Sequence[int], value: int, part: int, amplitudes: NDArray[np.complexfloating]) -> None:
        self._write_zeros()
        self._write_at(self._places_of_part(qubits, value, part, len(amplitudes)), amplitudes)

    def _places_of_part(self, qubits: Sequence[int], value: int, part: int, size: int) -> NDArray[np.uint64]:
        """Return where the amplitudes of a part are, in the order of memory."""
        held = [self._place[qubit] for qubit in qubits]
        extra = set(self._place[self.n_qubits :])  # the extra wires are |0>
        free = [place for place in range(self._wires) if place not in held and place not in extra]
        bits = highest_position(size)
        first = deposit_bits(value, held) + deposit_bits(part, free[bits:])
        return (deposit_bits(np.arange(size), free[:bits]) + first).astype(np.uint64)

    def operated(self, masks: Sequence[tuple[int, int]], factors: NDArray[np.float64]) -> Self:
        return self._operated(masks, factors[None])

    def with_amplitudes(self, amplitudes: NDArray[np.complexfloating]) -> Self:
        made = self.copy()
        made.replace(amplitudes)
        return made

    def replace(self, amplitudes: NDArray[np.complexfloating]) -> None:
        """Replace all amplitudes; the qubits stay where they are."""
        self._write_zeros()
        self._zero = frozenset(range(self.n_qubits, self._wires))
        for start in range(0, len(amplitudes), _WRITTEN_AT_ONCE):
            some = np.arange(start, min(start + _WRITTEN_AT_ONCE, len(amplitudes)))
            self._write_at(deposit_bits(some, self._place[: self.n_qubits]), amplitudes[some])

    def _write_at(self, places: NDArray[np.integer], amplitudes: NDArray[np.complexfloating]) -> None:
        """Replace the amplitudes at some places of the memory."""
        with self._queue.working("loading a state"):
            own = self._queue.upload(np.ascontiguousarray(amplitudes, self._dtype))
            self._go_through("write_amplitudes", len(places), self._queue.upload(places.astype(np.uint64)), own)
            self._queue.wait()  # until then the kernel reads what was uploaded

    def undo(  # as the contract has it
        self,
        bras: Sequence[Self],
        segment: Segment,
        plan: Plan | None,
        start: Mapping[str, Any],
        generators: Generators,
        *,
        is_last: bool = False,
    ) -> dict[int, NDArray[np.complex128]]:
        del start  # Gates are undone where their qubits stand now.
        passes = (1 + 2 * len(bras)) * len(plan.passes) if plan else 0
        return self._undo(
            bras, _alone(segment), generators, lambda share: self._monitor.advance(share * passes), is_last=is_last
        )

    def layout(self) -> dict[str, Any]:
        return {"place": list(self._place), "zero": sorted(self._zero), "passes_done": self._passes_done}

    def amplitude_parts(self) -> Iterator[NDArray[np.complexfloating]]:
        for start in range(0, self._vector.size, _PART_AMPLITUDES):
            with self._working("bringing amplitudes to the host"):
                part = self._queue.download(self._vector[start : start + _PART_AMPLITUDES])
            yield part

    def restore(self, layout: Mapping[str, Any], parts: Iterable[bytes]) -> None:
        self._place, self._zero = tuple(layout["place"]), frozenset(layout["zero"])
        self._passes_done = layout["passes_done"]
        filled = 0
        for part in parts:
            amplitudes = np.frombuffer(part, self._dtype)
            with self._working("loading a state"):
                self._queue.fill(self._vector[filled : filled + len(amplitudes)], amplitudes)
            filled += len(amplitudes)

    def copy(self) -> Self:
        copied = object.__new__(type(self))
        copied.__dict__.update(self.__dict__)
        with self._working("copying a state"):
            copied._vector = self._queue.gather([self._vector])
        copied._shares_memory = False
        return copied

    def _forget_layout(self) -> None:
        """Let every wire stand at its own number; the extra ones are |0>, the qubits are whatever is written next."""
        self._place = tuple(range(self._wires))
        self._zero = frozenset(range(self.n_qubits, self._wires))


def _alone(segment: Segment) -> SegmentBatch:
    """Return a segment as a batch of one, with the template of others of its structure if there is one."""
    return segment.gates.alone() if isinstance(segment.gates, GatesOfBatch) else SegmentBatch(segment, (), 1)
