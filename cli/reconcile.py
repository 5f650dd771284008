"""`./sov reconcile`: whether the books agree with the bank, and with what Eclipse says it did."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from typing import Any, Final

import click

from cli.bulk import MEDIA, opened
from cli.reconcile_calls import ENDED, Json, Reconciliations, reconciliation_calls
from topology.texts import clean, cleaned

_AGREE, _DIFFER, _OPEN, _NONE = 0, 3, 4, 1
#: The bank's days, in South Africa, which has no summer time.
_BANK_ZONE: Final = timezone(timedelta(hours=2))
_DAY: Final = timedelta(days=1)
_ID = click.argument("reconciliation_id", metavar="ID")

Command = Callable[..., None]


@click.group("reconcile")
def command() -> None:
    """Compare the books with the bank, or with an extract of Eclipse's. Needs SOV_URL and
    SOV_KEY_BANK (or SOV_KEY_OPERATOR), or what ./sov up made.

    Exit codes: 0 both sides agree, 3 they do not, 4 it has not ended yet, 1 it was not accepted, or
    failed.
    """


def _period(function: Command) -> Command:
    for option in (
        click.option("--no-wait", is_flag=True, help="Do not wait for its end (exit code 4)."),
        click.option("--json", "as_json", is_flag=True, help="The report as JSON."),
        click.option("--id", "reconciliation_id", help="Its id, if you choose it."),
        click.option("--to", "period_to", help="Until before this moment (RFC 3339)."),
        click.option("--from", "period_from", help="From this moment on (RFC 3339)."),
        click.option("--day", help="A day of the bank's, as 2026-03-24. Default: yesterday."),
    ):
        function = option(function)
    return function


@command.command("bank")
@_period
@click.option("--account", help="This account alone. Default: all that are followed.")
def bank(account: str | None, no_wait: bool, as_json: bool, **asked: str | None) -> None:
    """The tie-out: bank balance + items in transit = what we owe, term by term."""
    body = {"kind": "BANK", **_asked(**asked)}
    if account is not None:
        body["accountId"] = account
    with reconciliation_calls() as calls:
        _follow(calls, calls.ask(body), no_wait=no_wait, as_json=as_json)


@command.command("eclipse")
@click.argument("file", metavar="FILE|-")
@_period
@click.option("--format", "form", type=click.Choice(list(MEDIA)), help="Else by its name.")
@click.option(
    "--made-by",
    type=click.Choice(["eclipse", "anybody"]),
    default="eclipse",
    help="Which transfers the extract is to have: those that keys of eclipse and operators asked"
    " for, or all.",
)
def eclipse(
    file: str, form: str | None, made_by: str, no_wait: bool, as_json: bool, **asked: str | None
) -> None:
    """Compare FILE, an extract of Eclipse's transactions (CSV or NDJSON, gzip or zstd)."""
    query = {"kind": "ECLIPSE", "madeBy": made_by, **_asked(**asked)}
    with opened(file, form) as found, reconciliation_calls() as calls:
        _follow(calls, calls.send(found, query), no_wait=no_wait, as_json=as_json)


@command.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=20)
def latest(limit: int) -> None:
    """The latest reconciliations."""
    with reconciliation_calls() as calls:
        for document in calls.latest(limit):
            click.echo(_told(document))


@command.command("status")
@_ID
@click.option("--json", "as_json", is_flag=True, help="The whole document.")
def status(reconciliation_id: str, as_json: bool) -> None:
    """How far it has come, and whether both sides agree (exit code 4 while it has not ended)."""
    with reconciliation_calls() as calls:
        document = calls.get(reconciliation_id)
    click.echo(json.dumps(document, indent=2) if as_json else _told(document))
    sys.exit(exit_code(document))


@command.command("report")
@_ID
@click.option("--json", "as_json", is_flag=True, help="For a machine.")
def report(reconciliation_id: str, as_json: bool) -> None:
    """What was compared, the sums term by term, and the first differences."""
    with reconciliation_calls() as calls:
        click.echo(calls.report(reconciliation_id, as_json=as_json).rstrip())


@command.command("differences")
@_ID
@click.option("--kind", help="Only these, such as MISSING_HERE.")
def differences(reconciliation_id: str, kind: str | None) -> None:
    """All of them, one JSON object per line."""
    with reconciliation_calls() as calls:
        for difference in calls.differences(reconciliation_id, kind):
            click.echo(json.dumps(difference))


def _asked(
    day: str | None,
    period_from: str | None,
    period_to: str | None,
    reconciliation_id: str | None,
) -> dict[str, str]:
    if (period_from is None) != (period_to is None) or (day and period_from):
        raise click.UsageError("give --from and --to, or --day, or neither")
    if period_from is None or period_to is None:
        period_from, period_to = _day(day)
    asked = {"periodFrom": period_from, "periodTo": period_to}
    return asked if reconciliation_id is None else {"reconciliationId": reconciliation_id, **asked}


def _day(text: str | None) -> tuple[str, str]:
    try:
        day = date.fromisoformat(text) if text else datetime.now(_BANK_ZONE).date() - _DAY
    except ValueError:
        raise click.UsageError(f"--day {text}: a day looks like 2026-03-24") from None
    begins = datetime.combine(day, time(), _BANK_ZONE)
    return begins.isoformat(), (begins + _DAY).isoformat()


def _follow(calls: Reconciliations, document: Json, *, no_wait: bool, as_json: bool) -> None:
    """Say what came of it, and end with the exit code that says so."""
    reconciliation_id: Any = document["reconciliationId"]
    if no_wait:
        click.echo(reconciliation_id)
        sys.exit(exit_code(document))
    click.echo(reconciliation_id, err=True)
    document = calls.ended(reconciliation_id)
    if document["status"] == "FAILED":
        raise click.ClickException(clean(f"{reconciliation_id} FAILED: {document['reason']}"))
    click.echo(calls.report(reconciliation_id, as_json=as_json).rstrip())
    sys.exit(exit_code(document))


def _told(document: Json) -> str:
    document = cleaned(document)
    verdict = {None: "", True: "  agrees", False: f"  {document['differences']} differences"}
    period = f"{document['periodFrom']} {document['periodTo']}"
    reason = f"  {document['reason']}" if document["reason"] else ""
    return (
        f"{document['reconciliationId']}  {document['kind']}  {period}  {document['status']}"
        f"{verdict[document['agrees']]}{reason}"
    )


def exit_code(document: Json) -> int:
    """What a script may go by: that both sides agree is said of nothing but what was compared."""
    if document["status"] not in ENDED:
        return _OPEN
    if document["status"] == "FAILED":
        return _NONE
    return _AGREE if document["agrees"] else _DIFFER
