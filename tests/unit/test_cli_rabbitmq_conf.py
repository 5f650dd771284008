"""What the private broker is told about its users."""

from __future__ import annotations

import json
import re

import pytest

from cli.servers.rabbitmq_conf import (
    ADMIN,
    CONSUMER,
    GATEWAY,
    PERMISSIONS,
    definitions,
    hash_password,
)


def test_the_password_hash_is_the_one_of_rabbitmqs_documentation() -> None:
    expected = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
    assert hash_password("test12", bytes.fromhex("908DC60A")) == expected


def test_definitions_hold_no_password_and_one_administrator() -> None:
    text = definitions({ADMIN: "one", GATEWAY: "two", CONSUMER: "three"})
    assert not re.search("one|two|three", text.replace(ADMIN, ""))
    tags = {user["name"]: user["tags"] for user in json.loads(text)["users"]}
    assert tags == {ADMIN: ["administrator"], GATEWAY: [], CONSUMER: []}


@pytest.mark.parametrize(
    ("user", "configure", "write", "read"),
    [
        (GATEWAY, ["replies.a1"], ["replies.a1", "amq.default"], ["replies.a1"]),
        (
            CONSUMER,
            ["commands.1.p000", "sov.events"],
            ["commands.1.p000", "sov.events", "amq.default"],
            ["commands.1.p000", "sov.events"],
        ),
    ],
)
def test_each_user_may_do_exactly_this(
    user: str, configure: list[str], write: list[str], read: list[str]
) -> None:
    names = ["commands.1.p000", "replies.a1", "sov.events", "amq.default", "amq.topic", "other"]
    allowed = PERMISSIONS[user]
    assert matching(allowed.configure, names) == sorted(configure)
    assert matching(allowed.write, names) == sorted(write)
    assert matching(allowed.read, names) == sorted(read)


def matching(pattern: str, names: list[str]) -> list[str]:
    return sorted(name for name in names if re.search(pattern, name))
