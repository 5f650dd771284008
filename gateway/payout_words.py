"""What people say to a payout: agreeing, refusing, ending it, going on with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple
from uuid import UUID

from pydantic import BaseModel

from bank.payouts import names, orders, words
from bank.payouts.approvals import Person
from bank.payouts.orders import Payout
from bank.payouts.words import Conflict, NotYours
from bank.sql import LEADING
from gateway.answers import OK
from gateway.backend import Backend
from gateway.bodies import validated
from gateway.books import Books
from gateway.call import Call
from gateway.identifiers import parse_id
from gateway.operations import CHECKERS, MAKERS, Operation, Success
from gateway.payout_bodies import NewApproval, NewPayoutRow, NewReason, NewResumption
from gateway.payout_documents import PayoutSchema
from gateway.payout_orders import bank_of, person_of
from gateway.payouts import ONE, TAG, named, written
from gateway.problems import GatewayCode, Refusal, invalid
from gateway.reading import read_document
from gateway.response import Answer
from ledger.database import Queries
from ledger.keys import Scope

_WITH_REASON: Final = {"reason": "the invoice was checked"}
_ROW_EXAMPLE: Final = {
    "rowId": "0198f0a4-2c8e-7d31-9f0e-3a5b8c1d2e4f",
    "reason": "the bank wrote its own words instead of our reference",
}
_PROBLEMS: Final = (
    GatewayCode.PAYOUT_NOT_FOUND,
    GatewayCode.PAYOUT_CONFLICT,
    GatewayCode.SAME_OWNER,
)

Say = Callable[[Queries, Payout, Person, str], Awaitable[object]]


class _Word(NamedTuple):
    path: str
    access: frozenset[Scope]
    summary: str
    description: str


_APPROVE: Final = _Word(
    "approvals",
    CHECKERS,
    "Agree to a payout, or to giving it up",
    "Neither whoever asked for it nor who agreed before, with whichever key. With `of` to something"
    " else than the payment: that the bank will not pay it (`givingUp`), so that its money is free"
    " again, or that `rowId` is its (`namedRow`).",
)
_REFUSE: Final = _Word(
    "refusals",
    CHECKERS,
    "Refuse a payout, or to give it up",
    "Before the bank was asked this ends it. Where somebody says that the bank will not pay it,"
    " this says that it may, and it goes on being waited for.",
)
_CANCEL: Final = _Word(
    "cancellations",
    MAKERS,
    "End a payout, or say that the bank will not pay it",
    "Before the bank was asked this ends it. Afterwards (`AWAITING_BANK`, `UNKNOWN`) its money"
    " stays held until another person agrees that it was not paid and will not be.",
)
_RESUME: Final = _Word(
    "resumptions",
    MAKERS,
    "Go on with a payout whose beneficiary the bank has by now",
    "Only where it was not paid by hand: from here on the bank is asked for it.",
)


_ROW: Final = _Word(
    "rows",
    MAKERS,
    "Say that a debit which does not name it is this payout's",
    "For a row of its very amount that nobody has booked, because the bank has cut our reference."
    " Another person has to agree (`approvals`); then the payout is settled by it.",
)


class PayoutWords:
    """The routes below a payout."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def approve(self, call: Call) -> Answer:
        body = validated(NewApproval, await read_document(call))
        row_id = _row_of(body)

        async def say(bank: Books, payout: Payout) -> None:
            person = person_of(call)
            if row_id is not None:
                async with bank.connection() as connection, connection.transaction():
                    await words.agree_row(connection, payout, row_id, person, body.reason)
            elif body.of == "GIVING_UP":
                await words.give_up(bank, payout, person, body.reason)
            else:
                await words.approve(bank, payout, person, body.reason)

        return await self._said(call, say)

    async def name_row(self, call: Call) -> Answer:
        body = validated(NewPayoutRow, await read_document(call))
        row_id = parse_id(body.row_id)
        if row_id is None:
            raise invalid("is no row's id", "/rowId")
        return await self._said(
            call,
            lambda bank, payout: words.name_row(bank, payout, row_id, person_of(call), body.reason),
        )

    async def resume(self, call: Call) -> Answer:
        body = validated(NewResumption, await read_document(call))
        return await self._said(
            call, lambda bank, payout: words.resume(bank, payout, person_of(call), body.reason)
        )

    async def refuse(self, call: Call) -> Answer:
        body = validated(NewReason, await read_document(call))
        return await self._with(call, words.refuse, body.reason)

    async def cancel(self, call: Call) -> Answer:
        body = validated(NewReason, await read_document(call))
        return await self._with(call, words.cancel, body.reason)

    async def _with(self, call: Call, say: Say, reason: str) -> Answer:
        return await self._said(
            call, lambda bank, payout: say(bank, payout, person_of(call), reason)
        )

    async def _said(self, call: Call, say: Callable[[Books, Payout], Awaitable[object]]) -> Answer:
        services = self._backend.services
        bank = bank_of(services)
        payout = await named(call, services)
        try:
            await say(bank, payout)
        except NotYours as error:
            raise Refusal(GatewayCode.SAME_OWNER, str(error)) from None
        except Conflict as error:
            raise Refusal(
                GatewayCode.PAYOUT_CONFLICT,
                str(error),
                members={"payout": await written(services, await named(call, services))},
            ) from None
        for step in (names.SUBMIT, names.RELEASE, "booking"):
            await bank.fetch(LEADING.wake, step)
        found = await orders.get(bank, payout.payout_id) or payout
        return Answer(OK, await written(services, found))

    def operations(self) -> list[Operation]:
        return [
            _operation(_APPROVE, self.approve, NewApproval),
            _operation(_REFUSE, self.refuse, NewReason),
            _operation(_CANCEL, self.cancel, NewReason),
            _operation(_RESUME, self.resume, NewResumption),
            _operation(_ROW, self.name_row, NewPayoutRow, _ROW_EXAMPLE),
        ]


def _row_of(body: NewApproval) -> UUID | None:
    """The row that is agreed to: the very one, never whichever is named by now. Raises
    ``Refusal``."""
    row_id = parse_id(body.row_id or "")
    if body.of == "ROW" and row_id is None:
        raise invalid("is needed where a row is agreed to: its id", "/rowId")
    if body.of != "ROW" and body.row_id is not None:
        raise invalid("is for where a row is agreed to, and only for that", "/rowId")
    return row_id


def _operation(
    word: _Word,
    answer: Callable[[Call], Awaitable[Answer]],
    body: type[BaseModel],
    example: Mapping[str, str] = _WITH_REASON,
) -> Operation:
    return Operation(
        method="POST",
        path=f"{ONE}/{word.path}",
        answer=answer,
        access=word.access,
        tag=TAG,
        summary=word.summary,
        description=word.description,
        success={OK: Success("The payout as it stands now", PayoutSchema)},
        problems=_PROBLEMS,
        body=body,
        example=example,
        stores=True,
    )
