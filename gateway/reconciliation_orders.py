"""What is to be compared, as a request's body or its query say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import uuid_utils.compat

from bank.reconciliation import schedule
from bank.reconciliation.requests import Kind, MadeBy, Order
from gateway.batch_orders import encoding_of, format_of
from gateway.bodies import Body, validated
from gateway.call import Call
from gateway.cursors import unusable
from gateway.fields import Moment
from gateway.parameters import Parameter, Query, invalid_parameter
from gateway.problems import Refusal, invalid
from gateway.reading import is_json, read_document
from gateway.times import InvalidTime, parse_time
from producers.bulk.ids import BATCH_ID
from topology.texts import is_clean

_LONGEST_ACCOUNT: Final = 40
#: Earlier than any books, and years away from what no database can keep.
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_KINDS: Final = tuple(kind.value for kind in Kind)
_MADE_BY: Final = tuple(word.value.lower() for word in MadeBy)
_MOMENT: Final[dict[str, Any]] = {"type": "string", "format": "date-time"}
QUERY: Final = (
    Parameter(
        "reconciliationId",
        {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"},
        "Its id, if you choose it: sent again, the same request is the same reconciliation."
        " `bank-<day>` is that of all accounts on that day alone.",
        example="eclipse-2026-03-24",
    ),
    Parameter("kind", {"type": "string", "enum": list(_KINDS)}, "Against whom."),
    Parameter("periodFrom", _MOMENT, "From this moment on.", example="2026-03-24T00:00:00+02:00"),
    Parameter(
        "periodTo",
        _MOMENT,
        "Until before this moment, which must have passed.",
        example="2026-03-25T00:00:00+02:00",
    ),
    Parameter(
        "accountId",
        {"type": "string", "minLength": 1, "maxLength": _LONGEST_ACCOUNT},
        "BANK: this account alone. Default: all that are followed.",
    ),
    Parameter(
        "madeBy",
        {"type": "string", "enum": list(_MADE_BY), "default": "eclipse"},
        "ECLIPSE: which transfers the extract is to have; those that keys with the scope `eclipse`"
        " or `operator` asked for, or all.",
    ),
)
EXAMPLES: Final = {
    "text/csv": "externalUniqueId,fromExternalUniqueId,toExternalUniqueId,amount,time,status\n"
    "order-0001,alice-wallet,shop-wallet,100.00,2026-03-24T10:00:00Z,SUCCESSFUL\n",
    "application/x-ndjson": '{"externalUniqueId": "order-0001", "fromExternalUniqueId":'
    ' "alice-wallet", "toExternalUniqueId": "shop-wallet", "amount": "100.00", "time":'
    ' "2026-03-24T10:00:00Z", "status": "SUCCESSFUL"}\n',
    "application/json": '{"kind": "BANK", "periodFrom": "2026-03-24T00:00:00+02:00",'
    ' "periodTo": "2026-03-25T00:00:00+02:00"}',
}


class NewReconciliation(Body):
    """What needs no extract."""

    reconciliation_id: str | None = None
    kind: str
    period_from: Moment
    period_to: Moment
    account_id: str | None = None


class Asked(NamedTuple):
    reconciliation_id: str
    order: Order


async def asked_of(call: Call, now: datetime) -> Asked:
    """By the body where that is JSON, else by the query. Raises ``Refusal``."""
    media_type = call.field(b"content-type") or b""
    if is_json(media_type):
        body = validated(NewReconciliation, await read_document(call))
        if body.kind != Kind.BANK:
            raise invalid("must be BANK: an extract comes as CSV or NDJSON, with a query", "/kind")
        if body.account_id is not None and not 0 < len(body.account_id) <= _LONGEST_ACCOUNT:
            raise invalid(f"must have 1 to {_LONGEST_ACCOUNT} characters", "/accountId")
        order = Order(Kind.BANK, body.period_from, body.period_to, body.account_id)
        given = body.reconciliation_id
    else:
        order, given = _by_query(call), call.query.text("reconciliationId", 1, 100)
    _require_past(order, now)
    _require_shown(order)
    reconciliation_id = given or str(uuid_utils.compat.uuid7())
    if not BATCH_ID.fullmatch(reconciliation_id):
        raise invalid_parameter("reconciliationId", "may have letters, digits, dots, - and _")
    if schedule.is_anothers(reconciliation_id, order):
        raise invalid_parameter(
            "reconciliationId", "is that of a day, for all accounts: choose another for this"
        )
    return Asked(reconciliation_id, order)


def place_of(position: str | None) -> tuple[datetime, str] | None:
    """Where a list of reconciliations goes on. Raises ``Refusal``."""
    if position is None:
        return None
    created, _, reconciliation_id = position.partition(" ")
    if not BATCH_ID.fullmatch(reconciliation_id):
        raise unusable()
    try:
        return parse_time(created), reconciliation_id
    except InvalidTime:
        raise unusable() from None


def _by_query(call: Call) -> Order:
    query = call.query
    query.required_text("kind", 1, 20)
    kind = Kind(query.choice("kind", _KINDS, ""))
    period_from, period_to = _moment(query, "periodFrom"), _moment(query, "periodTo")
    if kind is Kind.BANK:
        if "madeBy" in query:
            raise invalid_parameter("madeBy", "is for ECLIPSE")
        account_id = query.text("accountId", 1, _LONGEST_ACCOUNT)
        return Order(kind, period_from, period_to, account_id)
    if "accountId" in query:
        raise invalid_parameter("accountId", "is for BANK")
    made_by = MadeBy(query.choice("madeBy", _MADE_BY, "eclipse").upper())
    form, encoding = format_of(call), encoding_of(call)
    return Order(kind, period_from, period_to, None, made_by, form, encoding)


def _moment(query: Query, name: str) -> datetime:
    moment = query.moment(name)
    if moment is None:
        raise invalid_parameter(name, "is required")
    return moment


def _require_past(order: Order, now: datetime) -> None:
    refusal: Refusal | None = None
    if order.period_from < _EARLIEST:
        refusal = invalid_parameter("periodFrom", f"must not be before {_EARLIEST:%Y-%m-%d}")
    elif order.period_from >= order.period_to:
        refusal = invalid_parameter("periodTo", "must be later than periodFrom")
    elif order.period_to > now:
        refusal = invalid_parameter("periodTo", "must have passed: the period is not over yet")
    if refusal is not None:
        raise refusal


def _require_shown(order: Order) -> None:
    """Whoever reads what came of it reads the account too."""
    if order.account_id is not None and not is_clean(order.account_id):
        raise invalid_parameter("accountId", "holds what cannot be shown")
