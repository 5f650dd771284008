"""What helps to attribute deposits: words that stand for a wallet, payments that are expected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import uuid_utils.compat

from bank.lines import minor
from bank.matching import LONGEST_ALIAS, plain, words
from bank.payouts.approvals import Person
from bank.refusals import Conflict, NotValid
from bank.sql import ACTIONS as SQL
from bank.sql import DEPOSITS
from ledger.money import exponent_of

#: Shorter ones stand in too many descriptions by chance.
_SHORTEST: Final = 3


@dataclass(frozen=True, slots=True)
class Expected:
    """A suggestion for what will lie in suspense, and never more than that."""

    account_id: str
    wallet_id: UUID
    amount: Decimal
    first_day: date
    last_day: date
    note: str | None


async def add_alias(
    connection: Any, account_id: str, spelling: str, wallet_id: UUID, person: Person
) -> UUID:
    """It waits for somebody else's word. Within the caller's transaction. Raises
    ``BankRefusal``."""
    alias = plain(spelling)
    if len(alias) < _SHORTEST or len(words(spelling)) > LONGEST_ALIAS:
        raise NotValid(
            f"must have at least {_SHORTEST} letters or digits and at most {LONGEST_ALIAS} words",
            "/alias",
        )
    currency = await _currency(connection, account_id)
    await _require_wallet(connection, wallet_id, currency)
    alias_id: UUID = uuid_utils.compat.uuid7()
    made = await connection.fetchval(
        SQL.add_alias,
        *(alias_id, account_id, alias, spelling, wallet_id, person.key_id, person.owner),
    )
    if made is None:
        raise Conflict("these words stand for a wallet already")
    return alias_id


async def expect(connection: Any, expected: Expected, by: str) -> UUID:
    """Within the caller's transaction. Raises ``BankRefusal``."""
    currency = await _currency(connection, expected.account_id)
    await _require_wallet(connection, expected.wallet_id, currency)
    amount_minor = minor(expected.amount, exponent_of(currency))
    if amount_minor is None:
        raise NotValid(f"is no amount of {currency} that the books have room for", "/amount")
    if expected.first_day > expected.last_day:
        raise NotValid("is before the first day", "/lastDay")
    expected_id: UUID = uuid_utils.compat.uuid7()
    await connection.execute(
        SQL.expect,
        expected_id,
        expected.account_id,
        expected.wallet_id,
        amount_minor,
        expected.first_day,
        expected.last_day,
        expected.note,
        by,
    )
    return expected_id


async def _currency(connection: Any, account_id: str) -> str:
    account = await connection.fetchrow(DEPOSITS.lock_account, account_id)
    if account is None:
        raise NotValid("names no account that is followed", "/accountId")
    currency: str = account["currency"]
    return currency


async def _require_wallet(connection: Any, wallet_id: UUID, currency: str) -> None:
    wallet = await connection.fetchrow(SQL.wallet, wallet_id)
    if wallet is None or wallet["type"] != "STANDARD":
        raise NotValid("names no wallet that could own a deposit", "/walletId")
    if wallet["is_the_banks"]:
        raise NotValid("names a wallet that stands for a bank account", "/walletId")
    if wallet["currency"] != currency:
        raise NotValid("names a wallet of another currency", "/walletId")
