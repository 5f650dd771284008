"""The bank as a process of its own, to be killed at a moment of one's choosing.

A statement that writes a table of the bank side is made to wait inside the database; the process
then is where it is, with all that it did before and nothing that comes after.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from tests.faults.processes import Process, started
from tests.integration.banks import Branch
from tests.polling import eventually

_WAIT = """
    CREATE OR REPLACE FUNCTION sov.wait_here() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(600); RETURN NEW; END $$
"""


@dataclass(frozen=True)
class Moment:
    """Right before such a statement has its effect."""

    table: str
    event: str
    when: str = "true"

    def __str__(self) -> str:
        return f"{self.event} {self.table} {self.when}"


@asynccontextmanager
async def stopping_at(owner: asyncpg.Connection[Any], moment: Moment) -> AsyncIterator[None]:
    """The next such statement waits; the trigger is gone at the end, and so is who waited."""
    await owner.execute(_WAIT)
    await owner.execute(
        f"CREATE TRIGGER wait_here BEFORE {moment.event} ON sov.{moment.table}"
        f" FOR EACH ROW WHEN ({moment.when}) EXECUTE FUNCTION sov.wait_here()"
    )
    try:
        yield
    finally:
        await owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE wait_event = 'PgSleep' AND datname = current_database()"
        )
        await owner.execute(f"DROP TRIGGER wait_here ON sov.{moment.table}")


async def reached(owner: asyncpg.Connection[Any]) -> None:
    """Somebody waits."""

    async def waiting() -> bool:
        count = await owner.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event = 'PgSleep' AND datname = current_database()"
        )
        return bool(count)

    await eventually(waiting, 60)


@asynccontextmanager
async def running(town: Branch, folder: Path, **more: str) -> AsyncIterator[Process]:
    """The bank process; killed at the end, in the middle of whatever it does."""
    known = town.play.access
    settings = {
        "SOV_DATABASE_URL_BANKER": town.database.banker,
        "SOV_AMQP_URL_GATEWAY": town.broker.url,
        "SOV_BANK_API_URL": known.url,
        "SOV_BANK_CLIENT_ID": known.client_id,
        "SOV_BANK_CLIENT_SECRET": known.client_secret,
        "SOV_BANK_API_KEY": known.api_key,
        "SOV_BANK_FOLLOWED_FROM": "2020-01-01",
        "SOV_BANK_DAYS_AHEAD": "31",
        "SOV_BANK_POLL_S": "1",
        **more,
    }
    log = folder / f"bank-{secrets.token_hex(4)}.log"
    async with started("bank", log, **settings) as process:
        yield process
