"""What a file is and what is to be done with it, as its query and headers say."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from gateway.call import Call
from gateway.cursors import unusable
from gateway.parameters import Parameter, Query, invalid_parameter
from gateway.problems import GatewayCode, Refusal
from gateway.times import InvalidTime, parse_time
from ledger.batches import Format, Kind, Order
from producers.bulk.ids import BATCH_ID
from topology.deadlines import EARLIEST_DEADLINE

_FORMATS: Final = {
    "text/csv": Format.CSV,
    "application/x-ndjson": Format.NDJSON,
    "application/ndjson": Format.NDJSON,
    "application/jsonl": Format.NDJSON,
}
_ENCODINGS: Final = {
    "": "identity",
    "identity": "identity",
    "gzip": "gzip",
    "x-gzip": "gzip",
    "zstd": "zstd",
}
MOST_LINES: Final = 10**12
#: What many amounts add up to may be more than one may have; a number with an exponent could be
#: too large to be written down at all.
_TOTAL: Final = re.compile(r"[0-9]{1,30}(\.[0-9]{1,4})?", re.ASCII)
_YES_NO: Final = ("true", "false")

EXAMPLES: Final = {
    "text/csv": "fromWalletId,toWalletId,amount,externalUniqueId\n"
    "0198f0a4-2c8e-7d31-9f0e-3a5b8c1d2e4f,0198f0a4-2c8e-7d31-9f0e-3a5b8c1d2e50,100.00,"
    "salary-2026-03-0001\n",
    "application/x-ndjson": '{"fromExternalUniqueId": "payroll", "toExternalUniqueId":'
    ' "employee-1", "amount": "100.00", "externalUniqueId": "salary-2026-03-0001"}\n',
}
_BOOLEAN: Final[dict[str, Any]] = {"type": "boolean", "default": False}
SUBMISSION: Final = (
    Parameter(
        "batchId",
        {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"},
        "Its id, if you choose it: then an upload that was cut short can be continued.",
        example="payroll-2026-03",
    ),
    Parameter("kind", {"type": "string", "enum": ["transfers", "wallets"]}, "What lines make."),
    Parameter("atomic", _BOOLEAN, "All lines or none; at most 10,000."),
    Parameter("dryRun", _BOOLEAN, "Move nothing: check every line, estimate refusals."),
    Parameter(
        "notAfter",
        {"type": "string", "format": "date-time"},
        "No line is posted later than this (RFC 3339); 30 days at most, which is the default.",
    ),
    Parameter("fromWalletId", {"type": "string"}, "Whom to debit where a line does not say."),
    Parameter("controlCount", {"type": "integer", "minimum": 0}, "How many lines there must be."),
    Parameter(
        "controlTotal",
        {"type": "string", "pattern": r"^[0-9]{1,30}(\.[0-9]{1,4})?$"},
        "What all amounts must add up to.",
        example="100.00",
    ),
)


def order_of(call: Call) -> Order:
    """Raises ``Refusal``."""
    query = call.query
    kind = Kind(query.choice("kind", ("transfers", "wallets"), "transfers").upper())
    atomic = query.choice("atomic", _YES_NO, "false") == "true"
    dry_run = query.choice("dryRun", _YES_NO, "false") == "true"
    total = query.text("controlTotal", 1, 40)
    if kind is Kind.WALLETS:
        for name, given in (
            ("atomic", atomic),
            ("controlTotal", total is not None),
            ("fromWalletId", "fromWalletId" in query),
        ):
            if given:
                raise invalid_parameter(name, "is for transfers")
    counted = "controlCount" in query
    return Order(
        kind=kind,
        format=format_of(call),
        encoding=encoding_of(call),
        atomic=atomic,
        dry_run=dry_run,
        not_after=_not_after(query),
        from_wallet=query.text("fromWalletId", 1, 100),
        control_count=query.integer("controlCount", 0, MOST_LINES, 0) if counted else None,
        control_total=None if total is None else _total(total),
    )


def place_of(position: str | None) -> tuple[datetime, str] | None:
    """Where a list of files goes on. Raises ``Refusal``."""
    if position is None:
        return None
    created, _, batch_id = position.partition(" ")
    # A cursor is the caller's: what no file is called may be what the database cannot take.
    if not BATCH_ID.fullmatch(batch_id):
        raise unusable()
    try:
        return parse_time(created), batch_id
    except InvalidTime:
        raise unusable() from None


def format_of(call: Call) -> Format:
    """By its Content-Type. Raises ``Refusal``."""
    given = (call.field(b"content-type") or b"").decode("latin-1").lower()
    name, *parameters = (part.strip() for part in given.split(";"))
    charset = next((p for p in parameters if p.startswith("charset=")), "charset=utf-8")
    if name not in _FORMATS or charset.replace('"', "") != "charset=utf-8":
        raise Refusal(
            GatewayCode.UNSUPPORTED_MEDIA_TYPE,
            f"a file is one of {', '.join(_FORMATS)}, in UTF-8",
            headers=[(b"accept-post", ", ".join(_FORMATS).encode())],
        )
    return _FORMATS[name]


def encoding_of(call: Call) -> str:
    """How it is packed. Raises ``Refusal``."""
    given = (call.field(b"content-encoding") or b"").decode("latin-1").strip().lower()
    if given not in _ENCODINGS:
        raise Refusal(
            GatewayCode.UNSUPPORTED_MEDIA_TYPE,
            "a file may be packed with gzip or zstd",
            headers=[(b"accept-encoding", b"gzip, zstd")],
        )
    return _ENCODINGS[given]


def _not_after(query: Query) -> datetime | None:
    """One that has passed is no refusal: the same file sent again later is the same batch, and its
    lines say for themselves that they have expired."""
    moment = query.moment("notAfter")
    if moment is not None and moment < EARLIEST_DEADLINE:
        raise invalid_parameter("notAfter", f"must not be before {EARLIEST_DEADLINE:%Y-%m-%d}")
    return moment


def _total(text: str) -> Decimal:
    if not _TOTAL.fullmatch(text):
        raise invalid_parameter("controlTotal", 'looks like "100.00": digits, a point, digits')
    return Decimal(text)
