"""Statement files: handing them in, seeing what they say, and what a second person says to them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import uuid_utils.compat

from bank import approving
from bank.files.formats import FORMATS, ColumnsInvalid, columns_of
from bank.sql import DEPOSITS as SQL
from gateway import bank_documents
from gateway.answers import ACCEPTED, OK
from gateway.backend import Backend
from gateway.bank_bodies import NewWord
from gateway.bank_schemas import StatementPage, StatementSchema
from gateway.banking import TAG, Say, deciding, listed, saying, segment_id, wake
from gateway.bodies import validated
from gateway.call import Call
from gateway.deposits import is_followed
from gateway.operations import MAKERS, READERS, Operation, Success
from gateway.parameters import CURSOR, LIMIT, Parameter, invalid_parameter
from gateway.payout_orders import bank_of, person_of
from gateway.problems import GatewayCode, Refusal
from gateway.reading import read_document
from gateway.response import Answer

_ALL: Final = "/v1/bank/statements"
_ONE: Final = "/v1/bank/statements/{statementId}"
#: A year of a busy account; a file is read as a whole.
_LARGEST_FILE: Final = 16 * 1024 * 1024
_ACCOUNT_SCHEMA: Final = {"type": "string", "maxLength": 40}
_ACCOUNT: Final = Parameter("accountId", _ACCOUNT_SCHEMA, "Only those of this account.")
_OF_ACCOUNT: Final = Parameter(
    "accountId", _ACCOUNT_SCHEMA, "Whose statement it is.", required=True
)
_STATUSES: Final = ("RECEIVED", "AWAITING_APPROVAL", "APPROVED", "DONE", "REFUSED", "FAILED")
_STATUS: Final = Parameter(
    "status", {"type": "string", "enum": list(_STATUSES)}, "Only those that stand so."
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
_SUFFIXES: Final = {"MT940": "sta", "CAMT053": "xml", "OFX": "ofx", "CSV": "csv"}
#: Somebody's upload: nobody's browser is to make anything of it.
_BYTES: Final = "application/octet-stream"


class BankStatements:
    """The routes below ``/v1/bank/statements``."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

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
            if not await is_followed(connection, account_id):
                raise invalid_parameter(_OF_ACCOUNT.name, "names no account that is followed")
            statement_id = await connection.fetchval(
                SQL.hand_in,
                uuid_utils.compat.uuid7(),
                account_id,
                format_,
                columns,
                digest,
                body,
                person.key_id,
                person.owner,
            ) or await connection.fetchval(SQL.hand_in_again, account_id, digest)
        await wake(self._backend, "statements")
        return await self._told(statement_id, ACCEPTED)

    async def page(self, call: Call) -> Answer:
        account_id = call.query.text(_ACCOUNT.name, 1, 40)
        status = call.query.choice(_STATUS.name, ("", *_STATUSES), "") or None

        async def find(before: UUID, limit: int) -> Sequence[Mapping[str, Any]]:
            books = self._backend.services.books
            return await books.fetch(SQL.statements, before, account_id, status, limit)

        question = (_ALL, account_id, status)
        return await listed(call, question, find, bank_documents.statement, "statement_id")

    async def get(self, call: Call) -> Answer:
        return await self._told(segment_id(call, "statementId", "statement"), OK)

    async def file(self, call: Call) -> Answer:
        """The very bytes that were handed in."""
        statement_id = segment_id(call, "statementId", "statement")
        found = await bank_of(self._backend.services).fetchrow(SQL.statement_file, statement_id)
        if found is None:
            raise _not_found()
        suffix = _SUFFIXES[found["format"]]
        name = f'attachment; filename="statement-{statement_id}.{suffix}"'
        headers = ((b"content-disposition", name.encode()),)
        return Answer(OK, found["body"], headers, _BYTES.encode())

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
        return await self._told(statement_id, OK)

    async def _told(self, statement_id: UUID, status: int) -> Answer:
        found = await bank_of(self._backend.services).fetchrow(SQL.statement, statement_id)
        if found is None:
            raise _not_found()
        location = (b"location", f"{_ALL}/{statement_id}".encode())
        return Answer(status, bank_documents.statement(found), (location,))

    def operations(self) -> list[Operation]:
        return [*self._files(), *self._reads(), *self._words()]

    def _files(self) -> list[Operation]:
        return [
            Operation(
                method="POST",
                path=_ALL,
                answer=self.hand_in,
                access=MAKERS,
                tag=TAG,
                summary="Hand in a statement file",
                description="Each row of it is booked once, whichever file or look at the bank it"
                " came by first. The same file again is the first one. It waits for another"
                " person's approval.",
                success={ACCEPTED: Success("It has arrived", StatementSchema)},
                problems=(GatewayCode.SAME_OWNER,),
                query=(_OF_ACCOUNT, _FORMAT, _COLUMNS),
                files={_BYTES: "", "text/csv": "Date,Amount,Details\n"},
                stores=True,
            ),
            Operation(
                method="GET",
                path=f"{_ONE}/file",
                answer=self.file,
                access=READERS,
                tag=TAG,
                summary="A statement file",
                description="Byte for byte as it was handed in: `sha256` of the statement is its"
                " digest.",
                success={OK: Success("The file", media_type=_BYTES)},
                problems=(GatewayCode.BANK_NOT_FOUND,),
            ),
        ]

    def _reads(self) -> list[Operation]:
        return [
            Operation(
                method="GET",
                path=_ALL,
                answer=self.page,
                access=READERS,
                tag=TAG,
                summary="Statement files, the latest first",
                success={OK: Success("A page of them", StatementPage)},
                query=(_STATUS, _ACCOUNT, LIMIT, CURSOR),
            ),
            Operation(
                method="GET",
                path=_ONE,
                answer=self.get,
                access=READERS,
                tag=TAG,
                summary="What a statement file says, and what came of it",
                success={OK: Success("The statement", StatementSchema)},
                problems=(GatewayCode.BANK_NOT_FOUND,),
            ),
        ]

    def _words(self) -> list[Operation]:
        return [
            saying(
                *(_ONE, "approvals", self.approve, StatementSchema),
                "Believe a statement file that somebody else has handed in",
            ),
            saying(
                *(_ONE, "refusals", self.refuse, StatementSchema),
                "Refuse a statement file, or take back one's own",
            ),
        ]


def _not_found() -> Refusal:
    return Refusal(GatewayCode.BANK_NOT_FOUND, "there is no such statement")


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
