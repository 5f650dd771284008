"""What the steps of a bank process share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import asyncpg

from bank.investec.client import Investec
from ledger.kept import KEEPER
from producers.clock import DatabaseClock
from producers.commands import Commands

#: Who asked, in the books, for whatever this process asks for.
ACTOR: Final = KEEPER


@dataclass(frozen=True, slots=True)
class Services:
    pool: asyncpg.Pool[Any]
    """As the role sov_banker."""
    commands: Commands
    clock: DatabaseClock
    bank: Investec | None
    """None where there is no API: then statements come as files."""
    wake: Callable[[str], None]
    """Run another step soon."""
    follow: Following
    authorised_within: timedelta
    """How long the bank's own authorisers may take over a payment."""


@dataclass(frozen=True, slots=True)
class Following:
    """Which accounts are followed, and how closely."""

    accounts: frozenset[str]
    """Empty: all that the bank has."""
    numbers: Mapping[str, str]
    """Of accounts, by their ids: what statement files call them, where that was told."""
    since: date | None
    every_s: float
    overlap_days: int
    days_ahead: int
    """Beyond today: a simulator's clock may run ahead."""
    currency: str
    """Of accounts that no bank tells the currency of."""

    def includes(self, account_id: str) -> bool:
        """Whether this one is to be followed, once it is known."""
        return not self.accounts or account_id in self.accounts
