"""The bank's interface, as far as one account's holder sees it."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as Path

from bank.simulator import wire
from bank.simulator.assumptions import Assumptions
from bank.simulator.books import Books, NoSuch, NotPaid
from bank.simulator.faults import Fault, Faults, Route

_PREFIX: Final = "/za/pb/v1"
_TOKEN_S: Final = 1799
_MOST_PAYMENTS: Final = 50
_DEFAULT_DAYS: Final = 180
_AMOUNT: Final = re.compile(r"\d{1,13}(\.\d{1,2})?", re.ASCII)
_REFERENCE: Final = 20

Answer = Callable[["Bank", Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Credentials:
    client_id: str
    client_secret: str
    api_key: str


@dataclass(slots=True)
class Bank:
    """Everything that a call may need."""

    books: Books
    credentials: Credentials
    faults: Faults = field(default_factory=Faults)
    tokens: dict[str, float] = field(default_factory=dict)
    """Until when each is good, by the bank's clock."""
    called: list[float] = field(default_factory=list)
    """The calls of the last second."""


class BadRequest(Exception):
    """Answered 400, with these words as a bare JSON string."""


def routes(bank: Bank) -> list[Path]:
    """All of the interface."""
    one = _PREFIX + "/accounts/{account_id}"
    profile = _PREFIX + "/profiles/{profile_id}"

    def path(route: Route, method: str, where: str, answer: Answer, *, free: bool = False) -> Path:
        return Path(where, _guarded(bank, route, answer, free=free), methods=[method])

    return [
        path("token", "POST", "/identity/v2/oauth2/token", _token, free=True),
        path("accounts", "GET", f"{_PREFIX}/accounts", _accounts),
        path("beneficiaries", "GET", f"{_PREFIX}/accounts/beneficiaries", _beneficiaries),
        path("beneficiaries", "GET", f"{_PREFIX}/accounts/beneficiarycategories", _categories),
        path("payments", "POST", f"{_PREFIX}/accounts/transfermultiple", _transfer_old),
        path("balance", "GET", f"{one}/balance", _balance),
        path("transactions", "GET", f"{one}/transactions", _transactions),
        path("transactions", "GET", f"{one}/pending-transactions", _pending),
        path("payments", "POST", f"{one}/transfermultiple", _transfer),
        path("payments", "POST", f"{one}/paymultiple", _pay),
        path("accounts", "GET", f"{_PREFIX}/profiles", _profiles),
        path("accounts", "GET", f"{profile}/accounts", _accounts),
        path(
            "beneficiaries", "GET", profile + "/accounts/{account_id}/beneficiaries", _beneficiaries
        ),
    ]


def _guarded(bank: Bank, route: Route, answer: Answer, *, free: bool) -> Callable[..., Any]:
    """With faults, limits, tokens and the bank's way of refusing around it."""

    async def guarded(request: Request) -> Response:
        fault = bank.faults.next(route, after=False)
        if fault is not None and fault.seconds:
            await asyncio.sleep(fault.seconds)
        if fault is not None and fault.kind == "status":
            return _failing(fault)
        if _too_many(bank):
            return Response(status_code=429)
        if not free and not _is_known(bank, request):
            return Response(status_code=401)
        done = await _answered(bank, request, answer)
        fault = bank.faults.next(route, after=True)
        if fault is None:
            return done
        await asyncio.sleep(fault.seconds)
        return {"status-after": _failing(fault), "garbage-after": Response("<html>")}.get(
            fault.kind, done
        )

    return guarded


async def _answered(bank: Bank, request: Request, answer: Answer) -> Response:
    try:
        with bank.books.changing():
            bank.books.settle_due()
        return await answer(bank, request)
    except BadRequest as error:
        return JSONResponse(str(error), 400)
    except NoSuch:
        return JSONResponse("The specified account is invalid. (Parameter 'accountId')", 400)


def _failing(fault: Fault) -> Response:
    return Response(status_code=fault.status)


def _too_many(bank: Bank) -> bool:
    most = bank.books.assumptions.most_requests_per_s
    now_s = time.monotonic()
    bank.called = [at_s for at_s in bank.called if now_s - at_s < 1]
    if most and len(bank.called) >= most:
        return True
    bank.called.append(now_s)
    return False


def _is_known(bank: Bank, request: Request) -> bool:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    until_s = bank.tokens.get(token, 0.0)
    return scheme.lower() == "bearer" and bank.books.now_s() < until_s


async def _token(bank: Bank, request: Request) -> Response:
    known = bank.credentials
    given = _basic(request.headers.get("authorization", ""))
    is_known = secrets.compare_digest(
        given, f"{known.client_id}:{known.client_secret}"
    ) and secrets.compare_digest(request.headers.get("x-api-key", ""), known.api_key)
    if not is_known:
        return Response(status_code=401)
    if (await request.body()) != b"grant_type=client_credentials":
        return Response(status_code=400)
    token = secrets.token_urlsafe(20)
    now_s = bank.books.now_s()
    bank.tokens = {known: until for known, until in bank.tokens.items() if until > now_s}
    bank.tokens[token] = now_s + _TOKEN_S
    as_text = bank.books.assumptions.expires_in == "text"
    return JSONResponse(
        {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": str(_TOKEN_S) if as_text else _TOKEN_S,
            "scope": "accounts",
        }
    )


def _basic(header: str) -> str:
    scheme, _, encoded = header.partition(" ")
    try:
        return base64.b64decode(encoded, validate=True).decode() if scheme == "Basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        return ""


async def _accounts(bank: Bank, request: Request) -> Response:
    found = [wire.account(row) for row in bank.books.accounts()]
    in_profile = "profile_id" in request.path_params
    return _enveloped(request, found if in_profile else {"accounts": found})


async def _profiles(bank: Bank, request: Request) -> Response:
    ids = sorted({row["profile_id"] for row in bank.books.accounts()})
    return _enveloped(
        request,
        [
            {"profileId": each, "profileName": "Store of Value", "defaultProfile": n == 0}
            for n, each in enumerate(ids)
        ],
    )


async def _balance(bank: Bank, request: Request) -> Response:
    account_id = request.path_params["account_id"]
    current, available = bank.books.current(account_id), bank.books.available(account_id)
    return _enveloped(request, wire.balance(account_id, current, available))


async def _transactions(bank: Bank, request: Request) -> Response:
    today = bank.books.today()
    first = _day(request, "fromDate", today - timedelta(days=_DEFAULT_DAYS))
    last = _day(request, "toDate", today)
    if first > last:
        raise BadRequest("The specified date range is invalid.")
    pending = request.query_params.get("includePending", "").lower() == "true"
    account_id = request.path_params["account_id"]
    found = bank.books.rows(account_id, first, last, pending=pending)
    return _enveloped(request, {"transactions": wire.rows(found, bank.books.assumptions)})


async def _pending(bank: Bank, request: Request) -> Response:
    found = bank.books.pending(request.path_params["account_id"])
    name = bank.books.assumptions.list_name
    return _enveloped(request, {name: [wire.pending_row(row) for row in found]})


async def _beneficiaries(bank: Bank, request: Request) -> Response:
    profile_id = request.path_params.get("profile_id", "10001")
    found = [wire.beneficiary(row, profile_id) for row in bank.books.beneficiaries()]
    return _enveloped(request, found)


async def _categories(bank: Bank, request: Request) -> Response:
    return _enveloped(
        request,
        [{"CategoryId": "10120", "DefaultCategory": "true", "CategoryName": "Not Categorised"}],
    )


async def _pay(bank: Bank, request: Request) -> Response:
    items = await _items(request, "paymentList", "beneficiaryId")
    return _paid(bank, request, request.path_params["account_id"], items, "beneficiaryId")


async def _transfer(bank: Bank, request: Request) -> Response:
    items = await _items(request, "transferList", "beneficiaryAccountId")
    return _paid(bank, request, request.path_params["account_id"], items, "beneficiaryAccountId")


async def _transfer_old(bank: Bank, request: Request) -> Response:
    """The first version, which names the account in its body."""
    items = await _items(request, "transferList", "beneficiaryAccountId")
    account_id = str((await _body(request)).get("accountId"))
    return _paid(bank, request, account_id, items, "beneficiaryAccountId")


def _paid(
    bank: Bank, request: Request, account_id: str, items: list[dict[str, Any]], member: str
) -> Response:
    """One after the other; the first that is refused ends it, and those before it stay made."""
    assumed = bank.books.assumptions
    bank.books.account(account_id)
    done: list[wire.Json] = []
    for item in items:
        try:
            with bank.books.changing():
                payment = bank.books.pay(
                    account_id,
                    item[member],
                    _cents(item["amount"]),
                    str(item["myReference"])[:_REFERENCE],
                    str(item["theirReference"])[:_REFERENCE],
                )
        except NoSuch:
            raise BadRequest("The specified beneficiary is invalid.") from None
        except NotPaid as error:
            if _manner(error, assumed) == "bad-request":
                raise BadRequest(str(error)) from None
            return _enveloped(request, wire.responses(done, assumed, str(error)))
        done.append(wire.response(payment))
    return _enveloped(request, wire.responses(done, assumed))


def _manner(error: NotPaid, assumed: Assumptions) -> str:
    return assumed.insufficient_funds if "funds" in str(error) else assumed.never_paid


async def _items(request: Request, name: str, member: str) -> list[dict[str, Any]]:
    items = (await _body(request)).get(name)
    if not isinstance(items, list) or not items:
        raise BadRequest(f"The {name} field is required.")
    if len(items) > _MOST_PAYMENTS:
        raise BadRequest(f"The {name} must have at most {_MOST_PAYMENTS} items.")
    for item in items:
        if not isinstance(item, dict):
            raise BadRequest(f"The {name} is invalid.")
        for needed in (member, "amount", "myReference", "theirReference"):
            if not isinstance(item.get(needed), str) or not item[needed]:
                raise BadRequest(f"The {needed} field is required.")
    return items


async def _body(request: Request) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(await request.body())
    except msgspec.DecodeError:
        raise BadRequest("The request is invalid.") from None
    if not isinstance(found, dict):
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


def _day(request: Request, name: str, default: date) -> date:
    text = request.query_params.get(name)
    if not text:
        return default
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadRequest(f"The {name} is invalid.") from None


def _enveloped(request: Request, data: object) -> Response:
    return JSONResponse(wire.envelope(data, str(request.url)))
