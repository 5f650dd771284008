"""What a person has to look at about the bank's statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from bank import exceptions
from bank.sql import ACTIONS as SQL
from gateway import bank_documents
from gateway.answers import OK
from gateway.backend import Backend
from gateway.bank_bodies import NewResolution
from gateway.bank_schemas import BankExceptionPage, BankExceptionSchema
from gateway.banking import TAG, deciding, listed, segment_id
from gateway.bodies import validated
from gateway.call import Call
from gateway.operations import MAKERS, READERS, Operation, Success
from gateway.parameters import CURSOR, LIMIT, Parameter
from gateway.payout_orders import bank_of, person_of
from gateway.problems import GatewayCode
from gateway.reading import read_document
from gateway.response import Answer

_ALL: Final = "/v1/bank/exceptions"
_STATE: Final = Parameter(
    "state", {"type": "string", "enum": ["open", "all"], "default": "open"}, "Which ones."
)


class BankExceptions:
    """The routes below ``/v1/bank/exceptions``."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def page(self, call: Call) -> Answer:
        open_only = call.query.choice(_STATE.name, ("open", "all"), "open") == "open"
        books = self._backend.services.books

        async def find(before: UUID, limit: int) -> Sequence[Mapping[str, Any]]:
            return await books.fetch(SQL.exceptions, before, open_only, limit)

        return await listed(call, (_ALL, open_only), find, bank_documents.exception, "exception_id")

    async def resolve(self, call: Call) -> Answer:
        body = validated(NewResolution, await read_document(call))
        exception_id, person = segment_id(call, "exceptionId", "exception"), person_of(call)
        async with deciding(self._backend) as connection:
            await exceptions.acknowledge(connection, exception_id, person, body.reason)
        found = await bank_of(self._backend.services).fetchrow(SQL.exception, exception_id)
        return Answer(OK, bank_documents.exception(found))

    def operations(self) -> list[Operation]:
        return [
            Operation(
                method="GET",
                path=_ALL,
                answer=self.page,
                access=READERS,
                tag=TAG,
                summary="What a person has to look at, the latest first",
                success={OK: Success("A page of them", BankExceptionPage)},
                query=(_STATE, LIMIT, CURSOR),
            ),
            Operation(
                method="POST",
                path=_ALL + "/{exceptionId}/resolutions",
                answer=self.resolve,
                access=MAKERS,
                tag=TAG,
                summary="Be done with an exception that only tells",
                description="`ACKNOWLEDGED`: seen. What books a row or drops one is an action about"
                " the row.",
                success={OK: Success("The exception as it stands now", BankExceptionSchema)},
                problems=(GatewayCode.BANK_NOT_FOUND, GatewayCode.BANK_CONFLICT),
                body=NewResolution,
                example={"resolution": "ACKNOWLEDGED", "reason": "the bank corrected a typo"},
                stores=True,
            ),
        ]
