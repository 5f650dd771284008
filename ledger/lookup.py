"""Records by their ids: the books' rows turned back into the values they were made from.

An outcome read here equals the one the consumer answered with, byte for byte in its canonical form:
that is what ``ledger.chain`` is verified against.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from ledger.database import Queries
from ledger.outcomes import (
    DeadLetterDiscarded,
    Outcome,
    ReservationPlaced,
    ReservationsReleased,
    Result,
    TransferGroupPosted,
    TransferPosted,
    WalletChanged,
    WalletCreated,
)
from ledger.records import (
    Balance,
    Release,
    Reservation,
    Transfer,
    Wallet,
    WalletState,
    WalletStatus,
    WalletType,
)
from ledger.rejections import Rejection
from ledger.sql import LOOKUP as SQL

Row = Mapping[str, Any]


_TYPES = {member.value: member for member in WalletType}
_STATUSES = {member.value: member for member in WalletStatus}


class GroupDetail(msgspec.Struct, frozen=True):
    """What a group's rows do not say: the order of its transfers."""

    transfers: tuple[UUID, ...]


class ReleaseDetail(msgspec.Struct, frozen=True):
    """What a released reservation's row does not say: the wallet that was named."""

    wallet_id: UUID


class DiscardDetail(msgspec.Struct, frozen=True):
    """Why a dead letter was discarded."""

    reason: str


async def wallets(connection: Queries, ids: Sequence[UUID]) -> dict[UUID, WalletState]:
    rows = await connection.fetch(SQL.wallets, ids) if ids else ()
    return {row["wallet_id"]: wallet_state(row) for row in rows}


async def transfers(connection: Queries, ids: Sequence[UUID]) -> dict[UUID, Transfer]:
    if not ids:
        return {}
    released = await _releases(connection, ids)
    rows = await connection.fetch(SQL.transfers, ids)
    return {row["transfer_id"]: transfer(row, released.get(row["transfer_id"], ())) for row in rows}


async def reservations(connection: Queries, ids: Sequence[UUID]) -> dict[UUID, Reservation]:
    rows = await connection.fetch(SQL.reservations, ids) if ids else ()
    return {row["reservation_id"]: Reservation(**row) for row in rows}


async def outcomes(connection: Queries, command_ids: Sequence[UUID]) -> dict[UUID, Outcome]:
    """The outcomes there are; a command without one is missing from the answer."""
    rows = await connection.fetch(SQL.outcomes, command_ids) if command_ids else ()
    return {outcome.command_id: outcome for outcome in await _assemble(connection, rows)}


async def outcome_range(
    connection: Queries, partition: int, first_number: int, limit: int
) -> list[Outcome]:
    """At most ``limit`` outcomes of the partition from ``first_number`` on, in order."""
    rows = await connection.fetch(SQL.outcome_range, partition, first_number, limit)
    return await _assemble(connection, rows)


def wallet(row: Row) -> Wallet:
    return Wallet(
        wallet_id=row["wallet_id"],
        external_unique_id=row["external_unique_id"],
        currency=row["currency"],
        type=_TYPES[row["type"]],
        status=_STATUSES[row["status"]],
        minimum_minor=row["minimum_minor"],
        reference=row["reference"],
        created=row["created"],
        name=row["name"],
        metadata=_metadata(row),
    )


def wallet_state(row: Row) -> WalletState:
    return WalletState(
        wallet=wallet(row),
        balance=Balance(row["balance_minor"], row["reserved_minor"], row["minimum_minor"]),
    )


def transfer(row: Row, released: tuple[Release, ...]) -> Transfer:
    return Transfer(
        transfer_id=row["transfer_id"],
        command_id=row["command_id"],
        external_unique_id=row["external_unique_id"],
        from_wallet_id=row["from_wallet_id"],
        to_wallet_id=row["to_wallet_id"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        created=row["created"],
        from_sequence=row["from_sequence"],
        from_balance_minor=row["from_balance_minor"],
        to_sequence=row["to_sequence"],
        to_balance_minor=row["to_balance_minor"],
        session_id=row["session_id"],
        external_id=row["external_id"],
        description=row["description"],
        metadata=_metadata(row),
        reversal_of=row["reversal_of"],
        group_id=row["group_id"],
        released=released,
    )


def _metadata(row: Row) -> dict[str, str]:
    return msgspec.json.decode(row["metadata"], type=dict[str, str]) if row["metadata"] else {}


async def _releases(
    connection: Queries, released_by: Sequence[UUID]
) -> dict[UUID, tuple[Release, ...]]:
    found: defaultdict[UUID, list[Release]] = defaultdict(list)
    for row in await connection.fetch(SQL.releases, released_by):
        found[row["released_by"]].append(
            Release(
                reservation_id=row["reservation_id"],
                wallet_id=row["wallet_id"],
                session_id=row["session_id"],
                amount_minor=row["amount_minor"],
                currency=row["currency"],
            )
        )
    return {key: tuple(values) for key, values in found.items()}


async def _assemble(connection: Queries, rows: Sequence[Row]) -> list[Outcome]:
    """Outcome rows with the records they stand for, a handful of statements for all of them."""
    subjects: defaultdict[str, list[UUID]] = defaultdict(list)
    for row in rows:
        subjects[row["kind"]].append(row["subject_id"])
    details = {
        row["command_id"]: _detail(row["kind"], row["detail"]) for row in rows if row["detail"]
    }
    members = [
        transfer_id
        for detail in details.values()
        if isinstance(detail, GroupDetail)
        for transfer_id in detail.transfers
    ]
    records = _Records(
        transfers=await transfers(connection, subjects["TransferPosted"] + members),
        reservations=await reservations(connection, subjects["ReservationPlaced"]),
        releases=await _releases(connection, subjects["ReservationsReleased"])
        if subjects["ReservationsReleased"]
        else {},
        group_keys={
            row["group_id"]: row["external_unique_id"]
            for row in await connection.fetch(SQL.groups, subjects["TransferGroupPosted"])
        }
        if subjects["TransferGroupPosted"]
        else {},
    )
    return [
        Outcome(
            command_id=row["command_id"],
            partition=row["partition"],
            number=row["number"],
            decided=row["decided"],
            result=_result(row, details.get(row["command_id"]), records),
            actor=row["actor"],
            first_event=row["first_event"],
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class _Records:
    transfers: dict[UUID, Transfer]
    reservations: dict[UUID, Reservation]
    releases: dict[UUID, tuple[Release, ...]]
    group_keys: dict[UUID, str | None]


Detail = Rejection | WalletState | GroupDetail | ReleaseDetail | DiscardDetail

_DETAIL: dict[str, type[Detail]] = {
    "Rejection": Rejection,
    "WalletCreated": WalletState,
    "WalletChanged": WalletState,
    "TransferGroupPosted": GroupDetail,
    "ReservationsReleased": ReleaseDetail,
    "DeadLetterDiscarded": DiscardDetail,
}


def _detail(kind: str, text: str) -> Detail:
    return msgspec.json.decode(text, type=_DETAIL[kind])


def _result(row: Row, detail: Detail | None, records: _Records) -> Result:
    kind, subject_id = row["kind"], row["subject_id"]
    match kind, detail:
        case "TransferPosted", None:
            return TransferPosted(records.transfers[subject_id])
        case "ReservationPlaced", None:
            return ReservationPlaced(records.reservations[subject_id])
        case "Rejection", Rejection():
            return detail
        case "WalletCreated", WalletState():
            return WalletCreated(detail)
        case "WalletChanged", WalletState():
            return WalletChanged(detail)
        case "ReservationsReleased", ReleaseDetail(wallet_id=wallet_id):
            return ReservationsReleased(wallet_id, records.releases.get(subject_id, ()))
        case "DeadLetterDiscarded", DiscardDetail(reason=reason):
            return DeadLetterDiscarded(subject_id, reason)
        case "TransferGroupPosted", GroupDetail(transfers=ids):
            return TransferGroupPosted(
                group_id=subject_id,
                transfers=tuple(records.transfers[i] for i in ids),
                external_unique_id=records.group_keys[subject_id],
            )
        case _:
            raise LookupError(f"outcome {row['command_id']} of kind {kind!r} cannot be read back")
