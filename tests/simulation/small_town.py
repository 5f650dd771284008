"""A short history and its rows, sound in every respect: what the tests of the auditor corrupt."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from tests.simulation.history import Heard, History, Kind, Operation, Settled
from tests.simulation.rows import (
    EntryRow,
    OutcomeRow,
    RefusedKeyRow,
    ReservationRow,
    Rows,
    TransferRow,
    WalletRow,
)

BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BANK, ALICE, BOB = (UUID(int=number) for number in (1, 2, 3))


def token(command_id: UUID) -> str:
    """A command id as callers see it, with a checksum that nobody looks at."""
    return base64.b32encode(command_id.bytes + bytes(6)).decode().lower().rstrip("=")


def money(amount_minor: int) -> str:
    return f"{amount_minor / 100:.2f}"


@dataclass
class Town:
    """Plays calls one after the other, a second each, and writes down what a sound system does."""

    history: History = field(default_factory=History)
    rows: Rows = field(default_factory=Rows)
    _second: int = 0
    _ids: Any = field(default_factory=lambda: count(100))

    def __post_init__(self) -> None:
        for wallet_id, name, minimum in (
            (BANK, "bank", None),
            (ALICE, "alice", 0),
            (BOB, "bob", 0),
        ):
            kind = "SYSTEM" if minimum is None else "STANDARD"
            self.rows.wallets.append(WalletRow(wallet_id, name, kind, "ZAR", minimum, 0, 0))
            command_id = self._decide("WalletCreated", wallet_id)
            answer = {"walletId": str(wallet_id)}
            self._told(Kind.WALLET, name, {"type": kind}, 201, answer, command_id)

    @property
    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self._second)

    def transfer(
        self, key: str, source: UUID, target: UUID, amount: int, session: str | None = None
    ) -> Operation:
        command_id, answer = self.post(key, source, target, amount, session)
        request = self.movement(source, target, amount, session)
        return self._told(Kind.TRANSFER, key, request, 201, answer, command_id)

    def movement(
        self, source: UUID, target: UUID, amount: int, session: str | None = None
    ) -> dict[str, Any]:
        return {"from": str(source), "to": str(target), "amount": amount, "session": session}

    def post(
        self, key: str, source: UUID, target: UUID, amount: int, session: str | None = None
    ) -> tuple[UUID, dict[str, Any]]:
        """The rows of a transfer; answers its command and what an answer says of it."""
        transfer_id = UUID(int=next(self._ids))
        command_id = self._decide("TransferPosted", transfer_id)
        released = []
        for held in self.rows.reservations:
            if held.session_id == session and held.released is None:
                held.released, held.released_by = self.now, transfer_id
                released.append(
                    {"reservationId": str(held.reservation_id), "amount": money(held.amount_minor)}
                )
        debit = self._enter(source, transfer_id, -amount)
        credit = self._enter(target, transfer_id, amount)
        self.rows.transfers.append(
            TransferRow(
                transfer_id,
                command_id,
                key,
                source,
                target,
                amount,
                debit,
                credit,
                self.now,
                "ZAR",
                session,
                reversal_of=None,
                group_id=None,
            )
        )
        answer = {
            "transferId": str(transfer_id),
            "externalUniqueId": key,
            "fromWalletId": str(source),
            "toWalletId": str(target),
            "amount": money(amount),
            "sessionId": session,
            "releasedReservations": released,
        }
        return command_id, answer

    def reserve(self, key: str, wallet: UUID, amount: int, session: str) -> Operation:
        reservation_id = UUID(int=next(self._ids))
        command_id = self._decide("ReservationPlaced", reservation_id)
        expires = self.now + timedelta(hours=1)
        self.rows.reservations.append(
            ReservationRow(
                *(reservation_id, wallet, key, session, amount, expires, self.now),
                *(command_id, None, None),
            )
        )
        request = {"wallet": str(wallet), "amount": amount, "session": session}
        answer = {"reservationId": str(reservation_id)}
        return self._told(Kind.RESERVE, key, request, 201, answer, command_id)

    def release(self, wallet: UUID, held: ReservationRow) -> Operation:
        command_id = self._decide("ReservationsReleased", None)
        held.released, held.released_by = self.now, command_id
        request = {"wallet": str(wallet), "reservation": str(held.reservation_id)}
        return self._told(Kind.RELEASE, None, request, 204, None, command_id)

    def refused(self, key: str, source: UUID, target: UUID, amount: int, code: str) -> Operation:
        command_id = self._decide("Rejection", None, {"code": code})
        number = len(self.rows.outcomes)
        self.rows.refused_keys.append(RefusedKeyRow(key, 0, number))
        request = self.movement(source, target, amount)
        return self._told(Kind.TRANSFER, key, request, 422, {"code": code}, command_id)

    def unheard(self, key: str, request: dict[str, Any]) -> Operation:
        """A transfer whose connection broke; it never arrived, and was found absent later."""
        operation = self._told(Kind.TRANSFER, key, request, 503, {"code": "unavailable"}, None)
        operation.status, operation.code, operation.heard = None, None, Heard.UNKNOWN
        operation.by_key = Settled(False, "absent", operation.ended_s + 0.3)
        return operation

    def unanswered(self, key: str, source: UUID, target: UUID, amount: int) -> Operation:
        """One that was answered 202 and turned out to be applied."""
        command_id, _ = self.post(key, source, target, amount)
        request = self.movement(source, target, amount)
        operation = self._told(Kind.TRANSFER, key, request, 202, {"status": "PENDING"}, command_id)
        operation.heard = Heard.UNKNOWN
        operation.by_command = Settled(True, "APPLIED", operation.ended_s + 0.3)
        operation.by_key = Settled(True, "duplicate-transfer", operation.ended_s + 0.4)
        return operation

    def read(self, kind: Kind, wallet: UUID, answer: dict[str, Any]) -> Operation:
        request = {"wallet": str(wallet), "after": 0, "limit": 100}
        return self._told(kind, None, request, 200, answer, None)

    def find(self, key: str, items: list[dict[str, Any]]) -> Operation:
        return self._told(Kind.FIND, key, {}, 200, {"items": items}, None)

    def _enter(self, wallet_id: UUID, transfer_id: UUID, amount: int) -> int:
        wallet = next(w for w in self.rows.wallets if w.wallet_id == wallet_id)
        wallet.balance_minor += amount
        wallet.last_sequence += 1
        sequence = wallet.last_sequence
        self.rows.entries.append(
            EntryRow(wallet_id, sequence, transfer_id, amount, wallet.balance_minor, self.now)
        )
        return sequence

    def _decide(
        self, kind: str, subject: UUID | None, detail: dict[str, Any] | None = None
    ) -> UUID:
        self._second += 1
        command_id = UUID(int=next(self._ids))
        number = len(self.rows.outcomes) + 1
        written = None if detail is None else json.dumps(detail)
        self.rows.outcomes.append(
            OutcomeRow(0, number, command_id, kind, subject, self.now, written)
        )
        return command_id

    def _told(
        self,
        kind: Kind,
        key: str | None,
        request: dict[str, Any],
        status: int,
        answer: dict[str, Any] | None,
        command_id: UUID | None,
    ) -> Operation:
        operation = self.history.invoke("town", kind, key=key, request=request)
        shown = None if command_id is None else token(command_id)
        self.history.answered(operation, status, answer, shown)
        operation.invoked_s, operation.completed_s = self._second - 0.4, self._second + 0.4
        operation.invoked_wall = self.now.timestamp() - 0.4
        if command_id is None:  # nothing was decided: it falls between two decisions
            operation.invoked_s, operation.completed_s = self._second + 0.45, self._second + 0.5
        return operation


def town() -> Town:
    """Each kind of call and of ending once."""
    made = Town()
    made.transfer("fund-alice", BANK, ALICE, 10_000)
    made.transfer("alice-to-bob", ALICE, BOB, 3_000)
    made.refused("too-much", ALICE, BOB, 50_000, "insufficient-funds")
    made.reserve("hold-one", ALICE, 2_000, "session-one")
    made.transfer("spends-hold", ALICE, BOB, 1_500, "session-one")
    made.reserve("hold-two", ALICE, 1_000, "session-two")
    made.release(ALICE, made.rows.reservations[-1])
    made.unanswered("nobody-knew", BOB, ALICE, 500)
    made.unheard("never-came", made.movement(BOB, ALICE, 100))
    made.history.answered(
        made.history.invoke(
            "town", Kind.TRANSFER, key="turned-away", request=made.movement(BOB, ALICE, 1)
        ),
        503,
        {"code": "unavailable"},
        None,
    )
    duplicate = made.refused("alice-to-bob", ALICE, BOB, 3_000, "duplicate-transfer")
    duplicate.answer = {
        "code": "duplicate-transfer",
        "samePayload": True,
        "transfer": operation(made, "alice-to-bob").answer,
    }
    of_alice = [e for e in made.rows.entries if e.wallet_id == ALICE]
    made.read(
        Kind.ENTRIES,
        ALICE,
        {
            "items": [
                {
                    "sequence": entry.sequence,
                    "transferId": str(entry.transfer_id),
                    "amount": money(entry.amount_minor),
                    "balance": money(entry.balance_minor),
                }
                for entry in of_alice
            ],
            "completeUntil": made.now.isoformat(),
        },
    )
    made.read(
        Kind.BALANCE,
        ALICE,
        {
            "currentBalance": money(of_alice[-1].balance_minor),
            "availableBalance": money(of_alice[-1].balance_minor),
            "reservations": "0.00",
            "minimumBalance": "0.00",
        },
    )
    made.find("alice-to-bob", [dict(operation(made, "alice-to-bob").answer or {})])
    return made


def operation(made: Town, key: str) -> Operation:
    return next(op for op in made.history.operations if op.key == key)


def read(made: Town, kind: Kind) -> Operation:
    return next(op for op in made.history.operations if op.kind is kind)
