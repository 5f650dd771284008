"""A history beside the rows it is held against, indexed both ways."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from tests.simulation.history import History, Operation
from tests.simulation.rows import (
    GroupRow,
    OutcomeRow,
    ReservationRow,
    Rows,
    TransferRow,
    by_id,
    command_uuid,
)


@dataclass(slots=True)
class Case:
    """A history and the rows it is held against, indexed."""

    history: History
    rows: Rows
    outcomes: Mapping[UUID, OutcomeRow]
    transfers: Mapping[UUID, TransferRow]
    transfers_by_key: Mapping[str, TransferRow]
    transfers_by_command: Mapping[UUID, list[TransferRow]]
    reservations_by_command: Mapping[UUID, ReservationRow]
    reservations_by_key: Mapping[str, ReservationRow]
    groups_by_command: Mapping[UUID, GroupRow]
    known: frozenset[UUID]
    """The commands whose id some caller was told."""
    _users: Mapping[str, list[UUID]]
    _refused: Mapping[tuple[int, int], set[str]]

    @classmethod
    def of(cls, history: History, rows: Rows) -> Case:
        moved: dict[UUID, list[TransferRow]] = defaultdict(list)
        for transfer in rows.transfers:
            moved[transfer.command_id].append(transfer)
        return cls(
            history=history,
            rows=rows,
            outcomes=by_id(rows.outcomes, "command_id"),
            transfers=by_id(rows.transfers, "transfer_id"),
            transfers_by_key=by_id(rows.transfers, "external_unique_id"),
            transfers_by_command=moved,
            reservations_by_command=by_id(rows.reservations, "command_id"),
            reservations_by_key=by_id(rows.reservations, "external_unique_id"),
            groups_by_command=by_id(rows.groups, "command_id"),
            known=frozenset(
                command_uuid(op.command_id)
                for op in history.operations
                if not op.is_read and op.command_id is not None
            ),
            _users=_users_of_keys(rows),
            _refused=_refused_keys(rows),
        )

    def writes(self) -> Iterator[Operation]:
        return self.history.writes()

    def users_of_key(self, key: str) -> list[UUID]:
        """The commands that used the key up: one, in sound books."""
        return self._users.get(key, [])

    def names_of(self, outcome: OutcomeRow) -> set[str]:
        """The keys that the outcome's command named; empty text for a release, which names none.
        Nothing for a refusal of a key that was refused again later: the books keep the last."""
        names = {key for key, users in self._users.items() if outcome.command_id in users}
        names |= self._refused.get((outcome.partition, outcome.number), set())
        details = outcome.details
        for space in ("transfer", "reservation", "wallet"):
            used = details.get(space)
            # A wallet's record lies inside its state.
            if isinstance(used, dict):
                names.add(used.get("wallet", used).get("external_unique_id", ""))
        if "group_id" in details:
            names |= {
                group.external_unique_id or ""
                for group in self.rows.groups
                if str(group.group_id) == details["group_id"]
            }
        return names or ({""} if outcome.kind != "Rejection" else set())


def _users_of_keys(rows: Rows) -> dict[str, list[UUID]]:
    users: dict[str, list[UUID]] = defaultdict(list)
    created = {o.subject_id: o.command_id for o in rows.outcomes if o.kind == "WalletCreated"}
    for transfer in rows.transfers:
        users[transfer.external_unique_id].append(transfer.command_id)
    for reservation in rows.reservations:
        users[reservation.external_unique_id].append(reservation.command_id)
    for group in rows.groups:
        if group.external_unique_id is not None:
            users[group.external_unique_id].append(group.command_id)
    for wallet in rows.wallets:
        if wallet.wallet_id in created:
            users[wallet.external_unique_id].append(created[wallet.wallet_id])
    return users


def _refused_keys(rows: Rows) -> dict[tuple[int, int], set[str]]:
    refused: dict[tuple[int, int], set[str]] = defaultdict(set)
    for row in rows.refused_keys:
        refused[row.partition, row.number].add(row.key)
    return refused
