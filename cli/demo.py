"""`./sov demo`: the ATM race of README, played over real HTTP, queue and database."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click
import httpx
from rich.console import Console
from rich.table import Table

from cli.access import settings_here, stored
from cli.books import with_books
from cli.home import Home, home, path_for_children
from cli.servers.kept import read_json
from cli.supervision import state
from ledger.audit import audit

_HOLD_S: Final = 3
_PATIENCE_S: Final = 30

Json = dict[str, Any]


class Unexpected(click.ClickException):
    """The system answered something else than the story says."""


@click.command("demo")
def command() -> None:
    """Play the ATM race and show each step and the final books."""
    here = home(os.environ)
    url, keys = _running_system(here)
    console = Console(highlight=False)
    with httpx.Client(base_url=url, timeout=_PATIENCE_S) as client:
        story = Story(console, client, keys)
        story.play()
    findings = with_books(audit)
    broken = [f.rule for f in findings if not f.holds]
    if broken:
        raise Unexpected(f"the books break {', '.join(broken)}: see ./sov verify")
    console.print(f"\n[green]All {len(findings)} rules of the books hold.[/]")


def _running_system(here: Home) -> tuple[str, Json]:
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


class Story:
    """The steps, each checked against what has to happen."""

    def __init__(self, console: Console, client: httpx.Client, keys: Json) -> None:
        self._console, self._client, self._keys = console, client, keys
        self._run = secrets.token_hex(4)
        self._wallets: dict[str, Json] = {}
        self._step = 0

    def play(self) -> None:
        """From an empty wallet to the final books. Raises ``Unexpected``."""
        self._open_wallets()
        self._fund()
        atm = self._reserve_at_the_atm()
        self._lose_the_race()
        spent = self._spend_the_reservation(atm)
        self._retransmit(spent)
        self._let_one_expire()
        self._show_books()

    def _open_wallets(self) -> None:
        self._title("Four wallets in ZAR; the bank's and the ATM's are the other side of money")
        for name, kind in (
            ("bank", "SYSTEM"),
            ("atm", "SYSTEM"),
            ("customer", "STANDARD"),
            ("friend", "STANDARD"),
        ):
            body = {
                "externalUniqueId": f"demo-{self._run}-{name}",
                "currency": "ZAR",
                "name": name.capitalize(),
                "type": kind,
            }
            role = "operator" if kind == "SYSTEM" else "eclipse"
            self._wallets[name] = self._call("POST", "/v1/wallets", body, expect=201, role=role)

    def _fund(self) -> None:
        self._title("The customer holds R1000")
        self._transfer("bank", "customer", "1000.00", "deposit", expect=201)
        self._balance("customer", "1000.00", "1000.00")

    def _reserve_at_the_atm(self) -> str:
        self._title("An ATM withdrawal reserves R1000 under a session")
        session = f"atm-{self._run}"
        self._reserve(session, datetime.now(UTC) + timedelta(days=2), "withdrawal")
        self._balance("customer", "1000.00", "0.00")
        return session

    def _lose_the_race(self) -> None:
        self._title("At the same moment a transfer of R1000 to a friend arrives: refused")
        answer = self._transfer("customer", "friend", "1000.00", "to-friend", expect=422)
        self._require(answer["code"] == "insufficient-funds", answer)

    def _spend_the_reservation(self, session: str) -> Json:
        self._title("The ATM's transfer names the session: it spends the reservation, atomically")
        posted = self._transfer("customer", "atm", "1000.00", "cash", expect=201, sessionId=session)
        self._require(len(posted["releasedReservations"]) == 1, posted)
        self._balance("customer", "0.00", "0.00")
        return posted

    def _retransmit(self, posted: Json) -> None:
        self._title("A retransmission of it moves nothing")
        again = self._transfer(
            "customer", "atm", "1000.00", "cash", expect=409, sessionId=posted["sessionId"]
        )
        self._require(again["code"] == "duplicate-transfer" and again["samePayload"], again)
        self._require(again["transfer"]["transferId"] == posted["transferId"], again)
        self._balance("customer", "0.00", "0.00")

    def _let_one_expire(self) -> None:
        self._title(f"Another reservation is never spent: after {_HOLD_S} s it is gone by itself")
        self._transfer("bank", "customer", "1000.00", "deposit-2", expect=201)
        expires = datetime.now(UTC) + timedelta(seconds=_HOLD_S)
        self._reserve(f"never-{self._run}", expires, "forgotten")
        self._balance("customer", "1000.00", "0.00")
        give_up = time.monotonic() + _PATIENCE_S
        while self._read("customer")["availableBalance"] != "1000.00":
            self._require(time.monotonic() < give_up, {"detail": "it still holds the money"})
            time.sleep(0.1)
        self._balance("customer", "1000.00", "1000.00")

    def _show_books(self) -> None:
        self._title("The books")
        for name, wallet in self._wallets.items():
            balance = self._read(name)
            self._console.print(
                f"{wallet['name']} ({wallet['reference']}): current"
                f" {balance['currentBalance']}, available {balance['availableBalance']}",
                soft_wrap=True,
            )
            table = Table("#", "amount", "balance", "key")
            path = f"/v1/wallets/{wallet['walletId']}/transactions"
            for entry in self._call("GET", path, expect=200, quiet=True)["items"]:
                table.add_row(
                    str(entry["sequence"]),
                    entry["amount"],
                    entry["balance"],
                    entry["externalUniqueId"],
                )
            if table.row_count:
                self._console.print(table)

    def _transfer(
        self, source: str, target: str, amount: str, key: str, *, expect: int, **more: str
    ) -> Json:
        body = {
            "fromWalletId": self._wallets[source]["walletId"],
            "toWalletId": self._wallets[target]["walletId"],
            "amount": amount,
            "externalUniqueId": f"demo-{self._run}-{key}",
            **more,
        }
        return self._call("POST", "/v1/transfers", body, expect=expect)

    def _reserve(self, session: str, expires: datetime, key: str) -> Json:
        path = f"/v1/wallets/{self._wallets['customer']['walletId']}/reservations"
        body = {
            "amount": "1000.00",
            "sessionId": session,
            "expires": expires.isoformat(),
            "externalUniqueId": f"demo-{self._run}-{key}",
        }
        return self._call("POST", path, body, expect=201)

    def _read(self, name: str) -> Json:
        path = f"/v1/wallets/{self._wallets[name]['walletId']}/balance"
        return self._call("GET", path, expect=200, quiet=True)

    def _balance(self, name: str, current: str, available: str) -> None:
        balance = self._read(name)
        self._console.print(
            f"     {name}: current {balance['currentBalance']},"
            f" available {balance['availableBalance']}"
        )
        seen = (balance["currentBalance"], balance["availableBalance"])
        self._require(seen == (current, available), balance)

    def _call(
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
            self._console.print(
                f"     {method} {path} -> {response.status_code} {word}  [dim]{took_ms:.1f} ms[/]",
                soft_wrap=True,
            )
        self._require(response.status_code == expect, answer)
        return answer

    def _title(self, text: str) -> None:
        self._step += 1
        self._console.print(f"\n[bold]{self._step}. {text}[/]")

    def _require(self, condition: bool, seen: Json) -> None:
        if not condition:
            raise Unexpected(f"step {self._step} went another way: {seen}")
