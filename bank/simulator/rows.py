"""Rows of a statement: how they come, settle, and change under whoever reads them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Final

from bank.simulator.books import Books, NotDone

#: What the specification has room for.
DESCRIPTION: Final = 40

_POSTED: Final = "posted_order > 0 AND NOT vanished"
#: Recomputed, a row's balance is that behind it in the order of today.
_RECOMPUTED: Final = f"""
    SELECT row_id, account_id, credit, transaction_type, description, card, amount,
           transaction_date, due, posted_order, posting_date, value_date, vanished,
           CASE WHEN {_POSTED} THEN
               (SELECT opening FROM accounts WHERE accounts.account_id = rows.account_id)
               + sum(CASE WHEN {_POSTED} THEN CASE credit WHEN 1 THEN amount ELSE -amount END
                          ELSE 0 END)
                 OVER (PARTITION BY account_id ORDER BY posting_date, posted_order, row_id)
           ELSE running END AS running
    FROM rows
"""  # noqa: S608  constants of ours


class Settles(Enum):
    """How a row begins."""

    NOW = "now"
    LATER = "later"
    """Pending, until it is settled by hand or its time has come."""
    UNNUMBERED = "unnumbered"
    """Posted with the order 0; it gets its number, and another uuid, later."""


@dataclass(frozen=True, slots=True)
class Movement:
    """Money that comes in, or goes out where ``credit`` is not set."""

    account_id: str
    amount: int
    description: str
    credit: bool = True
    transaction_type: str | None = "Deposits"
    card: str = ""
    transaction_date: date | None = None
    posting_date: date | None = None
    """None: the day on which it is posted."""
    settles: Settles = Settles.NOW
    after_s: float | None = None
    """When a pending or unnumbered row settles by itself; None: when it is told to."""


class Rows:
    def __init__(self, books: Books) -> None:
        self._books = books

    def of_days(
        self, account_id: str, first: date, last: date, *, pending: bool
    ) -> list[sqlite3.Row]:
        """Posted ones of these days, in their order; with those that are pending where asked for.
        Raises ``NoSuch``."""
        self._books.account(account_id)
        assumed = self._books.assumptions
        source = _RECOMPUTED if assumed.running_balance == "recomputed" else "SELECT * FROM rows"
        meant = "transaction_date" if assumed.dates_mean == "transaction" else "posting_date"
        return self._books.all(
            f"SELECT * FROM ({source}) JOIN accounts USING (account_id)"  # noqa: S608
            " WHERE account_id = ? AND NOT vanished AND"
            f" ((posting_date IS NOT NULL AND {meant} BETWEEN ? AND ?)"
            " OR (? AND posting_date IS NULL))"
            " ORDER BY posting_date IS NULL, posting_date, posted_order, row_id",
            *(account_id, first.isoformat(), last.isoformat(), pending),
        )

    def pending(self, account_id: str) -> list[sqlite3.Row]:
        """Raises ``NoSuch``."""
        self._books.account(account_id)
        return self._books.all(
            "SELECT * FROM rows WHERE account_id = ? AND NOT vanished AND posting_date IS NULL"
            " ORDER BY row_id",
            account_id,
        )

    def current(self, account_id: str) -> int:
        """The balance behind the last row that has a number."""
        booked = int(self._books.account(account_id)["booked"])
        if self._books.assumptions.unnumbered_in_balance:
            booked += self._open(account_id, pending=False, credits_too=True)
        return booked

    def available(self, account_id: str) -> int:
        """The same without what is about to go."""
        booked = int(self._books.account(account_id)["booked"])
        return booked + self._open(account_id, pending=True, credits_too=False)

    def row(self, row_id: int) -> sqlite3.Row:
        """Raises ``NoSuch``."""
        return self._books.one("SELECT * FROM rows WHERE row_id = ?", row_id)

    def move(self, movement: Movement) -> int:
        """A new row; answers its number here, which the bank never shows. Raises ``NoSuch``."""
        self._books.account(movement.account_id)
        due = None if movement.after_s is None else self._books.now_s() + movement.after_s
        dated = movement.transaction_date or self._books.today()
        row_id = self._books.run(
            "INSERT INTO rows (account_id, credit, transaction_type, description, card, amount,"
            " transaction_date, due) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *(movement.account_id, movement.credit, movement.transaction_type),
            *(movement.description[:DESCRIPTION], movement.card, movement.amount),
            *(dated.isoformat(), due),
        )
        if movement.settles is not Settles.LATER:
            self._post(row_id, movement.posting_date or self._books.today())
        if movement.settles is Settles.NOW:
            self.settle(row_id)
        return row_id

    def change(self, row_id: int, what: str, more: Mapping[str, object]) -> int:
        """Do one of the things that are done to rows; answers the row that came of it. Raises
        ``NoSuch`` or ``NotDone``."""
        changes: dict[str, Callable[[], int | None]] = {
            "post": lambda: self._post(row_id, self._books.today()),
            "settle": lambda: self.settle(row_id),
            "renumber": lambda: self._renumber(row_id),
            "vanish": lambda: self.vanish(row_id),
            "reverse": lambda: self._reverse(row_id),
            "rewrite": lambda: self._rewrite(row_id, more),
        }
        made = changes[what]()
        return row_id if made is None else made

    def settle(self, row_id: int) -> None:
        """Post a pending row, or give an unnumbered one its number. Done already, it stays so."""
        row = self.row(row_id)
        if row["vanished"]:
            raise NotDone("it has vanished")
        if row["posted_order"]:
            return
        self._post(row_id, self._books.today())
        running = self._books.book(row["account_id"], _moved(row))
        self._books.run(
            "UPDATE rows SET posted_order = ?, running = ?, due = NULL WHERE row_id = ?",
            *(self._books.next_order(row["account_id"]), running, row_id),
        )

    def settle_due(self) -> None:
        """Whatever has fallen due by now, in that order."""
        due = self._books.all(
            "SELECT row_id FROM rows WHERE due <= ? AND NOT vanished ORDER BY due, row_id",
            self._books.now_s(),
        )
        for row in due:
            self.settle(row["row_id"])

    def vanish(self, row_id: int) -> None:
        """As if it had never been there, its money included."""
        row = self.row(row_id)
        if row["posted_order"] and not row["vanished"]:
            self._books.book(row["account_id"], -_moved(row))
        self._books.run("UPDATE rows SET vanished = 1, due = NULL WHERE row_id = ?", row_id)

    def _post(self, row_id: int, day: date) -> None:
        """Give a pending row its days; it has no number yet."""
        row = self.row(row_id)
        self._books.run(
            "UPDATE rows SET posting_date = ?, value_date = transaction_date, running = ?"
            " WHERE row_id = ? AND posting_date IS NULL",
            *(day.isoformat(), self.current(row["account_id"]) + _moved(row), row_id),
        )

    def _renumber(self, row_id: int) -> None:
        """Another number, and so another uuid."""
        row = self.row(row_id)
        if not row["posted_order"]:
            raise NotDone("it has no number")
        self._books.run(
            "UPDATE rows SET posted_order = ? WHERE row_id = ?",
            *(self._books.next_order(row["account_id"]), row_id),
        )

    def _reverse(self, row_id: int) -> int:
        """The same amount the other way, as banks undo what they posted."""
        row = self.row(row_id)
        return self.move(
            Movement(
                account_id=row["account_id"],
                amount=row["amount"],
                description=f"REVERSAL {row['description']}",
                credit=not row["credit"],
                transaction_type=row["transaction_type"],
            )
        )

    def _rewrite(self, row_id: int, more: Mapping[str, object]) -> None:
        """Another amount or text under the same number."""
        row = self.row(row_id)
        amount, description = more.get("amount_cents"), more.get("description")
        self._books.run(
            "UPDATE rows SET amount = coalesce(?, amount),"
            " description = coalesce(substr(?, 1, ?), description) WHERE row_id = ?",
            *(amount, description, DESCRIPTION, row_id),
        )
        if row["posted_order"]:
            difference = _moved(self.row(row_id)) - _moved(row)
            self._books.book(row["account_id"], difference)
            self._books.run(
                "UPDATE rows SET running = running + ? WHERE row_id = ?", difference, row_id
            )

    def _open(self, account_id: str, *, pending: bool, credits_too: bool) -> int:
        """The sum of rows that have no number yet."""
        (found,) = self._books.all(
            "SELECT coalesce(sum(CASE credit WHEN 1 THEN amount ELSE -amount END), 0) AS cents"
            " FROM rows WHERE account_id = ? AND posted_order = 0 AND NOT vanished"
            " AND (? OR posting_date IS NOT NULL) AND (? OR credit = 0)",
            *(account_id, pending, credits_too),
        )
        return int(found["cents"])


def _moved(row: sqlite3.Row) -> int:
    return int(row["amount"]) if row["credit"] else -int(row["amount"])
