"""A statevector in a store; the device that works on it has only some chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from basicaer.devices.spilled.readings import SpilledReadings
from basicaer.devices.spilled.running import RunningAmplitudes
from basicaer.devices.spilled.state_file import StateFile
from basicaer.engine.bits import deposit_bits, inverse_positions, lowest_bits, mask_of, shifted_down
from basicaer.engine.irreversible import Irreversible
from basicaer.errors import BasicAerError
from basicaer.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.spilled.amplitudes import Workshop
    from basicaer.engine.device import State

__all__ = ["SpilledState"]


class SpilledState(RunningAmplitudes, SpilledReadings, Irreversible):
    """See `basicaer.engine.device.State` for what each method promises."""

    @classmethod
    def zero(cls, workshop: Workshop, n_qubits: int) -> Self:
        """Return |0...0>."""
        poll = workshop.monitor.poll
        store = workshop.new_store(2**n_qubits)
        state = cls(store, workshop, n_qubits, range(n_qubits), dict.fromkeys(range(n_qubits), 0))
        store.write(0, np.ones(1, workshop.dtype), poll)
        state.any_untouched = True
        return state

    def set_identity(self) -> None:
        half = self.n_qubits // 2

        def part(start: int, end: int) -> NDArray[np.complexfloating]:
            indices = np.arange(start, end)
            ones: NDArray[np.bool_] = shifted_down(indices, half) == lowest_bits(indices, half)
            return ones.astype(self._workshop.dtype)

        self._write_all(part)

    def load(self, amplitudes: NDArray[np.complexfloating]) -> None:
        self._write_all(lambda start, end: amplitudes[start:end])

    def prepare(self, qubits: tuple[int, ...], amplitudes: NDArray[np.complexfloating]) -> None:
        if len(qubits) > self._n_local and not self.any_untouched:
            raise BasicAerError(
                f"{counted(len(qubits), 'qubit')} cannot be prepared behind other gates, as a chunk of a spilled state "
                f"has {counted(self._n_local, 'qubit')}; prepare them first."
            )
        # Either all qubits are local, or nothing has acted on the state, of which each chunk then gets its own part.
        is_fresh, self.any_untouched = self.any_untouched, False
        division = self._division(qubits[: self._n_local])
        labels = self._labels(division)
        qubit_at = inverse_positions(self._place)
        for position in division.others:
            if qubit_at[position] in qubits:
                self._fixed.pop(qubit_at[position], None)
        numbers = division.numbers(self._fixed_positions())

        def change(number: int, chunk: State) -> None:
            places = self._places(labels, division, number)
            local = [j for j, qubit in enumerate(qubits) if places.is_local(qubit)]
            first = mask_of(j for j, q in enumerate(qubits) if places.is_one_here(q))
            chunk.prepare(places.local(qubits), amplitudes[deposit_bits(np.arange(2 ** len(local)), local) + first])

        self._rewrite(labels, division, numbers, change, is_fresh=is_fresh)

    def collapse(self, qubit: int, *, outcome: bool, probability: float) -> None:
        self._poll()
        self._fixed[qubit] = int(outcome)  # what the store has for the other value counts no more
        self._factor *= probability**-0.5

    def copy(self) -> Self:
        self._poll()
        copied = type(self)(self._copied_store(), self._workshop, self.n_qubits, self._place, self._fixed, self._factor)
        copied.any_untouched = self.any_untouched
        copied._held = self._held  # noqa: SLF001  # the same class
        return copied

    @property
    def _file(self) -> StateFile:
        """The store, which is a file where jobs are saved."""
        assert isinstance(self._store, StateFile)  # other jobs are not saved  # noqa: S101
        return self._store

    def layout(self) -> dict[str, Any]:
        """Return also which file has the amplitudes, and when it was last written to."""
        return {
            "file": self._file.name,
            "stamp": self._file.stamp,
            "chunk_qubits": self._n_local,
            "place": list(self._place),
            "fixed": [[qubit, value] for qubit, value in self._fixed.items()],
            "factor": float(self._factor),
            "held": None if self._held is None else list(self._held),
            "began": None if self._began is None else list(self._began),
            "stages_done": self._stages_done,
        }

    def amplitude_parts(self) -> Iterator[NDArray[np.complexfloating]]:
        """Yield nothing, once all amplitudes are on the disk: the file is what is saved."""
        self._file.write_through()
        self._workshop.note_written(self._file)
        yield from ()

    def restore(self, layout: Mapping[str, Any], parts: Iterable[bytes]) -> None:
        del parts  # none
        old, workshop = self._file, self._workshop
        self._store = old.saved(layout["file"], self._poll)
        old.close()
        if self._file.stamp != layout["stamp"]:
            raise self._file.changed(f"{self._file.name} has been written to since")
        workshop.note_written(self._file)
        workshop.note_saved()
        workshop.chunk_qubits = self._n_local = layout["chunk_qubits"]
        self._place, self._fixed = list(layout["place"]), dict(layout["fixed"])
        self._factor, self._stages_done = layout["factor"], layout["stages_done"]
        self._held = None if layout["held"] is None else tuple(layout["held"])
        self._began = None if layout["began"] is None else tuple(layout["began"])
        self.any_untouched = False
        workshop.monitor.expect_more(round(workshop.monitor.passes))  # stages that were done before

    def read_part(self, qubits: Sequence[int], value: int, part: int, out: NDArray[np.complexfloating]) -> None:
        raise NotImplementedError  # only ranks exchange parts, and they do not spill

    def write_part(self, qubits: Sequence[int], value: int, part: int, amplitudes: NDArray[np.complexfloating]) -> None:
        raise NotImplementedError  # as above
