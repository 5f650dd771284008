"""The process that compares: ``./sov run reconciler``."""

from __future__ import annotations

import os
import sys

import structlog
import uvloop
from prometheus_client import start_http_server

from bank.reconciliation.runner import Reconciler
from ledger.deployment import NotPrepared
from ledger.migrate import SchemaOutdated
from ledger.waiting import wait_for_books
from topology import logs
from topology.process import live, look_for_garbage_rarely
from topology.settings import SettingMissing, Settings
from topology.vitals import Vitals, watch_lifeline

_log = structlog.get_logger(__name__)

#: Behind everything else on the machine: nobody waits for a comparison by the second.
_NICENESS = 15


def main() -> int:
    """Run until SIGTERM or SIGINT; 0 when drained, 1 when it cannot go on as it is."""
    settings = Settings()
    logs.configure(settings.log_level, settings.log_format, process="reconciler")
    watch_lifeline(os.environ)
    os.nice(_NICENESS)
    if settings.metrics_port is not None:
        start_http_server(settings.metrics_port, addr=settings.bind)

    async def start() -> Reconciler:
        await wait_for_books(settings.banker_dsn)
        reconciler = Reconciler(settings)
        look_for_garbage_rarely()
        return reconciler

    try:
        uvloop.run(live(start, Vitals(os.environ)))
    except (SchemaOutdated, NotPrepared, SettingMissing) as error:
        _log.error("reconciler.refused", reason=str(error))
        return 1
    _log.info("reconciler.drained")
    return 0


if __name__ == "__main__":
    sys.exit(main())
