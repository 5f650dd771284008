"""What was asked to be compared, whose turn it is, and what came of it.

Written by the role sov_banker. A request is worked on by one process at a time under a lease; what
it writes it writes as the attempt that it claimed: one that was frozen, and has been replaced,
writes nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from bank.sql import RECONCILIATIONS as SQL
from ledger.batches import Format
from ledger.database import Queries

#: A worker that renews every few seconds and has not for this long is gone.
LEASE: Final = timedelta(seconds=15)
#: An extract whose upload was cut short may be sent again for so long.
UPLOAD_WITHIN: Final = timedelta(hours=1)
#: A command that nobody acts on for so long was lost, or waits behind a long comparison: sent twice
#: it does no harm.
RESEND_AFTER: Final = timedelta(seconds=10)

_END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)
#: Differences; each of the statements has a minute for it.
_DROPPED_AT_A_TIME: Final = 100_000


class Superseded(Exception):
    """Another attempt has the request by now; nothing was written."""


class Kind(StrEnum):
    BANK = "BANK"
    ECLIPSE = "ECLIPSE"


class MadeBy(StrEnum):
    """Which transfers an extract of Eclipse's is expected to have."""

    ECLIPSE = "ECLIPSE"
    """Those that keys with the scopes ``eclipse`` or ``operator`` asked for."""
    ANYBODY = "ANYBODY"


class Status(StrEnum):
    RECEIVING = "RECEIVING"
    QUEUED = "QUEUED"
    """It waits for its turn, or for its period to be complete; then ``reason`` says so."""
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be compared: the same request sent again says the same."""

    kind: Kind
    period_from: datetime
    period_to: datetime
    """Not in the period any more."""
    account_id: str | None = None
    """For BANK: None for all accounts that are followed."""
    made_by: MadeBy | None = None
    format: Format | None = None
    encoding: str | None = None
    """For ECLIPSE: of the extract, as in Content-Encoding."""


@dataclass(frozen=True, slots=True)
class Request:
    """A reconciliation as it stands."""

    reconciliation_id: str
    actor: str
    order: Order
    status: Status
    received_bytes: int
    digest: bytes | None
    created: datetime
    started: datetime | None
    finished: datetime | None
    attempt: int
    reason: str | None
    agrees: bool | None
    differences: int | None


class Claimed(NamedTuple):
    request: Request
    tries: int
    """How often it was claimed without an orderly end, this time included."""


class Difference(NamedTuple):
    """One that was found, as it is kept."""

    number: int
    kind: str
    document: str
    """JSON."""


async def create(connection: Queries, reconciliation_id: str, actor: str, order: Order) -> bool:
    """False where there is one under this id already."""
    made = await connection.fetchval(
        SQL.create,
        reconciliation_id,
        actor,
        order.kind.value,
        order.period_from,
        order.period_to,
        order.account_id,
        _value(order.made_by),
        _value(order.format),
        order.encoding,
    )
    return made is not None


async def get(connection: Queries, reconciliation_id: str) -> Request | None:
    row = await connection.fetchrow(SQL.get, reconciliation_id)
    return None if row is None else _request(row)


async def named(connection: Queries, ids: Sequence[str]) -> list[Request]:
    """Those of these that there are."""
    return [_request(row) for row in await connection.fetch(SQL.named, list(ids))]


async def page(
    connection: Queries, after: tuple[datetime, str] | None, limit: int
) -> list[Request]:
    """The latest first."""
    created, reconciliation_id = after or (_END_OF_TIME, "")
    rows = await connection.fetch(SQL.page, created, reconciliation_id, limit)
    return [_request(row) for row in rows]


async def report(connection: Queries, reconciliation_id: str) -> str | None:
    """As JSON; None while it is not done."""
    found: str | None = await connection.fetchval(SQL.report, reconciliation_id)
    return found


async def differences(
    connection: Queries, request: Request, kind: str | None, after: int, limit: int
) -> list[Difference]:
    """A page of what was found, none before its end."""
    if request.status is not Status.DONE:
        return []
    rows = await connection.fetch(
        SQL.differences, request.reconciliation_id, request.attempt, kind, after, limit
    )
    return [Difference(row["number"], row["kind"], row["document"]) for row in rows]


async def claim(connection: Queries, reconciliation_id: str) -> Claimed | None:
    """The request, to be worked on under a lease; None where there is nothing to do, not now, or
    somebody is at it. Its ``reason`` is what the last try came to, where that was no orderly end;
    what that one had found is there until ``drop_former``."""
    row = await connection.fetchrow(SQL.claim, reconciliation_id, LEASE)
    return None if row is None else Claimed(_request(row), row["tries"])


async def renew(connection: Queries, request: Request) -> None:
    """Raises ``Superseded``."""
    _require(await connection.fetch(SQL.renew, request.reconciliation_id, request.attempt, LEASE))


async def postpone(
    connection: Queries, request: Request, pause: timedelta, reason: str, *, failed: bool
) -> None:
    """Its command is sent again after the pause. ``failed``: something went wrong, which may happen
    so often only."""
    forgiven = 0 if failed else 1
    await connection.fetch(
        SQL.postpone, request.reconciliation_id, request.attempt, pause, reason, forgiven
    )


async def drop_former(connection: Queries, request: Request) -> None:
    """Drop what earlier attempts had found: tries that go wrong again and again would fill the
    disk."""
    await _drop_before(connection, request, request.attempt)


async def add_differences(
    connection: Queries, request: Request, found: Sequence[Difference]
) -> None:
    """Raises ``Superseded``."""
    columns = tuple(map(list, zip(*found, strict=True)))
    held = await connection.fetch(
        SQL.add_differences, request.reconciliation_id, request.attempt, *columns
    )
    _require(held)


async def finish(
    connection: Queries, request: Request, found: int, *, agrees: bool, document: str
) -> None:
    """The last word. Raises ``Superseded``."""
    _require(
        await connection.fetch(
            SQL.finish, request.reconciliation_id, request.attempt, found, agrees, document
        )
    )


async def fail(connection: Queries, request: Request, reason: str) -> None:
    """The last word on what cannot be compared."""
    _require(await connection.fetch(SQL.fail, request.reconciliation_id, request.attempt, reason))
    await _drop_before(connection, request, request.attempt + 1)


async def unsent(connection: Queries, limit: int) -> list[str]:
    """Those whose command has to be sent again; from here on it counts as sent."""
    rows = await connection.fetch(SQL.unsent, RESEND_AFTER, limit)
    return [row["reconciliation_id"] for row in rows]


async def resend(connection: Queries, reconciliation_id: str) -> None:
    """Its command could not be sent: whoever compares sends it at once."""
    await connection.fetch(SQL.resend, reconciliation_id)


async def tidy(connection: Queries) -> None:
    """End uploads that nobody goes on with, and drop the bytes of what has ended."""
    await connection.fetch(SQL.stale_uploads, UPLOAD_WITHIN)
    await connection.fetch(SQL.drop_uploads)


async def _drop_before(connection: Queries, request: Request, attempt: int) -> None:
    """A stretch at a time: there may be millions."""
    more = True
    while more:
        more = await connection.fetchval(
            SQL.drop_differences, request.reconciliation_id, attempt, _DROPPED_AT_A_TIME
        )


def _require(held: Sequence[object]) -> None:
    if not held:
        raise Superseded


def _value(word: StrEnum | None) -> str | None:
    return None if word is None else word.value


def _request(row: Mapping[str, Any]) -> Request:
    made_by, form = row["made_by"], row["format"]
    return Request(
        reconciliation_id=row["reconciliation_id"],
        actor=row["actor"],
        order=Order(
            kind=Kind(row["kind"]),
            period_from=row["period_from"],
            period_to=row["period_to"],
            account_id=row["account_id"],
            made_by=None if made_by is None else MadeBy(made_by),
            format=None if form is None else Format(form),
            encoding=row["encoding"],
        ),
        status=Status(row["status"]),
        received_bytes=row["received_bytes"],
        digest=row["digest"],
        created=row["created"],
        started=row["started"],
        finished=row["finished"],
        attempt=row["attempt"],
        reason=row["reason"],
        agrees=row["agrees"],
        differences=row["differences"],
    )
