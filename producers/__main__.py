"""The relay process: ``./sov run relay``."""

from __future__ import annotations

import os
import sys

import structlog
import uvloop
from prometheus_client import start_http_server

from ledger.deployment import NotPrepared
from ledger.migrate import SchemaOutdated
from ledger.waiting import wait_for_books
from producers.relay import Relay
from topology import logs
from topology.process import live
from topology.settings import Settings
from topology.vitals import Vitals, watch_lifeline

_log = structlog.get_logger(__name__)

#: Behind payments: under full load events come later, and payments as fast as without them.
_NICENESS = 10


def main() -> int:
    """Run until SIGTERM or SIGINT; 0 when drained, 1 when it cannot go on as it is."""
    settings = Settings()
    logs.configure(settings.log_level, settings.log_format, process="relay")
    watch_lifeline(os.environ)
    os.nice(_NICENESS)
    if settings.metrics_port is not None:
        start_http_server(settings.metrics_port, addr=settings.bind)

    async def start() -> Relay:
        deployment = await wait_for_books(settings.writer_dsn)
        return Relay(settings.writer_dsn, settings.consumer_amqp_url, deployment)

    try:
        uvloop.run(live(start, Vitals(os.environ)))
    except (SchemaOutdated, NotPrepared) as error:
        _log.error("relay.refused", reason=str(error))
        return 1
    _log.info("relay.drained")
    return 0


if __name__ == "__main__":
    sys.exit(main())
