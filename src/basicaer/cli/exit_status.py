"""With which status commands end other than 0, for success, and 1, for what is refused or fails."""

from __future__ import annotations

__all__ = ["INTERRUPTED", "TERMINATED", "TIMED_OUT"]

TIMED_OUT = 124  # as the command `timeout` does

INTERRUPTED, TERMINATED = 130, 143  # after Ctrl-C and SIGTERM: 128 plus the number of the signal
