"""The bank's own books: a file that outlives its process, the bank's clock, and its accounts.

Amounts are whole cents here, whatever the interface shows. Time is the bank's: the machine's, put
forward by whoever plays with it.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Final, Literal, get_args

import msgspec

from bank.simulator.assumptions import Assumptions

#: What a bank has that nobody has told anything yet.
ACCOUNT_ID: Final = "172878438321553632224"
PROFILE_ID: Final = "10163189587443"
Scope = Literal[
    "accounts",
    "balances",
    "transactions",
    "transfers",
    "beneficiarypayments",
    "documents.statements",
    "documents.taxcertificates",
]

_SCHEMA: Final = Path(__file__).with_suffix(".sql")
_TABLES: Final = ("payments", "beneficiaries", "rows", "accounts", "kept")
_WAIT_S: Final = 3.0
_FIRST_ORDER: Final = 13_000
_AHEAD, _ASSUMED, _SCOPES = "ahead_s", "assumptions", "scopes"


class NoSuch(LookupError):
    """There is no such account, row, beneficiary or payment."""


class NotDone(Exception):
    """The bank does not do it; the text is what it says."""


@dataclass(frozen=True, slots=True)
class NewAccount:
    account_id: str = ACCOUNT_ID
    number: str = "10010000001"
    name: str = "Store of Value"
    product: str = "Private Bank Account"
    profile_id: str = PROFILE_ID
    opening: int = 0


class Books:
    """One file, one thread, one process. Every change is made inside ``changing``."""

    def __init__(self, path: Path) -> None:
        """Raises ``sqlite3.OperationalError`` where another process has them open, after waiting
        for one that is about to end."""
        self._file = sqlite3.connect(path, isolation_level=None, timeout=_WAIT_S)
        self._file.row_factory = sqlite3.Row
        # Two banks on the same books would be one too many. A killed process loses nothing; after a
        # power cut the last moments may be missing.
        for setting in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL"):
            self._file.execute(f"PRAGMA {setting}")
        self._file.executescript(_SCHEMA.read_text())
        with self.changing():
            self._begin()

    def close(self) -> None:
        self._file.close()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """All of the block, or nothing of it."""
        self._file.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._file.execute("ROLLBACK")
            raise
        self._file.execute("COMMIT")

    def all(self, statement: str, *values: object) -> list[sqlite3.Row]:
        return self._file.execute(statement, values).fetchall()

    def one(self, statement: str, key: str | int) -> sqlite3.Row:
        """Raises ``NoSuch``, with the key."""
        found: sqlite3.Row | None = self._file.execute(statement, (key,)).fetchone()
        if found is None:
            raise NoSuch(str(key))
        return found

    def run(self, statement: str, *values: object) -> int:
        """The number of the row that it made, where it made one."""
        return self._file.execute(statement, values).lastrowid or 0

    def reset(self) -> None:
        """As on its first day, in real time."""
        for table in _TABLES:
            self.run(f"DELETE FROM {table}")  # noqa: S608  names of ours
        self._begin()

    # Time, what is assumed, what the key may do

    def now_s(self) -> float:
        return time.time() + float(self._kept(_AHEAD, "0"))

    def day_of(self, moment_s: float) -> date:
        """The bank's."""
        zone = timezone(timedelta(hours=self.assumptions.utc_offset_h))
        return datetime.fromtimestamp(moment_s, UTC).astimezone(zone).date()

    def end_of(self, day: date) -> float:
        zone = timezone(timedelta(hours=self.assumptions.utc_offset_h))
        return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() + 86_400

    def today(self) -> date:
        return self.day_of(self.now_s())

    def advance(self, seconds: float) -> None:
        """Put the clock forward; whatever falls due is due at the next call."""
        self._keep(_AHEAD, str(float(self._kept(_AHEAD, "0")) + seconds))

    @property
    def assumptions(self) -> Assumptions:
        return msgspec.json.decode(self._kept(_ASSUMED, "{}"), type=Assumptions)

    def assume(self, assumptions: Assumptions) -> None:
        self._keep(_ASSUMED, msgspec.json.encode(assumptions).decode())

    @property
    def scopes(self) -> list[str]:
        """What a token is good for."""
        return list(json.loads(self._kept(_SCOPES, json.dumps(get_args(Scope)))))

    def grant(self, scopes: list[str]) -> None:
        self._keep(_SCOPES, json.dumps(scopes))

    # Accounts

    def open_account(self, new: NewAccount) -> None:
        """One that is there already stays as it is."""
        self.run(
            "INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            *(new.account_id, new.number, new.name, new.product, new.profile_id),
            *(new.opening, new.opening, _FIRST_ORDER),
        )

    def accounts(self) -> list[sqlite3.Row]:
        return self.all("SELECT * FROM accounts ORDER BY account_id")

    def account(self, account_id: str) -> sqlite3.Row:
        """Raises ``NoSuch``."""
        return self.one("SELECT * FROM accounts WHERE account_id = ?", account_id)

    def book(self, account_id: str, cents: int) -> int:
        """Change what the account has; answers the balance after it."""
        self.run("UPDATE accounts SET booked = booked + ? WHERE account_id = ?", cents, account_id)
        return int(self.account(account_id)["booked"])

    def next_order(self, account_id: str) -> int:
        order = int(self.account(account_id)["next_order"])
        self.run("UPDATE accounts SET next_order = ? WHERE account_id = ?", order + 1, account_id)
        return order

    # Of the file itself

    def _begin(self) -> None:
        if not self.accounts():
            self.open_account(NewAccount())

    def _kept(self, name: str, default: str) -> str:
        found = self.all("SELECT value FROM kept WHERE name = ?", name)
        return str(found[0]["value"]) if found else default

    def _keep(self, name: str, value: str) -> None:
        self.run(
            "INSERT INTO kept VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            *(name, value),
        )
