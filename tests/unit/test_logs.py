"""What is written into the logs, and what never is."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from gateway import middleware
from tests.unit.gateway_calls import Bench
from topology import logs

SECRET = "sov_k1_never-in-a-log"


@pytest.fixture
def configured() -> Iterator[None]:
    """Takes back what ``configure`` sets for the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    before = structlog.get_config()
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**before)
        structlog.contextvars.clear_contextvars()


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_a_defect_is_logged_without_the_callers_headers(
    log_format: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A logger keeps what was configured when it was first used: the module's own must not.
    monkeypatch.setattr(middleware, "_log", structlog.get_logger())
    bench = Bench()
    bench.connect()
    bench.sender.result = RuntimeError("why it failed")
    body = {"externalUniqueId": "wallet-1", "currency": "ZAR"}
    logs.configure("info", log_format)
    async with bench.client() as client:
        answer = await client.post("/v1/wallets", json=body, headers={"X-Secret": SECRET})
    logged = capsys.readouterr().out
    assert answer.status_code == 500
    assert "why it failed" in logged
    assert SECRET not in logged


@pytest.mark.usefixtures("configured")
def test_a_line_of_a_library_shows_where_it_failed(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json", process="gateway")
    try:
        raise KeyError("missing")
    except KeyError:
        logging.getLogger("uvicorn.error").exception("in the application")
    line = json.loads(capsys.readouterr().out)
    assert (line["event"], line["process"]) == ("in the application", "gateway")
    (raised,) = line["exception"]
    assert raised["exc_type"] == "KeyError"
    assert raised["frames"][0]["name"] == "test_a_line_of_a_library_shows_where_it_failed"
