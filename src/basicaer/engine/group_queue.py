"""The groups of a run that wait for their turn, in the order of the places where they stand."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from basicaer.engine.groups import Group, Place
    from basicaer.engine.splitting import Splitting

__all__ = ["GroupQueue"]

_MOST_AT_A_PLACE = 32
"""Groups that wait at one place before they are joined; to join each as it comes would take much longer."""


class _Placed(NamedTuple):
    place: Place
    group: Group


def _place(placed: _Placed) -> Place:
    return placed.place


class GroupQueue:
    """Decides which group goes on next.

    While their states are few, the group that stands farthest back goes first, so that groups meet and go on as one.
    Otherwise the one that stands farthest on does, so that it ends and gives its states back.
    """

    def __init__(self, splitting: Splitting) -> None:
        self._splitting = splitting
        self._waiting: list[_Placed] = []  # ascending by place
        self.states = 0
        """How many states the groups have that wait."""

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Group]:
        """Yield the groups, those that stand farthest back first."""
        return (one.group for one in self._waiting)

    def add(self, group: Group) -> None:
        """Let a group wait, which stands at some place of the program."""
        insort(self._waiting, _Placed(group.order(), group), key=_place)
        self.states += len(group)

    def next(self) -> Group:
        """Return the group whose turn it is, which waits no longer."""
        return self._remove(0 if self._go_abreast(0) else -1)

    def gives_way(self, group: Group) -> bool:
        """Tell whether a group has to wait for others, which may meet it where it stands.

        If it need not, those that wait at the same place join it. They also do so if many of them wait there.
        """
        if not self._waiting or not self._go_abreast(len(group)):
            return False
        assert group.frame is not None  # the group has not ended  # noqa: S101
        if self._waiting[0].place[0] > group.frame.outermost().at:  # all waiting groups stand farther on
            return False
        here = group.order()
        must_wait = self._waiting[0].place < here
        start, stop = bisect_left(self._waiting, here, key=_place), bisect_right(self._waiting, here, key=_place)
        if stop > start and (not must_wait or stop - start >= _MOST_AT_A_PLACE):
            self._join(group, range(start, stop))
        return must_wait

    def _go_abreast(self, further_states: int) -> bool:
        """Tell whether groups wait for each other, to be joined, if so many further states are there."""
        splitting = self._splitting
        return splitting.most_together > 1 and self.states + further_states <= splitting.room() // 2

    def _join(self, group: Group, places: range) -> None:
        """Take into a group the branches of those others, by their place in the queue, that fit it."""
        size = len(group)
        joining = []
        for at in places:
            other = self._waiting[at].group
            fits = size + len(other) <= self._splitting.most_together
            if fits and other.saved_until == group.saved_until:
                size += len(other)
                joining.append(at)
        if joining:
            assert group.frame is not None  # the group has not ended  # noqa: S101
            group.join([self._remove(at) for at in reversed(joining)])
            self._splitting.merge(group, group.frame)

    def _remove(self, at: int) -> Group:
        group = self._waiting.pop(at).group
        self.states -= len(group)
        return group
