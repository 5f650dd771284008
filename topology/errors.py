"""What can go wrong with the machinery. Business refusals are values (``ledger.rejections``)."""

from __future__ import annotations


class Malformed(Exception):
    """A message that cannot be read: it is parked as a dead letter and decides nothing."""


class Unavailable(Exception):
    """Not accepted, and nothing was written to the broker: the caller may try again later."""

    def __init__(self, reason: str, retry_after_s: int = 1) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class Unroutable(Unavailable):
    """The broker has no queue for it: the topology is not declared. Not accepted either."""


class LayoutChanged(Exception):
    """The books have another layout than this process: it must not go on."""
