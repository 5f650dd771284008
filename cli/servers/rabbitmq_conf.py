"""The configuration of a private RabbitMQ: ``rabbitmq.conf``, and its users as definitions."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

VHOST = "sov"
ADMIN, GATEWAY, CONSUMER = "sov_admin", "sov_gateway", "sov_consumer"
PLUGINS = "[rabbitmq_management].\n"


@dataclass(frozen=True, slots=True)
class Permissions:
    """Regular expressions over names. The default exchange is called ``amq.default`` here."""

    configure: str
    write: str
    read: str


# A gateway publishes commands through the default exchange and owns nothing but its reply queues;
# whether a command queue is there it learns by passive declares, which need no permission. The
# process that reconciles is the same user: it reads the queue of what is to be compared as well.
# A consumer works the command queues and answers through the default exchange.
PERMISSIONS: Mapping[str, Permissions] = {
    ADMIN: Permissions(".*", ".*", ".*"),
    GATEWAY: Permissions(
        r"^replies\..*$",
        r"^(amq\.default|replies\..*)$",
        r"^(replies\..*|reconciliations)$",
    ),
    CONSUMER: Permissions(
        r"^(commands|sov)\..*$", r"^(amq\.default|(commands|sov)\..*)$", r"^(commands|sov)\..*$"
    ),
}


def hash_password(password: str, salt: bytes) -> str:
    """RabbitMQ's own scheme: base64(salt + SHA-256(salt + password)), with four bytes of salt."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def definitions(passwords: Mapping[str, str]) -> str:
    """Users, the vhost and permissions, loaded at every boot; with them no ``guest`` is made."""
    return json.dumps(
        {
            "users": [
                {
                    "name": user,
                    "password_hash": hash_password(password, secrets.token_bytes(4)),
                    "hashing_algorithm": "rabbit_password_hashing_sha256",
                    "tags": ["administrator"] if user == ADMIN else [],
                    "limits": {},
                }
                for user, password in passwords.items()
            ],
            "vhosts": [{"name": VHOST}],
            "permissions": [
                {
                    "user": user,
                    "vhost": VHOST,
                    "configure": PERMISSIONS[user].configure,
                    "write": PERMISSIONS[user].write,
                    "read": PERMISSIONS[user].read,
                }
                for user in passwords
            ],
        },
        indent=1,
    )


def render(amqp_port: int, management_port: int, definitions_file: Path, memory_mib: int) -> str:
    """``rabbitmq.conf`` for one node on a machine it shares with everything else."""
    # The default (0.4 of the machine) would let the broker crowd out the database.
    watermark_mib = max(384, min(2048, memory_mib // 4))
    settings = {
        "listeners.tcp.default": f"127.0.0.1:{amqp_port}",
        "loopback_users": "none",  # there is no guest, and every listener is loopback anyway
        "load_definitions": str(definitions_file),
        "default_vhost": VHOST,
        # A frozen peer is noticed in 10 to 20 s; the default of 60 would be minutes.
        "heartbeat": "10",
        "tcp_listen_options.nodelay": "true",  # small messages, and somebody waits for each
        "tcp_listen_options.backlog": "128",
        "channel_max": "2047",
        "max_message_size": "16777216",  # as in 4.x; ours end at 256 KiB
        # Memory follows the write-ahead log of quorum queues: 512 MiB is for big machines.
        "raft.wal_max_size_bytes": "64000000",
        "vm_memory_high_watermark.absolute": f"{watermark_mib}MiB",
        # Below this all publishing stops, so it must leave room for the log to be written out.
        "disk_free_limit.absolute": "256MB",
        "management.tcp.ip": "127.0.0.1",
        "management.tcp.port": str(management_port),
        # The plugin serves health checks and definitions; its statistics would cost every message.
        "management_agent.disable_metrics_collector": "true",
        "collect_statistics_interval": "60000",
        "log.file": "broker.log",
        "log.file.level": "info",
        "log.file.rotation.size": "10485760",
        "log.file.rotation.count": "5",
        "log.console": "false",
    }
    return "".join(f"{name} = {value}\n" for name, value in settings.items())
