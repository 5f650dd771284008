"""Groups, reversals, reservations and wallets."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from ledger.commands import (
    ChangeWallet,
    CreateWallet,
    PlaceReservation,
    PostTransferGroup,
    ReleaseReservation,
    ReleaseSession,
    ReverseTransfer,
)
from ledger.money import LIMIT_MINOR
from ledger.outcomes import (
    ReservationPlaced,
    ReservationsReleased,
    Result,
    TransferGroupPosted,
    TransferPosted,
    WalletChanged,
    WalletCreated,
)
from ledger.records import WalletStatus, WalletType
from ledger.rejections import Code, Rejection
from tests.tables import cases
from tests.unit.rulebooks import NOW, RuleBooks, minor, name_id, transfer


def code(result: Result) -> str:
    return result.code.value if isinstance(result, Rejection) else type(result).__name__


class TestGroups:
    @pytest.fixture
    def books(self) -> RuleBooks:
        books = RuleBooks()
        books.wallet("buyer", "100.00")
        books.wallet("escrow")
        books.wallet("seller")
        return books

    def test_each_transfer_sees_the_ones_before_it(self, books: RuleBooks) -> None:
        group = PostTransferGroup(
            (
                transfer("buyer", "escrow", "100.00", "leg-0001"),
                transfer("escrow", "seller", "99.00", "leg-0002"),
                transfer("escrow", "buyer", "1.00", "leg-0003"),
            ),
            "group-01",
        )
        result = books.decide(group)
        assert isinstance(result, TransferGroupPosted)
        assert [t.from_balance_minor for t in result.transfers] == [0, 100, 0]
        assert {t.group_id for t in result.transfers} == {result.group_id}
        assert books.books.positions[name_id("seller")].balance_minor == minor("99.00")

    def test_one_refusal_stops_all_and_says_which(self, books: RuleBooks) -> None:
        held = books.hold("buyer", "50.00", "session-1")
        group = PostTransferGroup(
            (
                transfer("buyer", "escrow", "60.00", "leg-0001", session_id="session-1"),
                transfer("escrow", "seller", "60.01", "leg-0002"),
            )
        )
        result = books.decide(group)
        assert isinstance(result, Rejection)
        assert (result.code, result.index) == (Code.INSUFFICIENT_FUNDS, 1)
        assert books.books.positions[name_id("buyer")].balance_minor == minor("100.00")
        assert books.books.reserved[name_id("buyer")] == minor("50.00")
        assert held in books.books.reservations
        assert "leg-0001" not in books.books.taken_transfers

    def test_keys_are_used_once_within_a_group_and_beyond(self, books: RuleBooks) -> None:
        twice = (transfer("buyer", "escrow", "1", "leg-0001"),) * 2
        assert code(books.decide(PostTransferGroup(twice))) == "invalid-request"
        once = PostTransferGroup((transfer("buyer", "escrow", "1", "leg-0001"),), "group-01")
        assert isinstance(books.decide(once), TransferGroupPosted)
        assert code(books.decide(once)) == "duplicate-group"
        other = PostTransferGroup((transfer("buyer", "escrow", "1", "leg-0001"),), "group-02")
        assert code(books.decide(other)) == "duplicate-transfer"


class TestReversals:
    @pytest.fixture
    def books(self) -> RuleBooks:
        books = RuleBooks()
        books.wallet("payer", "100.00")
        books.wallet("payee")
        books.wallet("elsewhere")
        result = books.decide(transfer("payer", "payee", "100.00", "original-1"))
        assert isinstance(result, TransferPosted)
        books.books.originals[result.transfer.transfer_id] = result.transfer
        return books

    def reversal(self, books: RuleBooks, key: str, amount: str | None = None) -> Result:
        (original,) = books.books.originals
        return books.decide(
            ReverseTransfer(
                transfer_id=original,
                from_wallet_id=name_id("payee"),
                to_wallet_id=name_id("payer"),
                external_unique_id=key,
                amount=None if amount is None else Decimal(amount),
            )
        )

    def test_whole_by_default(self, books: RuleBooks) -> None:
        result = self.reversal(books, "reverse-1")
        assert isinstance(result, TransferPosted)
        assert result.transfer.amount_minor == minor("100.00")
        assert result.transfer.reversal_of in books.books.originals
        assert code(self.reversal(books, "reverse-2")) == "reversal-exceeds-original"

    def test_in_parts_never_more_than_there_was(self, books: RuleBooks) -> None:
        assert isinstance(self.reversal(books, "reverse-1", "60.00"), TransferPosted)
        assert code(self.reversal(books, "reverse-2", "40.01")) == "reversal-exceeds-original"
        rest = self.reversal(books, "reverse-3")
        assert isinstance(rest, TransferPosted)
        assert rest.transfer.amount_minor == minor("40.00")

    def test_not_of_a_reversal(self, books: RuleBooks) -> None:
        first = self.reversal(books, "reverse-1")
        assert isinstance(first, TransferPosted)
        books.books.originals = {first.transfer.transfer_id: first.transfer}
        again = ReverseTransfer(
            first.transfer.transfer_id, name_id("payer"), name_id("payee"), "reverse-2"
        )
        assert code(books.decide(again)) == "reversal-exceeds-original"

    def test_one_that_names_other_wallets_is_a_defect(self, books: RuleBooks) -> None:
        """Its debit wallet's reservations were not loaded: deciding would spend them."""
        (original,) = books.books.originals
        wrong = ReverseTransfer(original, name_id("payer"), name_id("payee"), "reverse-1")
        with pytest.raises(ValueError, match="names other wallets"):
            books.decide(wrong)

    def test_refused_for_funds_like_any_transfer(self, books: RuleBooks) -> None:
        books.decide(transfer("payee", "elsewhere", "50.00", "spend-01"))
        assert code(self.reversal(books, "reverse-1")) == "insufficient-funds"
        assert isinstance(self.reversal(books, "reverse-2", "50.00"), TransferPosted)

    def test_a_retransmission_is_a_duplicate(self, books: RuleBooks) -> None:
        self.reversal(books, "reverse-1")
        again = self.reversal(books, "reverse-1")
        assert isinstance(again, Rejection)
        assert (again.code, again.same_payload) == (Code.DUPLICATE_TRANSFER, True)
        other = self.reversal(books, "reverse-1", "1.00")
        assert isinstance(other, Rejection)
        assert other.same_payload is False

    def test_of_nothing(self) -> None:
        books = RuleBooks()
        books.books.originals[name_id("unused")] = None  # type: ignore[assignment]
        assert code(self.reversal(books, "reverse-1")) == "transfer-not-found"


class TestReservations:
    def place(
        self, books: RuleBooks, amount: str, key: str = "hold-0001", wallet: str = "payer"
    ) -> Result:
        return books.decide(
            PlaceReservation(
                wallet_id=name_id(wallet),
                amount=Decimal(amount),
                session_id="session-1",
                expires=NOW + timedelta(hours=1),
                external_unique_id=key,
            )
        )

    @cases("""
        case                  | balance | minimum | held  | amount | answer
        all that is there     | 100.00  | 0       | 0     | 100.00 | ReservationPlaced
        one cent more         | 100.00  | 0       | 0     | 100.01 | insufficient-funds
        next to another       | 100.00  | 0       | 99.99 | 0.01   | ReservationPlaced
        into another          | 100.00  | 0       | 99.99 | 0.02   | insufficient-funds
        into the minimum      | 100.00  | 10.00   | 0     | 90.01  | insufficient-funds
        too fine              | 100.00  | 0       | 0     | 0.001  | invalid-amount
    """)
    def test_funds(self, row: dict[str, str]) -> None:
        books = RuleBooks()
        books.wallet("payer", row["balance"], minimum=row["minimum"])
        if row["held"] != "0":
            books.hold("payer", row["held"])
        assert code(self.place(books, row["amount"])) == row["answer"]

    def test_wallet_states(self) -> None:
        books = RuleBooks()
        books.wallet("frozen", "10", status="FROZEN")
        books.wallet("closed", status="CLOSED")
        assert code(self.place(books, "1", wallet="frozen")) == "wallet-frozen"
        assert code(self.place(books, "1", wallet="closed")) == "wallet-closed"
        assert code(self.place(books, "1", wallet="nobody")) == "wallet-not-found"

    def test_a_key_reserves_once_even_after_its_release(self) -> None:
        books = RuleBooks()
        books.wallet("payer", "100.00")
        placed = self.place(books, "60.00")
        assert isinstance(placed, ReservationPlaced)
        released = books.decide(
            ReleaseReservation(name_id("payer"), placed.reservation.reservation_id)
        )
        assert isinstance(released, ReservationsReleased)
        again = self.place(books, "60.00")
        assert isinstance(again, Rejection)
        assert (again.code, again.same_payload) == (Code.DUPLICATE_RESERVATION, True)
        assert again.reservation == placed.reservation

    def test_release_by_id_and_by_session(self) -> None:
        books = RuleBooks()
        books.wallet("payer", "100.00")
        books.wallet("other", "100.00")
        mine = books.hold("payer", "10.00", "session-1")
        books.hold("payer", "20.00", "session-1")
        books.hold("other", "30.00", "session-1")
        assert code(books.decide(ReleaseReservation(name_id("other"), mine))) == (
            "reservation-not-found"
        )
        assert code(books.decide(ReleaseReservation(name_id("payer"), mine))) == (
            "ReservationsReleased"
        )
        assert code(books.decide(ReleaseReservation(name_id("payer"), mine))) == (
            "reservation-not-found"
        )
        rest = books.decide(ReleaseSession(name_id("payer"), "session-1"))
        assert isinstance(rest, ReservationsReleased)
        assert [r.amount_minor for r in rest.released] == [minor("20.00")]
        assert books.books.reserved[name_id("other")] == minor("30.00")
        nothing = books.decide(ReleaseSession(name_id("payer"), "session-1"))
        assert isinstance(nothing, ReservationsReleased)
        assert nothing.released == ()

    def test_expired_before_it_was_placed(self) -> None:
        books = RuleBooks()
        books.wallet("payer", "100.00")
        command = PlaceReservation(name_id("payer"), Decimal(1), "session-1", NOW, "hold-0001")
        assert code(books.decide(command)) == "invalid-request"


class TestWallets:
    @cases("""
        case                 | currency | type     | minimum | answer
        plain                | ZAR      | STANDARD | 0       | WalletCreated
        an overdraft         | ZAR      | STANDARD | -500.00 | WalletCreated
        a minimum            | ZAR      | STANDARD | 50.00   | WalletCreated
        the system's         | ZAR      | SYSTEM   | 0       | WalletCreated
        too fine a minimum   | JPY      | STANDARD | 0.5     | invalid-amount
        no such currency     | XYZ      | STANDARD | 0       | invalid-request
        gold has no cents    | XAU      | STANDARD | 0       | invalid-request
        beyond the limit     | JPY      | STANDARD | -90000000000000001 | limit-exceeded
    """)
    def test_create(self, row: dict[str, str]) -> None:
        command = CreateWallet(
            "wallet-01", row["currency"], WalletType(row["type"]), Decimal(row["minimum"])
        )
        assert code(RuleBooks().decide(command)) == row["answer"]

    def test_a_key_opens_one_wallet(self) -> None:
        books = RuleBooks()
        first = books.decide(CreateWallet("wallet-01", "ZAR"))
        assert isinstance(first, WalletCreated)
        assert first.state.balance.current_minor == 0
        again = books.decide(CreateWallet("wallet-01", "ZAR"))
        assert isinstance(again, Rejection)
        assert (again.code, again.same_payload) == (Code.DUPLICATE_WALLET, True)
        other = books.decide(CreateWallet("wallet-01", "USD"))
        assert isinstance(other, Rejection)
        assert other.same_payload is False

    @cases("""
        case                      | balance | held | from   | to     | answer
        freeze                    | 5.00    | 0    | ACTIVE | FROZEN | WalletChanged
        thaw                      | 5.00    | 0    | FROZEN | ACTIVE | WalletChanged
        close an empty one        | 0       | 0    | ACTIVE | CLOSED | WalletChanged
        close one with money      | 0.01    | 0    | ACTIVE | CLOSED | wallet-not-empty
        close one in debt         | -0.01   | 0    | ACTIVE | CLOSED | wallet-not-empty
        close one that holds      | 0       | 1.00 | ACTIVE | CLOSED | wallet-not-empty
        reopen                    | 0       | 0    | CLOSED | ACTIVE | wallet-closed
    """)
    def test_status(self, row: dict[str, str]) -> None:
        books = RuleBooks()
        books.wallet("one", row["balance"], status=row["from"], minimum="-10.00")
        if row["held"] != "0":
            books.hold("one", row["held"])
        command = ChangeWallet(name_id("one"), status=WalletStatus(row["to"]))
        assert code(books.decide(command)) == row["answer"]

    @cases("""
        case                         | balance | minimum | wanted   | answer
        allow an overdraft           | 0       | 0       | -100.00  | WalletChanged
        raise it to what is there    | 50.00   | 0       | 50.00    | WalletChanged
        raise it above what is there | 50.00   | 0       | 50.01    | insufficient-funds
        take back a used overdraft   | -20.00  | -50.00  | 0        | insufficient-funds
        lower it while below         | 0       | 50.00   | 10.00    | WalletChanged
        too fine                     | 0       | 0       | 0.001    | invalid-amount
    """)
    def test_minimum(self, row: dict[str, str]) -> None:
        books = RuleBooks()
        books.wallet("one", row["balance"], minimum=row["minimum"])
        command = ChangeWallet(name_id("one"), minimum_balance=Decimal(row["wanted"]))
        assert code(books.decide(command)) == row["answer"]

    def test_a_system_wallet_has_no_minimum(self) -> None:
        books = RuleBooks()
        books.wallet("system", type="SYSTEM")
        command = ChangeWallet(name_id("system"), minimum_balance=Decimal(0))
        assert code(books.decide(command)) == "invalid-request"

    def test_name_and_metadata_are_replaced_whole(self) -> None:
        books = RuleBooks()
        books.wallet("one")
        changed = books.decide(ChangeWallet(name_id("one"), name="Holiday", metadata={"a": "1"}))
        assert isinstance(changed, WalletChanged)
        again = books.decide(ChangeWallet(name_id("one"), metadata={"b": "2"}))
        assert isinstance(again, WalletChanged)
        assert again.state.wallet.name == "Holiday"
        assert again.state.wallet.metadata == {"b": "2"}

    def test_nobody(self) -> None:
        assert code(RuleBooks().decide(ChangeWallet(name_id("nobody")))) == "wallet-not-found"

    def test_the_limit_is_a_whole_number_of_minor_units(self) -> None:
        assert LIMIT_MINOR == 90_000_000_000_000_000
