"""Which servers this installation uses, and every process's way to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from pydantic import ValidationError

from cli.servers import postgres, rabbitmq, rabbitmq_conf
from cli.servers.kept import Kept, read_json, write_json
from topology.settings import PREFIX, Settings

DATABASE_FIELDS = (
    *("database_url", "database_url_writer", "database_url_reader"),
    *("database_url_uploader", "database_url_banker"),
)
AMQP_FIELDS = ("amqp_url", "amqp_url_gateway", "amqp_url_consumer")
# What `migrate` makes users with.
_MIGRATE_FIELDS = (
    *("writer_password", "reader_password", "uploader_password", "banker_password"),
    *("amqp_management_url", "amqp_gateway_password", "amqp_consumer_password"),
)
# Who we are at the bank.
_BANK_FIELDS = ("bank_client_id", "bank_client_secret", "bank_api_key")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Access:
    """URLs by role. ``private`` names the servers that are our own to start and stop."""

    owner: str
    writer: str
    reader: str
    administrator: str
    gateway: str
    consumer: str
    private: frozenset[str]
    uploader: str = ""
    """Last and with a default: what an older version stored has none."""
    banker: str = ""
    """Likewise."""

    def for_gateway(self) -> dict[str, str]:
        """Environment of a gateway: it cannot write the books, so it gets no URL that can."""
        return {
            _name("database_url_reader"): self.reader,
            **self.for_bulk(),
            **self.for_bank(),
        }

    def for_bulk(self) -> dict[str, str]:
        """Environment of the process that works bulk files off: it sends commands as gateways do
        and writes nothing but where the files are kept."""
        return {
            _name("database_url_uploader"): self.uploader,
            _name("amqp_url_gateway"): self.gateway,
        }

    def for_bank(self) -> dict[str, str]:
        """Environment of the process that deals with the bank: it sends commands as gateways do
        and writes nothing but what the bank said and what people decided about it."""
        return {
            _name("database_url_banker"): self.banker,
            _name("amqp_url_gateway"): self.gateway,
        }

    def for_consumer(self) -> dict[str, str]:
        """Environment of a consumer or the relay."""
        return {
            _name("database_url_writer"): self.writer,
            _name("amqp_url_consumer"): self.consumer,
        }


class BadSettings(Exception):
    """One line per ``SOV_…`` variable that cannot be used."""


def store(ways: Access, path: Path) -> None:
    """For the other commands: `status` in another shell asks the servers that `up` was given."""
    write_json(path, {**asdict(ways), "private": sorted(ways.private)}, secret=True)


def stored(path: Path) -> Access | None:
    """What the last `up` used, or None before the first."""
    known = read_json(path)
    return msgspec.convert(known, Access) if known else None


def without_urls(environment: Mapping[str, str]) -> dict[str, str]:
    """``environment`` without any way in: for a child, to which its own are then added."""
    fields = (*DATABASE_FIELDS, *AMQP_FIELDS, *_MIGRATE_FIELDS, *_BANK_FIELDS)
    ours = {_name(field) for field in fields}
    return {name: value for name, value in environment.items() if name not in ours}


def at_the_bank(environment: Mapping[str, str]) -> dict[str, str]:
    """What ``without_urls`` leaves out that the process needs which deals with the bank."""
    names = map(_name, _BANK_FIELDS)
    return {name: environment[name] for name in names if name in environment}


def settings_here(environment: Mapping[str, str], kept: Kept) -> Settings:
    """The settings, where a URL that is our own private server's counts as unset.

    So ``eval "$(./sov env)"`` in a shell does not make the next ``./sov up`` take its own servers
    for somebody else's. Raises ``BadSettings``.
    """
    own = dict.fromkeys(own_fields(environment, kept))
    try:
        return Settings(**own)
    except ValidationError as problem:
        raise BadSettings(
            "\n".join(
                f"{_name(str(error['loc'][0]))}: {error['msg']}" if error["loc"] else error["msg"]
                for error in problem.errors()
            )
        ) from None


def own_fields(environment: Mapping[str, str], kept: Kept) -> frozenset[str]:
    """The URL settings in ``environment`` that point at our own private servers."""
    ports = {
        **dict.fromkeys(DATABASE_FIELDS, kept.port(postgres.PORT)),
        **dict.fromkeys(AMQP_FIELDS, kept.port(rabbitmq.PORT)),
    }
    return frozenset(
        field
        for field, port in ports.items()
        if port is not None and points_at(environment.get(_name(field), ""), port)
    )


def private_names(settings: Settings) -> tuple[str, ...]:
    """The servers we have to bring up ourselves because no URL was given for them."""
    names = []
    if settings.database_url is None:
        names.append(postgres.NAME)
    if settings.amqp_url is None:
        names.append(rabbitmq.NAME)
    return tuple(names)


def access(settings: Settings, kept: Kept) -> Access:
    """Every role's URL: as given, else our private servers'. Their ports must be known by now."""
    private = private_names(settings)
    if postgres.NAME in private:
        owner, writer, reader, uploader, banker = (
            postgres.url(kept, user) for user in (postgres.OWNER, *postgres.ROLES)
        )
    else:
        owner, writer, reader = settings.owner_dsn, settings.writer_dsn, settings.reader_dsn
        uploader, banker = settings.uploader_dsn, settings.banker_dsn
    if rabbitmq.NAME in private:
        administrator, gateway, consumer = (
            rabbitmq.url(kept, user)
            for user in (rabbitmq_conf.ADMIN, rabbitmq_conf.GATEWAY, rabbitmq_conf.CONSUMER)
        )
    else:
        administrator, gateway, consumer = (
            settings.admin_amqp_url,
            settings.gateway_amqp_url,
            settings.consumer_amqp_url,
        )
    databases = (owner, writer, reader)
    brokers = (administrator, gateway, consumer)
    return Access(*databases, *brokers, frozenset(private), uploader, banker)


def _name(field: str) -> str:
    return PREFIX + field.upper()


def points_at(url: str, port: int) -> bool:
    """Whether the URL means this port of this machine."""
    try:
        parts = urlsplit(url)
        return parts.hostname in _LOOPBACK and parts.port == port
    except ValueError:  # not a URL at all: whoever uses it will say so
        return False
