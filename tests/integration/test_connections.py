"""Opening connections to a broker that does not want them."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import uvloop

from topology import connections

_TIMES = 300


@pytest.fixture
def closing_port() -> Iterator[int]:
    """Where every connection is accepted, and closed at once."""

    def close_each() -> None:
        while True:
            try:
                server.accept()[0].close()
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as server:
        accepting = threading.Thread(target=close_each)
        accepting.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            accepting.join()


@pytest.mark.parametrize("new_loop", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_closed_at_once(
    closing_port: int, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Under uvloop the end is sometimes there before the first read: every way it can come out is
    one of ``BROKER_ERRORS``, or it would end the process [seen: a consumer, while a broker came
    up]."""

    async def refused() -> None:
        for _ in range(_TIMES):
            with pytest.raises(connections.BROKER_ERRORS):
                await connections.connect(f"amqp://user:word@127.0.0.1:{closing_port}/", "test")

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(refused())
