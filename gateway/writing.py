"""Every write's way: the command goes to the queue, and its outcome, if it comes in time, back."""

from __future__ import annotations

from typing import assert_never

from gateway.backend import Backend, Services
from gateway.call import Call
from gateway.preferences import require_within
from gateway.problems import unavailable
from gateway.response import Answer
from ledger.commands import Command
from producers.commands import Answered, Pending
from topology.deadlines import LONGEST_DEADLINE


class Writes:
    """Carries out the commands that routes make of calls."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def carry_out(self, call: Call, command: Command) -> Answer:
        """The answer to the call: the command's outcome, or 202 where there is none yet.

        Raises ``Unavailable`` or ``Refusal`` where the command was certainly not accepted.
        """
        services = self._backend.services
        if problem := services.clock.problem:
            # Its commands would only wait, and expire: better to say so than to keep the caller.
            raise unavailable(f"the database {problem} at the moment")
        answer = await (_send if call.waiting.respond_async else _ask)(services, call, command)
        if call.waiting.applied is not None:
            answer.headers += ((b"preference-applied", call.waiting.applied),)
        return answer


def require_in_time(services: Services, call: Call) -> None:
    """Raises ``Refusal`` for a deadline that cannot be kept to."""
    if call.deadline is not None:
        now = services.clock.now()
        require_within(call.deadline, now, now + LONGEST_DEADLINE)


async def _ask(services: Services, call: Call, command: Command) -> Answer:
    exchange = call.exchange
    begun = services.clock.now()
    require_within(call.deadline, begun, begun + LONGEST_DEADLINE)
    told = await services.sender.ask(
        command,
        actor=call.key.key_id,
        wait_s=call.waiting.wait_s,
        spent_s=exchange.elapsed_s,
        deadline=call.deadline,
        trace=exchange.trace_id,
    )
    match told:
        case Answered(command_id=command_id, outcome=outcome):
            exchange.queue_s = max(0.0, (outcome.decided - begun).total_seconds())
            return services.answers.decided(command_id, outcome.result, exchange.trace_id)
        case Pending():
            return services.answers.pending(told)
        case _:
            assert_never(told)


async def _send(services: Services, call: Call, command: Command) -> Answer:
    require_in_time(services, call)
    pending = await services.sender.send(
        command,
        actor=call.key.key_id,
        deadline=call.deadline,
        trace=call.exchange.trace_id,
    )
    return services.answers.pending(pending)
