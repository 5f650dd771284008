"""What helps to attribute deposits: aliases, and payments that somebody expects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

from bank import approving, hints
from bank.hints import Expected
from bank.sql import ACTIONS as SQL
from gateway import bank_documents
from gateway.answers import CREATED, NO_CONTENT, OK
from gateway.backend import Backend
from gateway.bank_bodies import NewAlias, NewExpectedPayment, NewWord
from gateway.bank_schemas import (
    AliasPage,
    AliasSchema,
    ExpectedPaymentPage,
    ExpectedPaymentSchema,
)
from gateway.banking import LAST_ID, TAG, deciding, listed, member_id, saying, segment_id
from gateway.bodies import validated
from gateway.call import Call
from gateway.operations import MAKERS, READERS, Operation, Success
from gateway.parameters import CURSOR, LIMIT
from gateway.payout_orders import person_of
from gateway.problems import GatewayCode, Refusal, invalid
from gateway.reading import read_document
from gateway.response import Answer

_ALIASES: Final = "/v1/bank/aliases"
_EXPECTED: Final = "/v1/bank/expected-payments"


class BankHints:
    """The routes below ``/v1/bank/aliases`` and ``/v1/bank/expected-payments``."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def add_alias(self, call: Call) -> Answer:
        body = validated(NewAlias, await read_document(call))
        wallet_id = member_id(body.wallet_id, "/walletId")
        person = person_of(call)
        async with deciding(self._backend) as connection:
            alias_id = await hints.add_alias(
                connection, body.account_id, body.alias, wallet_id, person
            )
            (found,) = await connection.fetch(SQL.aliases, _next(alias_id), 1)
        return Answer(CREATED, bank_documents.alias(found))

    async def approve_alias(self, call: Call) -> Answer:
        body = validated(NewWord, await read_document(call))
        alias_id, person = segment_id(call, "aliasId", "alias"), person_of(call)
        async with deciding(self._backend) as connection:
            await approving.approve_alias(connection, alias_id, person, body.reason)
            (found,) = await connection.fetch(SQL.aliases, _next(alias_id), 1)
        return Answer(OK, bank_documents.alias(found))

    async def end_alias(self, call: Call) -> Answer:
        return await self._end(call, "aliasId", "alias", SQL.end_alias)

    async def aliases(self, call: Call) -> Answer:
        return await self._page(call, _ALIASES, SQL.aliases, bank_documents.alias, "alias_id")

    async def expect(self, call: Call) -> Answer:
        body = validated(NewExpectedPayment, await read_document(call))
        wallet_id = member_id(body.wallet_id, "/walletId")
        expected = Expected(
            body.account_id,
            wallet_id,
            body.amount,
            _day(body.first_day, "/firstDay"),
            _day(body.last_day, "/lastDay"),
            body.note,
        )
        async with deciding(self._backend) as connection:
            expected_id = await hints.expect(connection, expected, call.key.key_id)
            (found,) = await connection.fetch(SQL.expectations, _next(expected_id), 1)
        return Answer(CREATED, bank_documents.expected_payment(found))

    async def end_expected(self, call: Call) -> Answer:
        return await self._end(call, "expectedId", "expected payment", SQL.end_expected)

    async def expectations(self, call: Call) -> Answer:
        document = bank_documents.expected_payment
        return await self._page(call, _EXPECTED, SQL.expectations, document, "expected_id")

    async def _page(self, call: Call, path: str, statement: str, document: Any, key: str) -> Answer:
        async def find(before: UUID, limit: int) -> Sequence[Mapping[str, Any]]:
            books = self._backend.services.books
            return await books.fetch(statement, before, limit)

        return await listed(call, (path,), find, document, key)

    async def _end(self, call: Call, segment: str, noun: str, statement: str) -> Answer:
        hint_id = segment_id(call, segment, noun)
        async with deciding(self._backend) as connection:
            if await connection.fetchval(statement, hint_id, call.key.key_id) is None:
                raise Refusal(GatewayCode.BANK_NOT_FOUND, f"there is no such {noun} in force")
        return Answer(NO_CONTENT)

    def operations(self) -> list[Operation]:
        return [
            _adding(
                _ALIASES, self.add_alias, "Let words stand for a wallet", NewAlias, AliasSchema
            ),
            _listing(_ALIASES, self.aliases, "Aliases that have not ended", AliasPage),
            saying(
                *(_ALIASES + "/{aliasId}", "approvals", self.approve_alias, AliasSchema),
                "Agree to an alias: from then on it counts",
            ),
            _ending(_ALIASES + "/{aliasId}", self.end_alias, "End an alias"),
            _adding(
                _EXPECTED,
                self.expect,
                "Say that an amount is expected: a suggestion, no more",
                NewExpectedPayment,
                ExpectedPaymentSchema,
            ),
            _listing(_EXPECTED, self.expectations, "Payments expected", ExpectedPaymentPage),
            _ending(_EXPECTED + "/{expectedId}", self.end_expected, "Expect a payment no more"),
        ]


_EXAMPLES: Final = {
    _ALIASES: {
        "accountId": "172878438321553632224",
        "alias": "Naidoo rent",
        "walletId": "0198f0a4-2c8e-7d31-9f0e-3a5b8c1d2e4f",
    },
    _EXPECTED: {
        "accountId": "172878438321553632224",
        "walletId": "0198f0a4-2c8e-7d31-9f0e-3a5b8c1d2e4f",
        "amount": "8500.00",
        "firstDay": "2026-05-01",
        "lastDay": "2026-05-07",
    },
}


def _adding(path: str, answer: Any, summary: str, body: Any, schema: Any) -> Operation:
    return Operation(
        method="POST",
        path=path,
        answer=answer,
        access=MAKERS,
        tag=TAG,
        summary=summary,
        success={
            CREATED: Success("It is kept; an alias waits for another person's approval", schema)
        },
        problems=(GatewayCode.BANK_CONFLICT, GatewayCode.SAME_OWNER),
        body=body,
        example=_EXAMPLES[path],
        stores=True,
    )


def _listing(path: str, answer: Any, summary: str, page: Any) -> Operation:
    return Operation(
        method="GET",
        path=path,
        answer=answer,
        access=READERS,
        tag=TAG,
        summary=summary,
        success={OK: Success("A page of them", page)},
        query=(LIMIT, CURSOR),
    )


def _ending(path: str, answer: Any, summary: str) -> Operation:
    return Operation(
        method="DELETE",
        path=path,
        answer=answer,
        access=MAKERS,
        tag=TAG,
        summary=summary,
        success={NO_CONTENT: Success("It is no longer in force")},
        problems=(GatewayCode.BANK_NOT_FOUND,),
        stores=True,
    )


def _day(text: str, pointer: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise invalid("is no day", pointer) from None


def _next(hint_id: UUID) -> UUID:
    """Lists go on after an id; this is the place right before it."""
    return UUID(int=min(hint_id.int + 1, LAST_ID.int))
