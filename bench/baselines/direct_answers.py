"""What the functions of ``direct.sql`` say, as the results that the gateway turns into answers."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import msgspec

from ledger import reads
from ledger.commands import PlaceReservation, PostTransfer
from ledger.outcomes import ReservationPlaced, TransferPosted
from ledger.records import Release, Reservation, Transfer
from ledger.rejections import Code, Rejection

_RELEASES: Final = msgspec.json.Decoder(tuple[Release, ...])


async def transfer_posted(
    connection: Any, command: PostTransfer, command_id: UUID, transfer_id: UUID, row: Any
) -> TransferPosted | Rejection:
    """``row``: one of ``direct_transfer``. A duplicate's original is read with another query."""
    code = row["code"]
    if code is not None:
        original = None
        if code == Code.DUPLICATE_TRANSFER:
            original = await reads.transfer_of_key(connection, command.external_unique_id)
        return Rejection(Code(code), "refused", transfer=original)
    return TransferPosted(
        Transfer(
            transfer_id=transfer_id,
            command_id=command_id,
            external_unique_id=command.external_unique_id,
            from_wallet_id=_known(command.from_wallet.wallet_id),
            to_wallet_id=_known(command.to_wallet.wallet_id),
            amount_minor=row["minor"],
            currency=row["wallet_currency"],
            created=row["decided"],
            from_sequence=row["from_sequence"],
            from_balance_minor=row["from_balance"],
            to_sequence=row["to_sequence"],
            to_balance_minor=row["to_balance"],
            session_id=command.session_id,
            external_id=command.external_id,
            description=command.description,
            metadata=command.metadata,
            released=_RELEASES.decode(row["freed"]) if row["freed"] else (),
        )
    )


def reservation_placed(
    command: PlaceReservation, reservation_id: UUID, row: Any
) -> ReservationPlaced | Rejection:
    """``row``: one of ``direct_reservation``."""
    if row["code"] is not None:
        return Rejection(Code(row["code"]), "refused")
    return ReservationPlaced(
        Reservation(
            reservation_id=reservation_id,
            wallet_id=command.wallet_id,
            amount_minor=row["minor"],
            currency=row["wallet_currency"],
            session_id=command.session_id,
            expires=command.expires,
            created=row["decided"],
            external_unique_id=command.external_unique_id,
            description=command.description,
        )
    )


def _known(wallet_id: UUID | None) -> UUID:
    if wallet_id is None:  # the function found the wallet, so it was named by its id
        raise TypeError("a posted transfer has both wallets")
    return wallet_id
