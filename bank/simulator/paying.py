"""Beneficiaries as the interface shows them, and lists of payments and transfers."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bank.simulator import wire
from bank.simulator.accounts import PREFIX
from bank.simulator.assumptions import Refusal
from bank.simulator.books import PROFILE_ID, NoSuch, NotDone
from bank.simulator.guard import BadRequest, Bank, enveloped, guarded
from bank.simulator.payments import Asked, NeverPaid, NoFunds, Twin

_MOST_PAYMENTS: Final = 50
_AMOUNT: Final = re.compile(r"\d{1,13}(\.\d{1,2})?", re.ASCII)
_PAY: Final = frozenset({"beneficiarypayments"})
_TRANSFER: Final = frozenset({"transfers"})
_NEEDED: Final = ("amount", "myReference", "theirReference")
_MORE: Final = {
    "beneficiaryId": {"authoriserAId", "authoriserBId", "authPeriodId", "fasterPayment"},
    "beneficiaryAccountId": set[str](),
}
_MEMBERS: Final = {
    "paymentList": {"paymentList"},
    "transferList": {"transferList", "profileId", "accountId"},
}


def routes(bank: Bank) -> list[Route]:
    one = PREFIX + "/accounts/{account_id}"
    profile = PREFIX + "/profiles/{profile_id}/accounts/{account_id}"
    accounts = frozenset({"accounts"})
    pay = guarded(bank, "payments", _PAY, _pay)
    transfer = guarded(bank, "payments", _TRANSFER, _transfer)
    own = guarded(bank, "beneficiaries", _PAY, _beneficiaries)
    by_profile = guarded(bank, "beneficiaries", accounts, _beneficiaries)
    categories = guarded(bank, "beneficiaries", _PAY, _categories)
    return [
        Route(f"{PREFIX}/accounts/beneficiaries", own, methods=["GET"]),
        Route(f"{PREFIX}/accounts/beneficiarycategories", categories, methods=["GET"]),
        Route(f"{profile}/beneficiaries", by_profile, methods=["GET"]),
        Route(f"{PREFIX}/accounts/transfermultiple", transfer, methods=["POST"]),
        Route(f"{one}/transfermultiple", transfer, methods=["POST"]),
        Route(f"{one}/paymultiple", pay, methods=["POST"]),
    ]


async def _beneficiaries(bank: Bank, request: Request) -> Response:
    profile_id = request.path_params.get("profile_id", PROFILE_ID)
    found = [wire.beneficiary(row, profile_id) for row in bank.payments.beneficiaries()]
    return enveloped(bank, request, found)


async def _categories(bank: Bank, request: Request) -> Response:
    """As live clients have seen it, the need for a profile included."""
    if not request.query_params.get("profileId"):
        raise BadRequest("The profileId field is required.")
    row = {"CategoryId": "10120", "DefaultCategory": "true", "CategoryName": "Not Categorised"}
    return enveloped(bank, request, [row])


async def _pay(bank: Bank, request: Request) -> Response:
    body = await _body(request, "paymentList")
    items = _items(body, "paymentList", "beneficiaryId")
    account_id = request.path_params["account_id"]
    asked = [_asked(bank, item, account_id, item["beneficiaryId"], own=False) for item in items]
    return _done(bank, request, account_id, asked)


async def _transfer(bank: Bank, request: Request) -> Response:
    """Of both versions: the first, which is going to go, names the account in its body."""
    body = await _body(request, "transferList")
    account_id = request.path_params.get("account_id") or str(body.get("accountId"))
    member = "beneficiaryAccountId"
    items = _items(body, "transferList", member)
    asked = [_asked(bank, item, account_id, item[member], own=True) for item in items]
    return _done(bank, request, account_id, asked)


@dataclass(slots=True)
class _Made:
    """What became of a list so far."""

    responses: list[wire.Json] = field(default_factory=list)
    refusals: list[wire.Json] = field(default_factory=list)
    words: str = ""
    """Of the last refusal."""
    manner: Refusal = "bad-request"


class _Undo(Exception):
    """Nothing of the list is to be."""


def _done(bank: Bank, request: Request, account_id: str, asked: list[Asked]) -> Response:
    bank.books.account(account_id)
    assumed, made = bank.books.assumptions, _Made()
    with suppress(_Undo), bank.books.changing():
        _make(bank, asked, made)
        if made.words and assumed.rest_of_list == "all-or-none":
            made.responses.clear()
            raise _Undo
    if made.manner == "bad-request" and not made.responses:
        raise BadRequest(made.words)
    if made.manner == "response":
        shown = wire.responses([*made.responses, *made.refusals], assumed)
    else:
        shown = wire.responses(made.responses, assumed, made.words or None)
    return enveloped(bank, request, shown)


def _make(bank: Bank, asked: list[Asked], made: _Made) -> None:
    """One after the other."""
    assumed, today = bank.books.assumptions, bank.books.today()
    for each in asked:
        try:
            made.responses.append(wire.response(bank.payments.take(each), today))
        except (NotDone, NoSuch) as error:
            is_known = isinstance(error, NotDone)
            made.words = str(error) if is_known else "The specified beneficiary is invalid."
            made.manner = _manner(bank, error)
            made.refusals.append(wire.refusal(each.target, made.words, today))
            if assumed.rest_of_list != "goes-on":
                return


def _manner(bank: Bank, error: Exception) -> Refusal:
    assumed = bank.books.assumptions
    if isinstance(error, NoFunds):
        return assumed.insufficient_funds
    if isinstance(error, NeverPaid):
        return assumed.never_paid
    if isinstance(error, Twin):
        return assumed.twin_refused
    return "error-message" if isinstance(error, NotDone) else "bad-request"


def _items(body: dict[str, Any], name: str, member: str) -> list[dict[str, Any]]:
    items = body.get(name)
    if not isinstance(items, list) or not items:
        raise BadRequest(f"The {name} field is required.")
    if len(items) > _MOST_PAYMENTS:
        raise BadRequest(f"The {name} must have at most {_MOST_PAYMENTS} items.")
    for item in items:
        if not isinstance(item, dict) or item.keys() - {member, *_NEEDED} - _MORE[member]:
            raise BadRequest(f"The {name} is invalid.")
        for needed in (member, *_NEEDED):
            if not isinstance(item.get(needed), str) or not item[needed]:
                raise BadRequest(f"The {needed} field is required.")
    return items


def _asked(bank: Bank, item: dict[str, Any], account_id: str, target: str, *, own: bool) -> Asked:
    length = bank.books.assumptions.reference_length
    period = item.get("authPeriodId")
    if period is not None and not (isinstance(period, str) and period.isdecimal()):
        raise BadRequest("The authPeriodId is invalid.")
    return Asked(
        account_id=account_id,
        target=target,
        own=own,
        amount=_cents(item["amount"]),
        mine=item["myReference"][:length],
        theirs=item["theirReference"][:length],
        faster=item.get("fasterPayment") is True,
        working_days=None if period is None else int(period),
    )


async def _body(request: Request, name: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(await request.body())
    except msgspec.DecodeError:
        raise BadRequest("The request is invalid.") from None
    if not isinstance(found, dict) or found.keys() - _MEMBERS[name]:
        raise BadRequest("The request is invalid.")
    return found


def _cents(text: str) -> int:
    if not _AMOUNT.fullmatch(text):
        raise BadRequest("The amount is invalid.")
    rand, _, cents = text.partition(".")
    found = int(rand) * 100 + int(cents.ljust(2, "0") or 0)
    if found == 0:
        raise BadRequest("The amount is invalid.")
    return found
