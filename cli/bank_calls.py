"""`./sov bank accounts|rows|fetch|exceptions|…`: what the bank said, over HTTP."""

from __future__ import annotations

import json
import time
from typing import Final

import click

from cli.operator import Json, Operator, calling
from topology.texts import clean

_LOOK_EVERY_S: Final = 0.5
_PATIENCE_S: Final = 120.0
AS_JSON = click.option("--json", "as_json", is_flag=True, help="JSON lines.")
ACCOUNT = click.option("--account", "account_id", help="May be left out where there is one alone.")


@click.command("accounts")
@AS_JSON
def accounts(as_json: bool) -> None:
    """The bank accounts that are followed, or were."""
    with calling("bank") as system:
        for each in system.pages("/v1/bank/accounts"):
            told = (
                f"{each['accountId']}  {each['currency']}  looked at {each['fetched'] or 'never'}"
            )
            if each["followedUntil"] is not None:
                told += f"  not followed since {each['followedUntil'][:10]}"
            click.echo(json.dumps(each) if as_json else clean(told))


@click.command("rows")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@AS_JSON
def rows(limit: int, as_json: bool) -> None:
    """Rows of the bank's statements, the latest first."""
    with calling("bank") as system:
        found = system.get("/v1/bank/rows", limit=limit)["items"]
    for each in found:
        sign = "" if each["direction"] == "CREDIT" else "-"
        told = f"{each['rowId']}  {each['postingDate']}  {sign + each['amount']:>14}"
        told += f" {each['currency']}  {each['status']:<9} {each['purpose'] or '':<16}"
        click.echo(json.dumps(each) if as_json else clean(f"{told} {each['description']}"))


@click.command("fetch")
@ACCOUNT
def fetch(account_id: str | None) -> None:
    """Look at the bank's statement now, and wait for what comes."""
    with calling("bank") as system:
        body = {"accountId": account_id or only_account(system)}
        asked = system.done("POST", "/v1/bank/fetches", json=body)
        show_end(came(system, f"/v1/bank/fetches/{asked['fetchId']}"))


@click.command("exceptions")
@click.option("--all", "everything", is_flag=True, help="Those that are resolved too.")
@AS_JSON
def exceptions(everything: bool, as_json: bool) -> None:
    """What a person has to look at, the latest first."""
    state = "all" if everything else "open"
    with calling("bank") as system:
        for each in system.pages("/v1/bank/exceptions", state=state):
            told = f"{each['exceptionId']}  {each['kind']:<10} row {each['rowId'] or '-'}"
            told += f"  other {each['otherRowId']}" if each["otherRowId"] else ""
            resolved = f"  {each['resolution']}" if each["resolution"] else ""
            lines = (f"{told}{resolved}", f"    {each['detail']}")
            click.echo(json.dumps(each) if as_json else "\n".join(map(clean, lines)))


@click.command("resolve")
@click.argument("exception_id", metavar="EXCEPTION")
@click.option("--reason", required=True, help="Why; kept for ever.")
def resolve(exception_id: str, reason: str) -> None:
    """Be done with an exception that only tells. Rows are booked, dropped and taken back by two:
    ./sov suspense book, same, retract."""
    body = {"resolution": "ACKNOWLEDGED", "reason": reason}
    with calling("bank") as system:
        path = f"/v1/bank/exceptions/{exception_id}/resolutions"
        found = system.done("POST", path, json=body)
    click.echo(f"{found['exceptionId']}  {found['resolution']}")


@click.group("alias")
def alias() -> None:
    """Words that stand for a wallet in what people write on their payments."""


@alias.command("list")
def list_aliases() -> None:
    """Those in force."""
    with calling("bank") as system:
        for each in system.pages("/v1/bank/aliases"):
            waits = "" if each["status"] == "IN_FORCE" else "  waits for approval"
            click.echo(f"{each['aliasId']}  {each['alias']!r} is {each['walletId']}{waits}")


@alias.command("add")
@click.argument("words")
@click.argument("wallet_id", metavar="WALLET")
@ACCOUNT
def add_alias(words: str, wallet_id: str, account_id: str | None) -> None:
    """Let WORDS stand for WALLET, once another person has approved it."""
    with calling("bank") as system:
        body = {"alias": words, "walletId": wallet_id}
        body["accountId"] = account_id or only_account(system)
        click.echo(system.done("POST", "/v1/bank/aliases", json=body)["aliasId"])


@alias.command("approve")
@click.argument("alias_id", metavar="ALIAS")
@click.option("--reason")
def approve_alias(alias_id: str, reason: str | None) -> None:
    """Agree to words that somebody else lets stand for a wallet."""
    body = {} if reason is None else {"reason": reason}
    with calling("approver") as system:
        found = system.done("POST", f"/v1/bank/aliases/{alias_id}/approvals", json=body)
    click.echo(f"{found['aliasId']}  {found['status']}")


@alias.command("end")
@click.argument("alias_id", metavar="ALIAS")
def end_alias(alias_id: str) -> None:
    """The words stand for nobody any more."""
    with calling("bank") as system:
        system.done("DELETE", f"/v1/bank/aliases/{alias_id}")


@click.command("expect")
@click.argument("wallet_id", metavar="WALLET")
@click.argument("amount")
@click.option("--from", "first_day", required=True, metavar="DAY")
@click.option("--to", "last_day", required=True, metavar="DAY")
@click.option("--note")
@ACCOUNT
def expect(
    wallet_id: str,
    amount: str,
    first_day: str,
    last_day: str,
    note: str | None,
    account_id: str | None,
) -> None:
    """Say that AMOUNT is expected for WALLET: a suggestion for what will lie in suspense."""
    body = {"walletId": wallet_id, "amount": amount, "firstDay": first_day, "lastDay": last_day}
    if note is not None:
        body["note"] = note
    with calling("bank") as system:
        body["accountId"] = account_id or only_account(system)
        click.echo(system.done("POST", "/v1/bank/expected-payments", json=body)["expectedId"])


COMMANDS: Final = (
    *(accounts, rows, fetch),
    *(exceptions, resolve, alias, expect),
)


def only_account(system: Operator) -> str:
    accounts = system.pages("/v1/bank/accounts")
    found = [each["accountId"] for each in accounts if each["followedUntil"] is None]
    if len(found) != 1:
        raise click.ClickException(f"{len(found)} accounts are followed: say which with --account")
    only: str = found[0]
    return only


def came(system: Operator, path: str) -> Json:
    """What was asked for, once nothing more comes of it by itself."""
    until_s = time.monotonic() + _PATIENCE_S
    while True:
        found: Json = system.get(path)
        if found["finished"] or found.get("status") == "AWAITING_APPROVAL":
            return found
        if time.monotonic() > until_s:
            raise click.ClickException("the bank process has not done it yet: is it running?")
        time.sleep(_LOOK_EVERY_S)


def show_end(found: Json) -> None:
    """What came of it. Raises ``ClickException`` with its problem."""
    if found["problem"]:
        raise click.ClickException(clean(found["problem"]))
    click.echo(f"{found['rows']} rows, {found['new']} new, {found['exceptions']} exceptions")
