"""Wallets and sessions of the bank side: nobody's but the bank process's."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from ledger.books import GROUPS, RESERVATIONS, TRANSFERS, WALLETS, KeySpace
from ledger.commands import (
    ChangeWallet,
    Command,
    CreateWallet,
    PlaceReservation,
    PostTransferGroup,
    ReleaseReservation,
    ReleaseSession,
    Submission,
)
from ledger.decide import keys_of, refused_keys
from ledger.kept import KEEPER, is_kept
from ledger.outcomes import Result
from ledger.records import WalletStatus, WalletType
from ledger.rejections import Code, Rejection
from tests.unit.rulebooks import NOW, RuleBooks, name_id, transfer

CONTROL, SUSPENSE, CHARGES = "bank-control:1", "bank-suspense:1", "bank-charges:1"
OWN = UUID(int=7)
PAYOUT = f"payout:{OWN}"


@pytest.fixture
def books() -> RuleBooks:
    made = RuleBooks()
    made.wallet(CONTROL, "-100", type="SYSTEM")
    made.wallet(SUSPENSE, "50")
    made.wallet(CHARGES, type="SYSTEM")
    made.wallet("tenant", "50")
    made.wallet("other", "50")
    return made


def word(result: Result) -> str:
    return result.code.value if isinstance(result, Rejection) else "done"


def held(books: RuleBooks, session: str) -> ReleaseReservation:
    return ReleaseReservation(name_id("tenant"), books.hold("tenant", "10", session))


KEPT: list[Command] = [
    transfer(CONTROL, "tenant", "1"),
    transfer("tenant", CONTROL, "1"),
    transfer(SUSPENSE, "tenant", "1"),
    transfer("tenant", SUSPENSE, "1"),
    PostTransferGroup(
        (transfer("tenant", "other", "1"), transfer(SUSPENSE, "other", "1", "key-2"))
    ),
    PlaceReservation(name_id(SUSPENSE), Decimal(1), "mine-1", NOW + timedelta(1), "hold-key-1"),
    CreateWallet("bank-control:2", "ZAR", WalletType.SYSTEM),
    CreateWallet("bank-suspense:2", "ZAR"),
    CreateWallet("bank-charges:2", "ZAR", WalletType.SYSTEM),
    transfer(CHARGES, "tenant", "1"),
    ChangeWallet(name_id(SUSPENSE), status=WalletStatus.FROZEN),
    ChangeWallet(name_id(CONTROL), name="mine"),
]
TAKEN: list[Command] = [
    *(
        transfer("tenant", "other", "1", f"{name}:{OWN}{more}")
        for name, more in (
            ("payout", ""),
            ("payout-return", ""),
            ("bank-row", ""),
            ("bank-action", ":1"),
        )
    ),
    PostTransferGroup((transfer("tenant", "other", "1"),), f"bank-action:{OWN}"),
    PlaceReservation(name_id("tenant"), Decimal(1), "mine-1", NOW + timedelta(1), PAYOUT),
    PlaceReservation(name_id("tenant"), Decimal(1), PAYOUT, NOW + timedelta(1), "hold-key-1"),
]


@pytest.mark.parametrize("command", KEPT, ids=lambda command: type(command).__name__)
def test_its_wallets_are_frozen_to_everybody_else(books: RuleBooks, command: Command) -> None:
    assert word(books.decide(command, apply=False)) == "wallet-frozen"
    assert word(books.decide(command, actor=KEEPER)) == "done"


@pytest.mark.parametrize("command", TAKEN, ids=lambda command: type(command).__name__)
def test_its_names_are_nobody_elses(books: RuleBooks, command: Command) -> None:
    assert word(books.decide(command, apply=False)) == "invalid-request"
    assert word(books.decide(command, actor=KEEPER)) == "done"


def test_what_a_payout_holds_is_not_spent_or_freed_by_others(books: RuleBooks) -> None:
    release = held(books, PAYOUT)
    spend = transfer("tenant", "other", "1", session_id=PAYOUT)
    for command in (release, ReleaseSession(name_id("tenant"), PAYOUT), spend):
        assert word(books.decide(command, apply=False)) == "wallet-frozen"
    assert word(books.decide(release, actor=KEEPER)) == "done"


def test_everything_else_is_as_it_was(books: RuleBooks) -> None:
    """A caller's own sessions and keys too, though they begin alike; and charges are made good."""
    for session in ("session-1", "payout:2026-0042"):
        assert word(books.decide(held(books, session))) == "done"
    assert word(books.decide(transfer("tenant", CHARGES, "1"))) == "done"
    assert word(books.decide(transfer("tenant", "other", "1", "bank-row:march"))) == "done"


def test_a_rule_that_refuses_comes_first(books: RuleBooks) -> None:
    assert word(books.decide(transfer(SUSPENSE, "tenant", "51"))) == "insufficient-funds"


@pytest.mark.parametrize("command", [*TAKEN, *KEPT[6:9]], ids=lambda each: type(each).__name__)
def test_refusals_of_others_leave_no_mark_on_its_keys(books: RuleBooks, command: Command) -> None:
    own = [key for key in keys_of(command) if key.key not in ("key-000001", "hold-key-1")]
    refusal = Rejection(Code.INSUFFICIENT_FUNDS, "whatever the rules say")
    for actor, marked in (("test", False), (KEEPER, True)):
        marks = refused_keys(submission(command, actor), refusal, books.books)
        assert all((key in marks) is marked for key in own)
        assert set(marks) >= set(keys_of(command)) - set(own)


def test_a_key_is_kept_where_the_bank_side_uses_it() -> None:
    """Somebody's wallet may be named like a row, and a refusal to make it is recorded."""
    for kept, key in (
        (True, KeySpace(TRANSFERS, f"bank-row:{OWN}")),
        (True, KeySpace(RESERVATIONS, PAYOUT)),
        (True, KeySpace(GROUPS, f"bank-action:{OWN}")),
        (True, KeySpace(WALLETS, CONTROL)),
        (False, KeySpace(WALLETS, PAYOUT)),
        (False, KeySpace(TRANSFERS, CONTROL)),
        (False, KeySpace(TRANSFERS, "bank-row:march")),
    ):
        assert is_kept(key) is kept


def submission(command: Command, actor: str) -> Submission:
    return Submission(
        command_id=OWN, issued=NOW, deadline=NOW + timedelta(1), actor=actor, command=command
    )
