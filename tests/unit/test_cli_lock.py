"""The lock files belong to pyproject.toml, and name no place they were made from."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from cli.home import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def locked(lock: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", (ROOT / lock).read_text(), re.MULTILINE))


def wanted(requirements: list[str]) -> set[str]:
    names = (re.split(r"[\[<>=!~; ]", requirement)[0] for requirement in requirements)
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}


@pytest.mark.parametrize(
    ("lock", "requirements"),
    [
        ("requirements.lock", PROJECT["dependencies"]),
        (
            "requirements-test.lock",
            PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"],
        ),
    ],
)
def test_every_dependency_is_locked(lock: str, requirements: list[str]) -> None:
    assert wanted(requirements) <= locked(lock), "run deploy/lock"
    # What builds the project is locked too: linking it in must need no network.
    assert {"hatchling", "editables"} <= locked(lock)
    assert not re.search(r"https?://|--index-url|--find-links", (ROOT / lock).read_text())
