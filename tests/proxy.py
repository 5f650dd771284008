"""A TCP proxy that tests can cut: between a process of ours and one of its servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit


class Proxy:
    """Forwards bytes both ways until it is told to cut."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._links: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.closed = False
        """While set, new connections are cut as they come."""
        self.flowing = asyncio.Event()
        """Clear it to fall silent: connections stay open, and nothing comes through."""
        self.flowing.set()

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

    async def cut(self) -> None:
        """Close every connection, both ends, at once."""
        for link in self._links:
            link.cancel()
        if self._links:
            await asyncio.wait(self._links)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.closed:
            writer.transport.abort()
            return
        link = asyncio.ensure_future(self._link(reader, writer))
        self._links.add(link)
        link.add_done_callback(self._links.discard)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        ways: list[asyncio.Future[None]] = []
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
            ends.append(server_writer)
            ways.append(asyncio.ensure_future(_pump(reader, server_writer, self.flowing)))
            ways.append(asyncio.ensure_future(_pump(server_reader, writer, self.flowing)))
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            return  # the server is away: so is the way to it
        finally:
            for way in ways:
                way.cancel()
            for end in ends:
                end.transport.abort()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flowing: asyncio.Event
) -> None:
    try:
        while data := await reader.read(65536):
            await flowing.wait()
            writer.write(data)
            await writer.drain()
    except OSError:
        return
