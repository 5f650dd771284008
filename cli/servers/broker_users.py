"""Giving a broker that is not our own child the users that ours has."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from cli.servers import rabbitmq_conf
from cli.servers.failures import ServerUnavailable

_LIMIT_S = 10.0


async def make(management_url: str, passwords: Mapping[str, str]) -> None:
    """Users (by name) with the passwords and permissions of ``rabbitmq_conf``, in the vhost `sov`.

    ``management_url`` is the management API's as an administrator. Safe to run again. Raises
    ``ServerUnavailable``; its text holds no secret.
    """
    # No proxy of the environment: it would be told the administrator's password.
    async with httpx.AsyncClient(trust_env=False, timeout=_LIMIT_S) as client:
        try:
            answer = await client.post(
                f"{management_url.rstrip('/')}/api/definitions",
                content=rabbitmq_conf.definitions(passwords),
                headers={"Content-Type": "application/json"},
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServerUnavailable(
                f"RabbitMQ's management API does not answer: {type(error).__name__}"
            ) from error
    if answer.is_error:
        raise ServerUnavailable(f"RabbitMQ refused its users: {answer.status_code} {answer.text}")
