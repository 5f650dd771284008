"""The audit finds what it looks for: each rule is broken once, by hand, as only the owner could."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import asyncpg
import pytest

from ledger import dead_letters
from ledger.audit import audit
from ledger.commands import (
    ChangeWallet,
    CreateWallet,
    DiscardDeadLetter,
    PostTransferGroup,
    ReleaseReservation,
    ReplayDeadLetter,
    ReverseTransfer,
)
from ledger.database import connect_owner
from ledger.outcomes import ReservationPlaced, TransferPosted
from ledger.records import WalletStatus
from ledger.sql import AUDIT
from tests import databases
from tests.integration.ledger_driver import Ledger, reservation, transfer
from tests.servers import Servers

CHAIN = "chain-is-unbroken"
RULES = {field.name.replace("_", "-") for field in fields(AUDIT)} | {CHAIN}

#: What breaks each rule. Many break others too; what counts is that the named one is found.
BREAKS = {
    "transfers-have-both-entries": """
        DELETE FROM entries WHERE amount_minor = 4000""",
    "entries-have-their-transfer": """
        INSERT INTO entries SELECT wallet_id, last_sequence + 1, gen_random_uuid(), 1,
               balance_minor + 1, last_entry FROM wallets WHERE external_unique_id = 'alice-01'""",
    "currencies-sum-to-zero": """
        UPDATE wallets SET balance_minor = balance_minor + 1
         WHERE external_unique_id = 'alice-01'""",
    "transfers-stay-in-their-currency": """
        UPDATE wallets SET currency = 'USD' WHERE external_unique_id = 'alice-01'""",
    "balances-are-the-sum-of-entries": """
        UPDATE wallets SET balance_minor = balance_minor - 1
         WHERE external_unique_id = 'alice-01'""",
    "entries-follow-each-other": """
        UPDATE entries SET created = created - interval '1 day'
         WHERE sequence = (SELECT max(sequence) FROM entries)""",
    "available-balances-hold": """
        UPDATE reservations SET amount_minor = 1000000 WHERE external_unique_id = 'hold-0003'""",
    "closed-wallets-are-empty": """
        UPDATE wallets SET status = 'CLOSED' WHERE external_unique_id = 'bob-0001'""",
    "reversals-stay-within-their-original": """
        UPDATE transfers SET amount_minor = 4001 WHERE external_unique_id = 'back-0001'""",
    "keys-are-used-once": """
        ALTER TABLE transfers DROP CONSTRAINT transfers_external_unique_id_key;
        UPDATE transfers SET external_unique_id = 'paid-0001'
         WHERE external_unique_id = 'spent-001'""",
    "commands-have-one-outcome": """
        ALTER TABLE outcomes DROP CONSTRAINT outcomes_command_id_key;
        UPDATE outcomes SET command_id = (SELECT min(command_id::text)::uuid FROM outcomes)
         WHERE command_id = (SELECT max(command_id::text)::uuid FROM outcomes)""",
    "movements-have-their-outcome": """
        UPDATE outcomes SET kind = 'Rejection', detail = '{"type":"Rejection","code":"internal",
               "detail":""}' WHERE kind = 'TransferPosted'""",
    "outcomes-have-their-movement": """
        DELETE FROM reservations WHERE external_unique_id = 'hold-0003'""",
    "releases-have-their-cause": """
        UPDATE reservations SET released_by = gen_random_uuid()
         WHERE external_unique_id = 'hold-0001'""",
    "wallets-are-as-last-recorded": """
        UPDATE wallets SET name = 'Mallory' WHERE external_unique_id = 'bob-0001'""",
    "resolutions-have-their-outcome": """
        DELETE FROM dead_letter_resolutions WHERE command_id IN
               (SELECT command_id FROM outcomes WHERE kind = 'DeadLetterDiscarded')""",
    "outcomes-are-numbered": """
        DELETE FROM outcomes WHERE number = 1""",
    "heads-stand-at-the-end": """
        UPDATE heads SET next_number = next_number + 1""",
    CHAIN: """
        UPDATE transfers SET description = 'nothing to see here'
         WHERE external_unique_id = 'paid-0001'""",
}

#: More that only the chain notices: rows which agree with each other, and not with the past.
REWRITES = {
    "an actor": "UPDATE outcomes SET actor = 'somebody else' WHERE kind = 'Rejection'",
    "a refusal": """UPDATE outcomes SET detail = replace(detail::text, '9999', '1')::json
                     WHERE kind = 'Rejection'""",
    "a session": """UPDATE reservations SET description = 'rent'
                     WHERE external_unique_id = 'hold-0003'""",
    "a discard": """UPDATE outcomes SET detail = '{"reason":"never mind"}'
                     WHERE kind = 'DeadLetterDiscarded'""",
    "a link": "UPDATE chain SET hash = sha256(hash) WHERE first_number = 1",
    "an event number": "UPDATE outcomes SET first_event = first_event + 1 WHERE number = 1",
    "a release": """UPDATE reservations SET released = NULL, released_by = NULL
                     WHERE external_unique_id = 'hold-0002'""",
}


@pytest.fixture(scope="module")
async def furnished(servers: Servers) -> AsyncIterator[str]:
    """A template with something of everything in its books."""
    name = await databases.make_template(servers)
    async with Ledger.opened(databases.named(servers, name)) as ledger:
        await furnish(ledger)
    yield name
    await databases.drop(servers, name)


async def furnish(ledger: Ledger) -> None:
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001", "10")
    closed = await ledger.wallet("closed-1")
    paid = await ledger.do(transfer(alice, bob, "40", "paid-0001"))
    held = await ledger.do(reservation(alice, "5", "session-1", "hold-0001"))
    assert isinstance(paid, TransferPosted)
    assert isinstance(held, ReservationPlaced)
    await ledger.run(
        ReverseTransfer(paid.transfer.transfer_id, bob, alice, "back-0001"),
        reservation(alice, "6", "session-2", "hold-0002"),
        transfer(alice, bob, "6", "spent-001", session_id="session-2"),
        reservation(alice, "1", "session-3", "hold-0003", timedelta(hours=1)),
        ReleaseReservation(alice, held.reservation.reservation_id),
        PostTransferGroup((transfer(alice, bob, "1", "group-leg"),), "group-01"),
        CreateWallet("minimum-1", "ZAR", minimum_balance=Decimal(50)),
        ChangeWallet(closed, WalletStatus.CLOSED),
        transfer(alice, bob, "9999", "refused-1"),
    )
    await ledger.run(
        ReplayDeadLetter(await letter(ledger), transfer(alice, bob, "1", "replay-01")),
        DiscardDeadLetter(await letter(ledger), "paid by hand"),
    )


async def letter(ledger: Ledger) -> UUID:
    parked = dead_letters.of_message(1, 0, b"", ValueError("unreadable"))
    await dead_letters.park(ledger.connection, [parked])
    return parked.dead_letter_id


#: Resolutions that no writer of ours makes.
FALSE_RESOLUTIONS = {
    "of a letter that there is not": """
        INSERT INTO dead_letter_resolutions
        SELECT gen_random_uuid(), command_id FROM outcomes WHERE kind = 'WalletCreated' LIMIT 1""",
    "by a command that there is not": """
        UPDATE dead_letter_resolutions SET command_id = gen_random_uuid()
         WHERE command_id IN (SELECT command_id FROM outcomes WHERE kind = 'TransferPosted')""",
    "by the discard of another": """
        UPDATE outcomes SET subject_id = gen_random_uuid() WHERE kind = 'DeadLetterDiscarded'""",
    "by a replay that nobody decided": """
        UPDATE outcomes SET kind = 'Rejection', detail = '{"code":"deadline-exceeded"}'
         WHERE kind = 'TransferPosted'""",
}


async def broken_rules(dsn: str) -> set[str]:
    connection = await connect_owner(dsn)
    try:
        return {finding.rule for finding in await audit(connection) if not finding.holds}
    finally:
        await connection.close()


def test_every_rule_has_its_break() -> None:
    assert BREAKS.keys() == RULES


async def test_untouched_books_hold(servers: Servers, furnished: str) -> None:
    async with databases.copied(servers, furnished) as database:
        assert await broken_rules(database.owner) == set()


@pytest.mark.parametrize("rule", BREAKS)
async def test_a_broken_rule_is_found(servers: Servers, furnished: str, rule: str) -> None:
    async with databases.copied(servers, furnished, audited=False) as database:
        await tamper(database.owner, BREAKS[rule])
        assert rule in await broken_rules(database.owner)


@pytest.mark.parametrize("what", FALSE_RESOLUTIONS)
async def test_a_false_resolution_is_found(servers: Servers, furnished: str, what: str) -> None:
    async with databases.copied(servers, furnished, audited=False) as database:
        await tamper(database.owner, FALSE_RESOLUTIONS[what])
        assert "resolutions-have-their-outcome" in await broken_rules(database.owner)


@pytest.mark.parametrize("what", REWRITES)
async def test_the_chain_notices_a_rewritten_past(
    servers: Servers, furnished: str, what: str
) -> None:
    async with databases.copied(servers, furnished, audited=False) as database:
        await tamper(database.owner, REWRITES[what])
        assert CHAIN in await broken_rules(database.owner)


async def tamper(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "sov"})
    try:
        assert await connection.execute(statement) not in ("UPDATE 0", "DELETE 0", "INSERT 0 0")
    finally:
        await connection.close()
