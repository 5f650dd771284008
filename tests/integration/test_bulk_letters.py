"""Files that were to be posted whole and whose command broke the consumer: parked, then replayed or
discarded. What is said of the file and of its lines is what the books have, before and after."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from ledger import layouts
from ledger.database import connect_owner
from ledger.deployment import Layout
from tests.databases import Database
from tests.integration.bulk_jobs import Jobs, bulk_running, csv_of, jobs, two_wallets
from tests.integration.gateways import serving
from tests.integration.ledger_driver import LAYOUT
from tests.integration.processes import Broker, consuming, delete_queues
from tests.polling import eventually
from topology.declare import declare

LINES = 120
NEW = Layout(LAYOUT.number + 1, 3)
COLUMNS = "fromExternalUniqueId,toExternalUniqueId,amount,externalUniqueId,description"
#: The line that breaks the consumer while the defect lasts.
ROWS = [
    ("alice-01", "bob-0001", "1.00", f"whole-{n:05}", "poison" if n == 77 else "")
    for n in range(LINES)
]


@dataclass
class Shop:
    """A file's way through a defect and out of it."""

    database: Database
    broker: Broker
    job: Jobs

    @asynccontextmanager
    async def defect(self) -> AsyncIterator[None]:
        """While it lasts, PostgreSQL refuses the poison."""
        await self.change(
            "ALTER TABLE transfers ADD CONSTRAINT defect"
            " CHECK (description IS DISTINCT FROM 'poison') NOT VALID"
        )
        yield
        await self.change("ALTER TABLE transfers DROP CONSTRAINT defect")

    async def change(self, statement: str) -> Any:
        owner = await connect_owner(self.database.owner)
        try:
            return await owner.fetchval(statement)
        finally:
            await owner.close()

    async def parked(self) -> str:
        """Hand the file in and let it be parked; answers the letter's id."""
        async with self.defect():
            await self.job.submit(csv_of(ROWS, COLUMNS), batchId="whole", atomic="true")
            ended = await self.job.ended("whole")
        assert (ended["status"], ended["posted"], ended["rejected"]) == ("DONE", 0, LINES)
        await self.stands([("REJECTED", "internal")] * LINES, 0)
        return await self.letter()

    async def letter(self) -> str:
        """The open one."""

        async def found() -> Any:
            return (await self.job.running.get("/v1/dead-letters", resolved="false"))["items"]

        (letter,) = await eventually(found)
        assert letter["type"] in ("PostStagedBatch", "ReplayDeadLetter")
        letter_id: str = letter["deadLetterId"]
        return letter_id

    async def resolve(self, letter_id: str, how: str, **body: Any) -> httpx.Response:
        # A command that meets a defect again is tried several times before it is parked.
        path = f"/v1/dead-letters/{letter_id}/{how}"
        return await self.job.running.post(path, body, Prefer="wait=30")

    async def becomes(self, **counts: int) -> dict[str, Any]:
        """Wait until the file's document says so."""

        async def does() -> dict[str, Any] | None:
            document = await self.job.status("whole")
            return document if {name: document[name] for name in counts} == counts else None

        found = await eventually(does, within_s=30)
        assert found is not None
        return found

    async def stands(self, words: list[tuple[str, str]], booked: int) -> None:
        """Results, document and books say the same."""
        results = await self.job.results("whole")
        assert [(r["status"], r["code"]) for r in results] == words
        owner = await connect_owner(self.database.owner)
        try:
            rows = await owner.fetch(
                "SELECT t.external_unique_id, t.transfer_id FROM transfers t"
                " WHERE t.external_unique_id LIKE 'whole-%'"
            )
        finally:
            await owner.close()
        assert len(rows) == booked
        told = {r["externalUniqueId"]: r["transferId"] for r in results if r["transferId"]}
        assert told == {row["external_unique_id"]: str(row["transfer_id"]) for row in rows}
        ended = await self.job.status("whole")
        counted = [status for status, _ in words]
        for name in ("posted", "rejected", "cancelled"):
            assert ended[name] == counted.count(name.upper())


@pytest.fixture
async def shop(database: Database, broker: Broker) -> AsyncIterator[Shop]:
    async with jobs(database, broker) as job:
        await two_wallets(job)
        yield Shop(database, broker, job)


async def test_after_the_mend_a_replay_posts_the_file_and_its_results_say_so(shop: Shop) -> None:
    async with bulk_running(shop.database, shop.broker):
        letter = await shop.parked()
        replayed = await shop.resolve(letter, "replays")
        assert replayed.status_code == 201, replayed.text
        ended = await shop.becomes(posted=LINES)
    assert (ended["status"], ended["reason"]) == ("DONE", None)
    assert (ended["postedAmount"], ended["rejectedAmount"]) == ({"ZAR": f"{LINES}.00"}, {})
    await shop.stands([("POSTED", "")] * LINES, LINES)
    again = await shop.resolve(letter, "replays")
    assert again.json()["code"] == "dead-letter-resolved"


async def test_discarded_it_stays_as_it_was_told(shop: Shop) -> None:
    async with bulk_running(shop.database, shop.broker):
        letter = await shop.parked()
        discarded = await shop.resolve(letter, "discards", reason="paid by hand")
        assert discarded.status_code == 200, discarded.text
    # One that starts after it looks at once, and then works the next file off.
    async with bulk_running(shop.database, shop.broker):
        await shop.job.submit(csv_of([("alice-01", "bob-0001", 1, "later-001")]), batchId="later")
        await shop.job.ended("later")
    await shop.stands([("REJECTED", "internal")] * LINES, 0)


async def test_parked_again_it_waits_for_the_last_letter(shop: Shop) -> None:
    async with bulk_running(shop.database, shop.broker):
        letter = await shop.parked()
        async with shop.defect():
            again = await shop.resolve(letter, "replays")
            assert again.json()["code"] == "internal", again.text
        await shop.stands([("REJECTED", "internal")] * LINES, 0)
        replayed = await shop.resolve(await shop.letter(), "replays")
        assert replayed.status_code == 201, replayed.text
        await shop.becomes(posted=LINES)
    await shop.stands([("POSTED", "")] * LINES, LINES)


async def test_a_replay_that_is_refused_says_which_line_it_was(shop: Shop) -> None:
    """The payer is frozen meanwhile."""
    async with bulk_running(shop.database, shop.broker):
        letter = await shop.parked()
        frozen = await shop.job.running.http.patch(
            f"/v1/wallets/{await wallet_id(shop.job, 'alice-01')}", json={"status": "FROZEN"}
        )
        assert frozen.status_code == 200, frozen.text
        refused = await shop.resolve(letter, "replays")
        assert refused.json()["code"] == "wallet-frozen", refused.text
        ended = await shop.becomes(rejected=1, cancelled=LINES - 1)
    assert "line 2 was refused (wallet-frozen)" in ended["reason"]
    await shop.stands([("REJECTED", "wallet-frozen")] + [("CANCELLED", "")] * (LINES - 1), 0)


async def test_replayed_before_anybody_heard_that_it_was_parked(
    database: Database, broker: Broker
) -> None:
    """The bulk process is away from the moment at which it has sent the command."""
    async with jobs(database, broker, consumed=False) as job:
        shop = Shop(database, broker, job)
        async with consuming(database, broker):
            await two_wallets(job)

        async def sent() -> bool:
            return sum([await broker.depth(p) for p in range(LAYOUT.partitions)]) == 1

        async with bulk_running(database, broker):
            await job.submit(csv_of(ROWS, COLUMNS), batchId="whole", atomic="true")
            await eventually(sent)
        async with shop.defect(), consuming(database, broker):
            letter = await shop.letter()
        async with consuming(database, broker):
            replayed = await shop.resolve(letter, "replays")
            assert replayed.status_code == 201, replayed.text
            async with bulk_running(database, broker):
                ended = await job.ended("whole")
        assert (ended["posted"], ended["reason"]) == (LINES, None)
        await shop.stands([("POSTED", "")] * LINES, LINES)


async def wallet_id(job: Jobs, name: str) -> str:
    (found,) = (await job.running.get("/v1/wallets", externalUniqueId=name))["items"]
    identity: str = found["walletId"]
    return identity


async def test_replayed_in_another_layout(database: Database, broker: Broker) -> None:
    """Its command, its letter and its first results are of the old one."""
    async with jobs(database, broker, consumed=False) as job:
        shop = Shop(database, broker, job)
        async with consuming(database, broker), bulk_running(database, broker):
            await two_wallets(job)
            letter = await shop.parked()
        owner = await connect_owner(database.owner)
        try:
            await layouts.move(owner, LAYOUT, NEW.partitions, actor="test", reason="test")
        finally:
            await owner.close()
        keys = job.running.keys
    await declare(broker.connection, NEW)
    try:
        async with (
            serving(
                database.reader, broker.url, keys, database_url_uploader=database.uploader
            ) as running,
            consuming(database, broker),
            bulk_running(database, broker),
        ):
            shop.job = Jobs(running)
            replayed = await shop.resolve(letter, "replays")
            assert replayed.status_code == 201, replayed.text
            await shop.becomes(posted=LINES)
            await shop.stands([("POSTED", "")] * LINES, LINES)
    finally:
        await delete_queues(broker.connection, NEW)
