"""What the bank said: accounts, rows, looking at it now, statement files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import uuid_utils.compat

from bank import approving
from bank.files.formats import FORMATS, ColumnsInvalid, columns_of
from bank.sql import ACTIONS, DEPOSITS
from gateway import bank_documents
from gateway.answers import ACCEPTED, OK
from gateway.backend import Backend
from gateway.bank_bodies import NewFetch, NewWord
from gateway.bank_schemas import (
    BankAccountPage,
    BankRowPage,
    FetchSchema,
    StatementSchema,
)
from gateway.banking import TAG, Say, deciding, listed, saying, segment_id, wake
from gateway.bodies import validated
from gateway.call import Call
from gateway.operations import MAKERS, READERS, Operation, Success
from gateway.parameters import CURSOR, LIMIT, Parameter, invalid_parameter
from gateway.payout_orders import bank_of, person_of
from gateway.problems import GatewayCode, Refusal, invalid
from gateway.reading import read_document
from gateway.response import Answer

_ACCOUNTS: Final = "/v1/bank/accounts"
_ROWS: Final = "/v1/bank/rows"
_FETCHES: Final = "/v1/bank/fetches"
_STATEMENTS: Final = "/v1/bank/statements"
_STATEMENT: Final = "/v1/bank/statements/{statementId}"
#: A year of a busy account; a file is read as a whole.
_LARGEST_FILE: Final = 16 * 1024 * 1024
_ACCOUNT: Final = Parameter(
    "accountId", {"type": "string", "maxLength": 40}, "Only those of this account."
)
_OF_ACCOUNT: Final = Parameter(
    "accountId", {"type": "string", "maxLength": 40}, "Whose statement it is.", required=True
)
_FORMAT: Final = Parameter(
    "format", {"type": "string", "enum": list(FORMATS)}, "What it is.", required=True
)
_COLUMNS: Final = Parameter(
    "columns",
    {"type": "string", "maxLength": 1000},
    "For CSV: which column is what, as JSON; see docs/bank.md.",
    example='{"date": "Date", "amount": "Amount", "description": "Details"}',
)


class Deposits:
    """The routes below ``/v1/bank`` that only say or bring what the bank said."""

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
            if not await _is_followed(connection, body.account_id):
                raise invalid("names no account that is followed", "/accountId")
            await connection.execute(DEPOSITS.ask_fetch, fetch_id, body.account_id, call.key.key_id)
        await wake(self._backend, "feed")
        return await self._told(fetch_id, ACCEPTED)

    async def fetch(self, call: Call) -> Answer:
        return await self._told(segment_id(call, "fetchId", "look at the bank"), OK)

    async def hand_in(self, call: Call) -> Answer:
        """Take a statement file in; the same one again is the first one."""
        account_id = call.query.required_text(_OF_ACCOUNT.name, 1, 40)
        format_ = call.query.choice(_FORMAT.name, FORMATS, "")
        columns = _columns(format_, call.query.text(_COLUMNS.name, 1, 1000))
        person = person_of(call)
        body = await _body(call)
        # The same bytes read otherwise are another file.
        read_as = f"{format_}\0{columns or ''}\0".encode()
        digest = hashlib.sha256(read_as + body).digest()
        async with deciding(self._backend) as connection:
            if not await _is_followed(connection, account_id):
                raise invalid_parameter(_OF_ACCOUNT.name, "names no account that is followed")
            statement_id = await connection.fetchval(
                DEPOSITS.hand_in,
                uuid_utils.compat.uuid7(),
                account_id,
                format_,
                columns,
                digest,
                body,
                person.key_id,
                person.owner,
            ) or await connection.fetchval(DEPOSITS.statement_of_digest, account_id, digest)
        await wake(self._backend, "statements")
        return await self._handed_in(statement_id, ACCEPTED)

    async def approve(self, call: Call) -> Answer:
        return await self._say(call, approving.approve_statement)

    async def refuse(self, call: Call) -> Answer:
        return await self._say(call, approving.refuse_statement)

    async def _say(self, call: Call, say: Say) -> Answer:
        body = validated(NewWord, await read_document(call))
        statement_id, person = segment_id(call, "statementId", "statement"), person_of(call)
        async with deciding(self._backend) as connection:
            await say(connection, statement_id, person, body.reason)
        await wake(self._backend, "statements")
        return await self._handed_in(statement_id, OK)

    async def statement(self, call: Call) -> Answer:
        return await self._handed_in(segment_id(call, "statementId", "statement"), OK)

    async def _told(self, fetch_id: UUID, status: int) -> Answer:
        found = await bank_of(self._backend.services).fetchrow(DEPOSITS.fetch, fetch_id)
        if found is None:
            raise Refusal(GatewayCode.BANK_NOT_FOUND, "there is no such look at the bank")
        location = (b"location", f"{_FETCHES}/{fetch_id}".encode())
        return Answer(status, bank_documents.fetch(found), (location,))

    async def _handed_in(self, statement_id: UUID, status: int) -> Answer:
        found = await bank_of(self._backend.services).fetchrow(DEPOSITS.statement, statement_id)
        if found is None:
            raise Refusal(GatewayCode.BANK_NOT_FOUND, "there is no such statement")
        location = (b"location", f"{_STATEMENTS}/{statement_id}".encode())
        return Answer(status, bank_documents.statement(found), (location,))

    def _books(self) -> Any:
        return self._backend.services.books

    def operations(self) -> list[Operation]:
        return [*self._reads(), *self._looks(), *self._files()]

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

    def _files(self) -> list[Operation]:
        return [
            Operation(
                method="POST",
                path=_STATEMENTS,
                answer=self.hand_in,
                access=MAKERS,
                tag=TAG,
                summary="Hand in a statement file",
                description="Each row of it is booked once, whichever file or look at the bank it"
                " came by first. The same file again is the first one. It"
                " waits for another person's approval.",
                success={ACCEPTED: Success("It has arrived", StatementSchema)},
                problems=(GatewayCode.SAME_OWNER,),
                query=(_OF_ACCOUNT, _FORMAT, _COLUMNS),
                files={"application/octet-stream": "", "text/csv": "Date,Amount,Details\n"},
                stores=True,
            ),
            Operation(
                method="GET",
                path=_STATEMENT,
                answer=self.statement,
                access=READERS,
                tag=TAG,
                summary="What came of a statement file",
                success={OK: Success("The statement", StatementSchema)},
                problems=(GatewayCode.BANK_NOT_FOUND,),
            ),
            saying(
                *(_STATEMENT, "approvals", self.approve, StatementSchema),
                "Believe a statement file that somebody else has handed in",
            ),
            saying(
                *(_STATEMENT, "refusals", self.refuse, StatementSchema),
                "Refuse a statement file, or take back one's own",
            ),
        ]


async def _is_followed(connection: Any, account_id: str) -> bool:
    """Whether anybody looks at the account; locked until the end of the transaction."""
    found = await connection.fetchrow(DEPOSITS.lock_account, account_id)
    return found is not None and found["followed_until"] is None


def _columns(format_: str, text: str | None) -> str | None:
    if (format_ == "CSV") != (text is not None):
        raise invalid_parameter(_COLUMNS.name, "is for CSV, and only for that")
    if text is None:
        return None
    try:
        columns_of(text)
    except ColumnsInvalid as error:
        raise invalid_parameter(_COLUMNS.name, str(error)) from None
    return json.dumps(json.loads(text), sort_keys=True)


async def _body(call: Call) -> bytes:
    found = bytearray()
    async for part in call.stream():
        found += part
        if len(found) > _LARGEST_FILE:
            raise Refusal(
                GatewayCode.PAYLOAD_TOO_LARGE, f"the file is larger than {_LARGEST_FILE} bytes"
            )
    return bytes(found)
