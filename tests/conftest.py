"""What all tests share: the servers, and the last line that says which they were."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.servers import Servers, running

#: Said in the last line; workers of a run side by side hand both to who started them.
_KIND = pytest.StashKey[str]()
_LEFT_OUT = pytest.StashKey[list[str]]()
_CAP_SYS_ADMIN = 1 << 21


def pytest_configure() -> None:
    """Logs as processes write them. By default every variable of every frame is rendered for each
    exception: seconds, in which a test's event loop serves nobody."""
    processors = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*processors[:-1], plain])


@pytest.fixture(scope="session")
async def servers(request: pytest.FixtureRequest) -> AsyncIterator[Servers]:
    """PostgreSQL and RabbitMQ for the session; tests make databases and queues of their own."""
    async with running(os.environ) as found:
        request.config.stash[_KIND] = found.kind
        yield found


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs rights we lack: counted and named, never silently skipped."""
    if _has_rights():
        return
    left_out = [item for item in items if item.get_closest_marker("privileged")]
    config.stash[_LEFT_OUT] = [item.nodeid for item in left_out]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker has ended, and says what it has left out and which servers it had."""
    said = getattr(node, "workeroutput", {})
    if "servers" in said:
        node.config.stash[_KIND] = said["servers"]
    if "left_out" in said:
        node.config.stash[_LEFT_OUT] = said["left_out"]


def pytest_sessionfinish(session: pytest.Session) -> None:
    said = getattr(session.config, "workeroutput", None)
    if said is None:
        return
    if _KIND in session.config.stash:
        said["servers"] = session.config.stash[_KIND]
    if _LEFT_OUT in session.config.stash:
        said["left_out"] = session.config.stash[_LEFT_OUT]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    left_out = config.stash.get(_LEFT_OUT, [])
    kind = config.stash.get(_KIND, "none were needed")
    terminalreporter.write_line(f"servers: {kind}; privileged tests left out: {len(left_out)}")
    for name in left_out:
        terminalreporter.write_line(f"  left out: {name}")


def _has_rights() -> bool:
    """Whether we may mount, freeze and filter: the right to administer this machine."""
    status = Path("/proc/self/status").read_text()
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff"))
    return bool(int(effective, 16) & _CAP_SYS_ADMIN)
