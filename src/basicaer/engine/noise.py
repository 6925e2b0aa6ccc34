"""What errors do to a group of branches: each shot draws an operator, or other values of the bits that it records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from basicaer.engine.bits import extract_bits, has_bit, mask_of, with_bit
from basicaer.engine.readings import density_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from basicaer.engine.groups import Frame, Group
    from basicaer.engine.planning import Planning
    from basicaer.engine.program import Channel, Readout
    from basicaer.engine.records import Records
    from basicaer.engine.splitting import Splitting

__all__ = ["Noise", "known_shares", "misread", "misread_exactly", "of_bits", "written"]

_NO_ROWS = np.empty(0, np.int64)


class Noise:
    """The errors of one run."""

    def __init__(self, records: Records, splitting: Splitting, planning: Planning) -> None:
        self._records = records
        self._splitting = splitting
        self._planning = planning

    def channel(self, group: Group, here: Frame, channel: Channel, others: int) -> NDArray[np.int64]:
        """Let operators of a channel act on a group; the shots of a branch part if they draw different ones.

        Parameters
        ----------
        here
            The place of the channel.
        others
            How many states other groups have.

        Returns
        -------
        rows
            Rows that found no room; they are no longer in the group.
        """
        draws = self._splitting.draws(group, here)
        p = self._probabilities(group, channel, draws)
        chosen = self._splitting.chosen(group, here, p[group.branch], draws)
        parted = self._splitting.part(group, chosen, len(channel.operators), others)
        likely = p[parted.sources, parted.outcomes]
        matrices = (channel.operators[parted.outcomes] / np.sqrt(likely)[:, None, None]).astype(complex)
        group.ensemble.multiply(channel.qubits, matrices, self._planning.plan)
        return parted.no_room

    def _probabilities(self, group: Group, channel: Channel, draws: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """Return ``p[i, k]``, how likely operator k acts on branch i; as far as the draws of its rows need it."""
        p = np.tile(known_shares(channel), (len(group), 1))
        if not channel.depends_on_state:
            return p
        known = len(channel.probabilities)
        whole = p[0, known]
        asked = np.arange(len(group))
        if draws is not None:  # most branches draw a multiple of a unitary, for which no state is read
            asked = np.unique(group.branch[draws >= 1 - whole])
        matrices = [
            density_matrix(group.ensemble.state(number), channel.qubits, self._planning.monitor)
            for number in asked.tolist()
        ]
        if matrices:
            others = channel.operators[known:]
            of_others = np.einsum("kab,ibc,kac->ik", others, np.array(matrices), others.conj()).real
            p[asked, known:] = np.maximum(of_others, 0.0)
        return p

    def readout(self, group: Group, here: Frame, readout: Readout, others: int) -> NDArray[np.int64]:
        """Change what the rows of a group have recorded; branches part if something still reads it.

        The arguments and what is returned are those of `channel`.
        """
        recorded = of_bits(self._records, group.rows, readout)
        values = self._splitting.chosen(group, here, readout.matrix[recorded], self._splitting.draws(group, here))
        no_room = _NO_ROWS
        if self._splitting.live(here.next()) & mask_of(bit for bits in readout.bits for bit in bits):
            parted = self._splitting.part(group, values, len(readout.matrix), others)
            values, no_room = parted.of_rows, parted.no_room
        written(self._records, group.rows, readout, values)
        return no_room


def known_shares(channel: Channel) -> NDArray[np.float64]:
    """Return how likely each operator is; those that depend on the state count as the first of them."""
    known = len(channel.probabilities)
    p = np.zeros(len(channel.operators))
    p[:known] = channel.probabilities
    if channel.depends_on_state:
        p[known] = max(1 - channel.probabilities.sum(), 0.0)
    return p


def of_bits(records: Records, rows: NDArray[np.int64], readout: Readout) -> NDArray[np.intp]:
    """Return the value that some rows have in the bits of a readout."""
    values = np.zeros(len(rows), np.intp)
    for place, bits in enumerate(readout.bits):
        values += records.bit(rows, bits[0]) * 2**place
    return values


def written(records: Records, rows: NDArray[np.int64], readout: Readout, values: NDArray[np.intp]) -> None:
    """Write a value to the bits of a readout, for each of some rows."""
    for place, bits in enumerate(readout.bits):
        on = extract_bits(values, (place,)) == 1
        for bit in bits:
            records.write(rows, bit, on=on)


def misread(
    values: list[int], counts: list[int], readout: Readout, random: np.random.Generator
) -> tuple[list[int], list[int]]:
    """Return the values, and how many shots have each, that are recorded of shots which measured `values`."""
    parts = random.multinomial(counts, readout.matrix[_of_numbers(values, readout)])
    at, recorded = parts.nonzero()
    changed = [_with(values[i], readout, j) for i, j in zip(at.tolist(), recorded.tolist(), strict=True)]
    return changed, parts[at, recorded].tolist()


def misread_exactly(probabilities: dict[int, float], readout: Readout) -> dict[int, float]:
    """Return how likely each value is recorded, given how likely each is measured."""
    found: dict[int, float] = {}
    shares = readout.matrix[_of_numbers(list(probabilities), readout)].tolist()
    for (value, probability), of_value in zip(probabilities.items(), shares, strict=True):
        for recorded, share in enumerate(of_value):
            if share:
                changed = _with(value, readout, recorded)
                found[changed] = found.get(changed, 0.0) + probability * share
    return found


def _of_numbers(values: list[int], readout: Readout) -> list[int]:
    first = [bits[0] for bits in readout.bits]
    return [extract_bits(value, first) for value in values]


def _with(value: int, readout: Readout, recorded: int) -> int:
    for k, bits in enumerate(readout.bits):
        for bit in bits:
            value = with_bit(value, bit, on=has_bit(recorded, k))
    return value
