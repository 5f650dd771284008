"""docs/eclipse.md shows what the system does: its examples are played again, in order."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx

from cli.home import ROOT
from tests.acceptance.conftest import System
from tests.guide import Example, Names, examples
from tests.polling import eventually

GUIDE = ROOT / "docs" / "eclipse.md"


async def test_every_example_of_the_guide_is_true(system: System) -> None:
    story = list(examples(GUIDE))
    assert story
    names = Names(written=datetime.fromisoformat(story[0].answer["created"]))
    async with httpx.AsyncClient(base_url=system.url, headers=system.headers()) as client:
        await set_the_stage(system, client)
        for example in story:
            await play(client, example, names)


async def set_the_stage(system: System, client: httpx.AsyncClient) -> None:
    """The wallets that the guide's examples find in place."""
    for key, kind, role in (
        ("bank-float", "SYSTEM", "operator"),
        ("atm-settlement", "SYSTEM", "operator"),
        ("ecl-wallet-30342", "STANDARD", "eclipse"),
    ):
        body = {"externalUniqueId": key, "currency": "ZAR", "type": kind}
        answer = await client.post("/v1/wallets", json=body, headers=system.headers(role))
        assert answer.status_code == 201, answer.text


async def play(client: httpx.AsyncClient, example: Example, names: Names) -> None:
    answers: list[httpx.Response] = []

    async def shows_what_is_written() -> bool:
        answers.append(await ask(client, example, names))
        # A command that was only accepted takes a moment to come to what the guide shows.
        return "/commands/" not in example.path or word(answers[-1].json()) == word(example.answer)

    await eventually(shows_what_is_written)
    (*_, last) = answers
    assert last.status_code == example.status, f"{example.path}: {last.text}"
    names.learn(example.answer, last.json() if last.content else None)


async def ask(client: httpx.AsyncClient, example: Example, names: Names) -> httpx.Response:
    return await client.request(
        example.method,
        names.request(example.path),
        content=names.request(example.body),
        headers={"Content-Type": "application/json", **example.headers},
    )


def word(document: dict[str, Any]) -> Any:
    return document["status"]
