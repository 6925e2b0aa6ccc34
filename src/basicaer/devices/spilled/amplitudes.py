"""The amplitudes of a state in a file: where they are, and how passes go over them chunk by chunk."""

from __future__ import annotations

import contextlib
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from basicaer.devices.cpu.state import NumpyState, allocation
from basicaer.devices.distributed.rank_gates import Places
from basicaer.devices.spilled.chunks import BUFFERS, division_with, load_chunk, pass_over, store_chunk
from basicaer.devices.spilled.state_file import StateFile
from basicaer.engine.bits import deposit_bits, extract_bits, inverse_positions, mask_of, shifted_down

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from basicaer.devices.cpu.device import NumpyDevice
    from basicaer.devices.spilled.chunks import Buffer, Division
    from basicaer.engine.monitor import Monitor
    from basicaer.engine.plan import Planner
    from basicaer.engine.stages import StagePlanner
    from basicaer.options import Precision

__all__ = ["LONG_RUN_QUBITS", "SpilledAmplitudes", "Workshop"]

LONG_RUN_QUBITS = 16
"""Runs of 2**16 amplitudes, which are 1 MiB, are read about as fast as longer ones."""

_PART_QUBITS = 18  # qubits of what is read or written at a time where no chunk is needed


class Workshop:
    """What works on the chunks of states: a device, planners, and the memory that chunks come into.

    States of one run share it, as only one of them is worked on at a time.

    Attributes
    ----------
    is_saved
        Whether the job is saved, so that files have names. What is saved is a file that nothing is written to until
        another one is saved: two files take turns.
    """

    def __init__(  # noqa: PLR0917  # all of it is needed
        self,
        folder: Path,
        chunk_qubits: int,
        device: NumpyDevice,
        planner: Planner,
        stage_planner: StagePlanner,
        precision: Precision,
        monitor: Monitor,
        *,
        is_saved: bool,
    ) -> None:
        self.is_saved = is_saved
        self.folder, self.chunk_qubits = folder, chunk_qubits
        self.device, self.planner, self.stage_planner = device, planner, stage_planner
        self.precision, self.monitor = precision, monitor
        self.quiet = monitor.silent()  # for what is done to single chunks, which are no passes
        self.dtype = np.dtype(f"c{precision.amplitude_bytes}")
        self._buffers: list[Buffer] = []
        self._saved: StateFile | None = None  # what the job is resumed with
        self._written: StateFile | None = None  # what it will be resumed with
        self._left: list[StateFile] = []  # what no state needs
        self._spare: StateFile | None = None

    def new_file(self, amplitudes: int) -> StateFile:
        """Return a file for a state; its content does not count."""
        if self._spare is not None and self._spare.amplitudes == amplitudes:
            file, self._spare = self._spare, None
            return file
        return StateFile(self.folder, amplitudes, self.dtype, self.monitor.poll, named=self.is_saved)

    def note_written(self, file: StateFile) -> None:
        """Note that a file is written through to the disk, and its name is about to be."""
        self._written = file

    def note_saved(self) -> None:
        """Note that the job can be resumed with the file that was written last, and needs the one before no longer."""
        old, self._saved, file = self._saved, self._written, self._written
        if file is None or file is old:
            return
        file.save(on=True)
        if old is not None:
            old.save(on=False)
            if old in self._left:
                self._left.remove(old)
                self._spare = old

    def leave(self, file: StateFile) -> None:
        """Note that no state needs a file any longer, though the job may if it is resumed."""
        if file.is_saved:
            self._left.append(file)
        else:
            file.close()

    def buffers(self, size: int) -> list[Buffer]:
        """Return the memory for chunks of so many amplitudes."""
        if not self._buffers or len(self._buffers[0]) < size:
            self._buffers = []  # before others are made
            with allocation(BUFFERS * self.dtype.itemsize * size):
                self._buffers = [np.empty(size, self.dtype) for _ in range(BUFFERS)]
        return [buffer[:size] for buffer in self._buffers]


class SpilledAmplitudes:
    """The amplitudes of `n_qubits` qubits in a file.

    Parameters
    ----------
    file
        The amplitudes of |0...0>, or of the state that the others describe.
    place
        ``place[q]`` is the position of qubit q in the file.
    fixed
        ``fixed[q]`` is the only value of qubit q for which what the file has counts. All else is 0, so that a
        measurement moves nothing. Qubits that nothing has acted on are fixed at 0.
    factor
        What the amplitudes in the file are to be multiplied by.

    Attributes
    ----------
    any_untouched
        Whether nothing has acted on the state.
    """

    def __init__(  # noqa: PLR0917  # all that a state is
        self,
        file: StateFile,
        workshop: Workshop,
        n_qubits: int,
        place: Sequence[int],
        fixed: Mapping[int, int],
        factor: float = 1.0,
    ) -> None:
        self.n_qubits = n_qubits
        self.any_untouched = False
        self._file = file
        self._workshop = workshop
        self._n_local = min(n_qubits, workshop.chunk_qubits)
        self._place, self._fixed, self._factor = list(place), dict(fixed), factor

    @property
    def _poll(self) -> Callable[[], None]:
        return self._workshop.monitor.poll

    def _fixed_positions(self) -> dict[int, int]:
        return {self._place[qubit]: value for qubit, value in self._fixed.items()}

    def _division(self, qubits: Iterable[int]) -> Division:
        """Return a division in which these qubits are local."""
        return division_with([self._place[qubit] for qubit in qubits], self.n_qubits, self._n_local)

    def _places(self, labels: Sequence[int], division: Division, number: int) -> Places:
        """Return where qubits are in a chunk in which qubit ``labels[j]`` is local qubit j."""
        place = [0] * self.n_qubits
        for label, qubit in enumerate(labels):
            place[qubit] = label
        qubit_at = inverse_positions(self._place)
        for bit, position in enumerate(division.others):
            place[qubit_at[position]] = len(labels) + bit
        return Places(place, len(labels), number)

    def _local_state(
        self, buffer: Buffer, labels: Sequence[int], division: Division, untouched: Iterable[int] = ()
    ) -> NumpyState:
        """Return a chunk as a state in which qubit ``labels[j]`` is local qubit j; it changes the chunk itself."""
        at = {position: j for j, position in enumerate(division.local)}
        place = [at[self._place[qubit]] for qubit in labels]
        how = self._workshop.device.threads, self._workshop.quiet
        return NumpyState(buffer, len(labels), *how, untouched=untouched, place=place)

    def _labels(self, division: Division) -> list[int]:
        """Return the qubits that are local, ascending."""
        qubit_at = inverse_positions(self._place)
        return sorted(qubit_at[position] for position in division.local)

    def _visit(
        self,
        qubits: Iterable[int],
        see: Callable[[Places, NumpyState], None],
        numbers: Callable[[Division], Sequence[int]] | None = None,
    ) -> None:
        """Show each chunk that is not 0, one after another, as a state that is only read.

        Its local qubits are some of all qubits in their order, these among them.
        """
        division, fixed = self._division(qubits), self._fixed_positions()
        labels = self._labels(division)

        def load(number: int, buffer: Buffer, poll: Callable[[], None]) -> None:
            load_chunk(self._file, division, number, fixed, buffer, poll)

        def work(number: int, buffer: Buffer) -> None:
            self._poll()
            see(self._places(labels, division, number), self._local_state(buffer, labels, division))

        some = division.numbers(fixed) if numbers is None else numbers(division)
        pass_over(some, self._workshop.buffers(2**self._n_local), load, work, None, self._poll)

    def _rewrite(
        self,
        labels: Sequence[int],
        division: Division,
        numbers: Sequence[int],
        change: Callable[[int, NumpyState], None],
        *,
        is_fresh: bool = False,
        is_moved: bool = False,
    ) -> None:
        """Change each chunk as a state in which qubit ``labels[j]`` is local qubit j, and follow where qubits go.

        Parameters
        ----------
        change
            Changes the chunk with a number. It moves qubits, and leaves them in |0>, in all chunks alike.
        is_fresh
            Whether each chunk begins as |0...0>, rather than with what is in the file.
        is_moved
            Whether amplitudes are only moved, so that fixed qubits stay fixed.
        """
        fixed = self._fixed_positions()
        zero = {label for label, qubit in enumerate(labels) if is_fresh or self._fixed.get(qubit) == 0}
        place_after, fixed_after = self._place, self._fixed
        untouched = () if is_moved else zero

        def load(number: int, buffer: Buffer, poll: Callable[[], None]) -> None:
            if is_fresh:
                for start in range(0, len(buffer), 2**_PART_QUBITS):
                    poll()
                    buffer[start : start + 2**_PART_QUBITS] = 0
                buffer[0] = 1
            else:
                load_chunk(self._file, division, number, fixed, buffer, poll)

        def work(number: int, buffer: Buffer) -> None:
            nonlocal place_after, fixed_after
            self._poll()
            state = self._local_state(buffer, labels, division, untouched)
            change(number, state)
            layout = state.layout()
            place_after, fixed_after = self._place.copy(), self._fixed.copy()
            for label, qubit in enumerate(labels):
                place_after[qubit] = division.local[layout["place"][label]]
                if not is_moved:
                    fixed_after.pop(qubit, None)
            if not is_moved:
                fixed_after |= {labels[label]: 0 for label in layout["zero"]}

        file = self._workshop.new_file(self._file.amplitudes) if self._file.is_saved else self._file

        def store(number: int, buffer: Buffer, poll: Callable[[], None]) -> None:
            positions = {place_after[qubit]: value for qubit, value in fixed_after.items()}
            store_chunk(file, division, number, positions, buffer, poll)

        with self._closed_by_failure(file):
            pass_over(numbers, self._workshop.buffers(2**self._n_local), load, work, store, self._poll)
        self._go_on_in(file)
        self._place, self._fixed = place_after, fixed_after

    @contextlib.contextmanager
    def _closed_by_failure(self, file: StateFile) -> Iterator[None]:
        """Close a new file if what writes it fails."""
        try:
            yield
        except BaseException:
            if file is not self._file:
                file.close()
            raise

    def _go_on_in(self, file: StateFile) -> None:
        """Let the amplitudes be in a file that may be another one."""
        if file is not self._file:
            old, self._file = self._file, file
            self._workshop.leave(old)

    def _sort(self) -> None:
        """Bring the qubits to the positions of their numbers."""
        low = max(min(LONG_RUN_QUBITS, self._n_local - 2), 0)  # they stay local, so that runs are long
        while self._place != list(range(self.n_qubits)):
            qubit_at = inverse_positions(self._place)
            chosen = dict.fromkeys(range(low))
            for first in [p for p, qubit in enumerate(qubit_at) if p != qubit]:
                position = first
                while position not in chosen and len(chosen) < self._n_local:
                    chosen[position] = None
                    position = qubit_at[position]
            division = division_with(chosen, self.n_qubits, self._n_local)
            here = {qubit_at[position] for position in division.local}
            others = iter(sorted((q for q in here if q not in division.local), key=self._place.__getitem__))
            labels = [position if position in here else next(others) for position in division.local]
            numbers = division.numbers(self._fixed_positions())
            self._rewrite(labels, division, numbers, lambda _, state: state.bring_into_order(), is_moved=True)

    def _read(self, indices: NDArray[np.int64]) -> NDArray[np.complexfloating]:
        """Return amplitudes, a few of them."""
        at = deposit_bits(indices, self._place)
        fixed = self._fixed_positions()
        counts = extract_bits(at, list(fixed)) == mask_of(j for j, value in enumerate(fixed.values()) if value)
        wanted, which = np.unique(at[counts], return_inverse=True)
        found = np.empty(len(wanted), self._workshop.dtype)
        bounds = np.flatnonzero(np.diff(shifted_down(wanted, LONG_RUN_QUBITS), prepend=-1, append=-1)).tolist()
        for begin, end in pairwise(bounds):
            first = int(wanted[begin])
            part = np.empty(int(wanted[end - 1]) + 1 - first, self._workshop.dtype)
            self._file.read(first, part, self._poll)
            found[begin:end] = part[wanted[begin:end] - first]
        amplitudes = np.zeros(len(indices), self._workshop.dtype)
        amplitudes[counts] = found[which] * self._factor
        return amplitudes

    def _write_all(self, part_of: Callable[[int, int], NDArray[np.complexfloating]]) -> None:
        """Replace all amplitudes by those that a function returns from one index to another."""
        self.any_untouched = False
        file = self._workshop.new_file(self._file.amplitudes) if self._file.is_saved else self._file
        with self._closed_by_failure(file):
            for start, end in _parts(2**self.n_qubits):
                file.write(start, np.ascontiguousarray(part_of(start, end), self._workshop.dtype), self._poll)
        self._go_on_in(file)
        self._place, self._fixed, self._factor = list(range(self.n_qubits)), {}, 1.0

    def _copied_file(self) -> StateFile:
        """Return a copy of the file."""
        copied = self._workshop.new_file(self._file.amplitudes)
        division, fixed = self._division(()), self._fixed_positions()

        def load(number: int, buffer: Buffer, poll: Callable[[], None]) -> None:
            load_chunk(self._file, division, number, fixed, buffer, poll)

        def store(number: int, buffer: Buffer, poll: Callable[[], None]) -> None:
            store_chunk(copied, division, number, fixed, buffer, poll)

        with self._closed_by_failure(copied):
            buffers = self._workshop.buffers(2**self._n_local)
            pass_over(division.numbers(fixed), buffers, load, lambda *_: self._poll(), store, self._poll)
        return copied


def _parts(size: int) -> Iterator[tuple[int, int]]:
    """Yield where parts of so many amplitudes begin and end."""
    for start in range(0, size, 2**_PART_QUBITS):
        yield start, min(start + 2**_PART_QUBITS, size)
