"""What the bank side keeps for itself: wallets, keys and sessions that nobody else may use. Pure.

Money in these wallets moves by what the bank said, or by what two people decided. Any key could ask
for something else, an operator's too, and would get round the second person, or part the books from
the bank's. To everybody but the bank process they are as good as frozen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from ledger.books import WALLETS as WALLET_KEYS
from ledger.books import Books, KeySpace
from ledger.outcomes import (
    ReservationPlaced,
    ReservationsReleased,
    Result,
    TransferGroupPosted,
    TransferPosted,
    WalletChanged,
    WalletCreated,
)
from ledger.records import Release, Transfer
from ledger.rejections import Code, Rejection

#: Who asks for what the bank side asks for. No API key has such an id: those are drawn.
KEEPER: Final = "bank"
#: External ids of its wallets begin so: what the bank owes us, what nobody could attribute, what
#: the bank has booked by itself.
WALLETS: Final = ("bank-control:", "bank-suspense:", "bank-charges:")
#: Of these not even credits come from others; charges may be made good by anybody.
_WITHOUT_CREDITS: Final = WALLETS[:2]
#: Sessions that hold the money of payouts begin so.
SESSIONS: Final = "payout:"
#: Its keys and sessions are made of its own ids; taken by others, they would stand in its way.
_NAMES: Final = ("payout", "bank-")
_NAME: Final = re.compile(
    r"(?:payout|payout-return|bank-row|bank-action)"
    r":[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?::[0-9]+)?"
)


def is_kept(key: KeySpace) -> bool:
    """Whether nobody else can ever use the key up, whatever he asks for under it."""
    if key.space == WALLET_KEYS:
        return key.key.startswith(WALLETS)
    return _is_name(key.key)


def refuse(result: Result, actor: str, books: Books) -> Rejection | None:
    """The refusal of what the rules would allow, where it touches what is kept."""
    if actor == KEEPER:
        return None
    match result:
        case TransferPosted(transfer=transfer):
            return _refuse_transfer(transfer, books)
        case TransferGroupPosted(transfers=transfers, external_unique_id=key):
            found = (_refuse_transfer(transfer, books) for transfer in transfers)
            return _refuse_key(key or "") or next(filter(None, found), None)
        case ReservationPlaced(reservation=reservation):
            return (
                _refuse_wallet(reservation.wallet_id, books)
                or _refuse_key(reservation.external_unique_id)
                or _refuse_key(reservation.session_id, "/sessionId")
            )
        case ReservationsReleased(released=released):
            return _refuse_releases(released)
        case WalletCreated(state=state) | WalletChanged(state=state):
            return _refuse_name(state.wallet.external_unique_id)
        case _:
            return None


def _refuse_transfer(transfer: Transfer, books: Books) -> Rejection | None:
    return (
        _refuse_wallet(transfer.from_wallet_id, books)
        or _refuse_wallet(transfer.to_wallet_id, books, _WITHOUT_CREDITS)
        or _refuse_key(transfer.external_unique_id)
        or (_refuse_releases(transfer.released) if transfer.released else None)
    )


def _refuse_wallet(
    wallet_id: UUID, books: Books, kept: tuple[str, ...] = WALLETS
) -> Rejection | None:
    return _refuse_name(books.wallets[wallet_id].external_unique_id, kept)


def _refuse_name(external_unique_id: str, kept: tuple[str, ...] = WALLETS) -> Rejection | None:
    if not external_unique_id.startswith(kept):
        return None
    return Rejection(
        Code.WALLET_FROZEN,
        f"{external_unique_id} is kept by the bank process: its money moves by statements, and by"
        " actions that a second person approves (/v1/suspense)",
    )


def _refuse_key(key: str, pointer: str = "/externalUniqueId") -> Rejection | None:
    if not _is_name(key):
        return None
    return Rejection(
        Code.INVALID_REQUEST,
        f"{key} is a name of the bank process: choose another",
        pointer=pointer,
    )


def _is_name(key: str) -> bool:
    # Nearly all are told apart by how they begin, which costs the least.
    return key.startswith(_NAMES) and _NAME.fullmatch(key) is not None


def _refuse_releases(releases: Iterable[Release]) -> Rejection | None:
    for release in releases:
        if release.session_id.startswith(SESSIONS) and _NAME.fullmatch(release.session_id):
            return Rejection(
                Code.WALLET_FROZEN,
                f"session {release.session_id} holds the money of a payout: only the payout spends"
                " or frees it (/v1/payouts)",
            )
    return None
