"""Asking the bank, with what its answers mean for whoever must not pay twice.

Reading is asked again until its time is up. A payment is sent again only where the bank has
certainly not looked at it (no connection, no good token, 429), never otherwise: the bank has no
idempotency key.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import quote

from bank.investec import reading
from bank.investec.access import Access, Patience
from bank.investec.calls import (
    NO_ANSWER,
    NOT_SENT,
    TOO_MANY,
    Answer,
    Before,
    Calls,
    Pauses,
    Sleep,
    now_s,
    said,
)
from bank.investec.errors import OutcomeUnknown, Unavailable
from bank.investec.fields import Unreadable, document
from bank.investec.records import (
    Account,
    AuthorisationSetup,
    Balance,
    Beneficiary,
    Payment,
    Rows,
    Submitted,
)

_PRIVATE: Final = "/za/pb/v1"
#: A payment so answered was not looked at: who asks is not known, or may not.
_NOT_ADMITTED: Final = frozenset({401, 403})
#: A payment so answered, and in words, was looked at and not made. Nothing else is a refusal: least
#: of all a success that complains, which is documented nowhere.
_REFUSALS: Final = frozenset({400, 404, 422})

Read = TypeVar("Read")


async def _nothing() -> None:
    """What a payment waits for where its caller has not said."""


class Investec:
    """One client of the bank's; tasks may share it."""

    def __init__(self, calls: Calls, patience: Patience, *, sleep: Sleep = asyncio.sleep) -> None:
        self._calls, self._patience, self._sleep = calls, patience, sleep

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, access: Access, patience: Patience | None = None
    ) -> AsyncIterator[Investec]:
        """With connections of its own, for the time of the block; nothing is asked yet."""
        patience = patience or Patience()
        async with Calls.connected(access, patience) as calls:
            yield cls(calls, patience)

    async def accounts(self) -> list[Account]:
        return await self._read(f"{_PRIVATE}/accounts", reading.accounts)

    async def balance(self, account_id: str) -> Balance:
        """As the bank shows it now: rows that are not posted yet may be in it or not. What is owed
        on a credit card or a loan is shown as more than zero."""
        return await self._read(
            f"{_account(account_id)}/balance", lambda answer: reading.balance(answer, account_id)
        )

    async def transactions(
        self, account_id: str, first: date, last: date, *, include_pending: bool = False
    ) -> Rows:
        """Rows of these days, both included, oldest first; nowhere is it written which of a row's
        dates is meant, so ask for more days than are needed.

        Should the bank ever answer in pages, which it offers no way to ask for, fewer days are
        asked for at a time: a part is never taken for the whole.
        """
        if first > last:
            raise ValueError("the first day is after the last")
        path = f"{_account(account_id)}/transactions"
        asked = {"fromDate": first.isoformat(), "toDate": last.isoformat()}
        if include_pending:
            asked["includePending"] = "true"
        pages, found = await self._read(
            path,
            lambda answer: (reading.pages(answer), reading.transactions(answer, account_id)),
            asked,
        )
        if pages == 1:
            return found
        if first == last:
            raise Unavailable(f"{first} has {pages} pages, and there is no way to ask for them")
        middle = first + (last - first) // 2
        return reading.joined(
            # Pending rows are of no day yet, and would come with either half: one of them asks.
            await self.transactions(account_id, first, middle),
            await self.transactions(
                account_id, middle + timedelta(days=1), last, include_pending=include_pending
            ),
        )

    async def pending(self, account_id: str) -> Rows:
        return await self._read(
            f"{_account(account_id)}/pending-transactions",
            lambda answer: reading.pending_transactions(answer, account_id),
        )

    async def beneficiaries(self) -> list[Beneficiary]:
        """Without those that cannot be read: to them nothing is paid."""
        return await self._read(f"{_PRIVATE}/accounts/beneficiaries", reading.beneficiaries)

    async def authorisation_setup(self, profile_id: str, account_id: str) -> AuthorisationSetup:
        """Who of the holder's people has to authorise payments, and for how long they may."""
        account = f"/profiles/{quote(profile_id, safe='')}/accounts/{quote(account_id, safe='')}"
        return await self._read(
            f"{_PRIVATE}{account}/authorisationsetupdetails", reading.authorisation_setup
        )

    async def pay(self, account_id: str, payment: Payment, before: Before = _nothing) -> Submitted:
        """Pay one beneficiary. Raises any ``BankError``; cancelled, it may have been made.

        ``before`` is awaited each time that it is about to leave, the last moment to raise what
        speaks against it: then it was not sent, and is not.

        One item per call: what happens to the others where one of several is refused is nowhere
        written.
        """
        item = {"beneficiaryId": payment.beneficiary_id, **_money(payment)}
        if payment.authorisers is not None:
            item |= {
                "authoriserAId": payment.authorisers.first_id,
                "authoriserBId": payment.authorisers.second_id,
                "authPeriodId": payment.authorisers.period_id,
            }
        if payment.faster:
            item["fasterPayment"] = True
        path = f"{_account(account_id)}/paymultiple"
        return await self._send(path, {"paymentList": [item]}, before)

    async def transfer(self, account_id: str, payment: Payment) -> Submitted:
        """Pay another of the holder's own accounts. Raises any ``BankError``."""
        item = {"beneficiaryAccountId": payment.beneficiary_id, **_money(payment)}
        path = f"{_account(account_id)}/transfermultiple"
        return await self._send(path, {"transferList": [item]})

    async def _read(
        self, path: str, understand: Callable[[Any], Read], asked: dict[str, str] | None = None
    ) -> Read:
        """Ask until the bank answers or patience ends. Raises ``Unavailable`` or ``Refused``."""
        pauses = Pauses(self._patience.again_s, self._sleep)
        while True:
            after_s = 0.0
            try:
                answer = await self._calls.get(path, asked)
                if not answer.is_passing:
                    return understand(document(answer.accepted()))
                problem, after_s = f"the bank answered {answer.text}", answer.retry_after_s
            except (*NO_ANSWER, Unreadable) as error:
                problem = said(error)
            except Unavailable as error:
                problem = str(error)
            await pauses.rest(path, problem, after_s)

    async def _send(self, path: str, body: dict[str, Any], before: Before = _nothing) -> Submitted:
        """Ask for one payment, and never again once the bank may have heard it."""
        pauses = Pauses(self._patience.payment_again_s, self._sleep)

        async def in_time() -> None:
            await before()
            if now_s() > pauses.until_s:
                raise Unavailable("held up for too long before it was sent")

        while True:
            after_s = 0.0
            try:
                answer = await self._calls.post(path, body, in_time)
                if answer.status != TOO_MANY:
                    return _understood(answer)
                # "Retry the request": it was counted, not looked at.
                problem, after_s = f"the bank answered {answer.text}", answer.retry_after_s
            except Unavailable as error:
                problem = str(error)
            except NOT_SENT as error:
                problem = f"nothing was sent: {said(error)}"
            except NO_ANSWER as error:
                raise OutcomeUnknown(f"no answer: {said(error)}") from error
            await pauses.rest(path, problem, after_s)


def _understood(answer: Answer) -> Submitted:
    """What a payment came to. Raises ``Refused`` or ``OutcomeUnknown``."""
    if answer.status in _NOT_ADMITTED or (answer.status in _REFUSALS and answer.has_words):
        raise answer.refusal
    if not answer.is_success:
        raise OutcomeUnknown(f"the bank answered {answer.text}")
    try:
        return reading.submitted(document(answer.body))
    except Unreadable as error:
        raise OutcomeUnknown(f"the bank's answer cannot be read: {error}") from error


def _account(account_id: str) -> str:
    return f"{_PRIVATE}/accounts/{quote(account_id, safe='')}"


def _money(payment: Payment) -> dict[str, Any]:
    return {
        "amount": format(payment.amount, "f"),
        "myReference": payment.my_reference,
        "theirReference": payment.their_reference,
    }
