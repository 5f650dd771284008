"""The simulated bank as a process: ``./sov bank simulator``, and one of those that ``up`` runs.

All that it has to do with this project is here: settings, logs, and signs of life.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import sys
from collections.abc import Mapping
from typing import Final

import structlog
import uvloop

from bank.simulator import app
from bank.simulator.guard import Credentials
from topology import logs
from topology.process import live
from topology.settings import SettingMissing, Settings
from topology.vitals import Vitals, inherited_socket, watch_lifeline

#: Never another one: whoever reaches it can make money.
_ADDRESS: Final = "127.0.0.1"

_log = structlog.get_logger(__name__)


class Simulator:
    """``topology.process.Program``."""

    def __init__(self, server: app.Server, opened: socket.socket) -> None:
        self._server, self._opened = server, opened
        self._url = f"http://{_ADDRESS}:{opened.getsockname()[1]}"

    @property
    def ready(self) -> bool:
        return self._server.started

    def report(self) -> Mapping[str, object]:
        return {"url": self._url}

    async def run(self) -> None:
        _log.info("bank_simulator.listening", url=self._url)
        await self._server.serve(sockets=[self._opened])

    def stop(self) -> None:
        self._server.should_exit = True


def main() -> int:
    """Run until SIGTERM or SIGINT; 0 when stopped, 1 when it cannot begin."""
    settings = Settings()
    logs.configure(settings.log_level, settings.log_format, process="bank-simulator")
    watch_lifeline(os.environ)

    async def start() -> Simulator:
        if settings.bank_simulator_books is None:
            raise SettingMissing("SOV_BANK_SIMULATOR_BOOKS is not set")
        server = app.serve(settings.bank_simulator_books, _credentials(settings))
        return Simulator(server, _listen(settings))

    try:
        uvloop.run(live(start, Vitals(os.environ)))
    except (SettingMissing, OSError, sqlite3.OperationalError) as error:
        _log.error("bank_simulator.refused", reason=str(error))
        return 1
    _log.info("bank_simulator.stopped")
    return 0


def _credentials(settings: Settings) -> Credentials:
    """Of those who are let in. Raises ``SettingMissing``."""
    known = (settings.bank_client_id, settings.bank_client_secret, settings.bank_api_key)
    client_id, secret, key = ("" if each is None else each.get_secret_value() for each in known)
    if not (client_id and secret and key):
        raise SettingMissing(
            "SOV_BANK_CLIENT_ID, SOV_BANK_CLIENT_SECRET and SOV_BANK_API_KEY say who may ask"
        )
    return Credentials(client_id, secret, key)


def _listen(settings: Settings) -> socket.socket:
    """Raises ``OSError``."""
    return inherited_socket(os.environ) or socket.create_server(
        (_ADDRESS, settings.bank_simulator_port)
    )


if __name__ == "__main__":
    sys.exit(main())
