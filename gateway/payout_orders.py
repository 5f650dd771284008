"""From the body of a payout to its money being held.

The order is kept first; then its reservation is asked for, and waited for as with every write. From
the moment at which this gateway can no longer say anything about it, the bank process sees to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from bank.payouts import orders
from bank.payouts.accounts import Source, sources
from bank.payouts.approvals import Person, Tier, needed
from bank.payouts.orders import Order, Payee, Payout
from gateway.backend import Services, reading
from gateway.books import Books
from gateway.call import Call
from gateway.identifiers import idempotency_key, parse_id
from gateway.payout_bodies import NewPayout
from gateway.problems import GatewayCode, Refusal, invalid, unavailable
from ledger.commands import RESERVATION_KEY_LENGTH
from ledger.money import LIMIT_MINOR, exponent_of, to_minor
from ledger.rejections import Code

#: Beyond the caller's wait, before the process goes on with an order whose gateway is silent.
_MARGIN: Final = timedelta(seconds=5)


def bank_of(services: Services) -> Books:
    """Where the bank side is kept. Raises ``Refusal``."""
    if services.bank is None:
        raise unavailable("this gateway deals with no bank: SOV_DATABASE_URL_BANKER is not set")
    return services.bank


def person_of(call: Call) -> Person:
    """Who is behind the key. Raises ``Refusal`` where nobody is known to be."""
    key = call.key
    if not key.owner.strip() or key.owner == key.name:
        raise Refusal(
            GatewayCode.SAME_OWNER,
            "nobody is known to stand behind this key, and two people have to agree here: make one"
            " with --owner",
        )
    return Person(key.key_id, key.person)


async def order_of(call: Call, services: Services, body: NewPayout) -> Order:
    """What the body asks for, with its wallet and account looked up. Raises ``Refusal``."""
    key = idempotency_key(call, body.external_unique_id, RESERVATION_KEY_LENGTH)
    async with reading(call):
        wallet_id = await _wallet(services, body)
        currency = await services.currencies.currency(wallet_id)
        source = await source_of(services, body.bank_account_id)
    if currency is None:
        raise _unknown_wallet(wallet_id)
    if currency != source.currency or body.currency not in (None, currency):
        raise Refusal(
            Code.CURRENCY_MISMATCH,
            f"the wallet is in {currency}, the bank account in {source.currency}",
        )
    if wallet_id in source.wallets:
        raise Refusal(
            Code.SAME_WALLET,
            "the wallet stands for a bank account itself: suspense goes back by an action RETURN",
        )
    payee = body.beneficiary
    return Order(
        external_unique_id=key,
        account_id=source.account_id,
        wallet_id=wallet_id,
        currency=currency,
        amount_minor=_minor(body.amount, currency),
        payee=Payee(
            name=payee.name,
            account_number=payee.account_number,
            branch_code=payee.branch_code,
            beneficiary_id=payee.beneficiary_id,
        ),
        their_reference=body.their_reference,
        description=body.description,
    )


async def source_of(services: Services, account_id: str | None) -> Source:
    """The account that pays. Raises ``Refusal``."""
    found = await sources(services.books)
    named = [each for each in found if each.followed and account_id in (None, each.account_id)]
    if len(named) == 1:
        return named[0]
    if not named:
        what = "is no bank account that is followed here"
    else:
        what = f"is required: there are {len(named)} bank accounts"
    raise invalid(what, "/bankAccountId")


async def keep(call: Call, bank: Books, order: Order, tiers: Sequence[Tier]) -> tuple[Payout, bool]:
    """The payout of the order's key, and whether it was made now: under a key that is in use it is
    the one that uses it, whatever it says."""
    major = Decimal(order.amount_minor).scaleb(-exponent_of(order.currency))
    seen_to_for = timedelta(0)
    if not call.waiting.respond_async:
        seen_to_for = timedelta(seconds=call.waiting.wait_s) + _MARGIN
    while True:
        people = needed(major, tiers)
        made = await orders.order(bank, order, person_of(call), people, seen_to_for, call.deadline)
        found = made or await orders.of_key(bank, order.external_unique_id)
        # One that was refused between the two statements has left its key free.
        if found is not None:
            return found, made is not None


def same_payload(payout: Payout, order: Order) -> bool:
    """Whether the key was used for the same thing; texts for people do not count."""
    asked, payee = payout.order, payout.order.payee
    return (
        (asked.wallet_id, asked.account_id, asked.amount_minor)
        == (order.wallet_id, order.account_id, order.amount_minor)
        and (payee.account_number, payee.branch_code)
        == (order.payee.account_number, order.payee.branch_code)
        and asked.their_reference == order.their_reference
    )


async def _wallet(services: Services, body: NewPayout) -> UUID:
    if (body.wallet_id is None) == (body.wallet_external_unique_id is None):
        raise invalid("is required, or walletExternalUniqueId instead", "/walletId")
    if body.wallet_external_unique_id is not None:
        name = body.wallet_external_unique_id
        found = (await services.names.refs([name]))[name].wallet_id
    else:
        found = parse_id(body.wallet_id or "")
    if found is None:
        raise _unknown_wallet(body.wallet_id or body.wallet_external_unique_id)
    return found


def _minor(amount: Decimal, currency: str) -> int:
    minor = to_minor(amount, exponent_of(currency))
    if minor is None:
        what = f"{currency} amounts have at most {exponent_of(currency)} decimal places"
        raise invalid(what, "/amount", code=Code.INVALID_AMOUNT)
    if minor > LIMIT_MINOR:
        raise invalid("is beyond the largest amount", "/amount", code=Code.LIMIT_EXCEEDED)
    return minor


def _unknown_wallet(name: object) -> Refusal:
    return Refusal(Code.UNKNOWN_WALLET, f"there is no wallet {str(name)[:60]!a}")
