"""The amplitudes of a state in a store: where they are, and how passes go over them chunk by chunk."""

from __future__ import annotations

import contextlib
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from basicaer.devices.distributed.rank_gates import Places
from basicaer.devices.spilled.chunks import BUFFERS, division_with, load_chunk, pass_over, store_chunk
from basicaer.engine.bits import deposit_bits, extract_bits, inverse_positions, mask_of, shifted_down

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.devices.spilled.chunks import Buffer, ChunkDevice, Division, Poll, Store
    from basicaer.devices.spilled.cosets import Cosets
    from basicaer.devices.spilled.state_file import StateFile
    from basicaer.engine.device import State
    from basicaer.engine.monitor import Monitor
    from basicaer.engine.plan import Planner
    from basicaer.engine.stages import StagePlanner
    from basicaer.options import Precision

__all__ = ["LONG_RUN_QUBITS", "SpilledAmplitudes", "Workshop"]

LONG_RUN_QUBITS = 16
"""Runs of 2**16 amplitudes, which are 1 MiB, are read about as fast as longer ones."""

_PART_QUBITS = 18  # qubits of what is read or written at a time where no chunk is needed


class Workshop:
    """What works on the chunks of states: a device, planners, and the room that chunks come into.

    States of one run share it, as only one of them is worked on at a time.

    Parameters
    ----------
    new_store
        Makes a store of so many amplitudes, whose content does not count; it polls while it takes the room.

    Attributes
    ----------
    is_saved
        Whether the job is saved, so that files have names. What is saved is a file that nothing is written to until
        another one is saved: two files take turns.
    """

    def __init__(  # noqa: PLR0917  # all of it is needed
        self,
        new_store: Callable[[int, np.dtype[np.complexfloating], Poll], Store],
        chunk_qubits: int,
        chunks: ChunkDevice,
        planner: Planner,
        stage_planner: StagePlanner,
        precision: Precision,
        monitor: Monitor,
        *,
        is_saved: bool,
    ) -> None:
        self.is_saved = is_saved
        self._new_store, self.chunk_qubits = new_store, chunk_qubits
        self.chunks, self.planner, self.stage_planner = chunks, planner, stage_planner
        self.precision, self.monitor = precision, monitor
        self.quiet = monitor.silent()  # for what is done to single chunks, which are no passes
        self.dtype = np.dtype(f"c{precision.amplitude_bytes}")
        self._buffers: list[Buffer] = []
        self._saved: StateFile | None = None  # what the job is resumed with
        self._written: StateFile | None = None  # what it will be resumed with
        self._left: list[Store] = []  # what no state needs
        self._spare: StateFile | None = None

    def new_store(self, amplitudes: int) -> Store:
        """Return a store for a state; its content does not count."""
        if self._spare is not None and self._spare.amplitudes == amplitudes:
            file, self._spare = self._spare, None
            return file
        return self._new_store(amplitudes, self.dtype, self.monitor.poll)

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

    def leave(self, store: Store) -> None:
        """Note that no state needs a store any longer, though the job may if it is resumed."""
        if store.is_saved:
            self._left.append(store)
        else:
            store.close()

    def buffers(self, size: int) -> list[Buffer]:
        """Return the room for chunks of so many amplitudes."""
        if not self._buffers or len(self._buffers[0]) < size:
            self._buffers = []  # before others are made
            self._buffers = self.chunks.buffers(BUFFERS, size, self.dtype)
        return [buffer[:size] for buffer in self._buffers]


class SpilledAmplitudes:
    """The amplitudes of `n_qubits` qubits in a store.

    Parameters
    ----------
    store
        The amplitudes of |0...0>, or of the state that the others describe.
    place
        ``place[q]`` is the position of qubit q in the store.
    fixed
        ``fixed[q]`` is the only value of qubit q for which what the store has counts. All else is 0, so that a
        measurement moves nothing. Qubits that nothing has acted on are fixed at 0.
    factor
        What the amplitudes in the store are to be multiplied by.

    Attributes
    ----------
    any_untouched
        Whether nothing has acted on the state.
    """

    def __init__(  # noqa: PLR0917  # all that a state is
        self,
        store: Store,
        workshop: Workshop,
        n_qubits: int,
        place: Sequence[int],
        fixed: Mapping[int, int],
        factor: float = 1.0,
    ) -> None:
        self.n_qubits = n_qubits
        self.any_untouched = False
        self._store = store
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
    ) -> State:
        """Return a chunk as a state in which qubit ``labels[j]`` is local qubit j; it changes the chunk itself."""
        at = {position: j for j, position in enumerate(division.local)}
        place = [at[self._place[qubit]] for qubit in labels]
        return self._chunk_state(buffer, len(labels), untouched=untouched, place=place)

    def _chunk_state(
        self, chunk: Buffer, n_qubits: int, *, untouched: Iterable[int] = (), place: Sequence[int] | None = None
    ) -> State:
        """Return a chunk as a state; see `ChunkDevice.state`."""
        workshop = self._workshop
        how = n_qubits, workshop.precision, workshop.quiet
        return workshop.chunks.state(chunk, *how, untouched=untouched, place=place)

    def _loading(self, division: Division | Cosets) -> Callable[[int, Buffer, Poll], None]:
        """Return what loads a chunk with a number."""
        store, fixed, workshop = self._store, self._fixed_positions(), self._workshop

        def load(number: int, buffer: Buffer, poll: Poll) -> None:
            load_chunk(store, workshop.chunks, division, number, fixed, workshop.precision, buffer, poll)

        return load

    def _labels(self, division: Division) -> list[int]:
        """Return the qubits that are local, ascending."""
        qubit_at = inverse_positions(self._place)
        return sorted(qubit_at[position] for position in division.local)

    def _visit(
        self,
        qubits: Iterable[int],
        see: Callable[[Places, State], None],
        numbers: Callable[[Division], Sequence[int]] | None = None,
    ) -> None:
        """Show each chunk that is not 0, one after another, as a state that is only read.

        Its local qubits are some of all qubits in their order, these among them.
        """
        division = self._division(qubits)
        labels = self._labels(division)

        def work(number: int, buffer: Buffer) -> None:
            self._poll()
            see(self._places(labels, division, number), self._local_state(buffer, labels, division))
            self._workshop.chunks.finish()

        some = division.numbers(self._fixed_positions()) if numbers is None else numbers(division)
        buffers = self._workshop.buffers(2**self._n_local)
        pass_over(some, buffers, self._loading(division), work, None, self._poll, ends_late=self._store.ends_late)

    def _rewrite(
        self,
        labels: Sequence[int],
        division: Division,
        numbers: Sequence[int],
        change: Callable[[int, State], None],
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
            Whether each chunk begins as |0...0>, rather than with what is in the store.
        is_moved
            Whether amplitudes are only moved, so that fixed qubits stay fixed.
        """
        zero = {label for label, qubit in enumerate(labels) if is_fresh or self._fixed.get(qubit) == 0}
        place_after, fixed_after = self._place, self._fixed
        untouched, chunks, loads = () if is_moved else zero, self._workshop.chunks, self._loading(division)

        def load(number: int, buffer: Buffer, poll: Poll) -> None:
            if is_fresh:
                chunks.begin(buffer, poll)
            else:
                loads(number, buffer, poll)

        def work(number: int, buffer: Buffer) -> None:
            nonlocal place_after, fixed_after
            self._poll()
            state = self._local_state(buffer, labels, division, untouched)
            change(number, state)
            chunks.finish()
            layout = state.layout()
            place_after, fixed_after = self._place.copy(), self._fixed.copy()
            for label, qubit in enumerate(labels):
                place_after[qubit] = division.local[layout["place"][label]]
                if not is_moved:
                    fixed_after.pop(qubit, None)
            if not is_moved:
                fixed_after |= {labels[label]: 0 for label in layout["zero"]}

        other = self._writable()

        def store(number: int, buffer: Buffer, poll: Poll) -> None:
            positions = {place_after[qubit]: value for qubit, value in fixed_after.items()}
            store_chunk(other, division, number, positions, buffer, poll)

        with self._closed_by_failure(other):
            pass_over(
                numbers,
                self._workshop.buffers(2**self._n_local),
                load,
                work,
                store,
                self._poll,
                ends_late=self._store.ends_late,
            )
        self._go_on_in(other)
        self._place, self._fixed = place_after, fixed_after

    def _writable(self) -> Store:
        """Return the store, or another one if nothing may be written to it."""
        return self._workshop.new_store(self._store.amplitudes) if self._store.is_saved else self._store

    @contextlib.contextmanager
    def _closed_by_failure(self, store: Store) -> Iterator[None]:
        """Close a new store if what writes it fails."""
        try:
            yield
        except BaseException:
            if store is not self._store:
                store.close()
            raise

    def _go_on_in(self, store: Store) -> None:
        """Let the amplitudes be in a store that may be another one."""
        if store is not self._store:
            old, self._store = self._store, store
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
            self._store.read(first, part, self._poll)
            found[begin:end] = part[wanted[begin:end] - first]
        amplitudes = np.zeros(len(indices), self._workshop.dtype)
        amplitudes[counts] = found[which] * self._factor
        return amplitudes

    def _write_all(self, part_of: Callable[[int, int], NDArray[np.complexfloating]]) -> None:
        """Replace all amplitudes by those that a function returns from one index to another."""
        self.any_untouched = False
        store = self._writable()
        with self._closed_by_failure(store):
            for start, end in _parts(2**self.n_qubits):
                store.write(start, np.ascontiguousarray(part_of(start, end), self._workshop.dtype), self._poll)
        self._go_on_in(store)
        self._place, self._fixed, self._factor = list(range(self.n_qubits)), {}, 1.0

    def _copied_store(self) -> Store:
        """Return a copy of the store."""
        copied = self._workshop.new_store(self._store.amplitudes)
        division, fixed = self._division(()), self._fixed_positions()

        def store(number: int, buffer: Buffer, poll: Poll) -> None:
            store_chunk(copied, division, number, fixed, buffer, poll)

        with self._closed_by_failure(copied):
            numbers, buffers = division.numbers(fixed), self._workshop.buffers(2**self._n_local)
            pass_over(
                numbers,
                buffers,
                self._loading(division),
                lambda *_: self._poll(),
                store,
                self._poll,
                ends_late=copied.ends_late,
            )
        return copied


def _parts(size: int) -> Iterator[tuple[int, int]]:
    """Yield where parts of so many amplitudes begin and end."""
    for start in range(0, size, 2**_PART_QUBITS):
        yield start, min(start + 2**_PART_QUBITS, size)
