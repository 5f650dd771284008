"""Beneficiaries, and payments from the moment the bank takes them in."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from typing import Final

from bank.simulator.books import Books, NoSuch, NotDone
from bank.simulator.rows import Movement, Rows, Settles

_SATURDAY: Final = 5
_MOST_WORKING_DAYS: Final = 10


class PaymentState(Enum):
    AWAITING_AUTHORISATION = "AWAITING_AUTHORISATION"
    DECLINED = "DECLINED"
    LAPSED = "LAPSED"
    TAKEN = "TAKEN"
    """Its row is pending or posted."""
    FAILED = "FAILED"
    """Its pending row has gone again."""
    RETURNED = "RETURNED"


class NeverPaid(NotDone):
    """Nobody has paid this beneficiary in the bank's own pages."""


class NoFunds(NotDone):
    """The account has not so much."""


class Twin(NotDone):
    """The same was paid today, and the bank is assumed to mind."""


@dataclass(frozen=True, slots=True)
class NewBeneficiary:
    name: str
    account_number: str
    beneficiary_id: str | None = None
    code: str = "580105"
    bank: str = "INVESTEC BANK"
    last_paid: date | None = None
    faster: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """One item of a list."""

    account_id: str
    target: str
    own: bool
    """Whether the target is another of the holder's accounts."""
    amount: int
    mine: str
    theirs: str
    faster: bool = False
    working_days: int | None = None
    """How long the authorisers may take; 0: today."""


class Payments:
    def __init__(self, books: Books, rows: Rows) -> None:
        self._books, self._rows = books, rows

    def add_beneficiary(self, new: NewBeneficiary) -> str:
        """As somebody does in the bank's own pages; never paid unless it says when."""
        beneficiary_id = new.beneficiary_id or secrets.token_urlsafe(16)
        paid = None if new.last_paid is None else new.last_paid.isoformat()
        self._books.run(
            "INSERT INTO beneficiaries VALUES (?, ?, ?, ?, ?, ?, NULL, ?)"
            " ON CONFLICT (beneficiary_id) DO UPDATE SET name = excluded.name,"
            " account_number = excluded.account_number, code = excluded.code,"
            " bank = excluded.bank, last_paid = excluded.last_paid, faster = excluded.faster",
            *(beneficiary_id, new.name, new.account_number, new.code, new.bank, paid, new.faster),
        )
        return beneficiary_id

    def beneficiaries(self) -> list[sqlite3.Row]:
        return self._books.all("SELECT * FROM beneficiaries ORDER BY name, beneficiary_id")

    def all(self) -> list[sqlite3.Row]:
        return self._books.all("SELECT * FROM payments ORDER BY made, reference")

    def payment(self, reference: str) -> sqlite3.Row:
        """Raises ``NoSuch``."""
        return self._books.one("SELECT * FROM payments WHERE reference = ?", reference)

    def take(self, asked: Asked) -> sqlite3.Row:
        """Take a payment in. Raises ``NotDone`` or ``NoSuch``. Twice asked is twice paid, unless it
        is assumed otherwise: the bank knows no key of the caller's."""
        self._check(asked)
        assumed = self._books.assumptions
        waits = assumed.authorisation_required and not asked.own
        state = PaymentState.AWAITING_AUTHORISATION if waits else PaymentState.TAKEN
        reference = f"UBP{secrets.randbelow(10**10):010}"
        self._books.run(
            "INSERT INTO payments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            *(reference, asked.account_id, asked.target, asked.own, asked.amount),
            *(asked.mine, asked.theirs, asked.faster, state.value, self._books.now_s()),
            self._lapses(asked) if waits else None,
        )
        if not waits:
            self._make(reference)
        return self.payment(reference)

    def decide(self, reference: str, what: str) -> None:
        """What people or other banks do to a payment. Raises ``NoSuch`` or ``NotDone``."""
        ways: dict[str, tuple[PaymentState, PaymentState, Callable[[str], None] | None]] = {
            "approve": (PaymentState.AWAITING_AUTHORISATION, PaymentState.TAKEN, self._make),
            "decline": (PaymentState.AWAITING_AUTHORISATION, PaymentState.DECLINED, None),
            "fail": (PaymentState.TAKEN, PaymentState.FAILED, self._fail),
            "return": (PaymentState.TAKEN, PaymentState.RETURNED, self._give_back),
        }
        before, after, act = ways[what]
        state = self.payment(reference)["state"]
        if state != before.value:
            raise NotDone(f"it is {state}")
        if act is not None:
            act(reference)
        self._books.run("UPDATE payments SET state = ? WHERE reference = ?", after.value, reference)

    def lapse_due(self) -> None:
        """Whatever nobody has authorised in time."""
        self._books.run(
            "UPDATE payments SET state = ? WHERE state = ? AND lapses <= ?",
            *(PaymentState.LAPSED.value, PaymentState.AWAITING_AUTHORISATION.value),
            self._books.now_s(),
        )

    def _check(self, asked: Asked) -> None:
        if asked.own:
            self._books.account(asked.target)
            if asked.target == asked.account_id:
                raise NoSuch(asked.target)
        elif self._beneficiary(asked.target)["last_paid"] is None:
            raise NeverPaid("The beneficiary has to be paid once via online banking first.")
        if asked.amount > self._rows.available(asked.account_id):
            raise NoFunds("Insufficient funds available.")
        if self._books.assumptions.twins == "refused" and self._has_twin(asked):
            raise Twin("A duplicate payment was found.")

    def _has_twin(self, asked: Asked) -> bool:
        day_began_s = self._books.end_of(self._books.today()) - 86_400
        return bool(
            self._books.all(
                "SELECT 1 FROM payments WHERE account_id = ? AND target = ? AND amount = ?"
                " AND mine = ? AND made >= ?",
                *(asked.account_id, asked.target, asked.amount, asked.mine, day_began_s),
            )
        )

    def _lapses(self, asked: Asked) -> float:
        if asked.working_days is None:
            return self._books.now_s() + self._books.assumptions.authorisation_lapses_s
        day = self._books.today()
        for _ in range(min(asked.working_days, _MOST_WORKING_DAYS)):
            day += timedelta(days=1)
            while day.weekday() >= _SATURDAY:
                day += timedelta(days=1)
        return self._books.end_of(day)

    def _make(self, reference: str) -> None:
        payment, assumed = self.payment(reference), self._books.assumptions
        mine, theirs = payment["mine"], payment["theirs"]
        words = {"mine": mine, "theirs": theirs, "mine-and-theirs": f"{mine} {theirs}"}
        kind = "FasterPay" if payment["faster"] else "OnlineBankingPayments"
        row_id = self._rows.move(
            Movement(
                account_id=payment["account_id"],
                amount=payment["amount"],
                description=words[assumed.debit_description],
                credit=False,
                transaction_type=None if payment["own"] else kind,
                settles=Settles.LATER,
                after_s=assumed.payment_settles_s,
            )
        )
        self._books.run("UPDATE payments SET row_id = ? WHERE reference = ?", row_id, reference)
        if payment["own"]:
            self._arrive(payment)
            return
        self._books.run(
            "UPDATE beneficiaries SET last_paid = ?, last_amount = ? WHERE beneficiary_id = ?",
            *(self._books.today().isoformat(), payment["amount"], payment["target"]),
        )

    def _arrive(self, payment: sqlite3.Row) -> None:
        self._rows.move(
            Movement(
                account_id=payment["target"],
                amount=payment["amount"],
                description=payment["theirs"],
                transaction_type=None,
                settles=Settles.LATER,
                after_s=self._books.assumptions.payment_settles_s,
            )
        )

    def _fail(self, reference: str) -> None:
        row = self._rows.row(self.payment(reference)["row_id"])
        if row["posted_order"]:
            raise NotDone("its row is posted: it can only be returned")
        self._rows.vanish(row["row_id"])

    def _give_back(self, reference: str) -> None:
        """The other bank sends it back: its row stays, and another one comes."""
        payment = self.payment(reference)
        self._rows.settle(payment["row_id"])
        named = {"mine": payment["mine"], "bank-reference": reference, "neither": ""}
        words = f"RETURNED {named[self._books.assumptions.return_description]}"
        self._rows.move(
            Movement(
                account_id=payment["account_id"],
                amount=payment["amount"],
                description=words.rstrip(),
                transaction_type="OnlineBankingPayments",
            )
        )

    def _beneficiary(self, beneficiary_id: str) -> sqlite3.Row:
        return self._books.one(
            "SELECT * FROM beneficiaries WHERE beneficiary_id = ?", beneficiary_id
        )
