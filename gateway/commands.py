"""What became of a command: PENDING, then one final word for ever."""

from __future__ import annotations

from gateway.answers import OK, Answers
from gateway.backend import Backend
from gateway.call import Call
from gateway.identifiers import not_found
from gateway.operations import READERS, Operation, Success
from gateway.problems import GatewayCode, Refusal
from gateway.response import Answer
from gateway.schemas import Command
from ledger import reads
from ledger.outcomes import Result
from ledger.reads import CommandState
from ledger.rejections import TOO_LATE, Code, Rejection
from topology.command_ids import CommandAddress, InvalidCommandId
from topology.deadlines import FINAL_AFTER
from topology.documents import Document, timestamp


class CommandStates:
    """The route ``/v1/commands/{commandId}``."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def get(self, call: Call) -> Answer:
        token = call.segment("commandId")
        services = self._backend.services
        try:
            address = services.sender.command_ids.parse(token)
        except InvalidCommandId:
            raise _not_found(token) from None
        state = await reads.command_state(
            services.books, address.command_id, address.layout, address.partition
        )
        if state is None:
            raise _not_found(token)
        document: Document = {
            "commandId": services.sender.command_ids.token(address.command_id),
            "status": "PENDING",
            "finalBy": timestamp(address.deadline + FINAL_AFTER),
        }
        result = _final_word(address, state)
        if result is not None:
            document["status"] = _status(result)
            document["outcome"] = _outcome(services.answers, address, result, call)
        return Answer(OK, document)

    def operations(self) -> list[Operation]:
        return [
            Operation(
                method="GET",
                path="/v1/commands/{commandId}",
                answer=self.get,
                access=READERS,
                tag="commands",
                summary="What became of a command",
                description="From `finalBy` on the status is final: APPLIED, REJECTED or EXPIRED"
                " (never applied, and never will be).",
                success={OK: Success("Its status, and its outcome once there is one", Command)},
                problems=(GatewayCode.COMMAND_NOT_FOUND,),
            )
        ]


def _final_word(address: CommandAddress, state: CommandState) -> Result | None:
    if state.outcome is not None:
        return state.outcome.result
    if state.partition_decided_at >= address.deadline:
        # One snapshot shows no outcome and a later clock: whoever comes to it now must refuse it.
        return TOO_LATE
    return None


def _status(result: Result) -> str:
    if not isinstance(result, Rejection):
        return "APPLIED"
    return "EXPIRED" if result.code is Code.DEADLINE_EXCEEDED else "REJECTED"


def _outcome(answers: Answers, address: CommandAddress, result: Result, call: Call) -> Document:
    answer = answers.decided(address.command_id, result, call.exchange.trace_id)
    return {"httpStatus": answer.status, "body": answer.content}


def _not_found(token: str) -> Refusal:
    return not_found(GatewayCode.COMMAND_NOT_FOUND, "command", token)
