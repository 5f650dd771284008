"""A TCP proxy between a process of ours and one of its servers, for faults on the way.

It can be told to cut, reset, fall silent (one way or both) or be slow at any moment; and to do so
at an exact point of the conversation: when bytes such as ``COMMIT`` pass by, or after so many.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final
from urllib.parse import urlsplit, urlunsplit

#: What PostgreSQL is sent at the end of a transaction, and the method ids of AMQP's ``basic.ack``,
#: ``basic.publish`` and ``basic.deliver``. An ack is a consumer's on its way to the broker, a
#: confirm coming from it.
COMMIT: Final = b"COMMIT\x00"
BASIC_ACK: Final = bytes((0, 60, 0, 80))
BASIC_PUBLISH: Final = bytes((0, 60, 0, 40))
BASIC_DELIVER: Final = bytes((0, 60, 0, 60))


class Way(Enum):
    TO_SERVER = auto()
    TO_CLIENT = auto()


class Then(Enum):
    """What happens when a trap's bytes pass."""

    CUT_BEFORE = auto()
    """They are not forwarded, and the connection is gone."""
    CUT_AFTER = auto()
    """They arrive; their sender never learns it."""
    CUT_ANSWER = auto()
    """They arrive and are answered; the answer is dropped and the connection is gone."""
    HOLD = auto()
    """They wait for ``Trap.release``, and everything behind them; other connections go on."""


@dataclass(eq=False)
class Trap:
    """Waits for bytes on any connection; springs once."""

    way: Way
    pattern: bytes
    then: Then
    after_bytes: int | None = None
    """Instead of a pattern: spring when so many bytes have passed."""
    sprung: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        self.released.set()

    def find(self, tail: bytes, data: bytes) -> int | None:
        """Where in ``data`` it springs: the part before that index may pass. ``tail`` is what went
        before, for patterns that come in two pieces."""
        if self.after_bytes is not None:
            if len(data) < self.after_bytes:
                self.after_bytes -= len(data)
                return None
            return self.after_bytes
        # Shorter than the pattern: one that passed before the trap was set must not spring it.
        tail = tail[max(0, len(tail) - len(self.pattern) + 1) :]
        found = (tail + data).find(self.pattern)
        return None if found < 0 else max(0, found - len(tail))


class Proxy:
    """Forwards bytes both ways until it is told otherwise."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._links: dict[asyncio.Task[None], _Link] = {}
        self._server: asyncio.Server | None = None
        self._traps: list[Trap] = []
        self._flowing = {way: asyncio.Event() for way in Way}
        self.made = 0
        """How many connections have led through it so far."""
        self.kept: list[asyncio.StreamWriter] = []
        """Servers' ends of connections whose cut they have not noticed."""
        self.closed = False
        """While set, new connections are cut as they come."""
        self.latency_s = 0.0
        """How long every piece of data takes, each way."""
        self.resume()

    @classmethod
    @asynccontextmanager
    async def before(cls, url: str) -> AsyncIterator[tuple[Proxy, str]]:
        """A proxy in front of the URL's server, and the URL that leads through it."""
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        proxy = cls(parts.hostname, parts.port)
        proxy._server = await asyncio.start_server(proxy._accept, "127.0.0.1", 0)
        port = proxy._server.sockets[0].getsockname()[1]
        credentials = parts.netloc.rpartition("@")[0]
        through = urlunsplit(parts._replace(netloc=f"{credentials}@127.0.0.1:{port}"))
        try:
            yield proxy, through
        finally:
            proxy._server.close()
            await proxy.cut()
            for end in proxy.kept:
                end.transport.abort()

    @property
    def links(self) -> int:
        """How many connections lead through it."""
        return len(self._links)

    async def cut(self, *, reset: bool = False, unnoticed: bool = False) -> None:
        """Close every connection, both ends, at once; ``reset`` as if the peer's machine had been
        restarted (RST), ``unnoticed`` by the server, whose ends stay open until the proxy ends."""
        for task, link in self._links.items():
            link.reset, link.server_kept = reset, unnoticed
            task.cancel()
        if self._links:
            await asyncio.wait(self._links)

    def stall(self, *ways: Way) -> None:
        """Fall silent: connections stay open, and nothing comes through these ways (both, where
        none is named; one alone is a half-open connection)."""
        for way in ways or tuple(Way):
            self._flowing[way].clear()

    def resume(self) -> None:
        for flowing in self._flowing.values():
            flowing.set()

    def trap(self, way: Way, pattern: bytes, then: Then) -> Trap:
        """Set a trap for these bytes; it springs once, on the connection where they come first."""
        trap = Trap(way, pattern, then)
        self._traps.append(trap)
        return trap

    def cut_after(self, way: Way, count: int) -> Trap:
        """Cut the connection over which, from now on, the ``count``-th byte comes."""
        trap = Trap(way, b"", Then.CUT_BEFORE, after_bytes=count)
        self._traps.append(trap)
        return trap

    def take_sprung(self, way: Way, tail: bytes, data: bytes) -> tuple[Trap, int] | None:
        """For a connection that is about to forward data: the trap that this springs, and where."""
        for trap in self._traps:
            at = trap.find(tail, data) if trap.way is way else None
            if at is not None:
                self._traps.remove(trap)
                trap.sprung.set()
                return trap, at
        return None

    async def passable(self, way: Way) -> None:
        """Wait until data may go this way."""
        await asyncio.sleep(self.latency_s)
        await self._flowing[way].wait()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.closed:
            writer.transport.abort()
            return
        self.made += 1
        link = _Link(self, self._target)
        task = asyncio.ensure_future(link.run(reader, writer))
        self._links[task] = link
        task.add_done_callback(self._links.pop)
        # One that is cut before it has begun does not get to its own end.
        task.add_done_callback(lambda _: writer.transport.abort())


class _Link:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, target: tuple[str, int]) -> None:
        self._proxy, self._target = proxy, target
        self._answer_dropped = False
        """The next data towards the client is swallowed, and the connection cut."""
        self.reset = self.server_kept = False

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        ways: list[asyncio.Future[None]] = []
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
            ends.append(server_writer)
            ways.append(asyncio.ensure_future(self._pump(Way.TO_SERVER, reader, server_writer)))
            ways.append(asyncio.ensure_future(self._pump(Way.TO_CLIENT, server_reader, writer)))
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            return  # the server is away: so is the way to it
        finally:
            for way in ways:
                way.cancel()
            if self.server_kept:
                self._proxy.kept += ends[1:]
                del ends[1:]
            for end in ends:
                self._end(end)

    def _end(self, writer: asyncio.StreamWriter) -> None:
        opened = writer.get_extra_info("socket")
        if self.reset and opened is not None and opened.fileno() >= 0:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def _pump(
        self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        tail = b""
        try:
            while data := await reader.read(65536):
                await self._proxy.passable(way)
                if way is Way.TO_CLIENT and self._answer_dropped:
                    return
                sprung = self._proxy.take_sprung(way, tail, data)
                if sprung is not None and not await self._spring(*sprung, data, writer):
                    return
                if sprung is None:
                    writer.write(data)
                    await writer.drain()
                tail = (tail + data)[-16:]
        except OSError:
            return

    async def _spring(self, trap: Trap, at: int, data: bytes, writer: asyncio.StreamWriter) -> bool:
        """Do what the trap says; answers whether the connection goes on."""
        writer.write(data[:at])
        if trap.then is Then.HOLD:
            await trap.released.wait()
        if trap.then is not Then.CUT_BEFORE:
            self._answer_dropped = trap.then is Then.CUT_ANSWER
            writer.write(data[at:])
        await writer.drain()
        if trap.then is Then.CUT_AFTER:
            # In an orderly way, or what was just written could be thrown away by a reset.
            writer.close()
            await writer.wait_closed()
        return trap.then in (Then.HOLD, Then.CUT_ANSWER)
