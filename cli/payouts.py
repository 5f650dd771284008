"""`./sov payouts`: money to any bank account, what two people say about it, and payment files."""

from __future__ import annotations

import json
import secrets
import sys
from itertools import islice
from pathlib import Path
from typing import Final

import click

from cli.operator import WAIT_S, Json, calling
from topology.texts import cleaned

_ALL: Final = "/v1/payouts"
#: Asked for, and not known yet to be held.
_PENDING: Final = 3
_MAKER, _CHECKER = "bank", "approver"
_PAYOUT = click.argument("payout_id", metavar="PAYOUT")
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON, one payout a line.")
_REASON = click.option("--reason", required=True, help="Why; kept for ever.")
_MAY_REASON = click.option("--reason", help="Why; kept for ever.")


@click.group("payouts")
def command() -> None:
    """Money from wallets to bank accounts.

    Asking needs SOV_KEY_BANK, agreeing SOV_KEY_APPROVER: keys with different owners. Without
    SOV_URL and the key, what `./sov up` made is used.
    """


@command.command("list")
@click.option("--status", help="Only those, such as AWAITING_APPROVAL.")
@click.option("--problem", is_flag=True, help="Only those whose row cannot be booked.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@_JSON
def list_payouts(status: str | None, problem: bool, limit: int, as_json: bool) -> None:
    """The latest first."""
    query: dict[str, str | int] = {"limit": min(limit, 1000)}
    if status is not None:
        query["status"] = status.upper()
    if problem:
        query["problem"] = "true"
    with calling(_MAKER) as system:
        for payout in islice(system.pages(_ALL, **query), limit):
            click.echo(json.dumps(payout) if as_json else _line(payout))


@command.command("show")
@_PAYOUT
@_JSON
def show(payout_id: str, as_json: bool) -> None:
    """How a payout stands, who said what to it, and what can be done."""
    with calling(_MAKER) as system:
        payout = system.get(f"{_ALL}/{payout_id}")
    if as_json:
        click.echo(json.dumps(payout))
        return
    payout = cleaned(payout)
    click.echo(_line(payout))
    for name in ("reason", "problem", "paymentReference", "authorisedUntil", "exportId"):
        if payout[name] is not None:
            click.echo(f"  {name}: {payout[name]}")
    if payout["givingUp"] is not None:
        told = "says that the bank will not pay it: approve --giving-up, or refuse"
        click.echo(f"  {payout['givingUp']} {told}")
    if payout["namedRow"] is not None:
        row_id = payout["namedRow"]
        told = f"says that row {row_id} is its: approve --row {row_id}, or refuse"
        click.echo(f"  {payout['namedBy']} {told}")
    for word in payout["words"]:
        reason = f": {word['reason']}" if word["reason"] else ""
        click.echo(f"  {word['said'][:19]}  {word['word']} by {word['owner']}{reason}")
    for step in payout["steps"]:
        click.echo(f"  - {step}")


@command.command("create")
@click.option("--wallet", required=True, help="Its externalUniqueId: who pays.")
@click.option("--amount", required=True)
@click.option("--name", required=True, help="Of the payee.")
@click.option("--account-number", required=True, help="Of the payee's bank account.")
@click.option("--branch-code", required=True, help="Of the payee's bank.")
@click.option("--beneficiary-id", help="What our bank calls the payee, where that is known.")
@click.option("--their-reference", required=True, help="What the payee's statement shows.")
@click.option("--account", "bank_account_id", help="May be left out where there is one alone.")
@click.option(
    "--key", help="The idempotency key: the same one asks for nothing again. Drawn if left out."
)
@click.option("--description", help="For our own people.")
def create(
    wallet: str,
    amount: str,
    name: str,
    account_number: str,
    branch_code: str,
    beneficiary_id: str | None,
    their_reference: str,
    bank_account_id: str | None,
    key: str | None,
    description: str | None,
) -> None:
    """Ask for a payout. Its money is held at once; exit code 3 where that is not known yet."""
    if not key:
        key = f"payout-{secrets.token_hex(8)}"
        # Before anything is asked for: an answer that is lost is asked for again under it.
        click.echo(f"--key {key}", err=True)
    payee = {"name": name, "accountNumber": account_number, "branchCode": branch_code}
    if beneficiary_id is not None:
        payee["beneficiaryId"] = beneficiary_id
    body: Json = {
        "walletExternalUniqueId": wallet,
        "amount": amount,
        "externalUniqueId": key,
        "beneficiary": payee,
        "theirReference": their_reference,
    }
    if bank_account_id is not None:
        body["bankAccountId"] = bank_account_id
    if description is not None:
        body["description"] = description
    with calling(_MAKER) as system:
        try:
            payout = system.done("POST", _ALL, json=body, headers={"Prefer": f"wait={WAIT_S}"})
        except click.ClickException as problem:
            told = f"{problem.message}; with --key {key} the same payout is asked for again"
            raise click.ClickException(told) from None
    click.echo(_line(payout))
    sys.exit(_PENDING if payout["status"] == "REQUESTED" else 0)


@command.command("approve")
@_PAYOUT
@click.option("--giving-up", is_flag=True, help="To this: the bank did not and will not pay it.")
@click.option("--row", "row_id", metavar="ROW", help="To this: ROW, which was named, is its.")
@_MAY_REASON
def approve(payout_id: str, giving_up: bool, row_id: str | None, reason: str | None) -> None:
    """Agree to what somebody else asked for: the payment, or what an option says."""
    if giving_up and row_id is not None:
        raise click.UsageError("--giving-up or --row: one thing at a time")
    if row_id is not None:
        _say(_CHECKER, payout_id, "approvals", reason, of="ROW", rowId=row_id)
    else:
        of = "GIVING_UP" if giving_up else "PAYMENT"
        _say(_CHECKER, payout_id, "approvals", reason, of=of)


@command.command("refuse")
@_PAYOUT
@_REASON
def refuse(payout_id: str, reason: str) -> None:
    """Say no to it. A payment that the bank was not asked for has ended."""
    _say(_CHECKER, payout_id, "refusals", reason)


@command.command("cancel")
@_PAYOUT
@_REASON
def cancel(payout_id: str, reason: str) -> None:
    """End it; or, where the bank may pay it, say that it did not and will not.

    That a second person has to approve, before its money is free again.
    """
    _say(_MAKER, payout_id, "cancellations", reason)


@command.command("resume")
@_PAYOUT
@_MAY_REASON
def resume(payout_id: str, reason: str | None) -> None:
    """Ask the bank, which has the beneficiary now. Never what was paid by hand."""
    _say(_MAKER, payout_id, "resumptions", reason)


@command.command("row")
@_PAYOUT
@click.argument("row_id", metavar="ROW")
@_REASON
def row(payout_id: str, row_id: str, reason: str) -> None:
    """Say that ROW, a debit that does not name it, is this payout's. A second person approves."""
    with calling(_MAKER) as system:
        body = {"rowId": row_id, "reason": reason}
        click.echo(_line(system.done("POST", f"{_ALL}/{payout_id}/rows", json=body)))


@command.command("row-of-export")
@click.argument("export_id", metavar="EXPORT")
@click.argument("row_id", metavar="ROW")
@_REASON
def row_of_export(export_id: str, row_id: str, reason: str) -> None:
    """Say that ROW is the bank's one debit for all of a payment file that has no row yet.

    A second person agrees: ./sov suspense approve.
    """
    with calling(_MAKER) as system:
        body = {"kind": "EXPORT", "exportId": export_id, "reason": reason}
        action = system.done("POST", f"/v1/bank/rows/{row_id}/actions", json=body)
    told = f"{action['actionId']}  {action['amount']} {action['currency']}  {action['status']}"
    click.echo(f"{told}: another person agrees by ./sov suspense approve {action['actionId']}")


@command.command("export")
@click.argument("payout_ids", nargs=-1, metavar="[PAYOUT…]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["pain.001", "csv"], case_sensitive=False),
    default="pain.001",
    show_default=True,
)
@click.option("--account", "bank_account_id", help="May be left out where there is one alone.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Not stdout.")
@click.option("--again", "export_id", metavar="EXPORT", help="The file that was written before.")
def export(
    payout_ids: tuple[str, ...],
    form: str,
    bank_account_id: str | None,
    output: Path | None,
    export_id: str | None,
) -> None:
    """Write a payment file to upload at the bank: these, or the oldest 1000 that await their
    beneficiary.

    What is in a file is never asked for through the API as well. A file is kept: --again has the
    very same one.
    """
    with calling(_MAKER) as system:
        if export_id is None:
            body: Json = {"format": form.upper()}
            if payout_ids:
                body["payoutIds"] = list(payout_ids)
            if bank_account_id is not None:
                body["bankAccountId"] = bank_account_id
            made = system.done("POST", f"{_ALL}/exports", json=body)
            export_id = str(made["exportId"])
            told = f"{made['payouts']} payouts, {made['total']} {made['currency']}"
            click.echo(f"{export_id}: {told}", err=True)
        content = system.content(f"{_ALL}/exports/{export_id}/file")
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        output.write_bytes(content)


@command.command("exports")
def exports() -> None:
    """The payment files that were written, the latest first."""
    with calling(_MAKER) as system:
        for each in system.pages(f"{_ALL}/exports"):
            told = f"{each['payouts']} payouts, {each['total']} {each['currency']}"
            click.echo(f"{each['exportId']}  {each['made'][:19]}  {each['format']}  {told}")


def _say(role: str, payout_id: str, word: str, reason: str | None, **more: str) -> None:
    with calling(role) as system:
        body = more if reason is None else {"reason": reason, **more}
        payout = system.done("POST", f"{_ALL}/{payout_id}/{word}", json=body)
    click.echo(_line(payout))


def _line(payout: Json) -> str:
    payout = cleaned(payout)
    missing = payout["approvalsNeeded"] - payout["approvals"]
    waits = f" ({missing} to agree)" if payout["status"] == "AWAITING_APPROVAL" else ""
    amount = f"{payout['amount']:>14} {payout['currency']}"
    to = payout["beneficiary"]["name"]
    return (
        f"{payout['payoutId']}  {amount}  {payout['status']}{waits}  {payout['myReference']}  {to}"
    )
