"""A gateway process: it answers from its first moment, and works once it can."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from bank.payouts.approvals import tiers
from gateway import app
from gateway.auth import Gatekeeper, KeyRing
from gateway.backend import Backend
from gateway.health import Health
from gateway.machinery import Machinery
from gateway.metrics import IN_FLIGHT, Exposition
from gateway.operations import READERS, Access
from gateway.server import make_server, open_socket
from ledger.keys import Scope
from topology.process import end
from topology.settings import Settings

#: A process has to be gone 10 s after it was told to stop: by then callers who still wait for an
#: outcome have been told where to ask for it, and connections that do not end have been closed.
_RELEASE_AFTER_S: Final = 5.0
_DRAIN_LIMIT_S: Final = 7


class Gateway:
    """``topology.process.Program``; ``opened`` is the socket it listens on. Raises
    ``SettingMissing``, or ``OSError`` where the port for metrics cannot be had."""

    def __init__(
        self, settings: Settings, opened: socket.socket, metrics_folder: str | None
    ) -> None:
        self._reader_dsn, self._amqp_url = settings.reader_dsn, settings.gateway_amqp_url
        self._uploader_dsn = settings.uploader_dsn if settings.takes_files else None
        self._banker_dsn = settings.banker_dsn if settings.keeps_bank else None
        self._most_bytes = settings.bulk_max_bytes
        self._most_staged = settings.bulk_max_total_bytes
        self._payout_tiers = tiers(settings.bank_payout_approvals)
        self._exposition = Exposition(metrics_folder)
        self._backend = Backend()
        self._ring = KeyRing()
        self._machinery: Machinery | None = None
        self._draining = False
        keeper = Gatekeeper(self._ring, self._now, settings.gateways)
        public = app.public(self._backend, self._health(READERS), keeper)
        self._boundary = public.boundary
        self._servers = [
            (make_server(public, settings, drain_s=_DRAIN_LIMIT_S, encrypted=True), opened)
        ]
        if settings.metrics_port is not None:
            bare = app.Application(
                self._health(Access.ANYBODY).operations(), keeper, documented=False
            )
            server = make_server(bare, settings, drain_s=_DRAIN_LIMIT_S, encrypted=False)
            # Any gateway of the machine may answer: what they count is shared.
            port = open_socket(settings.bind, settings.metrics_port, shared=True)
            self._servers.append((server, port))

    @property
    def ready(self) -> bool:
        return not any(self.checks().values())

    def checks(self) -> Mapping[str, str]:
        """Each thing that is needed, and what is wrong with it: empty where nothing is."""
        if self._machinery is None:
            return {"database": "not reached yet"}
        return {
            **self._machinery.checks(),
            "keys": "" if self._ring.answering else "not loaded",
            "draining": "about to stop" if self._draining else "",
        }

    def report(self) -> Mapping[str, object]:
        """What ``./sov status`` shows of this process; called once a second."""
        machinery = self._machinery
        IN_FLIGHT.set(self._boundary.in_flight)
        return {
            "in_flight": self._boundary.in_flight,
            "waiting_commands": machinery.replies.waiting if machinery else 0,
            "problems": {name: problem for name, problem in self.checks().items() if problem},
        }

    def stop(self) -> None:
        """Accept nothing more, and answer what was accepted within the time there is."""
        if self._draining:
            return
        self._draining = True
        for server, _ in self._servers:
            server.drain()
        if self._machinery is not None:
            release = self._machinery.replies.release
            asyncio.get_running_loop().call_later(_RELEASE_AFTER_S, release)

    async def run(self) -> None:
        """Serve until stopped. Raises ``LayoutChanged``, ``SchemaOutdated`` or ``NotPrepared``,
        after the callers of that moment have had their answers."""
        serving = [
            asyncio.ensure_future(server.run_until_drained(opened))
            for server, opened in self._servers
        ]
        working = asyncio.ensure_future(self._work())
        try:
            await asyncio.wait({*serving, working}, return_when=asyncio.FIRST_COMPLETED)
            self.stop()
            await asyncio.wait(serving)
        finally:
            await end([working])
            self._exposition.close()
        for task in (*serving, working):
            if not task.cancelled():
                task.result()

    async def _work(self) -> None:
        self._machinery = await Machinery.connect(
            self._reader_dsn,
            self._amqp_url,
            self._uploader_dsn,
            self._banker_dsn,
            self._most_bytes,
            self._most_staged,
            self._payout_tiers,
        )
        self._backend.connect(self._machinery.services())
        try:
            await self._machinery.run(self._ring)
        finally:
            await self._machinery.close()

    def _health(self, metrics_access: frozenset[Scope] | Access) -> Health:
        return Health(self.checks, self._exposition, metrics_access)

    def _now(self) -> datetime:
        """The database's time where it is known, to judge whether a key has expired."""
        if self._machinery is not None and self._machinery.clock.known:
            return self._machinery.clock.now()
        return datetime.now(UTC)
