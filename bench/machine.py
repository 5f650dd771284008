"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import distributions
from pathlib import Path

import aio_pika
import asyncpg

from cli.servers import postgres, rabbitmq, rabbitmq_conf
from cli.servers.kept import Kept
from cli.servers.postgres_conf import machine_memory_mib
from topology import connections

_SETTINGS = (
    "synchronous_commit",
    "fsync",
    "full_page_writes",
    "wal_level",
    "shared_buffers",
    "max_wal_size",
    "checkpoint_timeout",
    "data_checksums",
)


def machine() -> dict[str, str]:
    """Cores, memory, processor, kernel, and how busy it was before we began."""
    cpu = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.+)$", cpu, re.MULTILINE)
    busy, *_ = os.getloadavg()
    return {
        "processor": model[1] if model else platform.processor() or platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{machine_memory_mib() / 1024:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "load average before": f"{busy:.2f}",
    }


def package_versions() -> dict[str, str]:
    """Python and every package that is installed beside it."""
    found = {d.metadata["Name"].lower(): d.version for d in distributions()}
    return {"python": platform.python_version(), **dict(sorted(found.items()))}


async def servers(kept: Kept) -> tuple[dict[str, str], dict[str, str]]:
    """The servers' versions, and the settings that durability and speed depend on."""
    database = await asyncpg.connect(postgres.url(kept, postgres.ADMIN, "postgres"))
    broker = await aio_pika.connect(rabbitmq.url(kept, rabbitmq_conf.ADMIN), timeout=5)
    try:
        versions = {
            "postgresql": str(await database.fetchval("SHOW server_version")),
            "rabbitmq": ".".join(str(part) for part in connections.broker_version(broker)),
        }
        settings = {name: str(await database.fetchval(f"SHOW {name}")) for name in _SETTINGS}
    finally:
        await broker.close()
        await database.close()
    return versions, {
        **settings,
        "command queues": "quorum, single active consumer, publisher confirms",
    }
