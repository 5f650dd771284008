"""Callers that misbehave, and gateway processes from start to end."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from cli.home import path_for_children
from gateway import connection, middleware
from gateway.connection import Connection
from tests.databases import Database
from tests.integration.gateways import Running, make_keys, serving
from tests.integration.processes import Broker
from tests.polling import eventually, until
from topology.exposure import Exposed, require_private
from topology.settings import Settings


@pytest.fixture
async def running(database: Database, broker: Broker) -> AsyncIterator[Running]:
    """A gateway that is ready; nobody consumes."""
    key_of = await make_keys(database)
    async with serving(database.reader, broker.url, key_of) as gateway:
        yield gateway


def connect(running: Running) -> Any:
    host, port = running.url.removeprefix("http://").split(":")
    return asyncio.open_connection(host, int(port))


async def talk(running: Running, *parts: bytes) -> tuple[int, dict[str, Any]]:
    """Send bytes over a connection of their own; answers the status and the document, or 0 where
    the connection just ended."""
    reader, writer = await connect(running)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await heard(reader)
    except (ConnectionResetError, BrokenPipeError):
        return 0, {}
    finally:
        writer.close()


async def heard(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    """The next answer of the connection: its status and its document, or 0 at the end."""
    try:
        async with asyncio.timeout(10):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert b"server-timing: total;dur=" in head
            length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            return int(head.split()[1]), json.loads(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return 0, {}


NO_REQUESTS = [
    (b"hello\r\n\r\n", 400, "malformed-http"),
    (b"GET / HTTP/9.9\r\n\r\n", 400, "malformed-http"),
    (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed-http"),
    (
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        400,
        "malformed-http",
    ),
    (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, "malformed-http"),
    (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n\r\n", 431, "head-too-large"),
    (b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 101 + b"\r\n", 431, "head-too-large"),
    (b"GET / HTTP/1.1\r\nX-A: " + b"b" * 40_000 + b"\r\n\r\n", 431, "head-too-large"),
    (b"GET / HTTP/1.1\r\nX-A: " + b"b" * 40_000, 431, "head-too-large"),
    (b"GET / HTTP/1.1\r\nX-A" + b"a" * 40_000, 431, "head-too-large"),
    (b"\r\n" * 20_000, 431, "head-too-large"),
    (b"GET /nothing HTTP/1.0\r\n\r\n", 404, "not-found"),
    (b"BREW /v1/wallets HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed-http"),
    (b"TRACE /v1/wallets HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method-not-allowed"),
]


async def test_what_is_no_request_gets_a_problem(running: Running) -> None:
    for sent, status, code in NO_REQUESTS:
        answered, document = await talk(running, sent)
        assert (answered, document.get("code")) == (status, code), sent[:80]
        assert document["status"] == status


async def test_what_is_no_request_is_counted(running: Running) -> None:
    async def count() -> float:
        text = (await running.http.get("/metrics")).text
        found = re.search(r'requests_total{code="malformed-http",.*status="400"} (\S+)', text)
        return float(found[1]) if found else 0.0

    before = await count()
    await talk(running, b"hello\r\n\r\n")
    assert await count() == before + 1


async def test_a_trailer_that_does_not_end_is_not_kept(running: Running) -> None:
    reader, writer = await connect(running)
    head = "POST /v1/wallets HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
    head += f"Authorization: Bearer {running.keys['operator']}\r\n"
    head += "Content-Type: application/json\r\n\r\n1\r\n{\r\n"
    writer.write(head.encode())
    await until(lambda: running.gateway.report()["in_flight"])
    writer.write(b"0\r\nX-A: " + b"a" * 40_000)
    assert (await heard(reader))[0] == 431
    writer.close()
    await until(lambda: not running.gateway.report()["in_flight"])


async def test_a_refusal_is_never_taken_for_the_answer_before_it(running: Running) -> None:
    """Its caller would believe that a command was refused which may be carried out."""
    body = json.dumps({"externalUniqueId": "wallet-01", "currency": "ZAR"})
    head = "POST /v1/wallets HTTP/1.1\r\nContent-Type: application/json\r\n"
    head += f"Authorization: Bearer {running.keys['operator']}\r\nPrefer: wait=30\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
    for behind in (b"hello\r\n\r\n", b"GET / HTTP/1.1\r\nX-A: " + b"a" * 40_000):
        reader, writer = await connect(running)
        writer.write(request)
        await until(lambda: running.gateway.report()["waiting_commands"])
        writer.write(behind)
        assert await heard(reader) == (0, {})
        writer.close()
        await until(lambda: not running.gateway.report()["waiting_commands"])


async def test_callers_that_do_not_take_their_answers_keep_nobody_out(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, port = running.url.removeprefix("http://").split(":")
    with socket.socket() as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(caller, (host, int(port)))
        await loop.sock_sendall(caller, b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 60)
        (stuck,) = await until(lambda: writing(running))
        assert running.gateway.report()["in_flight"] == 0
        monkeypatch.setattr(connection, "ANSWER_LIMIT_S", 0.1)
        await until(lambda: stuck not in connections(running))


async def test_an_answer_that_is_small_and_not_taken_is_not_kept_for_ever(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Less than what pauses a connection: closing it waits for the last byte all the same."""
    host, port = running.url.removeprefix("http://").split(":")
    monkeypatch.setattr(connection, "ANSWER_LIMIT_S", 0.1)
    with socket.socket() as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(caller, (host, int(port)))
        (opened,) = await until(lambda: connections(running))
        opened.transport.write(b"x" * 10_000_000)
        opened.resume_writing()  # as if it were little
        opened.transport.close()
        await until(lambda: not connections(running))


def connections(running: Running) -> set[Connection]:
    (server, _), *_ = running.gateway._servers
    return {c for c in server.server_state.connections if isinstance(c, Connection)}


def writing(running: Running) -> list[Connection]:
    """Connections whose caller has stopped reading."""
    return [c for c in connections(running) if c.flow.write_paused]


async def test_requests_behind_each_other_are_bounded(running: Running) -> None:
    status, _ = await talk(running, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
    assert status == 200
    status, _ = await talk(running, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 5000)
    assert status == 0


async def test_connections_are_bounded(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    _, first = await connect(running)
    await until(lambda: connections(running))
    monkeypatch.setattr(connection, "MOST_CONNECTIONS", len(connections(running)))
    assert await talk(running, request) == (0, {})
    first.close()

    async def served() -> bool:
        return (await talk(running, request))[0] == 200

    await eventually(served)


async def test_bodies_that_are_too_large_are_not_read(running: Running) -> None:
    def post(body: Any) -> Any:
        headers = {"Content-Type": "application/json"}
        return running.http.post("/v1/transfers", content=body, headers=headers)

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 10_000

    for body in (b"x" * (64 * 1024 + 1), b"x" * 5_000_000, endless()):
        answer = await post(body)
        assert (answer.status_code, answer.json()["code"]) == (413, "payload-too-large")
    assert (await post(b"x" * 64 * 1024)).status_code == 422


async def test_a_caller_that_does_not_stop_is_cut_off(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_DISCARD_LIMIT", 1_000_000)
    head = b"POST /v1/transfers HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n"
    host, port = running.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(head)
    with pytest.raises(ConnectionError):
        await _write_for_ever(writer)
    writer.close()


async def _write_for_ever(writer: asyncio.StreamWriter) -> None:
    async with asyncio.timeout(20):
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()
            await asyncio.sleep(0)


async def test_requests_that_do_not_arrive_are_ended(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "REQUEST_LIMIT_S", 0.1)
    for parts in (
        (b"",),
        (b"\r\n",),
        (b"GET / HTTP/1.1\r\nX-A: ",),
        (b"POST /v1/wallets HTTP/1.1\r\nContent-Length: 10\r\n\r\n", b"{"),
    ):
        status, _ = await talk(running, *parts)
        assert status in (0, 401)
    await until(lambda: not running.gateway.report()["in_flight"])


async def test_too_many_at_once_are_told_so(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(middleware, "MOST_IN_FLIGHT", 1)
    wallet = {"externalUniqueId": "wallet-01", "currency": "ZAR"}
    asking = asyncio.create_task(running.post("/v1/wallets", wallet, Prefer="wait=30"))
    await until(lambda: running.gateway.report()["waiting_commands"])
    refused = await running.http.get("/v1/wallets")
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert "retry-after" in refused.headers
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await running.http.get(path)).status_code == 200
    asking.cancel()
    await until(lambda: not running.gateway.report()["in_flight"])


async def test_metrics_without_a_key_have_a_port_of_their_own(
    database: Database, broker: Broker
) -> None:
    key_of = await make_keys(database)
    port = _free_port()
    async with (
        serving(database.reader, broker.url, key_of, metrics_port=port),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        assert "sov_api_keys_known" in (await http.get("/metrics")).text
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/readyz")).status_code == 200
        for path in ("/v1/wallets", "/docs", "/openapi.json"):
            assert (await http.get(path)).status_code == 404


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def process(**settings: str) -> subprocess.Popen[bytes]:
    """``./sov run gateway`` with these settings and no others."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SOV_")}
    return subprocess.Popen(
        [sys.executable, "-m", "cli", "run", "gateway"],
        env={**clean, **path_for_children(clean), **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


async def ended(started: subprocess.Popen[bytes]) -> tuple[int, str]:
    printed, _ = await asyncio.to_thread(started.communicate, None, 20)
    return started.returncode, printed.decode()


async def test_a_process_from_start_to_drain(database: Database, broker: Broker) -> None:
    port = str(_free_port())
    started = process(
        SOV_DATABASE_URL_READER=database.reader, SOV_AMQP_URL_GATEWAY=broker.url, SOV_PORT=port
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:

            async def ready() -> bool:
                try:
                    return (await http.get("/readyz")).status_code == 200
                except httpx.ConnectError:
                    return False

            await eventually(ready)
        started.send_signal(signal.SIGTERM)
        code, printed = await ended(started)
    finally:
        started.kill()
    assert code == 0, printed
    lines = [json.loads(line) for line in printed.splitlines()]
    assert lines[-1]["event"] == "gateway.drained"
    assert {line["process"] for line in lines} == {"gateway"}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, "SOV_DATABASE_URL is not set"),
        ({"SOV_BIND": "0.0.0.0"}, "SOV_TLS_CERT"),  # noqa: S104 - it must refuse to
        ({"SOV_PORT": "taken"}, "Address already in use"),
    ],
)
async def test_starts_that_are_refused(settings: dict[str, str], reason: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        if settings.get("SOV_PORT") == "taken":
            settings = {"SOV_PORT": str(taken.getsockname()[1])}
        started = process(**{"SOV_PORT": "0", **settings})
        try:
            code, printed = await ended(started)
        finally:
            started.kill()
    (line,) = (json.loads(line) for line in printed.splitlines())
    assert (code, line["event"]) == (1, "gateway.refused")
    assert reason in line["reason"]


@pytest.mark.parametrize(
    ("address", "more", "is_private"),
    [
        ("127.0.0.1", {}, True),
        ("127.8.8.8", {}, True),
        ("::1", {}, True),
        ("localhost", {}, True),
        ("10.0.0.1", {}, False),
        ("::", {}, False),
        ("example.com", {}, False),
        ("10.0.0.1", {"behind_proxy": True}, True),
        ("10.0.0.1", {"tls_cert": "cert.pem", "tls_key": "key.pem"}, True),
    ],
)
def test_keys_are_not_shown_to_a_network(
    address: str, more: dict[str, Any], is_private: bool
) -> None:
    try:
        require_private(address, Settings(**more))
    except Exposed:
        assert not is_private
    else:
        assert is_private
