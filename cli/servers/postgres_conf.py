"""The configuration of a private PostgreSQL.

It is included at the end of the file that initdb wrote, whose tested values (which kind of shared
memory works here) stay.
"""

from __future__ import annotations

import os
from pathlib import Path

FILE = "sov.conf"
MEBIBYTE = 1024 * 1024

# Loopback and a password, for everybody; no sockets, no other network, no trust.
HBA = """\
host all all 127.0.0.1/32 scram-sha-256
"""


def machine_memory_mib() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MEBIBYTE


def render(port: int, log_folder: Path, memory_mib: int) -> str:
    """``sov.conf`` for a ledger on a machine it shares with everything else."""
    # An eighth, not the usual quarter: broker, gateways and consumers live here too.
    shared_mib = max(64, min(1024, memory_mib // 8))
    cache_mib = max(128, memory_mib // 2)
    settings = {
        "listen_addresses": "'127.0.0.1'",
        "port": str(port),
        # No socket: its path would have to stay below 107 bytes, and nobody needs one.
        "unix_socket_directories": "''",
        "max_connections": "100",
        "password_encryption": "'scram-sha-256'",
        # Durability is the product: an acknowledged movement is on the disk.
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "wal_level": "replica",
        "max_wal_size": "'2GB'",
        "min_wal_size": "'256MB'",
        # Fewer checkpoints, fewer full pages in the WAL; recovery after a crash stays in seconds.
        "checkpoint_timeout": "'15min'",
        "shared_buffers": f"'{shared_mib}MB'",
        "effective_cache_size": f"'{cache_mib}MB'",
        "work_mem": "'16MB'",
        "maintenance_work_mem": "'128MB'",
        "random_page_cost": "1.1",  # solid state
        "jit": "off",  # compiling costs more than our short statements take
        # A frozen or vanished peer must not hold row locks for the kernel's two hours.
        "tcp_keepalives_idle": "5",
        "tcp_keepalives_interval": "2",
        "tcp_keepalives_count": "3",
        # Small hot tables (wallets, heads) change all the time: vacuum them early and often.
        "autovacuum_naptime": "'15s'",
        "autovacuum_vacuum_cost_limit": "2000",
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        "datestyle": "'iso, mdy'",
        "lc_messages": "'C.UTF-8'",
        "default_text_search_config": "'pg_catalog.simple'",
        "logging_collector": "on",
        "log_directory": _quoted(str(log_folder)),
        # One file per weekday, overwritten a week later: bounded without anybody's cron.
        "log_filename": "'postgresql-%a.log'",
        "log_truncate_on_rotation": "on",
        "log_rotation_age": "'1d'",
        "log_rotation_size": "0",
        "log_line_prefix": "'%m [%p] %q%u@%d '",
        "log_lock_waits": "on",
        "log_min_duration_statement": "'1s'",
    }
    return "".join(f"{name} = {value}\n" for name, value in settings.items())


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
