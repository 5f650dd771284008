"""What the bank said: accounts, rows, looking at it now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import uuid_utils.compat

from bank.sql import ACTIONS, DEPOSITS
from gateway import bank_documents
from gateway.answers import ACCEPTED, OK
from gateway.backend import Backend
from gateway.bank_bodies import NewFetch
from gateway.bank_schemas import BankAccountPage, BankRowPage, FetchSchema
from gateway.banking import TAG, deciding, listed, segment_id, wake
from gateway.bodies import validated
from gateway.call import Call
from gateway.operations import MAKERS, READERS, Operation, Success
from gateway.parameters import CURSOR, LIMIT, Parameter
from gateway.payout_orders import bank_of
from gateway.problems import GatewayCode, Refusal, invalid
from gateway.reading import read_document
from gateway.response import Answer

_ACCOUNTS: Final = "/v1/bank/accounts"
_ROWS: Final = "/v1/bank/rows"
_FETCHES: Final = "/v1/bank/fetches"
_ACCOUNT: Final = Parameter(
    "accountId", {"type": "string", "maxLength": 40}, "Only those of this account."
)


class Deposits:
    """The routes below ``/v1/bank`` that only say what the bank said, or ask it."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def accounts(self, call: Call) -> Answer:
        found = await self._books().fetch(DEPOSITS.accounts)
        return Answer(
            OK, {"items": [bank_documents.account(each) for each in found], "nextCursor": None}
        )

    async def rows(self, call: Call) -> Answer:
        account_id = call.query.text(_ACCOUNT.name, 1, 40)

        async def find(before: UUID, limit: int) -> Sequence[Mapping[str, Any]]:
            found: Sequence[Mapping[str, Any]] = await self._books().fetch(
                ACTIONS.rows, before, account_id, limit
            )
            return found

        return await listed(call, (_ROWS, account_id), find, bank_documents.row, "row_id")

    async def look(self, call: Call) -> Answer:
        """Have the bank looked at now."""
        body = validated(NewFetch, await read_document(call))
        fetch_id = uuid_utils.compat.uuid7()
        async with deciding(self._backend) as connection:
            if not await is_followed(connection, body.account_id):
                raise invalid("names no account that is followed", "/accountId")
            await connection.execute(DEPOSITS.ask_fetch, fetch_id, body.account_id, call.key.key_id)
        await wake(self._backend, "feed")
        return await self._told(fetch_id, ACCEPTED)

    async def fetch(self, call: Call) -> Answer:
        return await self._told(segment_id(call, "fetchId", "look at the bank"), OK)

    async def _told(self, fetch_id: UUID, status: int) -> Answer:
        found = await bank_of(self._backend.services).fetchrow(DEPOSITS.fetch, fetch_id)
        if found is None:
            raise Refusal(GatewayCode.BANK_NOT_FOUND, "there is no such look at the bank")
        location = (b"location", f"{_FETCHES}/{fetch_id}".encode())
        return Answer(status, bank_documents.fetch(found), (location,))

    def _books(self) -> Any:
        return self._backend.services.books

    def operations(self) -> list[Operation]:
        return [*self._reads(), *self._looks()]

    def _reads(self) -> list[Operation]:
        return [
            Operation(
                method="GET",
                path=_ACCOUNTS,
                answer=self.accounts,
                access=READERS,
                tag=TAG,
                summary="Bank accounts that are followed, or were",
                success={OK: Success("All of them", BankAccountPage)},
            ),
            Operation(
                method="GET",
                path=_ROWS,
                answer=self.rows,
                access=READERS,
                tag=TAG,
                summary="Rows of bank statements, the latest first",
                success={OK: Success("A page of them", BankRowPage)},
                query=(_ACCOUNT, LIMIT, CURSOR),
            ),
        ]

    def _looks(self) -> list[Operation]:
        return [
            Operation(
                method="POST",
                path=_FETCHES,
                answer=self.look,
                access=MAKERS,
                tag=TAG,
                summary="Look at the bank's statement now",
                description="It is looked at every half hour by itself.",
                success={ACCEPTED: Success("It will be", FetchSchema)},
                body=NewFetch,
                example={"accountId": "172878438321553632224"},
                stores=True,
            ),
            Operation(
                method="GET",
                path=_FETCHES + "/{fetchId}",
                answer=self.fetch,
                access=READERS,
                tag=TAG,
                summary="What came of a look at the bank",
                success={OK: Success("The look", FetchSchema)},
                problems=(GatewayCode.BANK_NOT_FOUND,),
            ),
        ]


async def is_followed(connection: Any, account_id: str) -> bool:
    """Whether anybody looks at the account; locked until the end of the transaction."""
    found = await connection.fetchrow(DEPOSITS.lock_account, account_id)
    return found is not None and found["followed_until"] is None
