"""Loading the part of the books that some commands need, locked or only looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

import msgspec

from ledger import lookup
from ledger.books import (
    GROUPS,
    RESERVATIONS,
    TRANSFERS,
    WALLETS,
    Books,
    KeySpace,
    Position,
    Refusal,
)
from ledger.commands import (
    ChangeWallet,
    Command,
    CreateWallet,
    DiscardDeadLetter,
    PlaceReservation,
    PostStagedBatch,
    PostTransfer,
    PostTransferGroup,
    ReleaseReservation,
    ReleaseSession,
    ReplayDeadLetter,
    ReverseTransfer,
    WalletRef,
)
from ledger.database import Queries
from ledger.records import Reservation
from ledger.rejections import Rejection
from ledger.resolutions import letter_of
from ledger.sql import EXECUTE as SQL

LOCKED = "\n   FOR NO KEY UPDATE"
_RESERVATION = msgspec.json.Decoder(Reservation)
_REJECTION = msgspec.json.Decoder(Rejection)


@dataclass(slots=True)
class Needs:
    """What the rules will ask for, collected from the commands before anything is locked."""

    wallets: set[UUID] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    """External ids of wallets whose id nobody looked up yet."""
    funds: set[UUID] = field(default_factory=set)
    """Wallets whose available balance counts."""
    fund_names: set[str] = field(default_factory=set)
    sessions: set[str] = field(default_factory=set)
    releases: set[UUID] = field(default_factory=set)
    originals: set[UUID] = field(default_factory=set)
    letters: set[UUID] = field(default_factory=set)
    keys: dict[str, set[str]] = field(
        default_factory=lambda: {
            TRANSFERS: set(),
            WALLETS: set(),
            RESERVATIONS: set(),
            GROUPS: set(),
        }
    )

    @classmethod
    def of(cls, commands: Iterable[Command], refused: Iterable[Command] = ()) -> Needs:
        """``refused`` are those that no rule decides: their dead letters alone count."""
        needs = cls()
        for command in commands:
            needs._add(command)
        needs.letters |= {letter for command in refused if (letter := letter_of(command))}
        return needs

    def _add(self, command: Command) -> None:
        match command:
            case PostTransfer():
                self._add_wallet(command.from_wallet, funds=True)
                self._add_wallet(command.to_wallet, funds=False)
                self.keys[TRANSFERS].add(command.external_unique_id)
                if command.session_id is not None:
                    self.sessions.add(command.session_id)
            case PostTransferGroup():
                for member in command.transfers:
                    self._add(member)
                if command.external_unique_id is not None:
                    self.keys[GROUPS].add(command.external_unique_id)
            case PostStagedBatch():
                pass  # refused unread
            case ReverseTransfer():
                self.wallets |= {command.from_wallet_id, command.to_wallet_id}
                self.funds.add(command.from_wallet_id)
                self.originals.add(command.transfer_id)
                self.keys[TRANSFERS].add(command.external_unique_id)
            case CreateWallet():
                self.keys[WALLETS].add(command.external_unique_id)
                # A duplicate is answered with the wallet as it stands after the batch so far.
                self._add_wallet(WalletRef(None, command.external_unique_id), funds=True)
            case PlaceReservation():
                self._add_wallet(WalletRef(command.wallet_id), funds=True)
                self.keys[RESERVATIONS].add(command.external_unique_id)
            case ReleaseReservation():
                self._add_wallet(WalletRef(command.wallet_id), funds=True)
                self.releases.add(command.reservation_id)
            case ReleaseSession():
                self._add_wallet(WalletRef(command.wallet_id), funds=True)
                self.sessions.add(command.session_id)
            case ChangeWallet():
                self._add_wallet(WalletRef(command.wallet_id), funds=True)
            case ReplayDeadLetter():
                self.letters.add(command.dead_letter_id)
                self._add(command.original)
            case DiscardDeadLetter():
                self.letters.add(command.dead_letter_id)
            case _:
                assert_never(command)

    def _add_wallet(self, ref: WalletRef, *, funds: bool) -> None:
        if ref.wallet_id is not None:
            self.wallets.add(ref.wallet_id)
            if funds:
                self.funds.add(ref.wallet_id)
        elif ref.external_unique_id is not None:
            self.names.add(ref.external_unique_id)
            if funds:
                self.fund_names.add(ref.external_unique_id)


@dataclass(frozen=True, slots=True)
class Loaded:
    books: Books
    decided: frozenset[UUID]
    """Command ids that have an outcome already."""


async def load(
    connection: Queries,
    needs: Needs,
    *,
    lock: bool,
    wallets: Sequence[Any] | None = None,
    command_ids: Sequence[UUID] = (),
    not_before: datetime | None = None,
) -> Loaded:
    """Read, and where ``lock`` is set lock until the transaction ends, what the commands need.

    ``wallets`` are the rows that ``execute`` has locked already, where it knew which are needed.
    The decision time is the database clock after all locks, but never before ``not_before`` (the
    heads') nor before the last entry of a wallet that is written to.
    """
    suffix = LOCKED if lock else ""
    books = Books(at=datetime.min)
    await _load_names(connection, needs, books)
    if wallets is None and needs.wallets:
        wallets = await connection.fetch(SQL.wallets + suffix, list(needs.wallets))
    latest = _take_wallets_in(wallets or (), needs, books)
    releases: list[UUID] = []
    if needs.sessions or needs.releases:
        rows = await connection.fetch(
            SQL.reservations + suffix, list(needs.sessions), list(needs.releases)
        )
        releases = [row["reservation_id"] for row in rows]
    facts = await connection.fetch(
        SQL.facts,
        command_ids,
        list(needs.funds),
        releases,
        list(needs.keys[TRANSFERS]),
        list(needs.keys[WALLETS]),
        list(needs.keys[RESERVATIONS]),
        list(needs.keys[GROUPS]),
    )
    clock = next(fact["at"] for fact in facts if fact["kind"] == "clock")
    books.at = max(filter(None, (clock, not_before, latest)))
    decided = await _take_in(connection, facts, books)
    if needs.originals:
        books.originals = await lookup.transfers(connection, list(needs.originals))
        rows = await connection.fetch(SQL.reversed, list(needs.originals))
        books.reversed_minor = {row["reversal_of"]: row["amount_minor"] for row in rows}
    if needs.letters:
        rows = await connection.fetch(SQL.letters, list(needs.letters))
        books.letters = {row["dead_letter_id"]: row["command_id"] for row in rows}
    return Loaded(books, decided)


async def _load_names(connection: Queries, needs: Needs, books: Books) -> None:
    if not needs.names:
        return
    for row in await connection.fetch(SQL.find_wallets, list(needs.names)):
        name, wallet_id = row["external_unique_id"], row["wallet_id"]
        books.wallet_ids[name] = wallet_id
        needs.wallets.add(wallet_id)
        if name in needs.fund_names:
            needs.funds.add(wallet_id)


def _take_wallets_in(rows: Sequence[Any], needs: Needs, books: Books) -> datetime | None:
    """Answers the time of the latest entry on any of them."""
    latest: datetime | None = None
    for row in rows:
        wallet = lookup.wallet(row)
        books.wallets[wallet.wallet_id] = wallet
        books.wallet_ids[wallet.external_unique_id] = wallet.wallet_id
        books.positions[wallet.wallet_id] = Position(row["last_sequence"], row["balance_minor"])
        if row["last_entry"] is not None and (latest is None or row["last_entry"] > latest):
            latest = row["last_entry"]
    books.reserved = dict.fromkeys(needs.funds & books.wallets.keys(), 0)
    return latest


async def _take_in(connection: Queries, facts: Sequence[Any], books: Books) -> frozenset[UUID]:
    """Fill the books from the facts; answers the command ids that are decided already."""
    decided: set[UUID] = set()
    taken: dict[str, dict[str, UUID]] = {"transfer": {}, "wallet": {}, "reservation": {}}
    for kind, fact_id, key, at, record in facts:
        if kind == "clock":
            continue
        if kind == "held":
            if at > books.at:
                books.hold(_RESERVATION.decode(record))
        elif kind == "decided":
            decided.add(fact_id)
        elif kind == "group":
            books.taken_groups[key] = fact_id
        elif kind in taken:
            taken[kind][key] = fact_id
        else:
            space = kind.removeprefix("refused ")
            books.refusals[KeySpace(space, key)] = Refusal(at, _REJECTION.decode(record))
    if any(taken.values()):
        await _load_originals(connection, taken, books)
    return frozenset(decided)


async def _load_originals(
    connection: Queries, taken: dict[str, dict[str, UUID]], books: Books
) -> None:
    """What the keys that are on the ledger already stand for: the answer to a duplicate."""
    transfers = await lookup.transfers(connection, list(taken["transfer"].values()))
    books.taken_transfers = {t.external_unique_id: t for t in transfers.values()}
    states = await lookup.wallets(connection, list(taken["wallet"].values()))
    books.taken_wallets = {s.wallet.external_unique_id: s for s in states.values()}
    reservations = await lookup.reservations(connection, list(taken["reservation"].values()))
    books.taken_reservations = {r.external_unique_id: r for r in reservations.values()}
