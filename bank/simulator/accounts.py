"""What may be asked about accounts: the holder's, their balances, rows and documents."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bank.simulator import wire
from bank.simulator.books import NoSuch
from bank.simulator.faults import Route as Fails
from bank.simulator.guard import BadRequest, Bank, Reply, enveloped, guarded

PREFIX: Final = "/za/pb/v1"
_DEFAULT_DAYS: Final = 180
#: What is owed on these is shown as more than zero.
_OWED: Final = frozenset({"Credit Card", "Home Loan"})
_DOCUMENTS: Final = {
    "Statement": "documents.statements",
    "TaxCertificate": "documents.taxcertificates",
}
_PDF: Final = b"%%PDF-1.4\n%% %s of %s, %s\n%%%%EOF\n"


def routes(bank: Bank) -> list[Route]:
    one = PREFIX + "/accounts/{account_id}"
    profile = PREFIX + "/profiles/{profile_id}/accounts"

    def path(where: str, fails: Fails, scopes: frozenset[str], reply: Reply) -> Route:
        return Route(where, guarded(bank, fails, scopes, reply), methods=["GET"])

    accounts, rows = frozenset({"accounts"}), frozenset({"transactions"})
    papers = frozenset(_DOCUMENTS.values())
    return [
        path(f"{PREFIX}/accounts", "accounts", accounts, _accounts),
        path(f"{PREFIX}/profiles", "accounts", accounts, _profiles),
        path(profile, "accounts", accounts, _profile_accounts),
        path(profile + "/{account_id}/authorisationsetupdetails", "accounts", accounts, _setup),
        path(f"{one}/balance", "balance", frozenset({"balances"}), _balance),
        path(f"{one}/transactions", "transactions", rows, _transactions),
        path(f"{one}/pending-transactions", "transactions", rows, _pending),
        path(f"{one}/documents", "documents", papers, _documents),
        path(one + "/document/{kind}/{day}", "documents", papers, _document),
    ]


async def _accounts(bank: Bank, request: Request) -> Response:
    found = [wire.account(row) for row in bank.books.accounts()]
    return enveloped(bank, request, {"accounts": found})


async def _profile_accounts(bank: Bank, request: Request) -> Response:
    wanted = request.path_params["profile_id"]
    found = [wire.account(row) for row in bank.books.accounts() if row["profile_id"] == wanted]
    return enveloped(bank, request, found)


async def _profiles(bank: Bank, request: Request) -> Response:
    ids = dict.fromkeys(row["profile_id"] for row in bank.books.accounts())
    found = [
        {"profileId": each, "profileName": f"Profile {number + 1}", "defaultProfile": number == 0}
        for number, each in enumerate(ids)
    ]
    return enveloped(bank, request, found)


async def _setup(bank: Bank, request: Request) -> Response:
    account = bank.books.account(request.path_params["account_id"])
    if account["profile_id"] != request.path_params["profile_id"]:
        raise NoSuch(account["account_id"])
    return enveloped(bank, request, wire.authorisation_setup(bank.books.assumptions))


async def _balance(bank: Bank, request: Request) -> Response:
    account_id = request.path_params["account_id"]
    current, available = bank.rows.current(account_id), bank.rows.available(account_id)
    if bank.books.account(account_id)["product"] in _OWED:
        current = -current
    return enveloped(bank, request, wire.balance(account_id, current, available))


async def _transactions(bank: Bank, request: Request) -> Response:
    assumed = bank.books.assumptions
    today = bank.books.today()
    first = _day(bank, request, "fromDate", today - timedelta(days=_DEFAULT_DAYS))
    last = _day(bank, request, "toDate", today)
    if first > last and assumed.bad_dates == "bad-request":
        raise BadRequest("The specified date range is invalid.")
    if assumed.most_days and (last - first).days >= assumed.most_days:
        raise BadRequest("The specified date range is too long.")
    pending = request.query_params.get("includePending", "").lower() == "true"
    found = bank.rows.of_days(request.path_params["account_id"], first, last, pending=pending)
    if kind := request.query_params.get("transactionType"):
        found = [row for row in found if row["transaction_type"] == kind]
    most = assumed.most_rows or len(found) or 1
    pages = max(1, -(-len(found) // most))
    shown = wire.rows(found, assumed)[:most]
    return enveloped(bank, request, {"transactions": shown}, pages)


async def _pending(bank: Bank, request: Request) -> Response:
    found = bank.rows.pending(request.path_params["account_id"])
    name = bank.books.assumptions.pending_list
    return enveloped(bank, request, {name: [wire.pending_row(row) for row in found]})


async def _documents(bank: Bank, request: Request) -> Response:
    """A statement for each month that has begun in the range."""
    bank.books.account(request.path_params["account_id"])
    for name in ("fromDate", "toDate"):
        if not request.query_params.get(name):
            raise BadRequest(f"The {name} field is required.")
    first = _day(bank, request, "fromDate", bank.books.today())
    last = min(_day(bank, request, "toDate", bank.books.today()), bank.books.today())
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    found = [{"documentType": "Statement", "documentDate": str(d)} for d in days if d.day == 1]
    return enveloped(bank, request, found[::-1])


async def _document(bank: Bank, request: Request) -> Response:
    account = bank.books.account(request.path_params["account_id"])
    kind, day = request.path_params["kind"], request.path_params["day"]
    if kind not in _DOCUMENTS:
        raise BadRequest("The documentType is invalid.")
    content = _PDF % tuple(text.encode() for text in (kind, account["number"], day))
    return Response(content, media_type="application/pdf")


def _day(bank: Bank, request: Request, name: str, default: date) -> date:
    text = request.query_params.get(name)
    if not text:
        return default
    try:
        return date.fromisoformat(text)
    except ValueError:
        if bank.books.assumptions.bad_dates == "ignored":
            return default
        raise BadRequest(f"The {name} is invalid.") from None
