"""The consumer process: ``./sov run consumer``."""

from __future__ import annotations

import os
import sys

import structlog
import uvloop
from prometheus_client import start_http_server

from consumers.worker import Consumer
from ledger.deployment import NotPrepared
from ledger.migrate import SchemaOutdated
from ledger.waiting import wait_for_books
from topology import logs
from topology.errors import LayoutChanged
from topology.process import live, look_for_garbage_rarely
from topology.settings import Settings
from topology.vitals import Vitals, watch_lifeline

_log = structlog.get_logger(__name__)


def main() -> int:
    """Run until SIGTERM or SIGINT; 0 when drained, 1 when it cannot go on as it is."""
    settings = Settings()
    process = f"consumer-{settings.consumer_slot}"
    logs.configure(settings.log_level, settings.log_format, process=process)
    watch_lifeline(os.environ)
    if settings.metrics_port is not None:
        start_http_server(settings.metrics_port, addr=settings.bind)

    async def start() -> Consumer:
        consumer = Consumer(settings, await wait_for_books(settings.writer_dsn), process)
        look_for_garbage_rarely()
        return consumer

    try:
        uvloop.run(live(start, Vitals(os.environ)))
    except (LayoutChanged, SchemaOutdated, NotPrepared) as error:
        _log.error("consumer.refused", reason=str(error))
        return 1
    _log.info("consumer.drained")
    return 0


if __name__ == "__main__":
    sys.exit(main())
