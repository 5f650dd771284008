"""The names of everything on the broker."""

from __future__ import annotations

import secrets
from typing import Final

EVENTS_EXCHANGE: Final = "sov.events"
#: Of its own: a comparison takes minutes, and no payment may ever stand behind it.
RECONCILIATION_QUEUE: Final = "reconciliations"


def command_queue(layout: int, partition: int) -> str:
    return f"commands.{layout}.p{partition:03}"


def reply_queue() -> str:
    """A fresh name for each connection: a queue of the last one may still be being deleted, and
    its name refused (405)."""
    return f"replies.{secrets.token_hex(8)}"


def event_key(event_type: str, partition: int) -> str:
    """Routing key of an event, such as ``transfer.posted.3``."""
    return f"{event_type}.{partition}"
