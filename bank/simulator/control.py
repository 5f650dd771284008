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
from bank.simulator.assumptions import Assumptions
from bank.simulator.books import PROFILE_ID, NewAccount, NoSuch, NotDone, Scope
from bank.simulator.faults import Fault
from bank.simulator.guard import Bank
from bank.simulator.payments import NewBeneficiary
from bank.simulator.rows import Movement, Settles

PREFIX: Final = "/simulator"
Body = TypeVar("Body")
#: Fifteen digits are what the specification has room for.
Cents = Annotated[int, msgspec.Meta(ge=0, le=10**15 - 1)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
_Play = Callable[[Bank, Request], Awaitable[Any]]


class _Asked(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    pass


class _Row(_Asked):
    """Money that comes in, or with ``type`` DEBIT goes out."""

    account_id: Text
    amount_cents: Cents
    description: Annotated[str, msgspec.Meta(max_length=200)] = ""
    type: Literal["CREDIT", "DEBIT"] = "CREDIT"
    transaction_type: Text | None = "Deposits"
    card_number: Annotated[str, msgspec.Meta(max_length=20)] = ""
    transaction_date: date | None = None
    """May be long ago: rows are posted late."""
    posting_date: date | None = None
    settles: Settles | None = None
    """None: as assumed of money that comes in."""
    after_s: Annotated[float, msgspec.Meta(ge=0)] | None = None
    times: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    """The same row so often, as banks really have them."""


class _Account(_Asked):
    account_id: Text
    number: Text = "10010000001"
    name: Text = "Store of Value"
    product: Text = "Private Bank Account"
    profile_id: Text = PROFILE_ID
    opening_cents: Annotated[int, msgspec.Meta(ge=-(10**15), le=10**15)] = 0


class _Beneficiary(_Asked):
    """Known by its id already, it is changed."""

    name: Text
    account_number: Text
    beneficiary_id: Text | None = None
    code: Text = "580105"
    bank: Text = "INVESTEC BANK"
    last_paid: date | None = None
    faster: bool = False


class _Change(_Asked):
    what: Literal["post", "settle", "renumber", "vanish", "reverse", "rewrite"]
    amount_cents: Cents | None = None
    description: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class _Clock(_Asked):
    advance_s: Annotated[float, msgspec.Meta(ge=0, le=10 * 366 * 86_400)]


class _Decision(_Asked):
    what: Literal["approve", "decline", "fail", "return"]


class _Scopes(_Asked):
    scopes: list[Scope]


def routes(bank: Bank) -> list[Route]:
    def path(method: str, where: str, play: _Play) -> Route:
        return Route(PREFIX + where, _played(bank, play), methods=[method])

    return [
        path("GET", "/state", _state),
        path("POST", "/reset", _reset),
        path("POST", "/accounts", _open),
        path("POST", "/rows", _move),
        path("POST", "/rows/{row_id:int}", _change),
        path("POST", "/beneficiaries", _add_beneficiary),
        path("POST", "/payments/{reference}", _decide),
        path("POST", "/clock", _advance),
        path("POST", "/faults", _add_fault),
        path("DELETE", "/faults", _clear_faults),
        path("PATCH", "/assumptions", _assume),
        path("DELETE", "/assumptions", _assume_nothing),
        path("PUT", "/scopes", _grant),
        path("DELETE", "/tokens", _forget_tokens),
    ]


def _played(bank: Bank, play: _Play) -> Callable[[Request], Awaitable[Response]]:
    """Every change is whole, or not at all; every answer is JSON."""

    async def played(request: Request) -> Response:
        status = 200
        try:
            # The books take one change at a time: a body that comes slowly must not hold them.
            await request.body()
            with bank.books.changing():
                found = await play(bank, request)
        except (msgspec.DecodeError, NotDone) as error:
            status, found = 400, {"error": str(error)}
        except NoSuch as error:
            status, found = 404, {"error": f"there is no {error}"}
        return Response(msgspec.json.encode(found), status, media_type="application/json")

    return played


async def _state(bank: Bank, _: Request) -> Any:
    bank.catch_up()
    books, assumed = bank.books, bank.books.assumptions
    return {
        "now": books.now_s(),
        "today": books.today(),
        "assumptions": assumed,
        "scopes": books.scopes,
        "faults": bank.faults.coming,
        "accounts": [
            {
                **wire.account(row),
                "currentCents": bank.rows.current(row["account_id"]),
                "availableCents": bank.rows.available(row["account_id"]),
            }
            for row in books.accounts()
        ],
        "rows": [
            {"rowId": row["row_id"], **wire.row(row, assumed)}
            for account in books.accounts()
            for row in bank.rows.of_days(account["account_id"], date.min, date.max, pending=True)
        ],
        "beneficiaries": [dict(row) for row in bank.payments.beneficiaries()],
        "payments": [dict(row) for row in bank.payments.all()],
    }


async def _reset(bank: Bank, _: Request) -> Any:
    bank.books.reset()
    bank.faults.clear()
    bank.tokens.clear()
    return {"accounts": [row["account_id"] for row in bank.books.accounts()]}


async def _open(bank: Bank, request: Request) -> Any:
    asked = await _body(request, _Account)
    bank.books.open_account(
        NewAccount(
            account_id=asked.account_id,
            number=asked.number,
            name=asked.name,
            product=asked.product,
            profile_id=asked.profile_id,
            opening=asked.opening_cents,
        )
    )
    return {"accountId": asked.account_id}


async def _move(bank: Bank, request: Request) -> Any:
    asked = await _body(request, _Row)
    settles, after_s = asked.settles, asked.after_s
    if settles is None:
        assumed_s = bank.books.assumptions.credit_settles_s if asked.type == "CREDIT" else 0.0
        after_s = assumed_s if after_s is None else after_s
        settles = Settles.LATER if after_s else Settles.NOW
    movement = Movement(
        account_id=asked.account_id,
        amount=asked.amount_cents,
        description=asked.description,
        credit=asked.type == "CREDIT",
        transaction_type=asked.transaction_type,
        card=asked.card_number,
        transaction_date=asked.transaction_date,
        posting_date=asked.posting_date,
        settles=settles,
        after_s=None if settles is Settles.NOW else after_s,
    )
    return {"rowIds": [bank.rows.move(movement) for _ in range(asked.times)]}


async def _change(bank: Bank, request: Request) -> Any:
    asked = await _body(request, _Change)
    more = {"amount_cents": asked.amount_cents, "description": asked.description}
    return {"rowId": bank.rows.change(int(request.path_params["row_id"]), asked.what, more)}


async def _add_beneficiary(bank: Bank, request: Request) -> Any:
    asked = await _body(request, _Beneficiary)
    new = NewBeneficiary(**msgspec.structs.asdict(asked))
    return {"beneficiaryId": bank.payments.add_beneficiary(new)}


async def _decide(bank: Bank, request: Request) -> Any:
    """A payment that has lapsed by now is not approved any more."""
    bank.catch_up()
    asked = await _body(request, _Decision)
    reference = str(request.path_params["reference"])
    bank.payments.decide(reference, asked.what)
    return dict(bank.payments.payment(reference))


async def _advance(bank: Bank, request: Request) -> Any:
    asked = await _body(request, _Clock)
    bank.books.advance(asked.advance_s)
    bank.catch_up()
    return {"now": bank.books.now_s(), "today": bank.books.today()}


async def _add_fault(bank: Bank, request: Request) -> Any:
    bank.faults.add(await _body(request, Fault))
    return {"faults": bank.faults.coming}


async def _clear_faults(bank: Bank, _: Request) -> Any:
    bank.faults.clear()
    return {"faults": []}


async def _assume(bank: Bank, request: Request) -> Any:
    """What is named changes, the rest stays."""
    asked = msgspec.json.decode(await request.body())
    if not isinstance(asked, dict):
        raise msgspec.DecodeError("assumptions are an object")
    known = msgspec.to_builtins(bank.books.assumptions)
    assumed = msgspec.convert({**known, **asked}, Assumptions)
    bank.books.assume(assumed)
    return assumed


async def _assume_nothing(bank: Bank, _: Request) -> Any:
    bank.books.assume(Assumptions())
    return bank.books.assumptions


async def _grant(bank: Bank, request: Request) -> Any:
    """From the next token on."""
    asked = await _body(request, _Scopes)
    bank.books.grant(list(asked.scopes))
    return {"scopes": bank.books.scopes}


async def _forget_tokens(bank: Bank, _: Request) -> Any:
    bank.tokens.clear()
    return {}


async def _body(request: Request, kind: type[Body]) -> Body:
    return msgspec.json.decode(await request.body(), type=kind)
