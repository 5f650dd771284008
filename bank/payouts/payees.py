"""Whether the bank would pay somebody: the API can neither add a beneficiary nor pay one for the
first time. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bank.investec.records import Beneficiary
from bank.payouts.orders import Payee, Payout


@dataclass(frozen=True, slots=True)
class Missing:
    """Nobody whom the bank would pay; why, for people."""

    why: str


def find(payee: Payee, known: Iterable[Beneficiary]) -> Beneficiary | Missing:
    """The bank's entry for the account that was approved, and for no other.

    By account number and branch, also where the caller gave the bank's own id. Somebody who changes
    an entry in the bank's pages so does not redirect a payment.
    """
    number, branch = _number(payee.account_number), _number(payee.branch_code)
    if not number or not branch:
        return Missing("the account number or the branch code is no number")
    by_id = [b for b in known if payee.beneficiary_id in (None, b.beneficiary_id)]
    if payee.beneficiary_id is not None and not by_id:
        return Missing("the bank has no beneficiary of this id")
    same = [b for b in by_id if _number(b.account_number) == number]
    same = [b for b in same if _number(b.branch_code) == branch]
    if not same and payee.beneficiary_id is not None:
        return Missing(
            "the bank's beneficiary of this id has another account number or branch code"
        )
    if not same:
        return Missing("the bank has no beneficiary with this account number and branch code")
    paid = [b for b in same if b.last_paid is not None]
    if not paid:
        return Missing(
            "the beneficiary has never been paid, and the first payment is made at the bank"
        )
    return min(paid, key=lambda b: b.beneficiary_id)


_STEPS: Final = (
    "Either bring it to the bank in a file: `./sov payouts export` writes one, and from then on it"
    " is AWAITING_BANK and asked for in no other way. Do not pay it by hand without a file: it"
    " could be resumed, or cancelled, by somebody who does not know that.",
    "Or let the API pay it: add {name}, account {number}, branch {branch}, as a beneficiary in the"
    " bank's pages, pay it once there a small amount that is not this one, with another reference,"
    " and then say `./sov payouts resume {payout_id}`.",
    "Or cancel it: `./sov payouts cancel {payout_id} --reason ...`; the money is free again.",
)


def steps(payout: Payout) -> list[str]:
    """What people can do about a payout that awaits its beneficiary."""
    payee = payout.order.payee
    return [
        step.format(
            name=payee.name,
            number=payee.account_number,
            branch=payee.branch_code,
            payout_id=payout.payout_id,
        )
        for step in _STEPS
    ]


def _number(text: str) -> str:
    """Banks write numbers with and without leading zeros, spaces and hyphens. Empty for what is
    none, which equals nothing."""
    bare = "".join(text.replace("-", " ").split()).lstrip("0")
    return bare if bare.isascii() and bare.isdigit() else ""
