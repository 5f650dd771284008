"""`./sov config`: every setting, its value, and where that comes from. Shows no secret."""

from __future__ import annotations

import os
from collections.abc import Mapping

import click
from pydantic import SecretStr

from cli.access import (
    AMQP_FIELDS,
    DATABASE_FIELDS,
    Access,
    BadSettings,
    access,
    own_fields,
    private_names,
    settings_here,
)
from cli.home import home
from cli.servers import postgres, rabbitmq
from cli.servers.kept import Kept
from cli.summary import masked
from topology.settings import PREFIX, Settings


@click.command("config")
def command() -> None:
    """Print every setting with its value and source."""
    here = home(os.environ)
    try:
        settings = settings_here(os.environ, here.kept)
    except BadSettings as problem:
        raise click.ClickException(str(problem)) from None
    for name, value, source, description in rows(os.environ, settings, here.kept):
        click.echo(f"{name}={value}  # {source}: {description}")


def rows(
    environment: Mapping[str, str], settings: Settings, kept: Kept
) -> list[tuple[str, str, str, str]]:
    """Name, shown value, source (environment, local servers, default), description."""
    local = _local_urls(settings, kept)
    own = own_fields(environment, kept)
    found = [_home_row(environment)]
    for field, info in Settings.model_fields.items():
        name = PREFIX + field.upper()
        if environment.get(name) and field not in own:
            value, source = getattr(settings, field), "environment"
        elif field in local:
            value, source = local[field], "local servers"
        else:
            value, source = getattr(settings, field), "default"
        found.append((name, shown(value), source, info.description or ""))
    return found


def _home_row(environment: Mapping[str, str]) -> tuple[str, str, str, str]:
    source = "environment" if environment.get("SOV_HOME") else "default"
    return "SOV_HOME", str(home(environment).folder), source, "data, ports and keys of `up`"


def shown(value: object) -> str:
    """``value`` as text, without passwords."""
    if value is None:
        return ""
    return masked(value.get_secret_value()) if isinstance(value, SecretStr) else str(value)


def _local_urls(settings: Settings, kept: Kept) -> dict[str, SecretStr]:
    """The URLs of private servers that have been started at least once."""
    private = private_names(settings)
    known = {
        name
        for name, port in ((postgres.NAME, postgres.PORT), (rabbitmq.NAME, rabbitmq.PORT))
        if name in private and kept.port(port) is not None
    }
    if not known:
        return {}
    ways: Access = access(settings, kept)
    urls: dict[str, str] = {}
    if postgres.NAME in known:
        databases = (ways.owner, ways.writer, ways.reader, ways.uploader, ways.banker)
        urls |= dict(zip(DATABASE_FIELDS, databases, strict=True))
    if rabbitmq.NAME in known:
        brokers = (ways.administrator, ways.gateway, ways.consumer)
        urls |= dict(zip(AMQP_FIELDS, brokers, strict=True))
    return {field: SecretStr(url) for field, url in urls.items()}
