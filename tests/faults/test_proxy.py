"""The proxy itself: a fault that does not happen would make every other test here pass."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.polling import until
from tests.proxy import Proxy, Then, Way


class Echo:
    """A server that remembers what it got and says it back in upper case."""

    def __init__(self) -> None:
        self.got = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            self.got += data
            writer.write(data.upper())
        writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[tuple[Echo, str]]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    yield echo, f"tcp://nobody@127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def talk(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))


async def test_it_forwards(echo: tuple[Echo, str]) -> None:
    async with Proxy.before(echo[1]) as (_, url):
        reader, writer = await talk(url)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"HELLO"
        writer.close()


@pytest.mark.parametrize(
    ("then", "got", "answered"),
    [
        (Then.CUT_BEFORE, b"one ", b""),
        (Then.CUT_AFTER, b"one two", b""),
        (Then.CUT_ANSWER, b"one two", b""),
        (Then.HOLD, b"one two", b"ONE TWO"),
    ],
)
async def test_a_trap_springs_at_its_bytes(
    echo: tuple[Echo, str], then: Then, got: bytes, answered: bytes
) -> None:
    async with Proxy.before(echo[1]) as (proxy, url):
        trap = proxy.trap(Way.TO_SERVER, b"two", then)
        reader, writer = await talk(url)
        writer.write(b"one ")
        assert await reader.readexactly(4) == b"ONE "
        writer.write(b"two")
        await trap.sprung.wait()
        if then is Then.HOLD:
            assert echo[0].got == b"one "
            trap.release()
            assert b"ONE " + await reader.readexactly(3) == answered
        else:
            assert await lost(reader) == answered
            await until(lambda: echo[0].got == got)
        writer.close()


async def test_a_trap_does_not_spring_at_what_passed_before_it(echo: tuple[Echo, str]) -> None:
    async with Proxy.before(echo[1]) as (proxy, url):
        reader, writer = await talk(url)
        writer.write(b"two")
        assert await reader.readexactly(3) == b"TWO"
        trap = proxy.trap(Way.TO_SERVER, b"two", Then.CUT_BEFORE)
        writer.write(b" t")
        assert await reader.readexactly(2) == b" T"
        assert not trap.sprung.is_set()
        writer.write(b"wo")
        assert await lost(reader) == b""
        assert trap.sprung.is_set()
        writer.close()


async def lost(reader: asyncio.StreamReader) -> bytes:
    """What still comes before the end."""
    try:
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionResetError:
        return b""


async def test_half_open_one_way_is_silent_and_the_other_is_not(echo: tuple[Echo, str]) -> None:
    async with Proxy.before(echo[1]) as (proxy, url):
        reader, writer = await talk(url)
        proxy.stall(Way.TO_CLIENT)
        writer.write(b"hello")
        await until(lambda: echo[0].got == b"hello")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.1)
        proxy.resume()
        assert await reader.readexactly(5) == b"HELLO"
        writer.close()


async def test_cut_after_so_many_bytes(echo: tuple[Echo, str]) -> None:
    async with Proxy.before(echo[1]) as (proxy, url):
        reader, writer = await talk(url)
        proxy.cut_after(Way.TO_SERVER, 7)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"HELLO"
        writer.write(b" world")
        await lost(reader)
        await until(lambda: echo[0].got == b"hello w")
        writer.close()


async def test_reset_is_noticed_as_one(echo: tuple[Echo, str]) -> None:
    async with Proxy.before(echo[1]) as (proxy, url):
        reader, writer = await talk(url)
        writer.write(b"hello")
        await reader.readexactly(5)
        await proxy.cut(reset=True)
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        writer.close()


async def test_a_cut_that_the_server_does_not_notice(echo: tuple[Echo, str]) -> None:
    async with Proxy.before(echo[1]) as (proxy, url):
        reader, writer = await talk(url)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"HELLO"
        await proxy.cut(unnoticed=True)
        assert await lost(reader) == b""
        (end,) = proxy.kept
        end.write(b" again")
        await until(lambda: echo[0].got == b"hello again")
        writer.close()
