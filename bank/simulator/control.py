"""Playing the bank: what people, other banks and time do to an account. Under a prefix of its own,
and for whoever can reach this port: it listens to this machine alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bank.simulator import wire
from bank.simulator.api import Bank
from bank.simulator.assumptions import Assumptions
from bank.simulator.books import Credit, NoSuch, NotPaid, Settles
from bank.simulator.faults import Fault

_PREFIX: Final = "/simulator"
Body = TypeVar("Body")
Cents = Annotated[int, msgspec.Meta(ge=1, le=10**15)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class _Asked(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    pass


class _Row(_Asked, kw_only=True):
    """``POST /simulator/rows``: money that comes in, or with ``type`` DEBIT goes out."""

    account_id: Text
    amount_cents: Cents
    description: Annotated[str, msgspec.Meta(max_length=200)] = ""
    type: Literal["CREDIT", "DEBIT"] = "CREDIT"
    transaction_type: Text = "Deposits"
    transaction_date: date | None = None
    settles: Settles = Settles.NOW
    after_s: Annotated[float, msgspec.Meta(ge=0)] | None = None
    times: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    """The same row so often, as banks really have them."""


class _Account(_Asked, kw_only=True):
    account_id: Text
    number: Text = "10010000001"
    name: Text = "Store of Value"
    opening_cents: int = 0


class _Beneficiary(_Asked, kw_only=True):
    name: Text
    account_number: Text
    beneficiary_id: Text | None = None
    code: Text = "580105"
    bank: Text = "INVESTEC BANK"
    last_paid: date | None = None
    faster: bool = False


class _Change(_Asked, kw_only=True):
    what: Literal["settle", "renumber", "vanish", "reverse"]


class _Clock(_Asked, kw_only=True):
    advance_s: Annotated[float, msgspec.Meta(ge=0, le=10 * 366 * 86_400)]


class _Authorisation(_Asked, kw_only=True):
    approve: bool


def routes(bank: Bank) -> list[Route]:
    def path(method: str, where: str, answer: Callable[[Bank, Request], Awaitable[Any]]) -> Route:
        return Route(_PREFIX + where, _told(bank, answer), methods=[method])

    return [
        path("GET", "/state", _state),
        path("POST", "/accounts", _open),
        path("POST", "/rows", _inject),
        path("POST", "/rows/{row_id:int}", _change),
        path("POST", "/beneficiaries", _add_beneficiary),
        path("POST", "/payments/{reference}", _authorise),
        path("POST", "/clock", _advance),
        path("POST", "/faults", _add_fault),
        path("DELETE", "/faults", _clear_faults),
        path("PUT", "/assumptions", _assume),
    ]


def _told(
    bank: Bank, answer: Callable[[Bank, Request], Awaitable[Any]]
) -> Callable[[Request], Awaitable[Response]]:
    """Every change is whole, and every answer is JSON."""

    async def told(request: Request) -> Response:
        status = 200
        try:
            found = await answer(bank, request)
        except (msgspec.DecodeError, NotPaid) as error:
            status, found = 400, {"error": str(error)}
        except NoSuch as error:
            status, found = 404, {"error": f"there is no {error}"}
        return Response(msgspec.json.encode(found), status, media_type="application/json")

    return told


async def _state(bank: Bank, _: Request) -> Any:
    books = bank.books
    with books.changing():
        books.settle_due()
    return {
        "now": books.now_s(),
        "today": books.today(),
        "assumptions": books.assumptions,
        "faults": bank.faults.coming,
        "accounts": [
            {
                **wire.account(row),
                "currentCents": books.current(row["account_id"]),
                "availableCents": books.available(row["account_id"]),
            }
            for row in books.accounts()
        ],
        "rows": [
            {"rowId": row["row_id"], **wire.row(row, books.assumptions)}
            for account in books.accounts()
            for row in books.rows(account["account_id"], date.min, date.max, pending=True)
        ],
        "payments": [dict(row) for row in books.payments()],
    }


async def _open(bank: Bank, request: Request) -> Any:
    asked = await _body(request, _Account)
    with bank.books.changing():
        bank.books.open_account(asked.account_id, asked.number, asked.name, asked.opening_cents)
    return {"accountId": asked.account_id}


async def _inject(bank: Bank, request: Request) -> Any:
    asked = await _body(request, _Row)
    credit = Credit(
        account_id=asked.account_id,
        amount=asked.amount_cents,
        description=asked.description,
        credit=asked.type == "CREDIT",
        transaction_type=asked.transaction_type,
        transaction_date=asked.transaction_date,
        settles=asked.settles,
        after_s=asked.after_s,
    )
    with bank.books.changing():
        return {"rowIds": [bank.books.inject(credit) for _ in range(asked.times)]}


async def _change(bank: Bank, request: Request) -> Any:
    row_id = int(request.path_params["row_id"])
    asked = await _body(request, _Change)
    changes = {
        "settle": bank.books.settle,
        "renumber": bank.books.renumber,
        "vanish": bank.books.vanish,
        "reverse": bank.books.reverse,
    }
    with bank.books.changing():
        made = changes[asked.what](row_id)
    return {"rowId": made if made is not None else row_id}


async def _add_beneficiary(bank: Bank, request: Request) -> Any:
    asked = await _body(request, _Beneficiary)
    last_paid = None if asked.last_paid is None else asked.last_paid.isoformat()
    with bank.books.changing():
        made = bank.books.add_beneficiary({**msgspec.structs.asdict(asked), "last_paid": last_paid})
    return {"beneficiaryId": made}


async def _authorise(bank: Bank, request: Request) -> Any:
    asked = await _body(request, _Authorisation)
    reference = str(request.path_params["reference"])
    with bank.books.changing():
        bank.books.authorise(reference, approve=asked.approve)
    return dict(bank.books.payment(reference))


async def _advance(bank: Bank, request: Request) -> Any:
    asked = await _body(request, _Clock)
    with bank.books.changing():
        bank.books.advance(asked.advance_s)
        bank.books.settle_due()
    return {"now": bank.books.now_s()}


async def _add_fault(bank: Bank, request: Request) -> Any:
    bank.faults.add(await _body(request, Fault))
    return {"faults": bank.faults.coming}


async def _clear_faults(bank: Bank, _: Request) -> Any:
    bank.faults.clear()
    return {"faults": []}


async def _assume(bank: Bank, request: Request) -> Any:
    asked = await _body(request, Assumptions)
    with bank.books.changing():
        bank.books.assume(asked)
    return asked


async def _body(request: Request, kind: type[Body]) -> Body:
    return msgspec.json.decode(await request.body(), type=kind)
