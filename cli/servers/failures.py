"""The one exception of this package."""

from __future__ import annotations


class ServerUnavailable(Exception):
    """A server cannot be installed, started or reached.

    The text is meant for the person at the terminal: it says what was tried, what the server's own
    log said last, and what can be done.
    """
