"""How long a caller wants to wait: the ``Prefer`` header (RFC 7240) and ``Sov-Deadline``."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from gateway.call import Call
from gateway.problems import Refusal
from gateway.times import InvalidTime, parse_time
from gateway.waiting import DEFAULT, Waiting
from ledger.rejections import TOO_LATE, Code
from topology.deadlines import WAIT_MAX_S, WAIT_MIN_S

#: Far more than anybody means: what is longer is ignored, like anything else we do not understand.
_LONGEST: Final = 1000
_SECONDS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)
_DEADLINE: Final = "Sov-Deadline"


def read_waiting(call: Call) -> Waiting:
    """The caller's wishes. As RFC 7240 says, a preference that means nothing to us is ignored; a
    wait out of bounds becomes the nearest one that is allowed."""
    prefer = call.field(b"prefer")
    return DEFAULT if prefer is None else _preferred(prefer.decode("latin-1"))


def read_deadline(call: Call) -> datetime | None:
    """``Sov-Deadline``. No preference: raises ``Refusal`` where it cannot be read."""
    deadline = call.field(b"sov-deadline")
    if deadline is None:
        return None
    try:
        return parse_time(deadline.decode("latin-1"))
    except InvalidTime as error:
        raise _invalid(str(error)) from None


def require_within(deadline: datetime | None, now: datetime, latest: datetime) -> None:
    """Raises ``Refusal`` for a deadline that has passed or is too far away.

    A call that was held up on its way is refused here for good: its caller has given it up.
    """
    if deadline is None:
        return
    if deadline <= now:
        raise Refusal(TOO_LATE.code, f"{_DEADLINE} had passed when the call arrived")
    if deadline > latest:
        raise _invalid(f"must not be later than {latest:%Y-%m-%dT%H:%M:%SZ}")


def _preferred(text: str) -> Waiting:
    if len(text) > _LONGEST:
        return DEFAULT
    found: dict[str, str] = {}
    for part in text.split(","):
        name, _, value = part.partition(";")[0].partition("=")
        # Of two the first counts (RFC 7240, section 2).
        found.setdefault(name.strip().lower(), _unquoted(value.strip()))
    if "respond-async" in found:
        return Waiting(respond_async=True, applied=b"respond-async")
    wish = found.get("wait", "")
    if not _SECONDS.fullmatch(wish):
        return DEFAULT
    wait_s = min(max(float(wish), WAIT_MIN_S), WAIT_MAX_S)
    return Waiting(wait_s=wait_s, applied=b"wait=%g" % wait_s)


def _unquoted(value: str) -> str:
    is_quoted = len(value) > 1 and value[0] == value[-1] == '"'
    return value[1:-1].strip() if is_quoted else value


def _invalid(detail: str) -> Refusal:
    return Refusal(
        Code.INVALID_REQUEST,
        f"{_DEADLINE} {detail}",
        errors=[{"detail": detail, "header": _DEADLINE}],
    )
