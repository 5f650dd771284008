"""Whom an address shows API keys to, and what must be so first."""

from __future__ import annotations

import ipaddress

from topology.settings import Settings


class Exposed(Exception):
    """The address would show keys to a network; the text says what to set."""


def require_private(address: str, settings: Settings) -> None:
    """Raises ``Exposed`` for a non-loopback address without TLS, unless a proxy is said to be in
    front (``SOV_BEHIND_PROXY=1``)."""
    if settings.tls_cert or settings.behind_proxy or is_loopback(address):
        return
    raise Exposed(
        f"{address} would show API keys to the network in plain HTTP: set SOV_TLS_CERT and"
        " SOV_TLS_KEY, or SOV_BEHIND_PROXY=1 if a proxy terminates TLS"
    )


def is_loopback(address: str) -> bool:
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
