"""Signs of life: the protocol between a process and whoever watches over it.

The watcher is systemd (``Type=notify``, ``WatchdogSec=5``) or our own supervisor, which speaks the
same protocol over a socket that it hands down (``SOV_BEATS_FD``), so that one program runs
unchanged under both. Without a watcher everything here does nothing. Spoken with plain sockets: the
sdnotify package is unmaintained, and it blocks.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping

NOTIFY = "NOTIFY_SOCKET"
LIFELINE = "SOV_LIFELINE_FD"
LISTEN = "SOV_LISTEN_FD"
BEATS = "SOV_BEATS_FD"

BEAT_S = 1.0
# After the lifeline was cut: the time to drain before the process ends itself the hard way. It is
# inside the five seconds within which an orphan must be gone.
ORPHAN_DRAIN_S = 3.0
# systemd throws longer messages away; the beat must not go with an oversized report.
_LARGEST_STATUS = 3_500
_FIRST_SYSTEMD_FD = 3


class Vitals:
    """Beats once a second from the event loop, so that a loop that is stuck goes silent.

    Give it ``os.environ`` in ``__main__``. Never blocks and never raises for a watcher that is gone
    or slow: a beat is dropped instead.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        handed_down = environment.get(BEATS)
        address = environment.get(NOTIFY, "") if handed_down is None else ""
        self._is_ours = handed_down is not None
        # "@name" is systemd's spelling of a socket without a file.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        if handed_down is not None:
            self._socket = socket.socket(fileno=int(handed_down))
            self._socket.set_inheritable(False)
        elif address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        if self._socket is not None:
            self._socket.setblocking(False)

    async def run(self, report: Callable[[], Mapping[str, object]]) -> None:
        """Beat for ever, each time with ``report()`` as one line of JSON for ``./sov status``.

        Start it before connecting to anything: waiting for a server is not silence. An exception of
        ``report`` is a defect and goes up. Cancel it to end it.
        """
        while True:
            self._send("WATCHDOG=1")
            status = json.dumps(report(), default=str, separators=(",", ":"))
            if len(status) <= _LARGEST_STATUS or self._is_ours:
                self._send(f"STATUS={status}")
            await asyncio.sleep(BEAT_S)

    def ready(self) -> None:
        """Say that the process does its work from now on (connected, subscribed, listening)."""
        self._send("READY=1")

    def stopping(self) -> None:
        """Say that it drains and will end by itself."""
        self._send("STOPPING=1")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> None:
        if self._socket is None:
            return
        try:
            if self._is_ours:
                self._socket.send(message.encode())
            else:
                self._socket.sendto(message.encode(), self._address)
        except OSError:  # full, or the watcher is gone: the lifeline tells, not this
            return


def watch_lifeline(environment: Mapping[str, str]) -> None:
    """End this process soon after its supervisor died, however that died.

    The supervisor holds the other end of a pipe and never writes to it; the kernel closes it with
    the process. A thread, because a stuck event loop must end too.
    """
    descriptor = environment.get(LIFELINE)
    if descriptor is None:
        return
    threading.Thread(
        target=_end_with, args=(int(descriptor),), name="lifeline", daemon=True
    ).start()


def inherited_socket(environment: Mapping[str, str]) -> socket.socket | None:
    """The listening socket somebody opened for us, or None: then the process opens its own.

    With it a gateway can be replaced while callers wait in the socket's backlog instead of being
    refused. Ours comes as ``SOV_LISTEN_FD``; systemd's as ``LISTEN_FDS`` with ``LISTEN_PID``, which
    our supervisor cannot use: it would have to know the process id before there is a process.
    """
    ours = environment.get(LISTEN)
    if ours is not None:
        return socket.socket(fileno=int(ours))
    if environment.get("LISTEN_PID") == str(os.getpid()) and environment.get("LISTEN_FDS"):
        return socket.socket(fileno=_FIRST_SYSTEMD_FD)
    return None


def _end_with(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass  # nobody writes; only the end of file means something
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_DRAIN_S)
    os._exit(1)
