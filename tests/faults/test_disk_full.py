"""The disk of PostgreSQL is full: nothing is half applied, and it goes on when there is space."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from cli.servers.failures import ServerUnavailable
from cli.servers.throwaway import temporary_folder
from tests.faults.own_postgres import OwnPostgres, own_postgres
from tests.faults.payments import Payments, paying
from tests.integration.processes import Broker
from tests.polling import eventually
from tests.servers import Servers

pytestmark = pytest.mark.privileged

_MEBIBYTE = 1024 * 1024


@contextmanager
def small_disk(size_mib: int) -> Iterator[Path]:
    """A file system of its own for the time of the block."""
    folder = temporary_folder("sov-disk-")
    image, mounted = folder / "image", folder / "mounted"
    mounted.mkdir()
    try:
        with image.open("wb") as file:
            file.truncate(size_mib * _MEBIBYTE)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", str(image)], check=True)
        subprocess.run(["mount", "-o", "loop", str(image), str(mounted)], check=True)
        try:
            yield mounted
        finally:
            # Lazily: nothing that still has a file open there may keep the mount.
            subprocess.run(["umount", "--lazy", str(mounted)], check=True)
    finally:
        shutil.rmtree(folder)


@asynccontextmanager
async def on_small_disk(
    servers: Servers, part: str, size_mib: int
) -> AsyncIterator[tuple[OwnPostgres, Path]]:
    """A server that has one folder of its data on a small disk, and that disk's ballast: a folder
    to fill."""
    with small_disk(size_mib) as disk:
        async with own_postgres(servers) as own:
            data = own.place / "data" / part
            # No more segments kept than needed, or a small disk would be full at once.
            await own.set(min_wal_size="32MB", max_wal_size="48MB", wal_recycle="off")
            await own.server.stop()
            await asyncio.to_thread(move, data, disk / part)
            await own.server.start()
            yield own, disk


def move(folder: Path, target: Path) -> None:
    """Owners and rights included; a link stays in its place."""
    subprocess.run(["cp", "-a", str(folder), str(target)], check=True)
    shutil.rmtree(folder)
    folder.symlink_to(target)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """No byte is free for the time of the block."""
    ballast = disk / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            try:
                for size in (_MEBIBYTE, 4096):
                    fill(file.fileno(), size)
            except OSError as error:
                raise AssertionError("the disk could not be filled") from error
        yield
    finally:
        ballast.unlink()


def fill(descriptor: int, size: int) -> None:
    zeros = bytes(size)
    while True:
        try:
            os.write(descriptor, zeros)
        except OSError as error:
            if error.errno == 28:  # ENOSPC: as intended
                return
            raise


#: Long enough that a page is soon full and the table needs another one.
_LONG = "x" * 200


async def test_no_space_for_tables(servers: Servers, broker: Broker) -> None:
    """A table cannot grow: the statement fails, the server lives. Callers are refused, or told to
    ask later; commands whose time passes are never applied; with space again payments are made."""
    async with (
        on_small_disk(servers, "base", 160) as (own, disk),
        own.books() as books,
        paying(books, broker) as payments,
    ):
        with filled(disk):
            await until_not_made(payments)
        assert (await payments.pay("space-001", wait_s=20)).status_code == 201
        words = set((await payments.settled()).values())
        assert {"APPLIED", "EXPIRED"} <= words


async def until_not_made(payments: Payments) -> None:
    """Pay until the disk is what keeps payments from being made, and then some more."""
    missed = 0
    for number in range(2000):
        answer = await payments.pay(f"filling-{number:04}", wait_s=0.5, description=_LONG)
        assert answer.status_code in (201, 202, 503, 504), answer.text
        missed += answer.status_code != 201
        if missed == 5:
            return
    raise AssertionError("the disk was never full")


async def test_no_space_for_the_log(servers: Servers, broker: Broker) -> None:
    """The write-ahead log cannot grow: PostgreSQL gives itself up (PANIC) and may not even come up
    again. Whoever looks after it starts it again when there is space, and nothing else is needed:
    what was acknowledged is there, what was not is final."""
    async with (
        on_small_disk(servers, "pg_wal", 96) as (own, disk),
        own.books() as books,
        paying(books, broker) as payments,
    ):
        with filled(disk):
            async with payments.going_on(wait_s=1):
                await crash(own, payments)
        await eventually(lambda: started(own), within_s=60)
        assert (await paid_in_the_end(payments)) == "APPLIED"
        assert "APPLIED" in (await payments.settled()).values()


async def crash(own: OwnPostgres, payments: Payments) -> None:
    """Let the server write its log until there is no place for the next segment."""

    async def is_over() -> bool:
        return not payments.running.gateway.ready or not own.server.alive()

    filling = asyncio.create_task(switch_segments(own))
    try:
        await eventually(is_over, within_s=60)
    finally:
        filling.cancel()
        await asyncio.wait({filling})


async def switch_segments(own: OwnPostgres) -> None:
    async with own.administrator() as connection:
        while True:
            await connection.execute(
                "SELECT pg_switch_wal() FROM pg_logical_emit_message(false, 'test', 'test')"
            )


async def started(own: OwnPostgres) -> bool:
    try:
        await own.server.start()
    except (ServerUnavailable, OSError):
        return False
    return True


async def paid_in_the_end(payments: Payments) -> str:
    answer = await payments.pay("space-001", wait_s=29)
    for number in range(2, 100):
        if answer.status_code == 201:
            return "APPLIED"
        await asyncio.sleep(0.2)
        answer = await payments.pay(f"space-{number:03}", wait_s=29)
    return str(answer.status_code)
