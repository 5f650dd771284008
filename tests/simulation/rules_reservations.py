"""What reservations did for the sessions that held them, as callers were told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tests.simulation.case import Case
from tests.simulation.findings import Finding, Wrong
from tests.simulation.history import Heard, Kind, Operation
from tests.simulation.rows import EntryRow, ReservationRow, command_uuid
from tests.simulation.telling import told

#: Releases of a session do not lock other wallets: a decision beside one may still count the hold
#: until the releasing transaction has ended, however long that was frozen.
_RELEASE_UNSEEN = timedelta(seconds=60)


def nothing_is_released_twice(case: Case) -> Iterator[Finding]:
    """Each reservation was given back by one transfer or one release, and the books name it."""
    rows = {str(r.reservation_id): r for r in case.rows.reservations}
    released: dict[str, set[str]] = defaultdict(set)
    for operation in case.writes():
        if operation.heard is not Heard.OK:
            continue
        for reservation_id, cause in _released_by(operation):
            released[reservation_id].add(cause)
            row = rows.get(reservation_id)
            if row is None or str(row.released_by) != cause:
                detail = f"{told(operation)}: {reservation_id} by {cause}, books {row}"
                yield Finding(Wrong.ANSWER, "released-as-told", detail)
    for reservation_id, causes in released.items():
        if len(causes) > 1:
            detail = f"reservation {reservation_id} by {sorted(causes)}"
            yield Finding(Wrong.DOUBLED, "released-once", detail)


def _released_by(operation: Operation) -> Iterator[tuple[str, str]]:
    """The reservations that the answer says it released, each with what did it."""
    answer = operation.answer or {}
    if operation.kind is Kind.RELEASE and operation.command_id is not None:
        yield operation.request["reservation"], str(command_uuid(operation.command_id))
    transfers = answer.get("transfers", [answer] if "transferId" in answer else [])
    for transfer in transfers:
        for released in transfer["releasedReservations"]:
            yield released["reservationId"], transfer["transferId"]


def sessions_hold_nothing_back(case: Case) -> Iterator[Finding]:
    """What a session had reserved before its transfer was asked for is not held after it."""
    placed = _acknowledged(case, Kind.RESERVE)
    for operation in case.writes():
        session = operation.request.get("session")
        if operation.kind is not Kind.TRANSFER or not session:
            continue
        if operation.heard is not Heard.OK or operation.command_id is None:
            continue
        for transfer in case.transfers_by_command.get(command_uuid(operation.command_id), []):
            for before in placed[session]:
                row = case.reservations_by_key.get(before.key or "")
                if row is None or before.ended_s >= operation.invoked_s:
                    continue
                if _holds(row, transfer.created):
                    yield Finding(Wrong.BOOKS, "hold-leaked", f"{told(operation)}: {row}")


def _acknowledged(case: Case, kind: Kind) -> dict[str, list[Operation]]:
    found: dict[str, list[Operation]] = defaultdict(list)
    for operation in case.writes():
        if operation.kind is kind and operation.heard is Heard.OK:
            found[operation.request["session"]].append(operation)
    return found


def _holds(row: ReservationRow, after: datetime) -> bool:
    ended = row.expires if row.released is None else min(row.released, row.expires)
    return ended > after


def refusals_for_funds_were_true(case: Case) -> Iterator[Finding]:
    """Where funds were refused, some state that the decision may have seen lacked them."""
    entries = case.rows.entries_by_wallet()
    wallets = {w.wallet_id: w for w in case.rows.wallets}
    reservations: dict[UUID, list[ReservationRow]] = defaultdict(list)
    for reservation in case.rows.reservations:
        reservations[reservation.wallet_id].append(reservation)
    for operation in case.writes():
        if operation.code != "insufficient-funds" or operation.command_id is None:
            continue
        if operation.kind not in (Kind.TRANSFER, Kind.RESERVE):
            continue
        outcome = case.outcomes.get(command_uuid(operation.command_id))
        side = operation.request.get("from") or operation.request["wallet"]
        wallet = wallets.get(UUID(side))
        if outcome is None or wallet is None or outcome.details.get("code") != operation.code:
            continue  # other rules speak of these
        session = operation.request.get("session") if operation.kind is Kind.TRANSFER else None
        invoked = datetime.fromtimestamp(operation.invoked_wall, UTC)
        held = sum(
            r.amount_minor
            for r in reservations[wallet.wallet_id]
            if r.session_id != session
            and r.created <= outcome.decided < r.expires
            and (r.released is None or r.released > min(invoked, outcome.decided) - _RELEASE_UNSEEN)
        )
        lowest = _lowest_balance(entries.get(wallet.wallet_id, []), outcome.decided)
        if lowest - (wallet.minimum_minor or 0) - held >= operation.request["amount"]:
            detail = f"{told(operation)}: at least {lowest}, held at most {held}"
            yield Finding(Wrong.ANSWER, "refused-for-a-reason", detail)


def _lowest_balance(entries: list[EntryRow], at: datetime) -> int:
    """The least the wallet may have held for a decision at this time: one transaction has one
    time, so what shares it came before or after."""
    before = [entry.balance_minor for entry in entries if entry.created < at]
    beside = [entry.balance_minor for entry in entries if entry.created == at]
    return min([before[-1] if before else 0, *beside])


RULES = (nothing_is_released_twice, sessions_hold_nothing_back, refusals_for_funds_were_true)
