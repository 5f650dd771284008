"""The gateway process: ``./sov run gateway``."""

from __future__ import annotations

import os
import socket
import sys

import structlog
import uvloop

from gateway.process import Gateway
from gateway.server import open_socket
from ledger.deployment import NotPrepared
from ledger.migrate import SchemaOutdated
from topology import logs
from topology.errors import LayoutChanged
from topology.exposure import Exposed, require_private
from topology.process import live, look_for_garbage_rarely
from topology.settings import SettingMissing, Settings
from topology.vitals import Vitals, inherited_socket, watch_lifeline

#: Where the gateways of a machine keep what they count, so that each shows the sum. It is read by
#: prometheus_client when that is imported, which is why it is not one of our settings.
_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"

_log = structlog.get_logger(__name__)


def main() -> int:
    """Run until SIGTERM or SIGINT; 0 when drained, 1 when it cannot go on as it is."""
    settings = Settings()
    logs.configure(settings.log_level, settings.log_format, process="gateway")
    watch_lifeline(os.environ)

    async def start() -> Gateway:
        gateway = Gateway(settings, _listen(settings), os.environ.get(_METRICS_FOLDER))
        look_for_garbage_rarely()
        return gateway

    try:
        uvloop.run(live(start, Vitals(os.environ)))
    except (LayoutChanged, SchemaOutdated, NotPrepared, SettingMissing, Exposed, OSError) as error:
        _log.error("gateway.refused", reason=str(error))
        return 1
    _log.info("gateway.drained")
    return 0


def _listen(settings: Settings) -> socket.socket:
    """Raises ``Exposed`` or ``OSError``."""
    opened = inherited_socket(os.environ)
    if opened is None:
        require_private(settings.bind, settings)
        return open_socket(settings.bind, settings.port)
    if opened.family in (socket.AF_INET, socket.AF_INET6):
        require_private(opened.getsockname()[0], settings)
    return opened


if __name__ == "__main__":
    sys.exit(main())
