"""The bank's own books: accounts, rows, beneficiaries and payments, in a file.

Amounts are whole cents here, whatever the interface shows. Time is the bank's: the machine's, put
forward by whoever plays with it.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum
from pathlib import Path
from typing import Any, Final

import msgspec

from bank.simulator.assumptions import Assumptions

#: South African Standard Time, which has no summer.
SAST: Final = timezone(timedelta(hours=2), "SAST")
#: What the specification allows.
DESCRIPTION: Final = 40
_FIRST_ORDER: Final = 13_000

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS accounts (
    account_id TEXT PRIMARY KEY, number TEXT NOT NULL, name TEXT NOT NULL, product TEXT NOT NULL,
    profile_id TEXT NOT NULL, opening INTEGER NOT NULL, next_order INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS rows (
    row_id INTEGER PRIMARY KEY, account_id TEXT NOT NULL REFERENCES accounts, credit INTEGER NOT NULL,
    transaction_type TEXT NOT NULL, description TEXT NOT NULL, amount INTEGER NOT NULL,
    transaction_date TEXT NOT NULL, settles REAL, unnumbered INTEGER NOT NULL DEFAULT 0,
    posted_order INTEGER NOT NULL DEFAULT 0, posting_date TEXT, value_date TEXT,
    running INTEGER, vanished INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS beneficiaries (
    beneficiary_id TEXT PRIMARY KEY, name TEXT NOT NULL, account_number TEXT NOT NULL,
    code TEXT NOT NULL, bank TEXT NOT NULL, last_paid TEXT, last_amount INTEGER,
    faster INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS payments (
    reference TEXT PRIMARY KEY, account_id TEXT NOT NULL, beneficiary_id TEXT NOT NULL,
    amount INTEGER NOT NULL, mine TEXT NOT NULL, theirs TEXT NOT NULL, state TEXT NOT NULL,
    made REAL NOT NULL, row_id INTEGER);
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Settles(Enum):
    """How a row that is injected begins."""

    NOW = "now"
    LATER = "later"
    """Pending, until it is settled by hand or its time has come."""
    UNNUMBERED = "unnumbered"
    """Posted with the order 0; it gets its number, and another uuid, later."""


class PaymentState(Enum):
    AWAITING_AUTHORISATION = "AWAITING_AUTHORISATION"
    TAKEN = "TAKEN"
    LAPSED = "LAPSED"
    DECLINED = "DECLINED"


class NoSuch(LookupError):
    """There is no such account, row, beneficiary or payment."""


class NotPaid(Exception):
    """The bank takes the payment not in; the text is what it says."""


@dataclass(frozen=True, slots=True)
class Credit:
    """Money that comes in, or goes out where ``credit`` is not set."""

    account_id: str
    amount: int
    description: str
    credit: bool = True
    transaction_type: str = "Deposits"
    transaction_date: date | None = None
    settles: Settles = Settles.NOW
    after_s: float | None = None
    """When a pending or unnumbered row settles by itself; None: when it is told to."""


class Books:
    """One file; one thread."""

    def __init__(self, path: Path) -> None:
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.row_factory = sqlite3.Row
        self._file.executescript(_SCHEMA)

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

    # Time and what is assumed

    def now_s(self) -> float:
        return time.time() + float(self._kept("ahead_s", "0"))

    def today(self) -> date:
        return datetime.fromtimestamp(self.now_s(), UTC).astimezone(SAST).date()

    def advance(self, seconds: float) -> None:
        """Put the clock forward; whatever falls due is due at the next call."""
        ahead_s = float(self._kept("ahead_s", "0")) + seconds
        self._keep("ahead_s", str(ahead_s))

    @property
    def assumptions(self) -> Assumptions:
        return msgspec.json.decode(self._kept("assumptions", "{}"), type=Assumptions)

    def assume(self, assumptions: Assumptions) -> None:
        self._keep("assumptions", msgspec.json.encode(assumptions).decode())

    # Accounts and rows

    def open_account(self, account_id: str, number: str, name: str, opening: int) -> None:
        self._file.execute(
            "INSERT INTO accounts VALUES (?, ?, ?, 'Private Bank Account', '10001', ?, ?)"
            " ON CONFLICT DO NOTHING",
            (account_id, number, name, opening, _FIRST_ORDER),
        )

    def accounts(self) -> list[sqlite3.Row]:
        return self._file.execute("SELECT * FROM accounts ORDER BY account_id").fetchall()

    def account(self, account_id: str) -> sqlite3.Row:
        """Raises ``NoSuch``."""
        return self._one("SELECT * FROM accounts WHERE account_id = ?", account_id)

    def current(self, account_id: str) -> int:
        """The balance behind the last row that was numbered."""
        return int(self.account(account_id)["opening"]) + self._sum(account_id, "posted_order > 0")

    def available(self, account_id: str) -> int:
        """The same without what is about to go."""
        going = self._sum(account_id, "posted_order = 0 AND credit = 0")
        return self.current(account_id) + going

    def rows(self, account_id: str, first: date, last: date, *, pending: bool) -> list[sqlite3.Row]:
        """Of these days, by posting date; with those that are pending, where asked for."""
        self.account(account_id)
        return self._file.execute(
            "SELECT * FROM rows WHERE account_id = ? AND NOT vanished AND"
            " (posting_date BETWEEN ? AND ? OR (? AND posting_date IS NULL))"
            " ORDER BY posting_date, posted_order, row_id",
            (account_id, first.isoformat(), last.isoformat(), pending),
        ).fetchall()

    def pending(self, account_id: str) -> list[sqlite3.Row]:
        self.account(account_id)
        return self._file.execute(
            "SELECT * FROM rows WHERE account_id = ? AND NOT vanished AND posting_date IS NULL"
            " ORDER BY row_id",
            (account_id,),
        ).fetchall()

    def row(self, row_id: int) -> sqlite3.Row:
        """Raises ``NoSuch``."""
        return self._one("SELECT * FROM rows WHERE row_id = ?", row_id)

    def inject(self, credit: Credit) -> int:
        """A row; answers its number here, which the bank never shows."""
        self.account(credit.account_id)
        settles = None if credit.after_s is None else self.now_s() + credit.after_s
        dated = credit.transaction_date or self.today()
        row_id = self._file.execute(
            "INSERT INTO rows (account_id, credit, transaction_type, description, amount,"
            " transaction_date, settles) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                *(credit.account_id, credit.credit, credit.transaction_type),
                *(credit.description[:DESCRIPTION], credit.amount, dated.isoformat(), settles),
            ),
        ).lastrowid
        assert row_id is not None
        if credit.settles is Settles.NOW:
            self.settle(row_id)
        elif credit.settles is Settles.UNNUMBERED:
            today = self.today().isoformat()
            self._file.execute(
                "UPDATE rows SET unnumbered = 1, posting_date = ?, value_date = ?, running = ?"
                " WHERE row_id = ?",
                (today, dated.isoformat(), self.current(credit.account_id), row_id),
            )
        return row_id

    def settle(self, row_id: int) -> None:
        """Post a pending row, or give an unnumbered one its number. Raises ``NoSuch``."""
        row = self.row(row_id)
        if row["posted_order"]:
            return
        account_id = row["account_id"]
        moved = row["amount"] if row["credit"] else -row["amount"]
        self._file.execute(
            "UPDATE rows SET posted_order = ?, posting_date = coalesce(posting_date, ?),"
            " value_date = coalesce(value_date, transaction_date), running = ?, settles = NULL,"
            " unnumbered = 0 WHERE row_id = ?",
            (
                *(self._next_order(account_id), self.today().isoformat()),
                *(self.current(account_id) + moved, row_id),
            ),
        )

    def settle_due(self) -> None:
        """Whatever has fallen due by now, in that order."""
        due = self._file.execute(
            "SELECT row_id FROM rows WHERE settles <= ? AND NOT vanished ORDER BY settles, row_id",
            (self.now_s(),),
        ).fetchall()
        for row in due:
            self.settle(row["row_id"])
        lapses_s = self.assumptions.authorisation_lapses_s
        self._file.execute(
            "UPDATE payments SET state = 'LAPSED' WHERE state = 'AWAITING_AUTHORISATION'"
            " AND made + ? <= ?",
            (lapses_s, self.now_s()),
        )

    def renumber(self, row_id: int) -> None:
        """Give a posted row another number, and so another uuid."""
        row = self.row(row_id)
        self._file.execute(
            "UPDATE rows SET posted_order = ? WHERE row_id = ?",
            (self._next_order(row["account_id"]), row_id),
        )

    def vanish(self, row_id: int) -> None:
        self.row(row_id)
        self._file.execute("UPDATE rows SET vanished = 1 WHERE row_id = ?", (row_id,))

    def reverse(self, row_id: int) -> int:
        """The same amount the other way, as banks undo what they posted."""
        row = self.row(row_id)
        return self.inject(
            Credit(
                account_id=row["account_id"],
                amount=row["amount"],
                description=f"REVERSAL {row['description']}",
                credit=not row["credit"],
                transaction_type=row["transaction_type"],
            )
        )

    # Beneficiaries and payments

    def add_beneficiary(self, beneficiary: Mapping[str, Any]) -> str:
        """As somebody does in the bank's own pages; never paid unless it says when."""
        beneficiary_id = beneficiary.get("beneficiary_id") or secrets.token_urlsafe(16)
        self._file.execute(
            "INSERT INTO beneficiaries VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (beneficiary_id) DO UPDATE SET last_paid = excluded.last_paid",
            (
                *(beneficiary_id, beneficiary["name"], beneficiary["account_number"]),
                *(beneficiary.get("code", "580105"), beneficiary.get("bank", "INVESTEC BANK")),
                *(beneficiary.get("last_paid"), None, beneficiary.get("faster", False)),
            ),
        )
        return str(beneficiary_id)

    def beneficiaries(self) -> list[sqlite3.Row]:
        return self._file.execute("SELECT * FROM beneficiaries ORDER BY name").fetchall()

    def payments(self) -> list[sqlite3.Row]:
        return self._file.execute("SELECT * FROM payments ORDER BY made, reference").fetchall()

    def pay(
        self, account_id: str, beneficiary_id: str, amount: int, mine: str, theirs: str
    ) -> sqlite3.Row:
        """Take a payment in. Raises ``NotPaid`` or ``NoSuch``. Twice asked is twice paid: the bank
        compares nothing."""
        assumed = self.assumptions
        beneficiary = self._one(
            "SELECT * FROM beneficiaries WHERE beneficiary_id = ?", beneficiary_id
        )
        if beneficiary["last_paid"] is None:
            raise NotPaid("The beneficiary has to be paid once via online banking first.")
        if amount > self.available(account_id):
            raise NotPaid("Insufficient funds available.")
        waits = assumed.authorisation_required
        state = PaymentState.AWAITING_AUTHORISATION if waits else PaymentState.TAKEN
        reference = f"UBP{secrets.randbelow(10**10):010}"
        self._file.execute(
            "INSERT INTO payments VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            (
                *(reference, account_id, beneficiary_id, amount, mine, theirs),
                *(state.value, self.now_s()),
            ),
        )
        if not waits:
            self._make(reference)
        return self.payment(reference)

    def payment(self, reference: str) -> sqlite3.Row:
        """Raises ``NoSuch``."""
        return self._one("SELECT * FROM payments WHERE reference = ?", reference)

    def authorise(self, reference: str, *, approve: bool) -> None:
        """What the bank's authorisers say of a payment that waits for them."""
        if self.payment(reference)["state"] != PaymentState.AWAITING_AUTHORISATION.value:
            raise NotPaid("it does not wait for anybody")
        if approve:
            self._make(reference)
        state = PaymentState.TAKEN if approve else PaymentState.DECLINED
        self._file.execute(
            "UPDATE payments SET state = ? WHERE reference = ?", (state.value, reference)
        )

    def _make(self, reference: str) -> None:
        payment, assumed = self.payment(reference), self.assumptions
        words = [payment["mine"]]
        if assumed.debit_description == "mine-and-theirs":
            words.append(payment["theirs"])
        row_id = self.inject(
            Credit(
                account_id=payment["account_id"],
                amount=payment["amount"],
                description=" ".join(words),
                credit=False,
                transaction_type="OnlineBankingPayments",
                settles=Settles.LATER,
                after_s=assumed.payment_settles_s,
            )
        )
        self._file.execute(
            "UPDATE payments SET row_id = ? WHERE reference = ?", (row_id, reference)
        )
        self._file.execute(
            "UPDATE beneficiaries SET last_paid = ?, last_amount = ? WHERE beneficiary_id = ?",
            (self.today().isoformat(), payment["amount"], payment["beneficiary_id"]),
        )

    # Of the file itself

    def _next_order(self, account_id: str) -> int:
        order = int(self.account(account_id)["next_order"])
        self._file.execute(
            "UPDATE accounts SET next_order = ? WHERE account_id = ?", (order + 1, account_id)
        )
        return order

    def _sum(self, account_id: str, which: str) -> int:
        found = self._file.execute(
            "SELECT coalesce(sum(CASE credit WHEN 1 THEN amount ELSE -amount END), 0) FROM rows"
            f" WHERE account_id = ? AND NOT vanished AND {which}",
            (account_id,),
        ).fetchone()
        return int(found[0])

    def _one(self, statement: str, key: str | int) -> sqlite3.Row:
        found: sqlite3.Row | None = self._file.execute(statement, (key,)).fetchone()
        if found is None:
            raise NoSuch(str(key))
        return found

    def _kept(self, name: str, default: str) -> str:
        found = self._file.execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()
        return default if found is None else str(found[0])

    def _keep(self, name: str, value: str) -> None:
        self._file.execute(
            "INSERT INTO kept VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )
