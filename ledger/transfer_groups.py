"""Several transfers in order, all of them or none."""

from __future__ import annotations

from uuid import UUID

import msgspec

from ledger.books import Books
from ledger.commands import PostTransferGroup
from ledger.outcomes import TransferGroupPosted
from ledger.records import Transfer
from ledger.rejections import Code, Rejection
from ledger.transfers import NewId, decide_transfer


def decide_group(
    command: PostTransferGroup, books: Books, command_id: UUID, new_id: NewId
) -> TransferGroupPosted | Rejection:
    """Each transfer sees the ones before it; the first refusal stops them all."""
    key = command.external_unique_id
    if key is not None and key in books.taken_groups:
        return Rejection(
            Code.DUPLICATE_GROUP,
            "a transfer group with this externalUniqueId is on the ledger already;"
            " nothing was moved",
            group_id=books.taken_groups[key],
        )
    seen: set[str] = set()
    for index, member in enumerate(command.transfers):
        if member.external_unique_id in seen:
            return Rejection(
                Code.INVALID_REQUEST,
                "two transfers of the group have the same externalUniqueId",
                pointer=f"/transfers/{index}/externalUniqueId",
                index=index,
            )
        seen.add(member.external_unique_id)
    group_id = new_id()
    draft = books.fork()
    transfers: list[Transfer] = []
    for index, member in enumerate(command.transfers):
        result = decide_transfer(member, draft, command_id, new_id, group_id)
        if isinstance(result, Rejection):
            return msgspec.structs.replace(result, index=index)
        draft.apply(result)
        transfers.append(result.transfer)
    return TransferGroupPosted(
        group_id=group_id, transfers=tuple(transfers), external_unique_id=key
    )
