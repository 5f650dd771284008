"""What goes wrong, as the caller is told (RFC 9457): the one table of codes and status codes.

Everything in this package that refuses a call raises ``Refusal`` or lets an exception of the
machinery pass; only here does that become a status.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import asyncpg
from starlette.exceptions import HTTPException

from gateway.response import PROBLEM, Answer
from ledger.database import UNREACHABLE
from ledger.rejections import Code
from topology.documents import Document
from topology.errors import LayoutChanged, Malformed, Unavailable

_TYPE: Final = "urn:store-of-value:problem:"
_MOST_ERRORS: Final = 20


class GatewayCode(StrEnum):
    """Refusals that HTTP alone knows; the others are ``ledger.rejections.Code``."""

    MALFORMED_HTTP = "malformed-http"
    IDEMPOTENCY_KEY_MISSING = "idempotency-key-missing"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    COMMAND_NOT_FOUND = "command-not-found"
    BATCH_NOT_FOUND = "batch-not-found"
    BATCH_CONFLICT = "batch-conflict"
    PAYOUT_NOT_FOUND = "payout-not-found"
    PAYOUT_EXPORT_NOT_FOUND = "payout-export-not-found"
    PAYOUT_CONFLICT = "payout-conflict"
    DUPLICATE_PAYOUT = "duplicate-payout"
    BANK_NOT_FOUND = "bank-not-found"
    BANK_CONFLICT = "bank-conflict"
    SAME_OWNER = "same-owner"
    RECONCILIATION_NOT_FOUND = "reconciliation-not-found"
    RECONCILIATION_CONFLICT = "reconciliation-conflict"
    DEAD_LETTER_NOT_REPLAYABLE = "dead-letter-not-replayable"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    PAYLOAD_TOO_LARGE = "payload-too-large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type"
    RATE_LIMITED = "rate-limited"
    HEAD_TOO_LARGE = "head-too-large"


AnyCode = Code | GatewayCode


class Kind(NamedTuple):
    """What is always the same for a code."""

    status: int
    title: str

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later: the system's fault, not the caller's."""
        return self.status in _SYSTEM


_SYSTEM: Final = frozenset({429, 500, 503, 504})

KINDS: Final[Mapping[AnyCode, Kind]] = MappingProxyType(
    {
        GatewayCode.MALFORMED_HTTP: Kind(400, "Not an HTTP request"),
        GatewayCode.IDEMPOTENCY_KEY_MISSING: Kind(400, "No idempotency key, or two of them"),
        GatewayCode.UNAUTHENTICATED: Kind(401, "No valid API key"),
        GatewayCode.FORBIDDEN: Kind(403, "The key does not allow this"),
        GatewayCode.SAME_OWNER: Kind(403, "Another person has to say that"),
        GatewayCode.NOT_FOUND: Kind(404, "Nothing here"),
        GatewayCode.COMMAND_NOT_FOUND: Kind(404, "No such command"),
        GatewayCode.BATCH_NOT_FOUND: Kind(404, "No such batch"),
        GatewayCode.BANK_NOT_FOUND: Kind(404, "Nothing of this id at the bank side"),
        GatewayCode.PAYOUT_NOT_FOUND: Kind(404, "No such payout"),
        GatewayCode.PAYOUT_EXPORT_NOT_FOUND: Kind(404, "No such payment file"),
        GatewayCode.RECONCILIATION_NOT_FOUND: Kind(404, "No such reconciliation"),
        Code.DEAD_LETTER_NOT_FOUND: Kind(404, "No such dead letter"),
        Code.WALLET_NOT_FOUND: Kind(404, "No such wallet"),
        Code.TRANSFER_NOT_FOUND: Kind(404, "No such transfer"),
        Code.RESERVATION_NOT_FOUND: Kind(404, "No such live reservation"),
        GatewayCode.METHOD_NOT_ALLOWED: Kind(405, "Not with this method"),
        GatewayCode.BATCH_CONFLICT: Kind(409, "The batch is not what the call takes it for"),
        GatewayCode.BANK_CONFLICT: Kind(409, "It is not what the call takes it for"),
        GatewayCode.PAYOUT_CONFLICT: Kind(409, "The payout is not what the call takes it for"),
        GatewayCode.DUPLICATE_PAYOUT: Kind(409, "The payout's key is in use already"),
        GatewayCode.RECONCILIATION_CONFLICT: Kind(
            409, "The reconciliation is not what the call takes it for"
        ),
        Code.DEAD_LETTER_RESOLVED: Kind(409, "The dead letter was dealt with before"),
        GatewayCode.DEAD_LETTER_NOT_REPLAYABLE: Kind(409, "Nothing that could be replayed"),
        Code.DUPLICATE_GROUP: Kind(409, "The group's key is on the ledger already"),
        Code.DUPLICATE_WALLET: Kind(409, "The wallet's key is on the ledger already"),
        Code.DUPLICATE_TRANSFER: Kind(409, "The transfer's key is on the ledger already"),
        Code.DUPLICATE_RESERVATION: Kind(409, "The reservation's key is on the ledger already"),
        Code.WALLET_CLOSED: Kind(409, "The wallet is closed"),
        Code.WALLET_FROZEN: Kind(409, "The wallet is frozen"),
        Code.WALLET_NOT_EMPTY: Kind(409, "The wallet is not empty"),
        Code.REVERSAL_EXCEEDS_ORIGINAL: Kind(409, "More than can be reversed"),
        GatewayCode.PAYLOAD_TOO_LARGE: Kind(413, "The body is too large"),
        GatewayCode.UNSUPPORTED_MEDIA_TYPE: Kind(415, "Not JSON"),
        Code.INVALID_REQUEST: Kind(422, "The request is not valid"),
        Code.INVALID_AMOUNT: Kind(422, "Not an amount that can be moved"),
        Code.UNKNOWN_WALLET: Kind(422, "The request names an unknown wallet"),
        Code.SAME_WALLET: Kind(422, "Both wallets are the same"),
        Code.CURRENCY_MISMATCH: Kind(422, "The currencies differ"),
        Code.LIMIT_EXCEEDED: Kind(422, "Beyond the largest amount or balance"),
        Code.INSUFFICIENT_FUNDS: Kind(422, "Not enough available balance"),
        GatewayCode.RATE_LIMITED: Kind(429, "Too many requests with this key"),
        GatewayCode.HEAD_TOO_LARGE: Kind(431, "The request's head is too large"),
        Code.INTERNAL: Kind(500, "A defect of ours"),
        Code.UNAVAILABLE: Kind(503, "Not accepted: try again later"),
        Code.DEADLINE_EXCEEDED: Kind(504, "Too late, and not applied"),
    }
)

#: What the framework refuses by itself, in our words.
_OF_FRAMEWORK: Final[Mapping[int, tuple[GatewayCode, str]]] = MappingProxyType(
    {
        404: (GatewayCode.NOT_FOUND, "there is nothing at this path"),
        405: (GatewayCode.METHOD_NOT_ALLOWED, "the path is not for this method"),
    }
)

#: What a database that is away, coming up, going down or overloaded looks like.
DATABASE_AWAY: Final = (
    *UNREACHABLE,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.TransactionRollbackError,
)


class Refusal(Exception):
    """Ends a call with a problem.

    ``errors`` say which parts of the request are to blame, ``members`` go into the document,
    ``headers`` into the head.
    """

    def __init__(
        self,
        code: AnyCode,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        members: Mapping[str, Any] = MappingProxyType({}),
        headers: Iterable[tuple[bytes, bytes]] = (),
        retry_after_s: int = 1,
    ) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail
        self.errors, self.members, self.headers = errors, members, headers
        self.retry_after_s = retry_after_s


def invalid(what: str, pointer: str, *, code: AnyCode = Code.INVALID_REQUEST) -> Refusal:
    """The refusal of one member of the body, or of the body where ``pointer`` (a JSON Pointer) is
    empty; ``what`` says what is wrong with it, such as "must be a string"."""
    errors = [{"detail": what, "pointer": pointer}]
    return Refusal(code, pointed(what, pointer), errors=errors)


def pointed(what: str, pointer: str) -> str:
    """One line for people that says where and what."""
    return f"{pointer}: {what}" if pointer else f"the body {what}"


def refusal_of(error: BaseException) -> Refusal:
    """What the caller is told about an exception."""
    match error:
        case Refusal():
            return error
        case Unavailable():  # Unroutable too: nothing was written to the broker
            return unavailable(str(error), error.retry_after_s)
        case LayoutChanged():
            return unavailable("this gateway is about to restart")
        case HTTPException(status_code=status) if status in _OF_FRAMEWORK:
            headers = [(k.lower().encode(), v.encode()) for k, v in (error.headers or {}).items()]
            return Refusal(*_OF_FRAMEWORK[status], headers=headers)
        case _ if isinstance(error, DATABASE_AWAY) and not isinstance(error, ValueError):
            # What asyncpg says about a query's argument is a ValueError too: that is our defect.
            return unavailable("the books cannot be read at the moment")
        case asyncpg.LockNotAvailableError():
            return unavailable("something else is at work on it, and takes longer than expected")
        case Malformed() | _:
            return Refusal(
                Code.INTERNAL,
                "the call failed because of a defect; to settle a write, repeat it with its key",
            )


def unavailable(detail: str, retry_after_s: int = 1) -> Refusal:
    return Refusal(Code.UNAVAILABLE, detail, retry_after_s=retry_after_s)


def answer(refusal: Refusal, *, instance: str, trace_id: str) -> Answer:
    """The refusal as an HTTP answer. ``instance`` is the URI of what was refused."""
    kind = KINDS[refusal.code]
    document: Document = {
        "type": _TYPE + refusal.code,
        "title": kind.title,
        "status": kind.status,
        "detail": refusal.detail,
        "instance": instance,
        "code": str(refusal.code),
        "traceId": trace_id,
        "category": "SYSTEM" if kind.retryable else "BUSINESS",
        "retryable": kind.retryable,
        **refusal.members,
    }
    if refusal.errors:
        document["errors"] = list(refusal.errors[:_MOST_ERRORS])
    headers = tuple(refusal.headers)
    if refusal.code in (Code.UNAVAILABLE, GatewayCode.RATE_LIMITED):
        headers += ((b"retry-after", b"%d" % refusal.retry_after_s),)
    return Answer(kind.status, document, headers, PROBLEM, str(refusal.code))
