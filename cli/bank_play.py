"""`./sov bank play`: what people, other banks and time do to the simulated bank."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import click
import httpx

from cli.home import home
from cli.simulated_bank import NAME, SimulatedBank

Json = dict[str, Any]

_TIMEOUT_S: Final = 30
_DAY_S: Final = 86_400
_CENTS: Final = Decimal("0.01")
_TOO_MUCH: Final = Decimal(10) ** 13


class Play:
    """Raises ``ClickException`` where there is no such bank, or it does not do what it is told."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def state(self) -> Json:
        return self._ask("GET", "state")

    def credit(self, amount: Decimal, description: str, **more: Any) -> int:
        """Money comes in, to the first account where none is named; the row's number."""
        asked = {"amountCents": int(amount / _CENTS), "description": description, **more}
        asked.setdefault("accountId", self.state()["accounts"][0]["accountId"])
        return int(self._ask("POST", "rows", asked)["rowIds"][0])

    def change(self, row_id: int, what: str) -> None:
        self._ask("POST", f"rows/{row_id}", {"what": what})

    def beneficiary(self, name: str, account_number: str, **more: Any) -> str:
        """Somebody sets up whom to pay in the bank's own pages; the id."""
        asked = {"name": name, "accountNumber": account_number, **more}
        return str(self._ask("POST", "beneficiaries", asked)["beneficiaryId"])

    def decide(self, payment_reference: str, what: str) -> None:
        self._ask("POST", f"payments/{payment_reference}", {"what": what})

    def fault(self, **fault: Any) -> None:
        self._ask("POST", "faults", fault)

    def advance(self, seconds: float) -> Json:
        return self._ask("POST", "clock", {"advanceS": seconds})

    def _ask(self, method: str, what: str, body: Json | None = None) -> Json:
        try:
            answer = self._client.request(method, f"/simulator/{what}", json=body)
            found: Json = answer.json()
        except (httpx.HTTPError, ValueError) as problem:
            url = self._client.base_url
            raise click.ClickException(f"no simulated bank at {url}: {problem}") from None
        if answer.is_error:
            raise click.ClickException(f"the bank does not: {found['error']}")
        return found


@contextmanager
def playing() -> Iterator[Play]:
    """With this installation's simulated bank."""
    here = home(os.environ)
    port = here.kept.port(NAME)
    if port is None:
        raise click.ClickException(
            "there is no simulated bank: run ./sov up, or ./sov bank simulator"
        )
    url = SimulatedBank(here, port).url
    with httpx.Client(base_url=url, timeout=_TIMEOUT_S, trust_env=False) as client:
        yield Play(client)


@click.group("play")
def play() -> None:
    """What people, other banks and time do to the simulated bank. docs/bank.md has the rest."""


@play.command("credit")
@click.argument("amount")
@click.argument("description")
@click.option("--account", "account_id", help="Its id at the bank; else the first.")
@click.option("--later", is_flag=True, help="Pending, until it is settled.")
def credit(amount: str, description: str, account_id: str | None, later: bool) -> None:
    """Somebody pays AMOUNT in, with DESCRIPTION on the statement. Prints the row's number."""
    more: Json = {"settles": "later"} if later else {}
    if account_id is not None:
        more["accountId"] = account_id
    with playing() as bank:
        click.echo(bank.credit(_amount(amount), description, **more))


@play.command("row")
@click.argument("row_id", type=int, metavar="ROW")
@click.argument("what", type=click.Choice(["post", "settle", "renumber", "vanish", "reverse"]))
def row(row_id: int, what: str) -> None:
    """Do something to a row that is there."""
    with playing() as bank:
        bank.change(row_id, what)


@play.command("payment")
@click.argument("reference")
@click.argument("what", type=click.Choice(["approve", "decline", "fail", "return"]))
def payment(reference: str, what: str) -> None:
    """What authorisers or other banks do to the payment that the bank calls REFERENCE."""
    with playing() as bank:
        bank.decide(reference, what)


@play.command("beneficiary")
@click.argument("name")
@click.argument("account_number", metavar="NUMBER")
@click.option("--code", default="580105", show_default=True, help="Of the branch.")
@click.option("--paid", metavar="DAY", help="Paid by hand on this day, as yyyy-mm-dd; else never.")
def beneficiary(name: str, account_number: str, code: str, paid: str | None) -> None:
    """Set somebody up to be paid, as one does in the bank's own pages. Prints the id."""
    with playing() as bank:
        click.echo(bank.beneficiary(name, account_number, code=code, lastPaid=paid))


@play.command("clock")
@click.argument("days", type=click.FloatRange(min=0))
def clock(days: float) -> None:
    """Put the bank's clock forward by DAYS. Prints its day."""
    with playing() as bank:
        click.echo(bank.advance(days * _DAY_S)["today"])


@play.command("state")
def state() -> None:
    """Everything that the bank has, as JSON."""
    with playing() as bank:
        click.echo(json.dumps(bank.state(), indent=2))


def _amount(text: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal(0)
    if not (found.is_finite() and 0 < found < _TOO_MUCH) or found % _CENTS:
        raise click.ClickException("AMOUNT is a number of rands and cents, like 100.00")
    return found
