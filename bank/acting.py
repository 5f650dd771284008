"""Carrying out what was asked for and approved: each action's transfers once, all of them or none.

Until when its command may be decided is kept before it is sent. Nobody begins another action about
the row before that time is over: so a process that was frozen with this one in its hands, and goes
on, sends a command that can only come too late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import structlog

from bank import remakes, returns
from bank.actions import Kind, Share, export_of, shares_of
from bank.opening import opening_of, reopen
from bank.payouts import claiming, names, paid_as_one
from bank.payouts.orders import Payout
from bank.refusals import BankRefusal, Conflict
from bank.services import ACTOR, Services
from bank.sql import ACTIONS as SQL
from bank.sql import DEPOSITS
from ledger.commands import DESCRIPTION_LENGTH, PostTransfer, PostTransferGroup, WalletRef
from ledger.money import exponent_of, format_minor
from ledger.outcomes import TransferGroupPosted
from ledger.rejections import Code, Rejection
from producers.commands import Answered
from topology.command_ids import whole_milliseconds
from topology.errors import Unavailable

_AT_ONCE: Final = 100
_WAIT_S: Final = 20.0
_FIRST: Final = UUID(int=0)
_PASSING: Final = frozenset({Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED})

_log = structlog.get_logger(__name__)


class Acting:
    """The step that carries actions out."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def run(self) -> None:
        """Every action that is approved, side by side: none waits for another one's answer."""
        after, waiting = _FIRST, 0
        while found := await self._services.pool.fetch(SQL.approved, after, _AT_ONCE):
            results = await asyncio.gather(*map(self._carry_out, found), return_exceptions=True)
            for action, result in zip(found, results, strict=True):
                if isinstance(result, Unavailable):
                    action_id = str(action["action_id"])
                    _log.warning("bank.action_waits", action=action_id, why=str(result))
                    waiting += 1
                elif isinstance(result, BaseException):
                    raise result
            after = found[-1]["action_id"]
        if waiting:
            raise Unavailable(f"{waiting} actions wait for the ledger")

    async def _carry_out(self, action: Mapping[str, Any]) -> None:
        match Kind(action["kind"]):
            case Kind.BOOK:
                await self._done(action)
            case Kind.EXPORT:
                await self._pays_file(action)
            case Kind.SAME:
                await self._join(action)
            case Kind.RETRACT if action["vanished"] is None:
                await self._failed(action, "the bank shows the row again")
            case Kind.RETRACT if action["decided"] is None:
                await self._done(action)
            case Kind.RETRACT if action["booked"] is None and action["is_refused"]:
                await self._failed(action, "the row is not booked: there is nothing to take back")
            case Kind.RETRACT if action["booked"] is None:
                pass  # first it has to be there; whoever books it wakes this step
            case Kind.RETURN:
                raise TypeError("a return is carried out by people, at the bank")
            case _:
                await self._move(action)

    async def _move(self, action: Mapping[str, Any]) -> None:
        services = self._services
        until = services.clock.decision_time() + timedelta(seconds=_WAIT_S)
        until = whole_milliseconds(until)
        if await services.pool.fetchval(SQL.send_until, action["action_id"], until) is None:
            return  # it has gone on in somebody else's hands
        answer = await services.commands.ask(
            group_of(action), actor=ACTOR, wait_s=_WAIT_S, deadline=until
        )
        if not isinstance(answer, Answered):
            raise Unavailable("its transfers are on their way, and not decided yet")
        match answer.outcome.result:
            case TransferGroupPosted() | Rejection(code=Code.DUPLICATE_TRANSFER, same_payload=True):
                await self._done(action)
            case Rejection(code=code) if code in _PASSING:
                raise Unavailable(f"the ledger refused it for now: {code}")
            case Rejection() as refusal:
                await self._failed(action, f"{refusal.code}: {refusal.detail}")
            case other:
                raise TypeError(f"an action cannot come to {type(other).__name__}")

    async def _pays_file(self, action: Mapping[str, Any]) -> None:
        """The row is the file's, if it still can be: what it pays may have changed since."""
        row_id, export_id = action["row_id"], export_of(action["detail"])
        if export_id is None:
            raise TypeError("an action about a file that names none")
        async with self._services.pool.acquire() as connection, connection.transaction():
            (row,) = await connection.fetch(SQL.lock_row, row_id)
            problem, payouts = "", list[Payout]()
            try:
                payouts = await paid_as_one.require(connection, export_id, row)
            except Conflict as conflict:
                problem = str(conflict)
            outcome = "FAILED" if problem else "DONE"
            step = (action["action_id"], "APPROVED", outcome, problem or None)
            if await connection.fetchval(SQL.step, *step) is None or problem:
                return
            await paid_as_one.claim(connection, export_id, row, payouts)
            by = (action["requested_by"], action["reason"])
            await connection.execute(DEPOSITS.resolve_row, row_id, ["PAYOUT"], "PAYOUT", *by)
        self._services.wake(names.SETTLE)

    async def _failed(self, action: Mapping[str, Any], problem: str) -> None:
        await self._services.pool.fetch(
            SQL.step, action["action_id"], "APPROVED", "FAILED", problem
        )

    async def _join(self, action: Mapping[str, Any]) -> None:
        try:
            async with self._services.pool.acquire() as connection, connection.transaction():
                went_on = await connection.fetchval(
                    SQL.step, action["action_id"], "APPROVED", "DONE", None
                )
                if went_on is not None:
                    await remakes.join(connection, action)
        except BankRefusal as refusal:
            await self._failed(action, str(refusal))
        self._services.wake("matching")

    async def _done(self, action: Mapping[str, Any]) -> None:
        """What else has to be kept, together with the last word."""
        row_id, by = action["row_id"], action["requested_by"]
        async with self._services.pool.acquire() as connection, connection.transaction():
            if action["kind"] == Kind.RETRACT:
                await remakes.lock_account(connection, row_id)
            await connection.fetchrow(SQL.lock_row, row_id)
            went_on = await connection.fetchval(
                SQL.step, action["action_id"], "APPROVED", "DONE", None
            )
            if went_on is None:
                return
            match Kind(action["kind"]):
                case Kind.BOOK:
                    await connection.execute(SQL.release, row_id)
                    kinds, resolution = ["HELD", "PAYOUT"], "BOOKED"
                case Kind.RETRACT:
                    account_id = action["account_id"]
                    opened = await opening_of(connection, account_id)
                    await connection.execute(SQL.retract, row_id)
                    await returns.taken_back(connection, action)
                    await claiming.taken_back(connection, row_id, action["action_id"])
                    await reopen(connection, account_id, opened, disowned=row_id)
                    kinds, resolution = ["VANISHED", "HELD"], "RETRACTED"
                case _:
                    return
            await connection.execute(
                DEPOSITS.resolve_row, row_id, kinds, resolution, by, action["reason"]
            )
        self._services.wake("matching")


def group_of(action: Mapping[str, Any]) -> PostTransferGroup:
    """The action's transfers: the same whenever they are made again. All or none, so that where the
    first one's key is taken by the very same transfer all of them are there."""
    key = f"bank-action:{action['action_id']}"
    shares = shares_of(action["detail"])
    if action["kind"] != Kind.RETRACT:
        source, inwards = action["suspense_wallet"], False
    else:
        source, inwards = action["control_wallet"], action["credit"]
    return PostTransferGroup(tuple(_transfers(action, key, source, shares, inwards)))


def _transfers(
    action: Mapping[str, Any], key: str, source: UUID, shares: Sequence[Share], inwards: bool
) -> list[PostTransfer]:
    exponent, here = exponent_of(action["currency"]), WalletRef(source)
    made = []
    for number, share in enumerate(shares, 1):
        there = WalletRef(share.wallet_id)
        made.append(
            PostTransfer(
                there if inwards else here,
                here if inwards else there,
                Decimal(format_minor(share.amount_minor, exponent)),
                f"{key}:{number}",
                action["currency"],
                description=action["description"][:DESCRIPTION_LENGTH],
                metadata={"bankRow": str(action["row_id"]), "bankAction": str(action["kind"])},
            )
        )
    return made
