"""Streams and events. Launches run at once; what is recorded is which of them the host has waited for."""

import time

from emulated_gpu.errors import CUDARuntimeError


class Stream:
    """`launched` counts all launches, `finished` those that the host knows to be over."""

    def __init__(self, gpu, null=False, non_blocking=False, ptds=False):  # noqa: FBT002  CuPy's signature
        if not null:
            gpu.check()
        self._gpu = gpu
        self.ptr = 0 if null else id(self)
        self.launched = self.finished = 0
        with gpu.lock:
            gpu.all_streams.append(self)

    def __enter__(self):
        streams = self._gpu.streams
        streams.entered = [*getattr(streams, "entered", []), self]
        return self

    def __exit__(self, *_):
        self._gpu.streams.entered = self._gpu.streams.entered[:-1]

    def know_finished(self, position):
        """The host has learnt that the first `position` launches are over."""
        with self._gpu.lock:
            newly = max(position - self.finished, 0)
            self.finished += newly
            self._gpu.launches_in_flight -= newly

    def synchronize(self):
        self.know_finished(self.launched)
        self._gpu.raise_late_error()

    @property
    def done(self):
        self.synchronize()
        return True

    def record(self, event=None):
        event = event or Event(self._gpu)
        event.record(self)
        return event

    def wait_event(self, event):
        self._gpu.check()


class Event:
    def __init__(self, gpu, block=False, disable_timing=False, interprocess=False):  # noqa: FBT002  CuPy's signature
        gpu.check()
        self._gpu = gpu
        self._timed = not disable_timing
        self._stream = None
        self._position = 0
        self._time = None

    def record(self, stream=None):
        self._gpu.check()
        self._stream = stream or self._gpu.current_stream()
        self._position = self._stream.launched
        self._time = time.perf_counter() if self._timed else None
        with self._gpu.lock:
            self._gpu.events_recorded += 1

    def _know_finished(self):
        if self._stream:
            self._stream.know_finished(self._position)
        self._gpu.raise_late_error()

    def synchronize(self):
        with self._gpu.lock:
            self._gpu.events_waited_for += 1
        self._know_finished()

    @property
    def done(self):
        self._know_finished()
        return True

    @property
    def is_known_done(self):
        return self._stream is not None and self._stream.finished >= self._position


def get_elapsed_time(start_event, end_event):
    """Milliseconds between two events. Both must be known to be done, which a fast card might not insist on."""
    if start_event._time is None or end_event._time is None:
        raise CUDARuntimeError(400)
    if not (start_event.is_known_done and end_event.is_known_done):
        raise CUDARuntimeError(600)
    return (end_event._time - start_event._time) * 1e3
