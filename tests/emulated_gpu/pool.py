"""CuPy's memory pool, as far as it decides what fits: pieces that are cut, joined again, and given back when whole.

For each stream the pool has pieces of memory that it got from the driver. An allocation takes the smallest free part
that is large enough and leaves the rest of it free; parts that are freed join free neighbours. Only a piece of which
all is free goes back to the driver, so a small array can hold all of a large one.
"""

from dataclasses import dataclass, field


@dataclass(eq=False)
class Part:
    """Some bytes of a piece; `piece` lists the parts of the piece, in order."""

    bytes: int
    piece: list = field(default_factory=list)
    is_used: bool = True


class Pool:
    """The pieces of all streams."""

    def __init__(self):
        self._pieces = {}  # [stream's address] = list of pieces

    @property
    def total(self):
        return sum(part.bytes for part in self._parts())

    @property
    def used(self):
        return sum(part.bytes for part in self._parts() if part.is_used)

    def _parts(self):
        return [part for pieces in self._pieces.values() for piece in pieces for part in piece]

    def take(self, wanted, stream):
        """Return a part of a piece that the stream has, None if no free one is large enough."""
        free = [p for piece in self._pieces.get(stream, []) for p in piece if not p.is_used and p.bytes >= wanted]
        if not free:
            return None
        part = min(free, key=lambda one: one.bytes)
        if part.bytes > wanted:
            at = part.piece.index(part) + 1
            part.piece.insert(at, Part(part.bytes - wanted, part.piece, is_used=False))
        part.bytes, part.is_used = wanted, True
        return part

    def add(self, wanted, stream):
        """Return a new piece, which is a single part, for a stream."""
        part = Part(wanted)
        part.piece.append(part)
        self._pieces.setdefault(stream, []).append(part.piece)
        return part

    def give_back(self, part):
        """Free a part, and join it with those beside it that are free."""
        part.is_used = False
        joined = []
        for one in part.piece:
            if joined and not one.is_used and not joined[-1].is_used:
                joined[-1].bytes += one.bytes
            else:
                joined.append(one)
        part.piece[:] = joined

    def free_all_blocks(self):
        """Give pieces of which nothing is used back to the driver."""
        for pieces in self._pieces.values():
            pieces[:] = [piece for piece in pieces if any(part.is_used for part in piece)]
