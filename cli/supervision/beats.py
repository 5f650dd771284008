"""The watcher's end of the notify protocol (``topology.vitals`` is the other)."""

from __future__ import annotations

import secrets
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_LARGEST = 65_536
_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Beat:
    """One message of process ``pid``, as the kernel vouches for it."""

    pid: int
    fields: dict[str, str]


class BeatSocket:
    """One datagram socket for all children; the kernel tells who sent what.

    It has a name but no file: nothing to clean up after a kill, no limit on the project's path.
    Other users of the machine may send to it, which is why nothing but the sender's real id is
    believed.
    """

    def __init__(self) -> None:
        # The name says "ours" to Vitals: reports of any length are welcome here.
        self._name = f"sov-{secrets.token_hex(12)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.setblocking(False)
        self._socket.bind("\0" + self._name)

    @property
    def address(self) -> str:
        """The value of ``NOTIFY_SOCKET`` for a child."""
        return "@" + self._name

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def received(self) -> Iterator[Beat]:
        """All messages that wait, without waiting for one."""
        while True:
            try:
                data, ancillary, _, _ = self._socket.recvmsg(
                    _LARGEST, socket.CMSG_SPACE(_CREDENTIALS.size)
                )
            except BlockingIOError:
                return
            for level, kind, payload in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                    yield Beat(_CREDENTIALS.unpack(payload)[0], _fields(data))


def _fields(data: bytes) -> dict[str, str]:
    lines = data.decode(errors="replace").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)
