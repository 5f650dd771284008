"""`./sov bank statement|statements|approve-statement|…`: statement files, over HTTP."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from cli.bank_calls import ACCOUNT, AS_JSON, came, only_account, show_end
from cli.operator import Json, calling

_ALL: Final = "/v1/bank/statements"
_STATEMENT = click.argument("statement_id", metavar="STATEMENT")
_STATUSES: Final = ("RECEIVED", "AWAITING_APPROVAL", "APPROVED", "DONE", "REFUSED", "FAILED")


@click.command("statement")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--format",
    "form",
    required=True,
    type=click.Choice(["MT940", "CAMT053", "OFX", "CSV"], case_sensitive=False),
)
@click.option("--columns", help="For CSV: which column is what, as JSON (docs/bank.md).")
@ACCOUNT
def statement(file: Path, form: str, columns: str | None, account_id: str | None) -> None:
    """Hand in a statement file, wait for what comes of it, and show what it says."""
    with calling("bank") as system:
        query = {"accountId": account_id or only_account(system), "format": form.upper()}
        if columns is not None:
            query["columns"] = columns
        taken = system.done(
            "POST",
            _ALL,
            params=query,
            content=file.read_bytes(),
            headers={"Content-Type": "application/octet-stream"},
        )
        _show(came(system, f"{_ALL}/{taken['statementId']}"))


@click.command("statements")
@click.argument("statement_id", required=False, metavar="[STATEMENT]")
@click.option("--status", type=click.Choice(_STATUSES, case_sensitive=False))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@AS_JSON
def statements(statement_id: str | None, status: str | None, limit: int, as_json: bool) -> None:
    """Statement files that were handed in, the latest first; or all that one of them says."""
    query: dict[str, str | int] = {"limit": limit}
    if status is not None:
        query["status"] = status.upper()
    with calling(_reader()) as system:
        if statement_id is not None:
            one = system.get(f"{_ALL}/{statement_id}")
            click.echo(json.dumps(one) if as_json else "\n".join((*told(one), one["status"])))
            return
        found = system.get(_ALL, **query)["items"]
    for each in found:
        days = f"{each['firstEntry'] or '-':<10}  {each['lastEntry'] or '-':<10}"
        line = f"{each['statementId']}  {each['uploaded'][:19]}  {each['format']:<7}  {days}"
        line += f"  {each['status']:<17}  by {each['uploadedOwner']}"
        click.echo(json.dumps(each) if as_json else line)


@click.command("statement-file")
@_STATEMENT
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Not stdout.")
def statement_file(statement_id: str, output: Path | None) -> None:
    """The file itself, byte for byte as it was handed in."""
    with calling(_reader()) as system:
        content = system.content(f"{_ALL}/{statement_id}/file")
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        output.write_bytes(content)


@click.command("approve-statement")
@_STATEMENT
@click.option("--reason")
def approve_statement(statement_id: str, reason: str | None) -> None:
    """Believe a statement file that somebody else has handed in, and wait for what comes of it.

    Shows first what it says; `./sov bank statements STATEMENT` only shows it.
    """
    path = f"{_ALL}/{statement_id}"
    with calling("approver") as system:
        click.echo("\n".join(told(system.get(path))))
        system.done("POST", f"{path}/approvals", json={} if reason is None else {"reason": reason})
        show_end(came(system, path))


@click.command("refuse-statement")
@_STATEMENT
@click.option("--reason")
@click.option("--own", is_flag=True, help="Take back what one has handed in oneself.")
def refuse_statement(statement_id: str, reason: str | None, own: bool) -> None:
    """Nothing is to be stored of a statement file that waits for approval."""
    path = f"{_ALL}/{statement_id}/refusals"
    with calling("bank" if own else "approver") as system:
        system.done("POST", path, json={} if reason is None else {"reason": reason})


COMMANDS: Final = (
    *(statement, statements, statement_file),
    *(approve_statement, refuse_statement),
)


def told(found: Json) -> Iterator[str]:
    """What somebody has to agree to, line by line."""
    again = f", again {found['handedInAgain']}" if found["handedInAgain"] else ""
    yield f"{found['format']} of account {found['accountId']}: {found['statementId']}"
    yield f"  by {found['uploadedOwner']} ({found['uploadedBy']}), {found['uploaded']}{again}"
    yield f"  SHA-256 {found['sha256']}"
    if found["credits"] is None:
        return  # it was never read
    yield f"  {_account(found)}"
    if found["firstEntry"] is not None:
        yield f"  entries of {found['firstEntry']} to {found['lastEntry']}"
    if found["firstDay"] is None:
        yield "  accounts for no whole day"
    else:
        yield f"  accounts for every day of {found['firstDay']} to {found['lastDay']}"
    for name, title in (("openingBalance", "opening"), ("closingBalance", "closing")):
        if found[name] is not None:
            yield f"  {title} balance {found[name]} {found['currency']}"
    for name, new in (("credits", "newCredits"), ("debits", "newDebits")):
        every, part = found[name], found[new]
        in_all = f"{every['count']} {name}, {every['amount']} {found['currency']}"
        yield f"  {in_all}; new of them {part['count']}, {part['amount']}"


def _account(found: Json) -> str:
    named = found["namedAccount"]
    if named is None:
        return "names no account"
    if found["accountConfirmed"]:
        return f"names account {named}, which it is"
    return f"names account {named}: NOT COMPARED, no number of ours to hold it against"


def _show(found: Json) -> None:
    click.echo("\n".join(told(found)))
    if found["status"] != "AWAITING_APPROVAL":
        show_end(found)
        return
    click.echo(
        "it waits for another person's approval:"
        f" ./sov bank approve-statement {found['statementId']}"
    )


def _reader() -> str:
    """Either key may read: where one of them alone is given, that one."""
    is_checker = "SOV_KEY_APPROVER" in os.environ and "SOV_KEY_BANK" not in os.environ
    return "approver" if is_checker else "bank"
