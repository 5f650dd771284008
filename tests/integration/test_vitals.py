"""A process under systemd: the beats go where ``NOTIFY_SOCKET`` says."""

from __future__ import annotations

import asyncio
import secrets
import socket
from pathlib import Path

import pytest

from topology.vitals import Vitals


@pytest.mark.parametrize("with_file", [True, False])
async def test_systemd_hears_what_it_asks_for(tmp_path: Path, with_file: bool) -> None:
    address = str(tmp_path / "notify") if with_file else f"@sov-test-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address.replace("@", "\0", 1) if not with_file else address)
        systemd.setblocking(False)
        vitals = Vitals({"NOTIFY_SOCKET": address})
        report: dict[str, object] = {"partitions": 8}
        beating = asyncio.create_task(vitals.run(lambda: report))
        assert await heard(systemd) == "WATCHDOG=1"
        assert await heard(systemd) == 'STATUS={"partitions":8}'
        vitals.ready()
        assert await heard(systemd) == "READY=1"
        report["long"] = "x" * 4_000  # systemd would throw it away
        assert await heard(systemd) == "WATCHDOG=1"
        assert await heard(systemd) == "WATCHDOG=1"
        vitals.stopping()
        assert await heard(systemd) == "STOPPING=1"
        beating.cancel()
        vitals.close()


async def test_without_a_watcher_nothing_happens() -> None:
    vitals = Vitals({})
    vitals.ready()
    vitals.close()


async def heard(systemd: socket.socket) -> str:
    data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(systemd, 65_536), 15)
    return data.decode()
