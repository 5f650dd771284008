"""The watcher's end of the notify protocol (``topology.vitals`` is the other)."""

from __future__ import annotations

import socket
from collections.abc import Iterator

_LARGEST = 65_536
# A child sends two messages a second; whoever sends faster must not keep us from the others.
_MOST_PER_LOOK = 50


class BeatSocket:
    """A pair of sockets for one child: ours to read, ``inherited`` to be handed down to it.

    It has neither a name nor a file: nobody but the child and its own children can send to it,
    there is nothing to clean up after a kill, and no limit on the project's path.
    """

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ours.setblocking(False)

    @property
    def inherited(self) -> int:
        """The descriptor for the child."""
        return self._theirs.fileno()

    def handed_over(self) -> None:
        """The child has its end: close our copy of it."""
        self._theirs.close()

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()

    def received(self) -> Iterator[dict[str, str]]:
        """The fields of each message that waits, without waiting for one; the rest next time."""
        for _ in range(_MOST_PER_LOOK):
            try:
                data = self._ours.recv(_LARGEST)
            except OSError:  # nothing there, or the child is gone: its end is noticed elsewhere
                return
            yield _fields(data)


def _fields(data: bytes) -> dict[str, str]:
    lines = data.decode(errors="replace").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)
