"""Books in memory for rule tests: wallets in ZAR unless said otherwise, ids that can be read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID, uuid5

from ledger.books import Books, Position
from ledger.commands import Command, PostTransfer, Submission, WalletRef
from ledger.decide import Source, decide
from ledger.money import exponent_of, to_minor
from ledger.outcomes import Result
from ledger.records import Reservation, Wallet, WalletStatus, WalletType
from ledger.rejections import Rejection

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_SPACE = UUID(int=1)


def name_id(name: str) -> UUID:
    """The same id for the same name, in every test."""
    return uuid5(_SPACE, name)


def ids() -> Callable[[], UUID]:
    numbers = count(1)
    return lambda: UUID(int=next(numbers))


def minor(amount: str, currency: str = "ZAR") -> int:
    value = to_minor(Decimal(amount), exponent_of(currency))
    assert value is not None
    return value


class RuleBooks:
    """Builds ``Books`` and decides commands on them, applying what succeeds."""

    def __init__(self) -> None:
        self.books = Books(at=NOW)
        self._source = Source(new_id=ids(), new_reference=lambda: "RF00TEST")

    def wallet(
        self,
        name: str,
        balance: str = "0",
        *,
        minimum: str = "0",
        currency: str = "ZAR",
        status: str = "ACTIVE",
        type: str = "STANDARD",  # noqa: A002  the contract's word
    ) -> UUID:
        wallet_id = name_id(name)
        system = type == "SYSTEM"
        self.books.wallets[wallet_id] = Wallet(
            wallet_id=wallet_id,
            external_unique_id=name,
            currency=currency,
            type=WalletType(type),
            status=WalletStatus(status),
            minimum_minor=None if system else minor(minimum, currency),
            reference="RF00",
            created=NOW,
        )
        self.books.wallet_ids[name] = wallet_id
        self.books.positions[wallet_id] = Position(0, minor(balance, currency))
        self.books.reserved[wallet_id] = 0
        return wallet_id

    def hold(self, wallet: str, amount: str, session: str = "session-1") -> UUID:
        reservation = Reservation(
            reservation_id=name_id(f"{wallet}/{session}/{len(self.books.reservations)}"),
            wallet_id=name_id(wallet),
            amount_minor=minor(amount),
            currency="ZAR",
            session_id=session,
            expires=NOW + timedelta(hours=1),
            created=NOW,
            external_unique_id=f"hold-{len(self.books.reservations)}",
        )
        self.books.hold(reservation)
        return reservation.reservation_id

    def decide(
        self,
        command: Command,
        *,
        issued: datetime = NOW,
        deadline: datetime = NOW + timedelta(seconds=5),
        actor: str = "test",
        apply: bool = True,
    ) -> Result:
        submission = Submission(
            command_id=self._source.new_id(),
            issued=issued,
            deadline=deadline,
            actor=actor,
            command=command,
        )
        result = decide(submission, self.books, self._source)
        if apply and not isinstance(result, Rejection):
            self.books.apply(result)
        return result


def transfer(
    source: str, target: str, amount: str, key: str = "key-000001", **more: Any
) -> PostTransfer:
    return PostTransfer(
        from_wallet=WalletRef(wallet_id=name_id(source)),
        to_wallet=WalletRef(wallet_id=name_id(target)),
        amount=Decimal(amount),
        external_unique_id=key,
        **more,
    )
