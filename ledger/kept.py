"""What the bank side keeps for itself: wallets and sessions that nobody else may touch. Pure.

Money in them moves by what the bank said, or by what two people decided. Any key could ask for
something else, an operator's too, and would get round the second person, or part the books from the
bank's. To everybody but the bank process they are as good as frozen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from ledger.books import Books
from ledger.outcomes import (
    ReservationPlaced,
    ReservationsReleased,
    Result,
    TransferGroupPosted,
    TransferPosted,
    WalletCreated,
)
from ledger.records import Release, Transfer
from ledger.rejections import Code, Rejection

#: Who asks for what the bank process asks for. No key has such an id: those are drawn.
KEEPER: Final = "bank"
#: External ids of its wallets begin so: what the bank owes us, and what nobody could attribute.
WALLETS: Final = ("bank-control:", "bank-suspense:")
#: Sessions that hold the money of payouts begin so.
SESSIONS: Final = "payout:"


def refuse(result: Result, actor: str, books: Books) -> Rejection | None:
    """The refusal of what the rules would allow, where it touches what is kept."""
    if actor == KEEPER:
        return None
    match result:
        case TransferPosted(transfer=transfer):
            return _refuse_transfers((transfer,), books)
        case TransferGroupPosted(transfers=transfers):
            return _refuse_transfers(transfers, books)
        case ReservationPlaced(reservation=reservation):
            return _refuse_wallet(reservation.wallet_id, books)
        case ReservationsReleased(released=released):
            return _refuse_releases(released)
        case WalletCreated(state=state):
            return _refuse_name(state.wallet.external_unique_id)
        case _:
            return None


def _refuse_transfers(transfers: Iterable[Transfer], books: Books) -> Rejection | None:
    for transfer in transfers:
        refusal = (
            _refuse_wallet(transfer.from_wallet_id, books)
            or _refuse_wallet(transfer.to_wallet_id, books)
            or (_refuse_releases(transfer.released) if transfer.released else None)
        )
        if refusal is not None:
            return refusal
    return None


def _refuse_wallet(wallet_id: UUID, books: Books) -> Rejection | None:
    return _refuse_name(books.wallets[wallet_id].external_unique_id)


def _refuse_name(external_unique_id: str) -> Rejection | None:
    if not external_unique_id.startswith(WALLETS):
        return None
    return Rejection(
        Code.WALLET_FROZEN,
        f"{external_unique_id} is kept by the bank process: its money moves by statements, and by"
        " actions that a second person approves (/v1/suspense)",
    )


def _refuse_releases(releases: Iterable[Release]) -> Rejection | None:
    for release in releases:
        if release.session_id.startswith(SESSIONS):
            return Rejection(
                Code.WALLET_FROZEN,
                f"session {release.session_id} holds the money of a payout: only the payout spends"
                " or frees it (/v1/payouts)",
            )
    return None
