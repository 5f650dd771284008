"""What the routes of the bank side have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

from asyncpg.pool import PoolConnectionProxy

from bank.payouts.approvals import Person
from bank.refusals import BankRefusal, Conflict, NotAllowed, NotThere, NotValid
from bank.sql import LEADING
from gateway.answers import OK
from gateway.backend import Backend
from gateway.bank_bodies import NewWord
from gateway.call import Call
from gateway.cursors import Cursor, position_id
from gateway.identifiers import parse_id
from gateway.operations import CHECKERS, MAKERS, Operation, Success
from gateway.payout_orders import bank_of
from gateway.problems import GatewayCode, Refusal, invalid
from gateway.response import Answer
from topology.documents import Document

TAG: Final = "bank"
FIRST_ID: Final = UUID(int=0)
LAST_ID: Final = UUID(int=2**128 - 1)

Say = Callable[[Any, UUID, Person, str | None], Awaitable[None]]
Find = Callable[[UUID, int], Awaitable[Sequence[Mapping[str, Any]]]]


@asynccontextmanager
async def deciding(backend: Backend) -> AsyncIterator[PoolConnectionProxy[Any]]:
    """A transaction on the bank side; what it refuses becomes a problem."""
    bank = bank_of(backend.services)
    try:
        async with bank.connection() as connection, connection.transaction():
            yield connection
    except BankRefusal as error:
        raise _refusal(error) from None


async def wake(backend: Backend, step: str) -> None:
    """After the transaction: the process may have looked before it was over."""
    await bank_of(backend.services).fetch(LEADING.wake, step)


async def listed(
    call: Call,
    question: Sequence[object],
    find: Find,
    document: Callable[[Mapping[str, Any]], Document],
    key: str,
    *,
    ascending: bool = False,
) -> Answer:
    """A page of what ``find`` has after a place; ``key`` is the column that a place is."""
    limit, cursor = call.query.limit(), Cursor(*question)
    position = cursor.read(call.query)
    start = FIRST_ID if ascending else LAST_ID
    found = await find(start if position is None else position_id(position), limit + 1)
    page = found[:limit]
    last = page[-1][key] if len(found) > limit else None
    return Answer(OK, cursor.page([document(each) for each in page], last))


def saying(path: str, word: str, answer: Any, schema: Any, summary: str) -> Operation:
    """How a second person agrees or does not: ``word`` is ``approvals`` or ``refusals``."""
    return Operation(
        method="POST",
        path=f"{path}/{word}",
        answer=answer,
        access=CHECKERS if word == "approvals" else MAKERS | CHECKERS,
        tag=TAG,
        summary=summary,
        success={OK: Success("As it stands now", schema)},
        problems=(
            GatewayCode.BANK_NOT_FOUND,
            GatewayCode.BANK_CONFLICT,
            GatewayCode.SAME_OWNER,
        ),
        body=NewWord,
        example={"reason": "seen the proof of payment"},
        stores=True,
    )


def member_id(text: str, pointer: str) -> UUID:
    """An id in a body. Raises ``Refusal``."""
    found = parse_id(text)
    if found is None:
        raise invalid("is no id of ours", pointer)
    return found


def segment_id(call: Call, name: str, noun: str) -> UUID:
    """An id in the path. Raises ``Refusal``."""
    found = parse_id(call.segment(name))
    if found is None:
        raise Refusal(GatewayCode.BANK_NOT_FOUND, f"there is no such {noun}")
    return found


def _refusal(error: BankRefusal) -> Refusal:
    match error:
        case NotThere():
            return Refusal(GatewayCode.BANK_NOT_FOUND, str(error))
        case NotAllowed():
            return Refusal(GatewayCode.SAME_OWNER, str(error))
        case NotValid():
            return invalid(str(error), error.pointer)
        case Conflict() | _:
            return Refusal(GatewayCode.BANK_CONFLICT, str(error))
