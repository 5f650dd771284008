"""Suspense, and what two people together do about rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from bank import actions
from bank.actions import Asked, Kind, Share
from bank.sql import ACTIONS as SQL
from gateway import bank_documents
from gateway.answers import ACCEPTED, OK
from gateway.backend import Backend
from gateway.bank_bodies import NewRowAction, NewShare, NewSuspenseAction, NewWord
from gateway.bank_schemas import BankActionPage, BankActionSchema, SuspensePage
from gateway.banking import (
    FIRST_ID,
    TAG,
    Say,
    deciding,
    listed,
    member_id,
    saying,
    segment_id,
    wake,
)
from gateway.bodies import validated
from gateway.call import Call
from gateway.operations import MAKERS, READERS, Operation, Success
from gateway.parameters import CURSOR, LIMIT, Parameter
from gateway.payout_orders import bank_of, person_of
from gateway.problems import GatewayCode, Refusal, invalid
from gateway.reading import read_document
from gateway.response import Answer
from ledger.database import Queries
from ledger.money import exponent_of, to_minor
from ledger.rejections import Code
from topology.documents import Document

_SUSPENSE: Final = "/v1/suspense"
_ACTIONS: Final = "/v1/bank/actions"
_ACTION: Final = "/v1/bank/actions/{actionId}"
_STATUSES: Final = ("AWAITING_APPROVAL", "APPROVED", "AWAITING_BANK", "DONE", "REFUSED", "FAILED")
_STATUS: Final = Parameter(
    "status", {"type": "string", "enum": list(_STATUSES)}, "Only those that stand so."
)
_PROBLEMS: Final = (
    GatewayCode.BANK_NOT_FOUND,
    GatewayCode.BANK_CONFLICT,
    GatewayCode.SAME_OWNER,
)


class Suspense:
    """The routes below ``/v1/suspense`` and ``/v1/bank/actions``."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def suspense(self, call: Call) -> Answer:
        """The oldest first."""
        expected: dict[UUID, list[Mapping[str, Any]]] = {}
        books, now = self._backend.services.books, self._backend.services.clock.now()

        async def find(after: UUID, limit: int) -> Sequence[Mapping[str, Any]]:
            found = await books.fetch(SQL.suspense, after, limit)
            rows = [each["row_id"] for each in found]
            expected.update(
                bank_documents.by_subject(await books.fetch(SQL.expected, rows), "row_id")
            )
            return found

        def document(found: Mapping[str, Any]) -> Document:
            return bank_documents.suspended(found, now, expected.get(found["row_id"], ()))

        return await listed(call, (_SUSPENSE,), find, document, "row_id", ascending=True)

    async def dispose(self, call: Call) -> Answer:
        body = validated(NewSuspenseAction, await read_document(call))
        return await self._ask(call, Kind(body.kind), body.shares, body.reason)

    async def correct(self, call: Call) -> Answer:
        body = validated(NewRowAction, await read_document(call))
        other_id = None if body.same_as is None else member_id(body.same_as, "/sameAs")
        export_id = None if body.export_id is None else member_id(body.export_id, "/exportId")
        shares, reason = body.shares, body.reason
        return await self._ask(call, Kind(body.kind), shares, reason, export_id, other_id)

    async def get(self, call: Call) -> Answer:
        return Answer(OK, await self._document(segment_id(call, "actionId", "action")))

    async def page(self, call: Call) -> Answer:
        status = call.query.choice(_STATUS.name, ("", *_STATUSES), "") or None
        said: dict[UUID, list[Mapping[str, Any]]] = {}
        books = self._backend.services.books

        async def find(before: UUID, limit: int) -> Sequence[Mapping[str, Any]]:
            found = await books.fetch(SQL.actions, before, status, limit)
            said.update(await _words(books, [each["action_id"] for each in found]))
            return found

        def document(found: Mapping[str, Any]) -> Document:
            return bank_documents.action(found, said.get(found["action_id"], ()))

        return await listed(call, (_ACTIONS, status), find, document, "action_id")

    async def approve(self, call: Call) -> Answer:
        return await self._say(call, actions.approve)

    async def refuse(self, call: Call) -> Answer:
        return await self._say(call, actions.refuse)

    async def _ask(
        self,
        call: Call,
        kind: Kind,
        shares: Sequence[NewShare] | None,
        reason: str,
        export_id: UUID | None = None,
        other_id: UUID | None = None,
    ) -> Answer:
        row_id, person = segment_id(call, "rowId", "row"), person_of(call)
        async with deciding(self._backend) as connection:
            currency = await connection.fetchval(SQL.currency, row_id)
            if currency is None:
                raise Refusal(GatewayCode.BANK_NOT_FOUND, "there is no such row")
            rest = (reason, export_id, other_id)
            asked = Asked(kind, row_id, _shares(shares or (), currency), *rest)
            action_id = await actions.ask(connection, asked, person)
        document = await self._document(action_id)
        location = (b"location", f"{_ACTIONS}/{action_id}".encode())
        return Answer(ACCEPTED, document, (location,))

    async def _say(self, call: Call, say: Say) -> Answer:
        body = validated(NewWord, await read_document(call))
        action_id, person = segment_id(call, "actionId", "action"), person_of(call)
        async with deciding(self._backend) as connection:
            await say(connection, action_id, person, body.reason)
        await wake(self._backend, "actions")
        return Answer(OK, await self._document(action_id))

    async def _document(self, action_id: UUID) -> Document:
        bank = bank_of(self._backend.services)
        found = await bank.fetchrow(SQL.action, action_id)
        if found is None:
            raise Refusal(GatewayCode.BANK_NOT_FOUND, "there is no such action")
        return bank_documents.action(found, (await _words(bank, [action_id]))[action_id])

    def operations(self) -> list[Operation]:
        return [
            self._list(),
            _asking(_SUSPENSE + "/{rowId}/actions", self.dispose, NewSuspenseAction, _ALLOCATE),
            _asking("/v1/bank/rows/{rowId}/actions", self.correct, NewRowAction, _BOOK),
            *self._reads(),
            saying(
                *(_ACTION, "approvals", self.approve, BankActionSchema),
                "Agree to what somebody else asked for",
            ),
            saying(
                *(_ACTION, "refusals", self.refuse, BankActionSchema),
                "Refuse an action, or take back one's own",
            ),
        ]

    def _list(self) -> Operation:
        return Operation(
            method="GET",
            path=_SUSPENSE,
            answer=self.suspense,
            access=READERS,
            tag=TAG,
            summary="Deposits that nobody could attribute, the oldest first",
            success={OK: Success("A page of them", SuspensePage)},
            query=(LIMIT, CURSOR),
        )

    def _reads(self) -> list[Operation]:
        return [
            Operation(
                method="GET",
                path=_ACTIONS,
                answer=self.page,
                access=READERS,
                tag=TAG,
                summary="What was asked for about rows, the latest first",
                success={OK: Success("A page of them", BankActionPage)},
                query=(_STATUS, LIMIT, CURSOR),
            ),
            Operation(
                method="GET",
                path=_ACTION,
                answer=self.get,
                access=READERS,
                tag=TAG,
                summary="One action, and what was said to it",
                success={OK: Success("The action", BankActionSchema)},
                problems=(GatewayCode.BANK_NOT_FOUND,),
            ),
        ]


_ALLOCATE: Final = {
    "kind": "ALLOCATE",
    "shares": [{"walletId": str(FIRST_ID), "amount": "50.00"}],
    "reason": "the customer sent the proof of payment",
}
_BOOK: Final = {"kind": "BOOK", "reason": "the bank says that both are real"}


async def _words(
    queries: Queries, action_ids: Sequence[UUID]
) -> dict[UUID, list[Mapping[str, Any]]]:
    """What people said about each of these actions, and about giving it up."""
    about = {subject: each for each in action_ids for subject in (each, actions.giving_up(each))}
    said: dict[UUID, list[Mapping[str, Any]]] = {each: [] for each in action_ids}
    for verdict in await queries.fetch(SQL.verdicts, list(about)):
        said[about[verdict["subject_id"]]].append(verdict)
    return said


def _asking(path: str, answer: Any, body: Any, example: Mapping[str, Any]) -> Operation:
    return Operation(
        method="POST",
        path=path,
        answer=answer,
        access=MAKERS,
        tag=TAG,
        summary="Ask for something to be done about a row",
        description="It waits for another person's approval: a key with the scope `approver` and"
        " another owner. Nothing moves before.",
        success={ACCEPTED: Success("It waits for approval", BankActionSchema)},
        problems=_PROBLEMS,
        body=body,
        example=example,
        stores=True,
    )


def _shares(shares: Sequence[NewShare], currency: str) -> list[Share]:
    found = []
    for index, share in enumerate(shares):
        pointer = f"/shares/{index}"
        minor = to_minor(share.amount, exponent_of(currency))
        if minor is None:
            what = f"has more decimal places than {currency}"
            raise invalid(what, f"{pointer}/amount", code=Code.INVALID_AMOUNT)
        found.append(Share(member_id(share.wallet_id, f"{pointer}/walletId"), minor))
    return found
