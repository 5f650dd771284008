"""What the demonstrations share: a running system, and calls to it that have to go as told."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import click
import httpx
from rich.console import Console
from rich.table import Table

from cli.access import settings_here, stored
from cli.books import with_books
from cli.home import Home, path_for_children
from cli.servers.kept import read_json
from cli.supervision import state
from ledger.audit import audit

PATIENCE_S: Final = 30

Json = dict[str, Any]


class Unexpected(click.ClickException):
    """The system answered something else than the story says."""


def running_system(here: Home) -> tuple[str, Json]:
    """URL and keys of the system, brought up first where it is not."""
    if settings_here(os.environ, here.kept).database_url is not None:
        raise click.ClickException(
            "SOV_DATABASE_URL is set: the demo makes wallets and would not do that to your books"
        )
    if not _is_up(here):
        environment = {**os.environ, **path_for_children(os.environ)}
        started = subprocess.run(
            [sys.executable, "-m", "cli", "up", "--detach"], env=environment, check=False
        )
        if started.returncode != 0:
            raise click.ClickException("the system did not come up: see ./sov status")
    snapshot, ways = state.read(here.state_file), stored(here.access_file)
    if snapshot is None or ways is None or "postgresql" not in ways.private:
        raise click.ClickException("the demo plays only on a database of its own")
    return snapshot.url, read_json(here.keys_file)


def _is_up(here: Home) -> bool:
    snapshot = state.read(here.state_file)
    return snapshot is not None and snapshot.is_alive() and snapshot.ready


def audited(console: Console) -> None:
    """Raises ``Unexpected`` where a rule of the books does not hold."""
    findings = with_books(audit)
    broken = [f.rule for f in findings if not f.holds]
    if broken:
        raise Unexpected(f"the books break {', '.join(broken)}: see ./sov verify")
    console.print(f"\n[green]All {len(findings)} rules of the books hold.[/]")


class Stage:
    """Steps, each checked against what has to happen, and the wallets that take part."""

    def __init__(self, console: Console, client: httpx.Client, keys: Json) -> None:
        self.console = console
        self._client, self._keys = client, keys
        self.run = secrets.token_hex(4)
        """Makes the names of this run its own."""
        self.wallets: dict[str, Json] = {}
        self._step = 0

    def title(self, text: str) -> None:
        self._step += 1
        self.console.print(f"\n[bold]{self._step}. {text}[/]", soft_wrap=True)

    def say(self, text: str) -> None:
        self.console.print(f"     {text}", soft_wrap=True)

    def require(self, condition: bool, seen: Json) -> None:
        if not condition:
            raise Unexpected(f"step {self._step} went another way: {seen}")

    def wallet(self, name: str, kind: str = "STANDARD") -> None:
        body = {
            "externalUniqueId": f"demo-{self.run}-{name}",
            "currency": "ZAR",
            "name": name.capitalize(),
            "type": kind,
        }
        role = "operator" if kind == "SYSTEM" else "eclipse"
        self.wallets[name] = self.call("POST", "/v1/wallets", body, expect=201, role=role)

    def read(self, name: str) -> Json:
        path = f"/v1/wallets/{self.wallets[name]['walletId']}/balance"
        return self.call("GET", path, expect=200, quiet=True)

    def balance(self, name: str, current: str, available: str) -> None:
        balance = self.read(name)
        self.say(
            f"{name}: current {balance['currentBalance']}, available {balance['availableBalance']}"
        )
        seen = (balance["currentBalance"], balance["availableBalance"])
        self.require(seen == (current, available), balance)

    def wait(self, ask: Callable[[], Json], done: Callable[[Json], bool]) -> Json:
        """The first answer that is it."""
        give_up = time.monotonic() + PATIENCE_S
        while not done(answer := ask()):
            self.require(time.monotonic() < give_up, answer)
            time.sleep(0.1)
        return answer

    def show_books(self) -> None:
        self.title("The books")
        for name, wallet in self.wallets.items():
            balance = self.read(name)
            self.console.print(
                f"{wallet['name'] or wallet['externalUniqueId']} ({wallet['reference']}): current"
                f" {balance['currentBalance']}, available {balance['availableBalance']}",
                soft_wrap=True,
            )
            table = Table("#", "amount", "balance", "key")
            path = f"/v1/wallets/{wallet['walletId']}/transactions?order=desc&limit=10"
            entries = self.call("GET", path, expect=200, quiet=True)["items"]
            for entry in reversed(entries):
                table.add_row(
                    str(entry["sequence"]),
                    entry["amount"],
                    entry["balance"],
                    entry["externalUniqueId"],
                )
            if table.row_count:
                self.console.print(table)

    def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        expect: int,
        role: str = "eclipse",
        quiet: bool = False,
    ) -> Json:
        key = self._keys[role]
        started = time.perf_counter()
        response = self._client.request(
            method, path, json=body, headers={"Authorization": f"Bearer {key}"}
        )
        took_ms = (time.perf_counter() - started) * 1000
        answer: Json = response.json()
        if not quiet:
            word = answer.get("code") or answer.get("status", "")
            self.say(f"{method} {path} -> {response.status_code} {word}  [dim]{took_ms:.1f} ms[/]")
        self.require(response.status_code == expect, answer)
        return answer

    def text(self, path: str, *, role: str) -> str:
        """What is written there for people."""
        headers = {"Authorization": f"Bearer {self._keys[role]}", "Accept": "text/plain"}
        response = self._client.get(path, headers=headers)
        self.require(response.status_code == httpx.codes.OK, {"answer": response.text})
        return response.text
