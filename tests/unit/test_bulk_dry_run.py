"""What an estimate remembers of a file's wallets, and what it says where it has forgotten."""

from __future__ import annotations

from uuid import UUID

from ledger.books import Position
from producers.bulk.dry_run import Balances

PAYER, *PAYEES = (UUID(int=number) for number in range(10))


def at(*wallets: UUID, balance_minor: int = 5) -> dict[UUID, Position]:
    return {wallet: Position(1, balance_minor) for wallet in wallets}


def test_what_the_lines_left_goes_before_what_the_books_say() -> None:
    balances = Balances()
    balances.keep(at(PAYER, PAYEES[0]), {PAYER})
    positions = at(PAYER, PAYEES[0], PAYEES[1], balance_minor=100)
    balances.put_into(positions)
    assert [positions[w].balance_minor for w in (PAYER, *PAYEES[:2])] == [5, 5, 100]
    assert all(map(balances.is_whole, (PAYER, *PAYEES)))


def test_payees_leave_room_for_wallets_that_are_debited() -> None:
    balances = Balances(most_payees=3, most_wallets=5)
    for first in range(0, 8, 2):
        balances.keep(at(PAYER, *PAYEES[first : first + 2], balance_minor=first), {PAYER})
    positions = at(PAYER, *PAYEES, balance_minor=100)
    balances.put_into(positions)
    assert [positions[w].balance_minor for w in (PAYER, *PAYEES[:3])] == [6, 0, 0, 100]
    assert [w for w in (PAYER, *PAYEES) if balances.is_whole(w)] == [PAYER, *PAYEES[:2]]


def test_a_wallet_that_is_kept_too_late_never_counts_as_whole() -> None:
    balances = Balances(most_payees=1, most_wallets=2)
    balances.keep(at(PAYER, *PAYEES[:4]), {PAYER})
    late = PAYEES[2]
    balances.keep(at(late, balance_minor=7), {late})
    positions = at(late)
    balances.put_into(positions)
    assert positions[late].balance_minor == 7
    assert not balances.is_whole(late)
    balances.keep(at(PAYEES[5]), {PAYEES[5]})
    assert not balances.is_whole(PAYEES[5])
    assert balances.is_whole(PAYER)


def test_wallets_debited_in_the_lot_that_fills_it_are_whole() -> None:
    balances = Balances(most_payees=1, most_wallets=3)
    balances.keep(at(*PAYEES[:4], PAYER), {PAYER, PAYEES[3]})
    assert balances.is_whole(PAYER)
    assert balances.is_whole(PAYEES[3])
    assert not balances.is_whole(PAYEES[0])
