"""Each process of a deployment is told its own role's way to the servers, and nobody else's."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it has no types of its own

from cli.home import ROOT
from topology.settings import Settings

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
WRITER = {"SOV_DATABASE_URL_WRITER", "SOV_AMQP_URL_CONSUMER"}
UPLOADER = {"SOV_DATABASE_URL_UPLOADER", "SOV_AMQP_URL_GATEWAY"}
BANKER = {"SOV_DATABASE_URL_BANKER", "SOV_AMQP_URL_GATEWAY"}
#: Who the bank takes us for; the gateway does not ask it anything.
BANK = {"SOV_BANK_CLIENT_ID", "SOV_BANK_CLIENT_SECRET", "SOV_BANK_API_KEY"}
READER = {"SOV_DATABASE_URL_READER", *UPLOADER, *BANKER}
SECRETS = {
    f"SOV_{field.upper()}"
    for field, info in Settings.model_fields.items()
    if "SecretStr" in str(info.annotation)
}


@pytest.mark.parametrize(
    ("service", "own"),
    [
        *(("gateway", READER), ("consumer", WRITER), ("relay", WRITER)),
        *(("bulk", UPLOADER), ("bank", BANKER | BANK), ("reconciler", BANKER)),
    ],
)
def test_a_container_has_only_the_secrets_of_its_role(service: str, own: set[str]) -> None:
    environment: dict[str, str] = COMPOSE[service]["environment"]
    assert set(environment) & SECRETS == own
    for value in environment.values():
        assert not re.search("sov_admin|SOV_POSTGRES_PASSWORD|SOV_RABBITMQ_PASSWORD", value)


def test_migrate_alone_is_an_administrator_and_makes_the_others() -> None:
    environment: dict[str, str] = COMPOSE["migrate"]["environment"]
    assert set(environment) & SECRETS == SECRETS - READER - WRITER - BANK
    assert set(environment) <= SECRETS | {"SOV_LOG_LEVEL"}


@pytest.mark.parametrize(
    ("unit", "own"),
    [
        *(("sov-gateway", READER), ("sov-bulk", UPLOADER), ("sov-bank", BANKER)),
        ("sov-reconciler", BANKER),
        *(("sov-consumer@", WRITER), ("sov-relay", WRITER)),
    ],
)
def test_a_unit_asks_for_the_urls_of_its_role(unit: str, own: set[str]) -> None:
    text = (ROOT / "deploy" / "systemd" / f"{unit}.service").read_text()
    assert set(re.findall(r"SOV_(?:DATABASE|AMQP)_URL\w*", text)) == own
