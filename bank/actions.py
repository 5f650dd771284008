"""What people ask to be done about a row, and what a second person says to it.

Each function works within the caller's transaction and raises ``BankRefusal``. Nothing moves here:
an action that is approved is carried out by its step (``bank.acting``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid5

import uuid_utils.compat

from bank import remakes, returns
from bank.payouts import paid_as_one
from bank.payouts.approvals import Person
from bank.refusals import Conflict, NotAllowed, NotThere, NotValid
from bank.sql import ACTIONS as SQL
from bank.sql import PAYOUTS
from bank.verdicts import say
from ledger.commands import GROUP_SIZE
from ledger.references import new_reference


class Kind(StrEnum):
    ALLOCATE = "ALLOCATE"
    """From suspense to one or several wallets."""
    RETURN = "RETURN"
    """From suspense back to the sender, by a payment that names the action's reference."""
    WRITE_OFF = "WRITE_OFF"
    """From suspense to a SYSTEM wallet: nobody will ask for it any more."""
    BOOK = "BOOK"
    """A row that was held back, or that may be a payout's, is one of its own."""
    SAME = "SAME"
    """A row that was held back is another one: nothing is booked (``bank.remakes``)."""
    RETRACT = "RETRACT"
    """A row that has vanished was none: its booking is taken back."""
    EXPORT = "EXPORT"
    """A debit is that of a whole payment file: of all its payouts without a row."""


#: So many people give up a return that was approved.
_GIVE_UP: Final = 2
DISPOSALS: Final = frozenset({Kind.ALLOCATE, Kind.RETURN, Kind.WRITE_OFF})
#: What is said of a row before anybody has decided whose it is.
_UNDECIDED: Final = frozenset({Kind.BOOK, Kind.EXPORT})


@dataclass(frozen=True, slots=True)
class Share:
    wallet_id: UUID
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Asked:
    kind: Kind
    row_id: UUID
    shares: Sequence[Share]
    """Of which wallets; empty where the kind says it."""
    reason: str
    export_id: UUID | None = None
    """Of which file, for EXPORT alone."""
    other_id: UUID | None = None
    """For SAME: which row it is; default the one that the exception names."""


async def ask(connection: Any, asked: Asked, person: Person) -> UUID:
    """Keep the request; it waits for somebody else's word."""
    row = await _locked(connection, asked.kind, asked.row_id)
    if row is None:
        raise NotThere(f"there is no row {asked.row_id}")
    _require_kind(asked.kind, row)
    await _require_file(connection, asked, row)
    done = await _require_nothing_else(connection, asked)
    if asked.kind is Kind.RETRACT:
        await returns.require_back(connection, row, [each.wallet_id for each in asked.shares])
    other_id = await _other(connection, asked, row)
    shares = await _shares(connection, asked, row, done)
    await _require_wallets(connection, asked, row, shares)
    action_id: UUID = uuid_utils.compat.uuid7()
    reference = new_reference() if asked.kind is Kind.RETURN else None
    await connection.execute(
        SQL.ask,
        action_id,
        asked.kind,
        asked.row_id,
        None,
        detail_of(shares, asked.export_id),
        asked.reason,
        person.key_id,
        person.owner,
        reference,
        other_id,
    )
    return action_id


async def approve(connection: Any, action_id: UUID, person: Person, reason: str | None) -> None:
    """A second person's word; with it the action goes on."""
    action = await _awaiting(connection, action_id, "AWAITING_APPROVAL")
    if person.is_called(action["requested_owner"]):
        raise NotAllowed("it was asked for by the same person: another one has to approve it")
    await say(connection, action_id, person, "APPROVED", reason)
    asked = await connection.fetchrow(SQL.action, action_id)
    kind = Kind(asked["kind"])
    # The bank may have changed its mind since; from here on it waits for us.
    row = await _locked(connection, kind, asked["row_id"])
    _require_kind(kind, row)
    if kind is Kind.SAME:
        await remakes.require(connection, row, asked["other_row_id"], action_id)
    following = "AWAITING_BANK" if kind is Kind.RETURN else "APPROVED"
    await connection.execute(SQL.step, action_id, "AWAITING_APPROVAL", following, None)


async def refuse(connection: Any, action_id: UUID, person: Person, reason: str | None) -> None:
    """Anybody's no, the maker's own included. A return may be given up until its debit is there, by
    two people: somebody may be paying it back at this moment."""
    action = await _awaiting(connection, action_id, "AWAITING_APPROVAL", "AWAITING_BANK")
    following, told = "REFUSED", f"refused by {person.key_id}" + (f": {reason}" if reason else "")
    if action["status"] == "AWAITING_APPROVAL":
        await say(connection, action_id, person, "REFUSED", reason)
    else:
        subject = giving_up(action_id)
        await say(connection, subject, person, "REFUSED", reason)
        if len(await connection.fetch(SQL.verdicts, [subject])) < _GIVE_UP:
            following, told = action["status"], f"{told}; another person has to agree"
    await connection.execute(SQL.step, action_id, action["status"], following, told)


def giving_up(action_id: UUID) -> UUID:
    """What words about giving up a return are kept under: those who agreed to it have a word
    again."""
    return uuid5(action_id, "given up")


def detail_of(shares: Sequence[Share], export_id: UUID | None = None) -> str:
    detail: dict[str, Any] = {
        "shares": [
            {"walletId": str(each.wallet_id), "amountMinor": each.amount_minor} for each in shares
        ]
    }
    if export_id is not None:
        detail["exportId"] = str(export_id)
    return json.dumps(detail)


def export_of(detail: str) -> UUID | None:
    """The payment file that an action is about; None for any but EXPORT."""
    found = json.loads(detail).get("exportId")
    return None if found is None else UUID(found)


def shares_of(detail: str) -> list[Share]:
    return [
        Share(UUID(each["walletId"]), each["amountMinor"]) for each in json.loads(detail)["shares"]
    ]


async def _locked(connection: Any, kind: Kind, row_id: UUID) -> Any:
    if kind is Kind.SAME:
        await remakes.lock_account(connection, row_id)
    return await connection.fetchrow(SQL.lock_row, row_id)


async def _other(connection: Any, asked: Asked, row: Mapping[str, Any]) -> UUID | None:
    if asked.kind is Kind.SAME:
        return await remakes.meant(connection, row, asked.other_id)
    if asked.other_id is not None:
        raise NotValid("is not for this kind of action", "/sameAs")
    return None


def _require_kind(kind: Kind, row: Mapping[str, Any]) -> None:
    if kind is Kind.SAME:
        remakes.require_held(row)
    if kind in _UNDECIDED and (row["decided"] is not None or row["vanished"] is not None):
        raise Conflict("the row waits for nobody's word")
    if kind is Kind.RETRACT and (row["vanished"] is None or row["retracted"] is not None):
        raise Conflict("the row has not vanished, or was taken back already")
    if kind in DISPOSALS:
        if row["booked"] is None or row["wallet_id"] != row["suspense_wallet"]:
            raise Conflict("the row does not lie in suspense")
        if row["vanished"] is not None:
            raise Conflict("the bank does not show the row any more: it can only be taken back")


async def _require_file(connection: Any, asked: Asked, row: Mapping[str, Any]) -> None:
    if (asked.kind is Kind.EXPORT) != (asked.export_id is not None):
        raise NotValid("is for the kind EXPORT, and for that alone", "/exportId")
    if asked.export_id is not None:
        await paid_as_one.require(connection, asked.export_id, row)


async def _require_nothing_else(connection: Any, asked: Asked) -> Mapping[str, Any] | None:
    """Answers the disposal that a retraction undoes."""
    named = await connection.fetchrow(SQL.named_by, asked.row_id)
    if named is not None:
        raise Conflict(f"there is action {named['action_id']} about it: {named['status']}")
    found: Mapping[str, Any] | None = await connection.fetchrow(SQL.lately, asked.row_id)
    if found is None:
        return None
    if found["status"] == "DONE" and asked.kind is Kind.RETRACT:
        if found["kind"] == Kind.RETURN:
            await returns.require_paid(connection, found["action_id"])
            if not asked.shares:
                raise NotValid("has to say from whom: it was returned to its sender", "/shares")
        return found
    if found["status"] == "FAILED":
        raise Conflict(f"action {found['action_id']} has just failed: ask again in a minute")
    raise Conflict(f"there is action {found['action_id']} about it: {found['status']}")


async def _shares(
    connection: Any, asked: Asked, row: Mapping[str, Any], done: Mapping[str, Any] | None
) -> Sequence[Share]:
    whole, shares = row["amount_minor"], asked.shares
    if asked.kind in (Kind.RETURN, Kind.BOOK, Kind.SAME, Kind.EXPORT):
        if shares:
            raise NotValid("is not for this kind of action", "/shares")
        return ()
    if asked.kind is Kind.RETRACT and row["decided"] is None:
        return ()
    if not shares and asked.kind is Kind.WRITE_OFF:
        shares = [Share(row["charges_wallet"], whole)]
    if not shares and asked.kind is Kind.RETRACT:
        shares = await _from_whom(connection, row)
        if done is not None:
            detail = (await connection.fetchrow(SQL.action, done["action_id"]))["detail"]
            shares = shares_of(detail)
    if not 1 <= len(shares) <= GROUP_SIZE:
        raise NotValid(f"must have 1 to {GROUP_SIZE} items", "/shares")
    if any(each.amount_minor <= 0 for each in shares):
        raise NotValid("must be more than nothing each", "/shares")
    if sum(each.amount_minor for each in shares) != whole:
        raise NotValid("must come to the row's whole amount together", "/shares")
    return shares


async def _from_whom(connection: Any, row: Mapping[str, Any]) -> list[Share]:
    """Who has got a row's money, or has paid it."""
    if row["purpose"] != paid_as_one.PURPOSE:
        return [Share(row["wallet_id"], row["amount_minor"])]
    found = await connection.fetch(PAYOUTS.of_shared_row, row["row_id"])
    return [Share(each["wallet_id"], each["amount_minor"]) for each in found]


async def _require_wallets(
    connection: Any, asked: Asked, row: Mapping[str, Any], shares: Sequence[Share]
) -> None:
    """The ledger has the last word; but most of what it would refuse a person can be told now."""
    own = {row["control_wallet"]}
    if asked.kind in DISPOSALS:
        own.add(row["suspense_wallet"])
    for index, share in enumerate(shares):
        pointer = f"/shares/{index}/walletId"
        wallet = await connection.fetchrow(SQL.wallet, share.wallet_id)
        if wallet is None:
            raise NotValid("names an unknown wallet", pointer)
        if wallet["currency"] != row["currency"]:
            raise NotValid("names a wallet of another currency", pointer)
        if wallet["status"] == "CLOSED":
            raise NotValid("names a wallet that is closed", pointer)
        if share.wallet_id in own:
            raise NotValid("names the wallet that the money would come from", pointer)
        # What is taken back of a row that lay in suspense comes from there.
        taken_back = asked.kind is Kind.RETRACT and share.wallet_id == row["suspense_wallet"]
        if wallet["is_the_banks"] and not taken_back:
            raise NotValid("names a wallet that stands for a bank account", pointer)
        if asked.kind is Kind.ALLOCATE and wallet["type"] != "STANDARD":
            raise NotValid("names a SYSTEM wallet: that would be a write-off", pointer)
        if asked.kind is Kind.WRITE_OFF and wallet["type"] != "SYSTEM":
            raise NotValid("names a wallet of somebody's: that would be an allocation", pointer)


async def _awaiting(connection: Any, action_id: UUID, *statuses: str) -> Mapping[str, Any]:
    action: Mapping[str, Any] | None = await connection.fetchrow(SQL.lock_action, action_id)
    if action is None:
        raise NotThere(f"there is no action {action_id}")
    if action["status"] not in statuses:
        raise Conflict(f"the action is {action['status']}")
    return action
