"""Payouts through the product's own gateway, consumer and bank process, with a simulated bank, in
the test's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from pydantic import SecretStr

from bank.process import Bank
from ledger import keys
from ledger.database import connect_owner
from ledger.keys import Scope
from tests.databases import Database
from tests.integration.gateways import Running, make_keys, serving
from tests.integration.processes import Broker, consuming, deployment_of
from tests.integration.simulated_bank import Play, simulated
from tests.polling import eventually, until
from topology.process import end
from topology.settings import Settings

APPROVERS = ("ben", "cora")
_AFTER_HELD = ("SUBMITTING", "AWAITING_BANK", "AWAITING_BENEFICIARY", "UNKNOWN", "SETTLED")
ENDED = ("SETTLED", "REJECTED", "RETURNED")
PAYEE = {"name": "Thandi Nkosi", "accountNumber": "62000000001", "branchCode": "580105"}

_numbers = count(1)


@dataclass
class Town:
    """Everything, and what tests do with it."""

    database: Database
    broker: Broker
    running: Running
    play: Play
    people: Mapping[str, str]
    """Keys by owner: anna asks, ben and cora agree; anna too is anna, spelt otherwise."""
    owner: asyncpg.Connection[Any]

    def by(self, person: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.people[person]}"}

    async def ask(
        self,
        wallet: str,
        amount: str,
        *,
        expect: int = 201,
        prefer: str = "wait=20",
        deadline: str | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        body = {
            "walletExternalUniqueId": wallet,
            "amount": amount,
            "externalUniqueId": f"payout-{next(_numbers):06}",
            "beneficiary": PAYEE,
            "theirReference": "Invoice 42",
            **more,
        }
        headers = {**self.by("anna"), "Prefer": prefer}
        if deadline is not None:
            headers["Sov-Deadline"] = deadline
        answer = await self.running.http.post("/v1/payouts", json=body, headers=headers)
        assert answer.status_code == expect, answer.text
        document: dict[str, Any] = answer.json()
        return document

    async def say(
        self,
        payout: Mapping[str, Any],
        word: str,
        person: str,
        reason: str | None = "because",
        **more: str,
    ) -> httpx.Response:
        return await self.running.http.post(
            f"/v1/payouts/{payout['payoutId']}/{word}",
            json=more if reason is None else {"reason": reason, **more},
            headers=self.by(person),
        )

    async def said(
        self, payout: Mapping[str, Any], word: str, person: str, status: str, **more: str
    ) -> dict[str, Any]:
        """The same where it has to be heeded."""
        answer = await self.say(payout, word, person, **more)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        # Where nobody has to agree any more, the process may have gone on before the answer.
        expected = (status, *_AFTER_HELD) if status == "HELD" else (status,)
        assert document["status"] in expected, document
        return document

    async def get(self, payout: Mapping[str, Any]) -> dict[str, Any]:
        document: dict[str, Any] = await self.running.get(f"/v1/payouts/{payout['payoutId']}")
        return document

    async def becomes(
        self, payout: Mapping[str, Any], *statuses: str, within_s: float = 30
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}

        async def has_become() -> bool:
            found.clear()
            found.update(await self.get(payout))
            return found["status"] in statuses

        try:
            await eventually(has_become, within_s)
        except AssertionError:
            raise AssertionError(f"not {statuses}: {found}") from None
        return found

    async def act(self, row_id: str, kind: str) -> None:
        """Two people ask for an action about a row, and agree; returns when it is done."""
        asked = {"kind": kind, "reason": "looked at the bank's pages"}
        http = self.running.http
        path = f"/v1/bank/rows/{row_id}/actions"
        answer = await http.post(path, json=asked, headers=self.by("anna"))
        assert answer.is_success, answer.text
        path = f"/v1/bank/actions/{answer.json()['actionId']}"
        answer = await http.post(f"{path}/approvals", json={}, headers=self.by("ben"))
        assert answer.is_success, answer.text

        async def is_done() -> bool:
            return bool((await self.running.get(path))["status"] == "DONE")

        await eventually(is_done, 30)

    async def row(self, kind: str) -> str:
        """The row of the one open exception of a kind."""

        async def is_told() -> str:
            found = await self.owner.fetch(
                "SELECT row_id FROM sov.bank_exceptions WHERE kind = $1 AND resolved IS NULL", kind
            )
            return str(found[0]["row_id"]) if found else ""

        return await eventually(is_told, 30)

    async def booked(self, words: str) -> str:
        """The row of these words, once it is booked."""

        async def is_booked() -> str:
            found = await self.owner.fetchval(
                "SELECT row_id FROM sov.bank_rows"
                " WHERE description = $1 AND booked > '-infinity' AND vanished IS NULL",
                words,
            )
            return str(found or "")

        return await eventually(is_booked, 30)

    async def settled(self, wallet: str, amount: str) -> dict[str, Any]:
        """A payout that the bank has made, and whose row is booked."""
        payout = await self.ask(wallet, amount)
        await self.said(payout, "approvals", "ben", "HELD")
        await self.becomes(payout, "AWAITING_BANK")
        await self.play.advance(10)
        return await self.becomes(payout, "SETTLED")

    async def balance(self, wallet_id: str) -> tuple[str, str]:
        """Current and available."""
        found = await self.running.get(f"/v1/wallets/{wallet_id}/balance")
        return found["currentBalance"], found["availableBalance"]

    async def available(self, wallet_id: str, amount: str) -> None:
        async def is_it() -> bool:
            return (await self.balance(wallet_id))[1] == amount

        await eventually(is_it)

    async def tie(self) -> None:
        """At the end every cent is in one place: what the bank says is what the books say of it."""
        (account,) = (await self.play.state())["accounts"]

        async def ties() -> bool:
            found = await self.owner.fetchrow(
                "SELECT -w.balance_minor AS control, a.opening_minor,"
                " (SELECT count(*) FROM sov.bank_rows WHERE booked IS NULL) AS unbooked"
                " FROM sov.bank_accounts a JOIN sov.wallets w ON w.wallet_id = a.control_wallet"
            )
            assert found is not None
            opening = found["opening_minor"] or 0
            return (account["currentCents"], 0) == (opening + found["control"], found["unbooked"])

        await eventually(ties, 30)


@asynccontextmanager
async def bank_running(database: Database, broker: Broker, play: Play, **more: Any) -> Any:
    """The process's own work; ended at the end."""
    access = play.access
    settings = Settings(
        database_url_banker=SecretStr(database.banker),
        amqp_url_gateway=SecretStr(broker.url),
        bank_api_url=access.url,
        bank_client_id=SecretStr(access.client_id),
        bank_client_secret=SecretStr(access.client_secret),
        bank_api_key=SecretStr(access.api_key),
        bank_poll_s=1,
        bank_days_ahead=30,
        **more,
    )
    bank = Bank(settings, await deployment_of(database))
    running = asyncio.create_task(bank.run())
    try:
        await until(lambda: (bank.ready and bank.report()["leads"]) or running.done())
        yield bank
    finally:
        bank.stop()
        await running


@asynccontextmanager
async def killed(database: Database, broker: Broker, play: Play, **more: Any) -> AsyncIterator[Any]:
    """A process that is ended without a word at the end of the block: nothing of it is finished."""
    async with AsyncExitStack() as stack:
        task: asyncio.Task[None] | None = None

        async def live() -> None:
            async with bank_running(database, broker, play, **more):
                await asyncio.Event().wait()

        task = asyncio.create_task(live())
        stack.push_async_callback(end, [task])
        yield task


async def people(database: Database) -> dict[str, str]:
    connection = await connect_owner(database.owner)
    try:
        made = {"anna": await keys.create(connection, "anna-1", [Scope.BANK], owner="anna")}
        both = [Scope.BANK, Scope.APPROVER]
        made["anna too"] = await keys.create(connection, "anna-2", both, owner=" ANNA ")
        for name in APPROVERS:
            made[name] = await keys.create(connection, f"{name}-1", both, owner=name)
        return made
    finally:
        await connection.close()


@asynccontextmanager
async def town(
    database: Database, broker: Broker, folder: Path, *, bank: bool = True, **more: Any
) -> AsyncIterator[Town]:
    """With a float at the bank that no wallet owns, and somebody who was paid before."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        play = await enter(simulated(folder))
        await enter(consuming(database, broker))
        running = await enter(
            serving(
                database.reader,
                broker.url,
                await make_keys(database),
                database_url_banker=database.banker,
            )
        )
        owner = await connect_owner(database.owner)
        stack.push_async_callback(owner.close)
        found = Town(database, broker, running, play, await people(database), owner)
        await play.beneficiary("Thandi Nkosi")
        if bank:
            await enter(bank_running(database, broker, play, **more))
            await followed(found)
        yield found


async def followed(town: Town) -> None:
    """The account is there, and a deposit in suspense pays for what wallets are given by hand."""

    async def is_followed() -> Any:
        return await town.owner.fetchval("SELECT account_id FROM sov.bank_accounts")

    await eventually(is_followed)
    await town.play.credit(1_000_000_00, "float")

    async def is_booked() -> Any:
        return await town.owner.fetchval(
            "SELECT count(*) FROM sov.bank_rows WHERE booked > '-infinity'"
        )

    await eventually(is_booked, 30)
