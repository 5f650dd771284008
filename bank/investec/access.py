"""Where the bank is, who asks, and how long is waited."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

PRODUCTION: Final = "https://openapi.investec.com"
#: Stateless: it answers every payment and moves nothing.
SANDBOX: Final = "https://openapisandbox.investec.com"


@dataclass(frozen=True, slots=True)
class Access:
    """Raises ``ValueError`` for a place to which secrets would travel readable by anybody."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    api_key: str = field(repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if not parts.hostname or parts.scheme not in ("http", "https"):
            raise ValueError("the bank's URL is not one of http or https")
        if parts.scheme == "http" and not _is_this_machine(parts.hostname):
            raise ValueError("the bank's URL has to be https: credentials travel with each call")


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. Every call has an end, and so has trying again."""

    answer_s: float = 30.0
    """For one answer, whole."""
    payment_s: float = 60.0
    """For the answer to a payment: giving up early only makes an outcome unknown."""
    connect_s: float = 5.0
    again_s: float = 60.0
    """How long reading is tried again."""
    payment_again_s: float = 20.0
    """The same for a payment that the bank has certainly not looked at. Later than this it is not
    sent any more: a process that thaws must not pay what others have decided about since."""


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
