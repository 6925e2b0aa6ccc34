"""A statevector that is divided among ranks: each has a state of its own, of the qubits that are local to it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from basicaer.devices.distributed.pauli_values import PauliValues
from basicaer.devices.distributed.pauses import Left, left_of, pieces_of
from basicaer.devices.distributed.rank_gates import gates_of_rank, scaling, start_of_product, taken_alone
from basicaer.devices.memory import free_host_bytes
from basicaer.engine.bits import deposit_bits, lowest_bits, mask_of, shifted_down, shifted_up
from basicaer.engine.device import TOO_SMALL_TO_ASK
from basicaer.engine.irreversible import Irreversible
from basicaer.engine.sampling import last_with_weight
from basicaer.errors import BasicAerError
from basicaer.wording import counted, readable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from basicaer.engine.plan import Plan
    from basicaer.engine.program import Gate, Segment
    from basicaer.engine.stages import Stage, Stages

__all__ = ["DistributedState"]

_READ_AT_ONCE = 2**18  # amplitudes of all ranks that are gathered at a time
_EXCHANGED_MEANWHILE = 8  # amplitudes that a rank can exchange while one is read by its index


class DistributedState(PauliValues, Irreversible):
    """See `basicaer.engine.device.State` for what each method promises; all ranks call all methods together."""

    _done: set[int] | None = None  # gates of the segment that runs, or that a restored state stands within

    def run(self, segment: Segment, plan: Plan | None, after_pass: Callable[[], None] | None = None) -> None:
        """Run a segment stage by stage; `plan` is None, as the device makes no plan ahead.

        `after_pass` is called between stages, and now and then within a long one.
        """
        del plan
        is_fresh, self.any_untouched = self.any_untouched, False
        held = None if is_fresh else tuple(self._held())
        left = self._left(segment)
        poll, own = self._rank.monitor.poll, left.segment
        stages = self._rank.stage_planner(own, self.n_qubits, self.n_qubits - self._n_local, held, poll=poll)
        if is_fresh:
            self._hold(stages.ranks)
        # As long as the segment runs, _place is that of its wires.
        with contextlib.nullcontext() if after_pass is None else self._rank.monitor.held():
            for number, stage in enumerate(stages.stages):
                self._exchange(stage.exchange)
                self._run_stage(stage, stages, left, after_pass, starts=is_fresh and not number)
        self._place = [self._place[wire] for wire in map(stages.wire_of.__getitem__, left.wire_of)]
        self._done = None

    def _left(self, segment: Segment) -> Left:
        """Return what is left of a segment that begins, or that was saved before its end."""
        done, self._done = self._done or set(), self._done or set()
        if not done:
            count = len(segment.gates)
            return Left(segment, range(count), tuple(range(self.n_qubits)))
        whole = self._rank.stage_planner(segment, self.n_qubits, 0, (), poll=self._rank.monitor.poll)
        return left_of(segment, whole, done)

    def _run_stage(
        self, stage: Stage, stages: Stages, left: Left, after_pass: Callable[[], None] | None, *, starts: bool
    ) -> None:
        """Run the gates of a stage on local qubits; if it `starts` the state, with the rank's part of a product."""
        places, own = self._places(), left.segment
        alone: list[tuple[int, int]] = []
        first: list[Gate] = []
        if starts:
            alone, stage = taken_alone(stage, stages, places)
            first = [
                scaling(start_of_product([(wire, own.gates[stages.origins[gate]]) for wire, gate in alone], places))
            ]
        for piece in pieces_of(stage, may_pause=after_pass is not None):
            self._run_local([*first, *gates_of_rank(piece, stages, own, places, self._rank.monitor.poll)])
            first = []
            if after_pass is not None and self._done is not None:
                self._done.update(left.numbers[gate] for gate in (*piece.gates, *(gate for _, gate in alone)))
                after_pass()

    def set_identity(self) -> None:
        self._forget()
        half = self.n_qubits // 2
        indices = np.arange(2**self._n_local) + self._first_index
        self._local.load((shifted_down(indices, half) == lowest_bits(indices, half)).astype(complex))

    def load(self, amplitudes: NDArray[np.complexfloating]) -> None:
        self._forget()
        self._local.load(amplitudes[self._first_index :][: 2**self._n_local])

    def _forget(self) -> None:
        """Let every qubit be at its own number, since all amplitudes will be replaced."""
        self.any_untouched = False
        self._place = list(range(self.n_qubits))

    @property
    def _first_index(self) -> int:
        """The first index of this rank's amplitudes if every qubit is at its own number."""
        return shifted_up(self._comm.rank, self._n_local)

    def prepare(self, qubits: tuple[int, ...], amplitudes: NDArray[np.complexfloating]) -> None:
        if not self.any_untouched:
            if len(qubits) > self._n_local:
                raise BasicAerError(
                    f"{counted(len(qubits), 'qubit')} cannot be prepared behind other gates, as each of "
                    f"{self._comm.size} ranks holds {counted(self._n_local, 'qubit')}; prepare them first, or use "
                    "fewer ranks."
                )
            self._make_local(qubits)
        # Either all qubits are local, or nothing has acted on the state and every rank makes its own part of it.
        is_fresh, self.any_untouched = self.any_untouched, False
        places = self._places()
        held = {qubit for qubit in self._held() if places.is_one_here(qubit)}
        own = [j for j, qubit in enumerate(qubits) if places.is_local(qubit)]
        first = mask_of(j for j, qubit in enumerate(qubits) if qubit in held)
        part = amplitudes[deposit_bits(np.arange(2 ** len(own)), own) + first]
        if is_fresh and held.difference(qubits):
            part = np.zeros_like(part)
        if own:
            self._local.prepare(tuple([self._place[qubits[j]] for j in own]), part)
        else:
            self._scale(complex(part[0]))

    def collapse(self, qubit: int, *, outcome: bool, probability: float) -> None:
        self._settle()
        places = self._places()
        if places.is_local(qubit):
            self._local.collapse(self._place[qubit], outcome=outcome, probability=probability)
        else:
            self._scale(probability**-0.5 if places.value(qubit) == outcome else 0.0)

    def weights(self, qubit: int) -> tuple[float, float]:
        self._settle()
        places = self._places()
        if places.is_local(qubit):
            own = np.array(self._local.weights(self._place[qubit]))
        else:
            own = np.zeros(2)
            own[int(places.value(qubit))] = sum(self._local.weights(0))
        zero, one = self._comm.sum(own).tolist()
        return zero, one

    def bring_into_order(self) -> None:
        self._make_local(range(self._n_local))
        self._sort()

    def block_weights(self, block_qubits: int) -> NDArray[np.float64]:
        self._settle()
        self._sort()
        places = self._places()
        own = [q - block_qubits for q in range(block_qubits, self.n_qubits) if places.is_local(q)]
        first = mask_of(q - block_qubits for q in range(block_qubits, self.n_qubits) if places.is_one_here(q))
        weights = np.zeros(2 ** (self.n_qubits - block_qubits))
        of_own = self._local.block_weights(self._n_local - len(own))
        weights[deposit_bits(np.arange(len(of_own)), own) + first] = of_own
        return self._comm.sum(weights)

    def probabilities(self, qubits: Sequence[int]) -> NDArray[np.float64]:
        self._settle()
        places = self._places()
        own = [j for j, qubit in enumerate(qubits) if places.is_local(qubit)]
        first = mask_of(j for j, qubit in enumerate(qubits) if places.is_one_here(qubit))
        probabilities = np.zeros(2 ** len(qubits))
        of_own = self._local.probabilities(places.local(qubits))
        probabilities[deposit_bits(np.arange(len(of_own)), own) + first] = of_own
        return self._comm.sum(probabilities)

    def block_probabilities(self, block: int, block_qubits: int) -> NDArray[np.float64]:
        self._settle()
        probabilities: NDArray[np.float64] = self._probabilities_of(np.array([block]), block_qubits)[0]
        return probabilities

    def _probabilities_of(self, blocks: NDArray[np.int64], block_qubits: int) -> NDArray[np.float64]:
        """Return what `block_probabilities` returns for each of some blocks, in as many rows."""
        # places[j, k] is where the k-th amplitude of the j-th block is, in all bits of rank and local number.
        firsts = deposit_bits(blocks, self._place[block_qubits:])
        places = firsts[:, None] + deposit_bits(np.arange(2**block_qubits), self._place[:block_qubits])
        own = shifted_down(places, self._n_local) == self._comm.rank
        probabilities = np.zeros(places.shape)
        read = self._local.read(lowest_bits(places[own], self._n_local))
        probabilities[own] = read.real.astype(float) ** 2 + read.imag.astype(float) ** 2
        return self._comm.sum(probabilities)

    def indices_of_draws(
        self, block_qubits: int, blocks: NDArray[np.int64], thresholds: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        self._settle()
        if not self._are_worth_an_exchange(block_qubits, blocks):
            return self._indices_by_block(block_qubits, blocks, thresholds)
        self._make_local(range(block_qubits))
        self._sort()
        # The lowest local qubits are those within a block, so that each block is on one rank, and is a block there.
        owner, local = self._whereabouts(blocks * 2**block_qubits)
        own = owner == self._comm.rank
        found = local[:0]
        if own.any():
            found = self._local.indices_of_draws(block_qubits, shifted_down(local[own], block_qubits), thresholds[own])
        indices = np.empty(len(blocks), np.int64)
        for rank, of_rank in enumerate(self._comm.gather(lowest_bits(found, block_qubits))):
            indices[owner == rank] = of_rank
        indices += blocks * 2**block_qubits
        return indices

    def _are_worth_an_exchange(self, block_qubits: int, blocks: NDArray[np.int64]) -> bool:
        """Tell whether draws are found sooner where each block is on one rank, than if all ranks get their blocks."""
        if block_qubits > self._n_local:
            return False
        places = self._places()
        exchanged = sum(not places.is_local(qubit) for qubit in range(block_qubits))
        read = len(np.unique(blocks)) * 2**block_qubits
        return not exchanged or read * (_EXCHANGED_MEANWHILE + self._comm.size) > 2**self._n_local

    def _indices_by_block(
        self, block_qubits: int, blocks: NDArray[np.int64], thresholds: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """Do what `indices_of_draws` does where blocks are on several ranks."""
        indices = np.empty(len(blocks), np.int64)
        distinct, at_once = np.unique(blocks), max(_READ_AT_ONCE // 2**block_qubits, 1)
        for start in range(0, len(distinct), at_once):
            self._rank.monitor.poll()
            some = distinct[start : start + at_once]
            for block, probabilities in zip(some.tolist(), self._probabilities_of(some, block_qubits), strict=True):
                own = blocks == block
                ends = probabilities.cumsum()
                found = last_with_weight(ends, ends.searchsorted(thresholds[own], side="right"))
                indices[own] = found + block * 2**block_qubits
        return indices

    def read(self, indices: NDArray[np.int64] | None = None) -> NDArray[np.complexfloating]:
        self._settle()
        if indices is None:
            self._check_room()
            read = np.empty(2**self.n_qubits, self._rank.dtype)
            for start in range(0, len(read), _READ_AT_ONCE):
                some = np.arange(start, min(start + _READ_AT_ONCE, len(read)))
                read[some] = self._read(some)
            return read
        flat = indices.reshape(-1)
        parts = [self._read(flat[start : start + _READ_AT_ONCE]) for start in range(0, len(flat), _READ_AT_ONCE)]
        return np.concatenate(parts or [np.empty(0, self._rank.dtype)]).reshape(indices.shape)

    def _read(self, indices: NDArray[np.int64]) -> NDArray[np.complexfloating]:
        """Return amplitudes, a few of them."""
        owner, local = self._whereabouts(indices)
        read = np.empty(len(indices), self._rank.dtype)
        for rank, of_rank in enumerate(self._comm.gather(self._local.read(local[owner == self._comm.rank]))):
            read[owner == rank] = of_rank
        return read

    def _check_room(self) -> None:
        """Refuse to bring all amplitudes to every rank where there is no room for that."""
        each = self._rank.dtype.itemsize * 2**self.n_qubits
        if each * self._comm.size <= TOO_SMALL_TO_ASK:  # It is the same on all ranks, whatever their hosts.
            return
        needed = each * self._comm.host.ranks
        free = self._comm.gather((needed, free_host_bytes()))
        if any(needs > there for needs, there in free):
            needs, there = max(free, key=lambda one: one[0] - one[1])
            raise BasicAerError(
                f"A state of {counted(self.n_qubits, 'qubit')} needs {readable(needs)} where every rank of a host gets "
                f"all of it, and {readable(there)} are free; ask for some amplitudes, probabilities or expectation "
                "values of it instead."
            )

    def amplitudes(self) -> NDArray[np.complexfloating]:
        whole = self.read()
        self.release()
        return whole

    def device_array(self) -> Any:
        return self.amplitudes()

    def layout(self) -> dict[str, Any]:
        return {"place": list(self._place), "done": sorted(self._done or ())}

    def amplitude_parts(self) -> Iterator[NDArray[np.complexfloating]]:
        """Yield the amplitudes of this rank, in the order of the local qubits: those of all ranks make up the state."""
        self._local.bring_into_order()
        yield from self._local.amplitude_parts()

    def restore(self, layout: Mapping[str, Any], parts: Iterable[bytes]) -> None:
        self.any_untouched = False
        self._place, self._done = list(layout["place"]), set(layout["done"])
        in_order = {"place": list(range(self._n_local)), "zero": []}
        self._local.restore({**self._local.layout(), **in_order}, parts)

    def read_part(self, qubits: Sequence[int], value: int, part: int, out: NDArray[np.complexfloating]) -> None:
        raise NotImplementedError  # ranks exchange parts of their own states

    def write_part(self, qubits: Sequence[int], value: int, part: int, amplitudes: NDArray[np.complexfloating]) -> None:
        raise NotImplementedError  # as above

    def copy(self) -> Self:
        self._settle()
        return type(self)(self._local.copy(), self._rank, self.n_qubits, self._place)

    def release(self) -> None:
        self._local.release()
