"""This installation's simulated bank: when there is one, where it listens, who may ask it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cli.access import points_at
from cli.home import Home
from cli.servers.kept import Kept
from topology.settings import PREFIX, Settings

NAME = "bank-simulator"
_CLIENT = "store-of-value"
# Its clock can be put forward, and the bank process has to follow it there.
_DAYS_AHEAD = 366


@dataclass(frozen=True, slots=True)
class SimulatedBank:
    """``port`` is where it listens, or will; ``descriptor`` the socket that is open there."""

    here: Home
    port: int
    descriptor: int | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def for_itself(self) -> dict[str, str]:
        """Environment of the simulator."""
        return {
            f"{PREFIX}BANK_SIMULATOR_BOOKS": str(self.here.bank_books),
            f"{PREFIX}BANK_SIMULATOR_PORT": str(self.port),
            **self._credentials(),
        }

    def for_bank(self) -> dict[str, str]:
        """Environment of whoever uses it as its bank."""
        return {
            f"{PREFIX}BANK_API_URL": self.url,
            f"{PREFIX}BANK_DAYS_AHEAD": str(_DAYS_AHEAD),
            **self._credentials(),
        }

    def _credentials(self) -> dict[str, str]:
        kept = self.here.kept
        return {
            f"{PREFIX}BANK_CLIENT_ID": _CLIENT,
            f"{PREFIX}BANK_CLIENT_SECRET": kept.password("bank-client-secret"),
            f"{PREFIX}BANK_API_KEY": kept.password("bank-api-key"),
        }


@contextmanager
def simulated(here: Home, settings: Settings) -> Iterator[SimulatedBank | None]:
    """What `up` is to run, and the socket for it; None where another bank was named."""
    if not is_wanted(settings, here.kept):
        yield None
        return
    port = here.kept.claim_port(NAME)
    with socket.create_server(("127.0.0.1", port)) as opened:
        yield SimulatedBank(here, port, opened.fileno())


def is_wanted(settings: Settings, kept: Kept) -> bool:
    """Whether nobody has said which bank it is, or only that it is this one. Beside books that are
    kept elsewhere there is none unless somebody asks for it: its money is nobody's."""
    port = kept.port(NAME)
    if port is not None and points_at(settings.bank_api_url, port):
        return True
    if _is_another_named(settings):
        return False
    asked = settings.bank_simulator
    return settings.database_url is None if asked is None else asked


def _is_another_named(settings: Settings) -> bool:
    """By its address, by credentials for it, or by accounts whose statements come as files."""
    secrets = (settings.bank_client_id, settings.bank_client_secret, settings.bank_api_key)
    is_known = any(secret is not None for secret in secrets)
    return is_known or bool(settings.bank_api_url) or bool(settings.bank_accounts.strip(" ,"))
