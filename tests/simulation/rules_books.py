"""What the rows must say among themselves, whatever callers heard."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tests.simulation.findings import Finding, Wrong
from tests.simulation.rows import EntryRow, ReservationRow, Rows, WalletRow, by_id


def entries_follow_each_other(rows: Rows) -> Iterator[Finding]:
    """Per wallet 1, 2, 3 … without a gap, running balance right, created never backwards; and the
    wallet's own balance is the last one."""
    entries = rows.entries_by_wallet()
    for wallet in rows.wallets:
        balance, before = 0, None
        own = entries.get(wallet.wallet_id, [])
        for expected, entry in enumerate(own, start=1):
            balance += entry.amount_minor
            where = f"wallet {wallet.external_unique_id} entry {entry.sequence}"
            if entry.sequence != expected:
                yield Finding(Wrong.BOOKS, "sequence", f"{where}: expected {expected}")
                break
            if entry.balance_minor != balance:
                yield Finding(Wrong.BOOKS, "running-balance", f"{where}: {entry.balance_minor}")
                break
            if before is not None and entry.created < before:
                yield Finding(Wrong.BOOKS, "created-backwards", f"{where}: {entry.created}")
            before = entry.created
        if (wallet.balance_minor, wallet.last_sequence) != (balance, len(own)):
            yield Finding(
                Wrong.BOOKS,
                "wallet-balance",
                f"{wallet.external_unique_id}: {wallet.balance_minor} after"
                f" {wallet.last_sequence}, entries say {balance} after {len(own)}",
            )


def money_is_conserved(rows: Rows) -> Iterator[Finding]:
    """Per currency all entries sum to zero, and every wallet with entries exists."""
    currencies = {wallet.wallet_id: wallet.currency for wallet in rows.wallets}
    sums: dict[str, int] = defaultdict(int)
    for entry in rows.entries:
        sums[currencies.get(entry.wallet_id, f"of no wallet {entry.wallet_id}")] += (
            entry.amount_minor
        )
    for currency, total in sums.items():
        if total or currency not in currencies.values():
            yield Finding(Wrong.BOOKS, "conservation", f"{currency}: {total}")


def transfers_have_two_entries(rows: Rows) -> Iterator[Finding]:
    """Exactly a debit and a credit each, where and when it says; no entry stands alone."""
    of_transfer: dict[UUID, list[EntryRow]] = defaultdict(list)
    for entry in rows.entries:
        of_transfer[entry.transfer_id].append(entry)
    for transfer in rows.transfers:
        legs = of_transfer.pop(transfer.transfer_id, [])
        found = Counter((e.wallet_id, e.sequence, e.amount_minor, e.created) for e in legs)
        at, amount = transfer.created, transfer.amount_minor
        wanted = Counter(
            [
                (transfer.from_wallet_id, transfer.from_sequence, -amount, at),
                (transfer.to_wallet_id, transfer.to_sequence, amount, at),
            ]
        )
        if found != wanted:
            yield Finding(Wrong.BOOKS, "two-entries", f"transfer {transfer.transfer_id}: {legs}")
    for transfer_id in of_transfer:
        yield Finding(Wrong.BOOKS, "lone-entry", f"entries of no transfer {transfer_id}")


def keys_and_commands_are_used_once(rows: Rows) -> Iterator[Finding]:
    """One effect per key in each of the three spaces; one outcome per command."""
    for space, used in (
        ("transfer", [t.external_unique_id for t in rows.transfers]),
        ("group", [g.external_unique_id for g in rows.groups if g.external_unique_id]),
        ("reservation", [r.external_unique_id for r in rows.reservations]),
        ("wallet", [w.external_unique_id for w in rows.wallets]),
    ):
        for key in _repeated(used):
            yield Finding(Wrong.DOUBLED, "key-used-once", f"{space} {key}")
    for command_id in _repeated(outcome.command_id for outcome in rows.outcomes):
        yield Finding(Wrong.DOUBLED, "one-outcome", f"command {command_id}")
    moved = _repeated(t.command_id for t in rows.transfers if t.group_id is None)
    for command_id in moved:
        yield Finding(Wrong.DOUBLED, "one-transfer", f"command {command_id}")


def reversals_stay_within(rows: Rows) -> Iterator[Finding]:
    """What was given back of a transfer never exceeds it."""
    transfers = by_id(rows.transfers, "transfer_id")
    returned: dict[UUID, int] = defaultdict(int)
    for transfer in rows.transfers:
        if transfer.reversal_of is not None:
            returned[transfer.reversal_of] += transfer.amount_minor
    for original, total in returned.items():
        if original not in transfers or total > transfers[original].amount_minor:
            yield Finding(Wrong.BOOKS, "reversals", f"{total} returned of transfer {original}")


def available_stays_above_the_limit(rows: Rows) -> Iterator[Finding]:
    """After each instant in which a wallet was taken from, what it holds covers its lower
    limit and all that was reserved. (Wallets of a run start at zero; no limit is above it.)"""
    entries = rows.entries_by_wallet()
    reservations: dict[UUID, list[ReservationRow]] = defaultdict(list)
    for reservation in rows.reservations:
        reservations[reservation.wallet_id].append(reservation)
    for wallet in rows.wallets:
        if wallet.minimum_minor is not None:
            own = entries.get(wallet.wallet_id, [])
            yield from _overdrawn(wallet, own, reservations[wallet.wallet_id])


def _overdrawn(
    wallet: WalletRow, entries: list[EntryRow], reservations: list[ReservationRow]
) -> Iterator[Finding]:
    takings = {e.created for e in entries if e.amount_minor < 0} | {r.created for r in reservations}
    ended: list[ReservationRow] = sorted(reservations, key=_end_of)
    placed = sorted(reservations, key=lambda r: r.created)
    balance = reserved = 0
    next_entry = next_placed = next_ended = 0
    for at in sorted(takings):
        while next_entry < len(entries) and entries[next_entry].created <= at:
            balance += entries[next_entry].amount_minor
            next_entry += 1
        while next_placed < len(placed) and placed[next_placed].created <= at:
            reserved += placed[next_placed].amount_minor
            next_placed += 1
        # Live while its expiry is later; one that was released at this instant is over. What
        # ended has begun, so that the sum never counts an end without its beginning.
        while next_ended < len(ended) and _end_of(ended[next_ended]) <= at:
            reserved -= ended[next_ended].amount_minor
            next_ended += 1
        available = balance - (wallet.minimum_minor or 0) - reserved
        if available < 0:
            yield Finding(
                Wrong.BOOKS,
                "available-below-limit",
                f"wallet {wallet.external_unique_id} at {at}: {available}"
                f" (balance {balance}, reserved {reserved})",
            )


def _end_of(reservation: ReservationRow) -> datetime:
    """When it stopped holding funds; never before it began."""
    ends = reservation.expires
    if reservation.released is not None:
        ends = min(ends, reservation.released)
    return max(ends, reservation.created)


def reservations_end(rows: Rows) -> Iterator[Finding]:
    """What was released names its cause: a transfer of its session, a release, or its expiry."""
    transfers = by_id(rows.transfers, "transfer_id")
    outcomes = by_id(rows.outcomes, "command_id")
    latest = max((o.decided for o in rows.outcomes), default=None)
    for reservation in rows.reservations:
        where = f"reservation {reservation.external_unique_id}"
        cause = reservation.released_by
        if reservation.released is not None and cause is None:
            if reservation.released != reservation.expires:
                yield Finding(Wrong.BOOKS, "released-without-cause", where)
        elif cause in transfers:
            if transfers[cause].session_id != reservation.session_id:
                yield Finding(Wrong.BOOKS, "released-by-stranger", f"{where} by {cause}")
            if transfers[cause].created != reservation.released:
                yield Finding(Wrong.BOOKS, "released-at-another-time", f"{where} by {cause}")
        elif cause is not None:
            if cause not in outcomes or outcomes[cause].kind != "ReservationsReleased":
                yield Finding(Wrong.BOOKS, "released-without-cause", f"{where} by {cause}")
        elif latest is not None and reservation.expires < latest - _SWEPT_WITHIN:
            yield Finding(Wrong.BOOKS, "never-swept", f"{where} expired {reservation.expires}")


#: A sweep every 30 s while a consumer runs, a margin, and faults meanwhile.
_SWEPT_WITHIN = timedelta(minutes=5)


def _repeated(values: Iterable[Any]) -> list[Any]:
    return [value for value, times in Counter(values).items() if times > 1]


RULES = (
    entries_follow_each_other,
    money_is_conserved,
    transfers_have_two_entries,
    keys_and_commands_are_used_once,
    reversals_stay_within,
    available_stays_above_the_limit,
    reservations_end,
)
