"""The interface does what its own description says, whatever it is asked: answers documented and in
form, invalid calls refused, no 5xx, keys not optional."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import schemathesis
from aio_pika import Message
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.acceptance.conftest import System
from tests.polling import eventually
from tests.servers import Servers
from tests.unit.gateway_calls import Bench
from topology import connections, names

EXAMPLES = 25

SCHEMA = schemathesis.openapi.from_dict(Bench().application.openapi())


@schemathesis.serializer("text/csv", "application/x-ndjson", "application/octet-stream")
def as_file(_: object, value: object) -> bytes:
    """Any bytes are a file; what is in them is judged line by line."""
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


@dataclass(frozen=True)
class Known:
    """Where the system is, and things that exist in it, by the names of path parameters."""

    url: str
    headers: dict[str, str]
    ids: dict[str, str]


@pytest.fixture(scope="module")
async def known(system: System, servers: Servers) -> AsyncIterator[Known]:
    headers = system.headers("operator")
    async with httpx.AsyncClient(base_url=system.url, headers=headers) as http:
        wallets = {}
        for name, kind in (("openapi-source", "SYSTEM"), ("openapi-target", "STANDARD")):
            body = {"externalUniqueId": name, "currency": "ZAR", "type": kind}
            wallets[name] = (await http.post("/v1/wallets", json=body)).json()["walletId"]
        body = {
            "fromWalletId": wallets["openapi-source"],
            "toWalletId": wallets["openapi-target"],
            "amount": "1000000.00",
            "externalUniqueId": "openapi-money",
        }
        transfer = (await http.post("/v1/transfers", json=body)).json()
        body = {
            "amount": "1.00",
            "sessionId": "openapi-session",
            "expires": "2100-01-01T00:00:00Z",
            "externalUniqueId": "openapi-held",
        }
        path = f"/v1/wallets/{wallets['openapi-target']}/reservations"
        reservation = (await http.post(path, json=body)).json()
        letter = await unreadable(servers, http)
        batch = (
            await http.post("/v1/batches", content=b"x", headers={"Content-Type": "text/csv"})
        ).json()
        period = {"periodFrom": "2026-03-24T00:00:00Z", "periodTo": "2026-03-25T00:00:00Z"}
        reconciled = await http.post("/v1/reconciliations", json={"kind": "BANK", **period})
        yield Known(
            system.url,
            headers,
            {
                "walletId": wallets["openapi-target"],
                "transferId": transfer["transferId"],
                "commandId": transfer["commandId"],
                "reservationId": reservation["reservationId"],
                "deadLetterId": letter,
                "batchId": batch["batchId"],
                "reconciliationId": reconciled.json()["reconciliationId"],
            },
        )


async def unreadable(servers: Servers, http: httpx.AsyncClient) -> str:
    """A dead letter: that of a message which no consumer can read."""
    broker = await connections.connect(servers.amqp_url, "tests")
    channel = await connections.confirmed_channel(broker)
    await channel.default_exchange.publish(Message(b"unreadable"), names.command_queue(1, 0))
    await connections.close(channel)
    await connections.close(broker)

    async def parked() -> list[dict[str, str]]:
        answer = await http.get("/v1/dead-letters", params={"resolved": "false"})
        return [letter for letter in answer.json()["items"] if letter["type"] is None]

    return (await eventually(parked))[0]["deadLetterId"]


async def test_what_is_served_is_what_is_tested(system: System) -> None:
    async with httpx.AsyncClient(base_url=system.url) as http:
        assert (await http.get("/openapi.json")).json() == Bench().application.openapi()


@SCHEMA.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_the_interface_is_as_described(case: schemathesis.Case[Any], known: Known) -> None:
    if case.meta is None or case.meta.generation.mode.is_positive:
        # Made-up ids would only ever be answered with 404.
        case.path_parameters = {
            name: known.ids.get(name, value) for name, value in case.path_parameters.items()
        }
    response = case.call_and_validate(
        base_url=known.url,
        headers=known.headers,
        # A call in perfect form may still be refused: for funds, a taken key, an unknown wallet.
        # And one that says a deadline which has passed is answered 504, as it asked to be.
        excluded_checks=[positive_data_acceptance, not_a_server_error],
        timeout=40,
    )
    assert response.status_code < 500 or response.json()["code"] == "deadline-exceeded"
