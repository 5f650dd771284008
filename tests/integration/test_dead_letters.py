"""From a defect to the end of its dead letter: poison, a mend, a replay or a discard."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from aio_pika import Message
from pydantic import BaseModel

from gateway import schemas
from ledger import dead_letters
from ledger.commands import DiscardDeadLetter, ReplayDeadLetter
from ledger.database import connect_owner, connect_writer
from ledger.execute import execute
from ledger.rejections import Code, Rejection
from tests import databases
from tests.databases import Database
from tests.integration import gateways
from tests.integration.gateways import NOBODY, Running, code, in_an_hour
from tests.integration.ledger_driver import LAYOUT, Ledger, assigned, submission, transfer
from tests.integration.processes import Broker, consuming
from tests.polling import eventually
from tests.servers import Servers
from topology import connections, names

LETTERS = "/v1/dead-letters"
UNREADABLE = b"not a command message"


@dataclass
class Workshop:
    """A running system, and a way to break its books and mend them again."""

    town: Running
    database: Database
    broker: Broker

    @asynccontextmanager
    async def defect(self, table: str, check: str) -> AsyncIterator[None]:
        """While it lasts, PostgreSQL refuses rows of the table that do not pass the check."""
        await self._alter(f"{table} ADD CONSTRAINT defect CHECK ({check}) NOT VALID")
        yield
        await self._alter(f"{table} DROP CONSTRAINT defect")

    async def parked(self, method: str, path: str, body: Any = None) -> str:
        """Make a call that the defect breaks; answers the id of the letter."""
        answer = await self.town.http.request(method, path, json=body)
        assert code(answer) == (500, "internal"), answer.text
        letter_id: str = answer.json()["deadLetterId"]
        return letter_id

    async def parked_payment(self, key: str, amount: str = "60.00") -> str:
        async with self.defect("transfers", "description IS DISTINCT FROM 'poison'"):
            return await self.parked("POST", "/v1/transfers", payment(key, amount))

    async def replay(self, letter_id: str, **body: Any) -> httpx.Response:
        return await self.town.post(f"{LETTERS}/{letter_id}/replays", body)

    async def discard(self, letter_id: str, reason: str = "paid by hand") -> httpx.Response:
        return await self.town.post(f"{LETTERS}/{letter_id}/discards", {"reason": reason})

    async def letter(self, letter_id: str) -> Any:
        document = await self.town.get(f"{LETTERS}/{letter_id}")
        schemas.DeadLetter.model_validate(document)
        return document

    async def all(self, **query: Any) -> list[Any]:
        """The letters of all pages."""
        found: list[Any] = []
        while True:
            page = await self.town.get(LETTERS, **query)
            schemas.DeadLetterPage.model_validate(page)
            found += page["items"]
            if page["nextCursor"] is None:
                return found
            query["cursor"] = page["nextCursor"]

    async def balance(self, name: str) -> str:
        (wallet,) = (await self.town.get("/v1/wallets", externalUniqueId=name))["items"]
        balance: str = wallet["currentBalance"]
        return balance

    async def outcomes(self) -> int:
        connection = await connect_owner(self.database.owner)
        try:
            count: int = await connection.fetchval("SELECT count(*) FROM outcomes")
            return count
        finally:
            await connection.close()

    async def publish_unreadable(self) -> str:
        channel = await connections.confirmed_channel(self.broker.connection)
        queue = names.command_queue(LAYOUT.number, 2)
        await channel.default_exchange.publish(Message(UNREADABLE), queue)
        await connections.close(channel)
        (letter,) = await eventually(self.all)
        letter_id: str = letter["deadLetterId"]
        return letter_id

    async def _alter(self, change: str) -> None:
        connection = await connect_owner(self.database.owner)
        try:
            await connection.execute(f"ALTER TABLE {change}")
        finally:
            await connection.close()


@pytest.fixture
async def shop(servers: Servers, template: str) -> AsyncIterator[Workshop]:
    async with (
        databases.copied(servers, template) as database,
        Broker.declared(servers.amqp_url) as broker,
        consuming(database, broker),
        gateways.serving(
            database.reader, broker.url, await gateways.make_keys(database)
        ) as running,
    ):
        await running.wallet("payer-01", "100")
        await running.wallet("shop-001")
        yield Workshop(running, database, broker)


def payment(key: str, amount: str = "60.00", description: str = "poison") -> dict[str, str]:
    return {
        "fromExternalUniqueId": "payer-01",
        "toExternalUniqueId": "shop-001",
        "amount": amount,
        "externalUniqueId": key,
        "description": description,
    }


async def test_after_the_mend_a_replay_posts_exactly_once(shop: Workshop) -> None:
    letter_id = await shop.parked_payment("order-0001")
    parked = await shop.letter(letter_id)
    assert (parked["status"], parked["type"]) == ("OPEN", "PostTransfer")
    assert parked["reason"].startswith("CheckViolationError")
    assert "Traceback" in parked["traceback"]
    assert parked["command"]["amount"] == "60"
    assert parked["command"]["externalUniqueId"] == "order-0001"
    assert await shop.balance("shop-001") == "0.00"

    replayed = await shop.replay(letter_id)
    assert replayed.status_code == 201, replayed.text
    schemas.Replayed.model_validate(replayed.json())
    command_id = replayed.headers["sov-command-id"]
    assert replayed.json()["commandId"] == command_id != parked["commandId"]
    for again in (await shop.replay(letter_id), await shop.discard(letter_id)):
        assert code(again) == (409, "dead-letter-resolved")
        assert again.json()["deadLetterId"] == letter_id
    assert await shop.balance("shop-001") == "60.00"

    resolution = (await shop.letter(letter_id))["resolution"]
    assert (resolution["actorName"], resolution["commandId"]) == ("operator", command_id)
    assert resolution["outcome"]["httpStatus"] == 201
    assert resolution["outcome"]["body"]["transferId"] == replayed.json()["transferId"]
    assert [k["status"] for k in await shop.all()] == ["REPLAYED"]
    # The first command's own word stays what its caller was told.
    first = await shop.town.get(f"/v1/commands/{parked['commandId']}")
    assert first["status"] == "REJECTED"
    assert first["outcome"]["body"]["deadLetterId"] == letter_id


async def test_parked_again_it_leaves_a_new_letter_that_names_the_first(shop: Workshop) -> None:
    async with shop.defect("transfers", "description IS DISTINCT FROM 'poison'"):
        first = await shop.parked("POST", "/v1/transfers", payment("order-0001"))
        second = await shop.parked("POST", f"{LETTERS}/{first}/replays", {})
    assert second != first
    was = await shop.letter(first)
    assert was["status"] == "REPLAYED"
    assert was["resolution"]["outcome"]["body"]["deadLetterId"] == second
    now = await shop.letter(second)
    assert (now["status"], now["replayOf"], now["type"]) == ("OPEN", first, "PostTransfer")
    assert now["commandId"] == was["resolution"]["commandId"]
    assert (await shop.replay(second)).status_code == 201
    assert await shop.balance("shop-001") == "60.00"


async def test_a_key_that_was_executed_since_is_reported_and_moves_nothing(shop: Workshop) -> None:
    letter_id = await shop.parked_payment("order-0001")
    paid = await shop.town.post("/v1/transfers", payment("order-0001"))
    assert paid.status_code == 201
    checked = (await shop.replay(letter_id, dryRun=True)).json()
    assert checked["refusal"]["code"] == "duplicate-transfer"
    replayed = await shop.replay(letter_id)
    assert code(replayed) == (409, "duplicate-transfer")
    assert replayed.json()["samePayload"] is True
    assert replayed.json()["transfer"]["transferId"] == paid.json()["transferId"]
    assert await shop.balance("shop-001") == "60.00"
    resolution = (await shop.letter(letter_id))["resolution"]
    assert resolution["outcome"]["body"]["code"] == "duplicate-transfer"


async def test_a_discard_needs_a_reason_and_is_final(shop: Workshop) -> None:
    letter_id = await shop.parked_payment("order-0001")
    for empty in ("", "  "):
        assert code(await shop.discard(letter_id, empty)) == (422, "invalid-request")
    discarded = await shop.discard(letter_id, "paid by hand, ticket 4711")
    assert discarded.status_code == 200, discarded.text
    schemas.Discarded.model_validate(discarded.json())
    for again in (await shop.discard(letter_id), await shop.replay(letter_id)):
        assert code(again) == (409, "dead-letter-resolved")
    assert code(await shop.replay(letter_id, dryRun=True)) == (409, "dead-letter-resolved")
    letter = await shop.letter(letter_id)
    assert letter["status"] == "DISCARDED"
    assert letter["resolution"]["reason"] == "paid by hand, ticket 4711"
    assert letter["resolution"]["actorName"] == "operator"
    command = await shop.town.get(f"/v1/commands/{letter['resolution']['commandId']}")
    assert (command["status"], command["outcome"]["body"]) == ("APPLIED", discarded.json())
    assert await shop.balance("shop-001") == "0.00"
    # The key was never used: whoever made the payment may still make it.
    assert (await shop.town.post("/v1/transfers", payment("order-0001"))).status_code == 201


async def test_whoever_comes_first_resolves_it_alone(shop: Workshop) -> None:
    """Replay and discard are decided in partitions of their own: the books tell them apart."""
    for turn in range(5):
        letter_id = await shop.parked_payment(f"order-{turn:04}", "1.00")
        answers = await asyncio.gather(
            *(shop.replay(letter_id) for _ in range(4)),
            *(shop.discard(letter_id) for _ in range(4)),
        )
        codes = [code(answer) for answer in answers]
        assert codes.count((409, "dead-letter-resolved")) == 7, codes
        resolution = (await shop.letter(letter_id))["resolution"]
        (winner,) = [a for a in answers if a.json().get("code") != "dead-letter-resolved"]
        assert resolution["commandId"] == winner.headers["sov-command-id"]


async def test_a_refused_replay_of_a_resolved_letter_leaves_the_key_alone(shop: Workshop) -> None:
    letter_id = await shop.parked_payment("order-0001")
    await shop.discard(letter_id)
    assert code(await shop.replay(letter_id)) == (409, "dead-letter-resolved")
    connection = await connect_owner(shop.database.owner)
    try:
        refused = await connection.fetchval(
            "SELECT count(*) FROM refused_keys WHERE key = 'order-0001'"
        )
    finally:
        await connection.close()
    assert refused == 1  # that of the parked command itself


async def test_an_unreadable_message_can_only_be_discarded(shop: Workshop) -> None:
    letter_id = await shop.publish_unreadable()
    letter = await shop.letter(letter_id)
    assert b64decode(letter["message"]) == UNREADABLE
    assert (letter["command"], letter["type"], letter["commandId"]) == (None, None, None)
    for body in ({}, {"dryRun": True}):
        assert code(await shop.replay(letter_id, **body)) == (409, "dead-letter-not-replayable")
    assert (await shop.discard(letter_id)).status_code == 200


async def test_a_dry_run_moves_nothing_and_tells_what_would_happen(shop: Workshop) -> None:
    letter_id = await shop.parked_payment("order-0001")
    before = await shop.outcomes()
    checked = await shop.replay(letter_id, dryRun=True)
    assert checked.status_code == 200
    schemas.ReplayedOrChecked.model_validate(checked.json())
    assert checked.json()["wouldSucceed"] is True
    assert checked.json()["type"] == "PostTransfer"
    assert "sov-command-id" not in checked.headers
    assert await shop.outcomes() == before
    await shop.town.post("/v1/transfers", payment("order-0002", "99.00", "rent"))
    checked = await shop.replay(letter_id, dryRun=True)
    schemas.ReplayedOrChecked.model_validate(checked.json())
    assert checked.json()["wouldSucceed"] is False
    assert checked.json()["refusal"]["code"] == "insufficient-funds"
    assert (await shop.letter(letter_id))["status"] == "OPEN"


@dataclass(frozen=True)
class Kind:
    """A call that a defect of a table breaks, and what its replay answers."""

    method: str
    path: str
    body: Any
    defect: tuple[str, str]
    status: int
    schema: type[BaseModel] | None


MEMBER = payment("member-001", "1.00", "poison")
KINDS = {
    "CreateWallet": Kind(
        "POST",
        "/v1/wallets",
        {"externalUniqueId": "poison-1", "currency": "ZAR", "metadata": {"a": "b"}},
        ("wallets", "external_unique_id <> 'poison-1'"),
        201,
        schemas.Wallet,
    ),
    "ChangeWallet": Kind(
        "PATCH",
        "/v1/wallets/{wallet}",
        {"name": "poison", "minimumBalance": "-5.00"},
        ("wallets", "name IS DISTINCT FROM 'poison'"),
        200,
        schemas.Wallet,
    ),
    "PostTransferGroup": Kind(
        "POST",
        "/v1/transfer-groups",
        {"transfers": [MEMBER], "externalUniqueId": "group-001"},
        ("transfers", "description IS DISTINCT FROM 'poison'"),
        201,
        schemas.TransferGroup,
    ),
    "PlaceReservation": Kind(
        "POST",
        "/v1/wallets/{wallet}/reservations",
        {"amount": "1.00", "sessionId": "poison-1", "externalUniqueId": "hold-001"},
        ("reservations", "session_id <> 'poison-1'"),
        201,
        schemas.Reservation,
    ),
    "ReleaseSession": Kind(
        "DELETE",
        "/v1/wallets/{wallet}/reservations?sessionId=session-1",
        None,
        ("reservations", "released IS NULL"),
        204,
        None,
    ),
}


@pytest.mark.parametrize("name", KINDS)
async def test_every_kind_of_command_is_replayed_as_itself(shop: Workshop, name: str) -> None:
    kind = KINDS[name]
    (wallet,) = (await shop.town.get("/v1/wallets", externalUniqueId="payer-01"))["items"]
    held = {"amount": "2", "sessionId": "session-1", "externalUniqueId": "hold-000"}
    reservations = f"/v1/wallets/{wallet['walletId']}/reservations"
    placed = await shop.town.post(reservations, {**held, "expires": in_an_hour()})
    assert placed.status_code == 201
    body = kind.body
    if name == "PlaceReservation":
        body = {**body, "expires": in_an_hour()}
    path = kind.path.replace("{wallet}", wallet["walletId"])
    async with shop.defect(*kind.defect):
        letter_id = await shop.parked(kind.method, path, body)
    assert (await shop.letter(letter_id))["type"] == name
    checked = await shop.replay(letter_id, dryRun=True)
    assert checked.json()["wouldSucceed"] is True, checked.text
    replayed = await shop.replay(letter_id)
    assert replayed.status_code == kind.status, replayed.text
    if kind.schema is not None:
        kind.schema.model_validate(replayed.json())
    assert (await shop.letter(letter_id))["resolution"]["outcome"]["httpStatus"] == kind.status


async def test_letters_are_listed_in_pages_and_counted_by_reason(shop: Workshop) -> None:
    parked = [await shop.parked_payment(f"order-{n:04}") for n in range(5)]
    async with shop.defect("wallets", "external_unique_id <> 'poison-1'"):
        body = {"externalUniqueId": "poison-1", "currency": "ZAR"}
        other = await shop.parked("POST", "/v1/wallets", body)
    await shop.discard(parked[1])

    def ids(letters: list[Any]) -> list[str]:
        return [letter["deadLetterId"] for letter in letters]

    assert ids(await shop.all(limit=2)) == [other, *reversed(parked)]
    assert ids(await shop.all(limit=1, resolved="true")) == [parked[1]]
    assert set(ids(await shop.all(resolved="false"))) == {other, *parked} - {parked[1]}
    reason = (await shop.letter(parked[0]))["reason"]
    assert ids(await shop.all(limit=3, reason=reason)) == parked[::-1]
    page = await shop.town.get(f"{LETTERS}/reasons", limit=1)
    schemas.DeadLetterReasonPage.model_validate(page)
    assert [r["latestDeadLetterId"] for r in page["items"]] == [other]
    rest = await shop.town.get(f"{LETTERS}/reasons", limit=1, cursor=page["nextCursor"])
    ((counted,), following) = rest["items"], rest["nextCursor"]
    assert following is None
    assert (counted["reason"], counted["open"], counted["resolved"]) == (reason, 4, 1)
    refused = await shop.town.http.get(LETTERS, params={"resolved": "maybe"})
    assert code(refused) == (422, "invalid-request")


async def test_only_operators_and_only_what_there_is(shop: Workshop) -> None:
    calls = [
        ("GET", LETTERS, None),
        ("GET", f"{LETTERS}/reasons", None),
        ("GET", f"{LETTERS}/{NOBODY}", None),
        ("POST", f"{LETTERS}/{NOBODY}/replays", {}),
        ("POST", f"{LETTERS}/{NOBODY}/discards", {"reason": "why not"}),
    ]
    for method, path, body in calls:
        for scope in ("eclipse", "batch", "reader"):
            headers = shop.town.key(scope)
            answer = await shop.town.http.request(method, path, json=body, headers=headers)
            assert code(answer) == (403, "forbidden")
    for method, path, body in calls[2:]:
        for there in (path, path.replace(NOBODY, "no-id")):
            answer = await shop.town.http.request(method, there, json=body)
            assert code(answer) == (404, "dead-letter-not-found")


async def test_two_owners_that_race_for_one_letter_are_told_apart(ledger: Ledger) -> None:
    """Both have read that it is open when they come to write; the second decides again."""
    bob = await ledger.wallet("bob-0001")
    letter = dead_letters.of_message(1, 0, b"", ValueError("unreadable"))
    await dead_letters.park(ledger.connection, [letter])
    letter_id = letter.dead_letter_id
    discard = submission(DiscardDeadLetter(letter_id, "paid by hand"))
    # In one partition they would only wait for each other's head row.
    payers = [await ledger.wallet(f"payer-{n:02}", "100") for n in range(20)]
    replays = [ReplayDeadLetter(letter_id, transfer(p, bob, "60", "key-000001")) for p in payers]
    here = assigned(discard).partition
    replay = next(r for r in map(submission, replays) if assigned(r).partition != here)
    other = await connect_writer(ledger.database.writer)
    owner = await connect_owner(ledger.database.owner)

    async def waiting() -> bool:
        blocked = await owner.fetchval(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
            " AND pid = ANY ($1)",
            [ledger.connection.get_server_pid(), other.get_server_pid()],
        )
        return bool(blocked == 2)

    try:
        held = owner.transaction()
        await held.start()
        await owner.execute(
            "INSERT INTO dead_letter_resolutions VALUES ($1, gen_random_uuid())", letter_id
        )
        racing = [
            asyncio.create_task(execute(connection, ledger.fence, [assigned(command)]))
            for connection, command in ((ledger.connection, replay), (other, discard))
        ]
        await eventually(waiting)
        await held.rollback()
        results = [outcome.result for (outcome,) in await asyncio.gather(*racing)]
    finally:
        await other.close()
        await owner.close()
    refusals = [result.code for result in results if isinstance(result, Rejection)]
    assert refusals == [Code.DEAD_LETTER_RESOLVED]
