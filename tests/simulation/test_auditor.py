"""The auditor finds nothing in a sound town, and each kind of wrong where there is one."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.simulation import history as histories
from tests.simulation.auditor import audit
from tests.simulation.corruptions import CORRUPTIONS
from tests.simulation.history import Heard, History, Kind
from tests.simulation.small_town import Town, town

HERE = Path(__file__).parent
#: What judges must not share code with what it judges.
JUDGES = (
    "auditor",
    "case",
    "findings",
    "history",
    "rows",
    "rules_answers",
    "rules_books",
    "rules_order",
    "rules_reservations",
    "telling",
)
JUDGED = {"ledger", "producers", "consumers", "gateway", "topology", "cli"}


def found(made: Town) -> set[str]:
    return {finding.rule for finding in audit(made.history, made.rows)}


def test_a_sound_town_has_no_findings() -> None:
    made = town()
    assert audit(made.history, made.rows) == []


@pytest.mark.parametrize(
    ("corrupt", "rule"), CORRUPTIONS, ids=lambda value: getattr(value, "__name__", value)
)
def test_what_is_wrong_is_found(corrupt: Callable[[Town], None], rule: str) -> None:
    made = town()
    corrupt(made)
    assert rule in found(made)


def test_every_rule_can_fail() -> None:
    """No rule is named in the sources that no corruption sets off."""
    named = {
        node.args[1].value
        for name in JUDGES
        for node in ast.walk(ast.parse((HERE / f"{name}.py").read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Finding"
        and isinstance(node.args[1], ast.Constant)
    }
    assert named == {rule for _, rule in CORRUPTIONS}


@pytest.mark.parametrize("name", JUDGES)
def test_the_auditor_shares_nothing_with_what_it_judges(name: str) -> None:
    for node in ast.walk(ast.parse((HERE / f"{name}.py").read_text())):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            modules = [node.module or ""]
        for module in modules:
            package, _, rest = module.partition(".")
            assert package not in JUDGED, f"{name} imports {module}"
            if package == "tests":
                assert rest.removeprefix("simulation").strip(".") in ("", *JUDGES), module


@pytest.mark.parametrize(
    ("status", "command", "heard"),
    [
        (201, "id", Heard.OK),
        (204, "id", Heard.OK),
        (202, "id", Heard.UNKNOWN),
        (409, "id", Heard.FAIL),
        (422, None, Heard.FAIL),
        (503, None, Heard.FAIL),
        (504, "id", Heard.FAIL),
        (500, "id", Heard.FAIL),
        (500, None, Heard.UNKNOWN),
    ],
)
def test_what_a_status_tells(status: int, command: str | None, heard: Heard) -> None:
    assert histories.heard_of(status, command) is heard


def test_a_history_is_written_line_by_line(tmp_path: Path) -> None:
    history = History()
    history.broken(
        history.invoke("c", Kind.TRANSFER, key="k", request={"amount": 1}), OSError("cut")
    )
    history.write(tmp_path / "history.ndjson")
    (line,) = (tmp_path / "history.ndjson").read_text().splitlines()
    assert json.loads(line)["error"] == "OSError: cut"
    assert json.loads(line)["heard"] == "unknown"
