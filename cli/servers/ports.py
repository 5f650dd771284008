"""Loopback ports that stay the same from one start to the next."""

from __future__ import annotations

import hashlib
import socket

# Below the kernel's range for outgoing connections (32768 and up), so that no client of anything on
# this machine can sit on a port of ours by chance; above the ports that services are known by.
FIRST, COUNT = 20_000, 12_000
LOOPBACK = "127.0.0.1"


def is_free(port: int, address: str = LOOPBACK) -> bool:
    """Whether a server could listen on it now (connections in TIME_WAIT do not count)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def preferred(seed: str, taken: frozenset[int]) -> int:
    """A free port that depends on ``seed`` alone unless others sit on it; not one of ``taken``.

    The same seed gives the same port even after ``.sov/`` was deleted, so that a URL somebody still
    has in a shell goes on to mean this project's own server. Raises ``OSError`` when none is free.
    """
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big") % COUNT
    for step in range(COUNT):
        port = FIRST + (start + step) % COUNT
        if port not in taken and is_free(port):
            return port
    raise OSError("no free loopback port below the ephemeral range")
