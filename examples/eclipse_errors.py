"""What went wrong, in Eclipse's words: our problem documents as elements of its error array.

NotDone
├── Refused      nothing was moved, and nothing will be by this call
├── Unavailable  nothing was moved; the same call may succeed later
└── Unsettled    not known: to be repeated later, with the same key and ``sent_before=True``
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

Json = dict[str, Any]

#: Our codes as Eclipse's. Those that begin with SOV are a proposal: nothing published fits them.
ECLIPSE_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "malformed-http": "VAL001",
        "idempotency-key-missing": "VAL001",
        "invalid-request": "VAL001",
        "invalid-amount": "VAL001",
        "method-not-allowed": "VAL001",
        "payload-too-large": "VAL001",
        "unsupported-media-type": "VAL001",
        "head-too-large": "VAL001",
        "unauthenticated": "SEC001",
        "forbidden": "SEC001",
        "not-found": "ARCH086",
        "wallet-not-found": "ARCH086",
        "unknown-wallet": "ARCH086",
        "transfer-not-found": "ARCH086",
        "reservation-not-found": "ARCH086",
        "command-not-found": "ARCH086",
        "batch-not-found": "ARCH086",
        "dead-letter-not-found": "ARCH086",
        "bank-not-found": "ARCH086",
        "payout-not-found": "ARCH086",
        "reconciliation-not-found": "ARCH086",
        "payout-export-not-found": "ARCH086",
        "same-owner": "SEC001",
        "duplicate-payout": "SOV002",
        "bank-conflict": "VAL001",
        "payout-conflict": "VAL001",
        "batch-conflict": "VAL001",
        "reconciliation-conflict": "VAL001",
        "dead-letter-resolved": "VAL001",
        "dead-letter-not-replayable": "VAL001",
        "insufficient-funds": "SOV001",
        "duplicate-transfer": "SOV002",
        "duplicate-wallet": "SOV002",
        "duplicate-reservation": "SOV002",
        "duplicate-group": "SOV002",
        "same-wallet": "SOV004",
        "currency-mismatch": "SOV005",
        "limit-exceeded": "SOV006",
        "wallet-frozen": "SOV007",
        "wallet-closed": "SOV008",
        "wallet-not-empty": "SOV009",
        "reversal-exceeds-original": "SOV010",
        "rate-limited": "RLT001",
        "unavailable": "DAE001",
        "deadline-exceeded": "DAE001",
        "internal": "DAE001",
    }
)
#: The key is on the ledger, but for something else: not a retransmission, a defect of the caller.
KEY_CLASH: Final = "SOV003"
#: Something below Eclipse failed: also for what has no problem document of ours.
DOWNSTREAM: Final = "DAE001"
#: The only severity that Eclipse's public pages show.
SEVERITY: Final = "LOW"


class NotDone(Exception):
    """The call did not bring what was asked for; ``errors`` is the array that Eclipse passes on."""

    def __init__(self, problem: Json) -> None:
        super().__init__(problem["detail"])
        self.problem = problem

    @property
    def errors(self) -> list[Json]:
        return [eclipse_error(self.problem)]


class Refused(NotDone):
    """Nothing was moved, and nothing will be by this call.

    A duplicate that the caller did not expect is one too: ``problem`` holds the original.
    """


class Unavailable(NotDone):
    """Every attempt was certainly in vain; the same call may succeed later."""


class Unsettled(NotDone):
    """Some attempt may have moved the money: to be repeated with the same key until it is known,
    never reported as a failure, never repeated with another key."""


def eclipse_error(problem: Json) -> Json:
    """One of our problems as an element of Eclipse's array."""
    code = ECLIPSE_CODES.get(problem["code"], DOWNSTREAM)
    if problem.get("samePayload") is False:
        code = KEY_CLASH
    return {
        "code": code,
        "description": problem["detail"],
        "severity": SEVERITY,
        "type": problem["category"],
        "traceId": problem["traceId"],
    }
