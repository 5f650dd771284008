"""What was parked, and the two ways to be done with it: replay or discard, through the queue."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from gateway import problems
from gateway.answers import CREATED, NO_CONTENT, OK
from gateway.backend import Backend, reading
from gateway.bodies import NewDiscard, NewReplay, validated
from gateway.call import Call
from gateway.cursors import Cursor, position_id
from gateway.identifiers import not_found, path_id
from gateway.operations import OPERATORS, Operation, Success
from gateway.parameters import CURSOR, LIMIT, Parameter
from gateway.parked import Letters, members_of, reason_document, replayable
from gateway.problems import GatewayCode, Refusal, refusal_of
from gateway.reading import read_document
from gateway.response import Answer
from gateway.schemas import (
    DeadLetter,
    DeadLetterPage,
    DeadLetterReasonPage,
    Discarded,
    Replayed,
    ReplayedOrChecked,
)
from gateway.writing import Writes
from ledger import dead_letters
from ledger.check import check_command
from ledger.commands import DiscardDeadLetter, ReplayDeadLetter
from ledger.dead_letters import LAST_ID, Parked
from ledger.rejections import Code, Rejection
from topology.documents import Document

_TAG: Final = "dead letters"
_ALL: Final = "/v1/dead-letters"
_REASONS: Final = "/v1/dead-letters/reasons"
_ONE: Final = "/v1/dead-letters/{deadLetterId}"
_LONGEST_REASON: Final = 300

_REASON: Final = Parameter(
    "reason",
    {"type": "string", "minLength": 1, "maxLength": _LONGEST_REASON},
    "Only those with exactly this reason.",
)
_RESOLVED: Final = Parameter(
    "resolved", {"type": "boolean"}, "Only those that are resolved, or only those that are open."
)


class DeadLetters:
    """The routes below ``/v1/dead-letters``."""

    def __init__(self, backend: Backend, writes: Writes) -> None:
        self._backend, self._writes = backend, writes

    async def page(self, call: Call) -> Answer:
        query = call.query
        reason = query.text(_REASON.name, 1, _LONGEST_REASON)
        resolved = None
        if _RESOLVED.name in query:
            resolved = query.choice(_RESOLVED.name, ("true", "false"), "") == "true"
        limit, cursor = query.limit(), Cursor(_ALL, reason, resolved)
        position = cursor.read(query)
        found = await dead_letters.listed(
            self._backend.services.books,
            limit + 1,
            before=LAST_ID if position is None else position_id(position),
            reason=reason,
            resolved=resolved,
        )
        letters = self._letters(call)
        items = [letters.summary(parked) for parked in found[:limit]]
        last = found[limit - 1].letter.dead_letter_id if len(found) > limit else None
        return Answer(OK, cursor.page(items, last))

    async def reasons(self, call: Call) -> Answer:
        limit, cursor = call.query.limit(), Cursor(_REASONS)
        position = cursor.read(call.query)
        found = await dead_letters.reasons(
            self._backend.services.books,
            limit + 1,
            before=LAST_ID if position is None else position_id(position),
        )
        items = [reason_document(reason) for reason in found[:limit]]
        last = found[limit - 1].latest_id if len(found) > limit else None
        return Answer(OK, cursor.page(items, last))

    async def get(self, call: Call) -> Answer:
        return Answer(OK, self._letters(call).whole(await self._find(call)))

    async def replay(self, call: Call) -> Answer:
        """Send the parked command once more, or only say what it would come to."""
        body = validated(NewReplay, await read_document(call))
        letter = (await self._find(call)).letter
        original = replayable(letter)
        if original is None:
            raise Refusal(
                GatewayCode.DEAD_LETTER_NOT_REPLAYABLE,
                "the dead letter holds no command that could be sent again: its message could not"
                " be read, or was itself a discard. Discard the letter, with a reason",
            )
        command = ReplayDeadLetter(letter.dead_letter_id, original)
        if body.dry_run:
            return Answer(OK, await self._check(call, command))
        return await self._writes.carry_out(call, command)

    async def discard(self, call: Call) -> Answer:
        body = validated(NewDiscard, await read_document(call))
        return await self._writes.carry_out(call, DiscardDeadLetter(_id_of(call), body.reason))

    async def _check(self, call: Call, command: ReplayDeadLetter) -> Document:
        services = self._backend.services
        try:
            async with reading(call), services.books.snapshot() as snapshot:
                rejection = await check_command(snapshot, command)
        except Exception as error:
            # What breaks the check would break the consumer again: exactly what was asked.
            if refusal_of(error).code is not Code.INTERNAL:
                raise
            what = f"it would be parked again: {type(error).__name__}: {error}"
            rejection = Rejection(Code.INTERNAL, what)
        if rejection is not None and rejection.code is Code.DEAD_LETTER_RESOLVED:
            raise services.answers.refusal(rejection)
        return {
            "deadLetterId": str(command.dead_letter_id),
            "type": type(command.original).__name__,
            "command": members_of(command.original),
            "wouldSucceed": rejection is None,
            "refusal": rejection and self._problem(call, rejection),
        }

    def _problem(self, call: Call, rejection: Rejection) -> object:
        refusal = self._backend.services.answers.refusal(rejection)
        path, trace_id = call.scope["path"], call.exchange.trace_id
        return problems.answer(refusal, instance=path, trace_id=trace_id).content

    async def _find(self, call: Call) -> Parked:
        letter_id = _id_of(call)
        async with reading(call):
            found = await dead_letters.shown(self._backend.services.books, letter_id)
        if found is None:
            raise not_found(Code.DEAD_LETTER_NOT_FOUND, "dead letter", letter_id)
        return found

    def _letters(self, call: Call) -> Letters:
        services = self._backend.services
        return Letters(services.answers, services.sender.command_ids, call.exchange.trace_id)

    def operations(self) -> list[Operation]:
        return [self._list(), self._group(), self._get(), self._replay(), self._discard()]

    def _list(self) -> Operation:
        return Operation(
            method="GET",
            path=_ALL,
            answer=self.page,
            access=OPERATORS,
            tag=_TAG,
            summary="What was parked, newest first",
            success={OK: Success("A page of them", DeadLetterPage)},
            query=(_REASON, _RESOLVED, LIMIT, CURSOR),
        )

    def _group(self) -> Operation:
        return Operation(
            method="GET",
            path=_REASONS,
            answer=self.reasons,
            access=OPERATORS,
            tag=_TAG,
            summary="Dead letters counted by reason",
            success={OK: Success("A page of reasons, latest first", DeadLetterReasonPage)},
            query=(LIMIT, CURSOR),
        )

    def _get(self) -> Operation:
        return Operation(
            method="GET",
            path=_ONE,
            answer=self.get,
            access=OPERATORS,
            tag=_TAG,
            summary="One dead letter: its command, its traceback, what became of it",
            success={OK: Success("The dead letter", DeadLetter)},
            problems=(Code.DEAD_LETTER_NOT_FOUND,),
        )

    def _replay(self) -> Operation:
        return Operation(
            method="POST",
            path=_ONE + "/replays",
            answer=self.replay,
            access=OPERATORS,
            tag=_TAG,
            summary="Send the parked command once more",
            description="A new command with the same keys, answered as the first should have been,"
            " refusals included. Any such answer resolves the letter, but for 504; a `code` that"
            " starts with `dead-letter-` says that nothing was sent. Parked again (500), it leaves"
            " a new letter with `replayOf`. `dryRun` tells what would happen now.",
            success={
                CREATED: Success("What the command made", Replayed),
                OK: Success("The changed wallet, or the check", ReplayedOrChecked, decided=False),
                NO_CONTENT: Success("The reservations are released"),
            },
            problems=(*Code, GatewayCode.DEAD_LETTER_NOT_REPLAYABLE),
            body=NewReplay,
            example={"dryRun": True},
        )

    def _discard(self) -> Operation:
        return Operation(
            method="POST",
            path=_ONE + "/discards",
            answer=self.discard,
            access=OPERATORS,
            tag=_TAG,
            summary="Be done with a dead letter without doing what it asks for",
            success={OK: Success("It is resolved", Discarded)},
            problems=(Code.DEAD_LETTER_NOT_FOUND, Code.DEAD_LETTER_RESOLVED),
            body=NewDiscard,
            example={"reason": "the customer was paid by hand, ticket 4711"},
        )


def _id_of(call: Call) -> UUID:
    return path_id(call, "deadLetterId", Code.DEAD_LETTER_NOT_FOUND, "dead letter")
