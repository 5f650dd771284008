"""`./sov suspense`: deposits that nobody could attribute, and what two people do about them."""

from __future__ import annotations

import json
from typing import Any, Final

import click

from cli.operator import Json, calling
from topology.texts import cleaned

_SUSPENSE: Final = "/v1/suspense"
_ACTIONS: Final = "/v1/bank/actions"
_REASON = click.option("--reason", required=True, help="Why; kept for ever.")
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON lines.")
_ROW = click.argument("row_id", metavar="ROW")
_ACTION = click.argument("action_id", metavar="ACTION")


@click.group("suspense")
def command() -> None:
    """Deposits that nobody could attribute.

    Asking needs SOV_KEY_BANK, approving SOV_KEY_APPROVER: keys with different owners. Without
    SOV_URL and the key, what `./sov up` made is used.
    """


@command.command("list")
@_JSON
def list_suspense(as_json: bool) -> None:
    """What lies there, the oldest first, with suggestions."""
    with calling("bank") as system:
        items = list(system.pages(_SUSPENSE))
    if not items and not as_json:
        click.echo("nothing lies in suspense")
    for item in items:
        click.echo(json.dumps(item) if as_json else told(item))


@command.command("allocate")
@_ROW
@click.argument("shares", nargs=-1, required=True, metavar="WALLET=AMOUNT…")
@_REASON
def allocate(row_id: str, shares: tuple[str, ...], reason: str) -> None:
    """Ask for ROW to be given to one or several wallets, all of it."""
    _ask(row_id, "ALLOCATE", reason, [_share(each) for each in shares])


@command.command("return")
@_ROW
@_REASON
def return_to_sender(row_id: str, reason: str) -> None:
    """Ask for ROW to go back to its sender.

    Once it is approved somebody pays it back at the bank, under the reference that is shown; the
    bank's debit row then takes it out of suspense.
    """
    _ask(row_id, "RETURN", reason)


@command.command("write-off")
@_ROW
@click.option("--to", "wallet", help="A SYSTEM wallet; default the account's bank-charges.")
@click.option("--amount", help="All of it; with --to.")
@_REASON
def write_off(row_id: str, wallet: str | None, amount: str | None, reason: str) -> None:
    """Ask for ROW to be written off: nobody will ask for it any more."""
    if (wallet is None) != (amount is None):
        raise click.UsageError("--to and --amount belong together")
    shares = [] if wallet is None else [{"walletId": wallet, "amount": amount}]
    _ask(row_id, "WRITE_OFF", reason, shares)


@command.command("book")
@_ROW
@_REASON
def book(row_id: str, reason: str) -> None:
    """Ask for ROW, which is held back, to be booked: it is a row of its own."""
    _ask(row_id, "BOOK", reason)


@command.command("same")
@_ROW
@click.option("--of", "other_id", metavar="ROW", help="Default: the row that the exception names.")
@_REASON
def same(row_id: str, other_id: str | None, reason: str) -> None:
    """Ask for ROW, which is held back, to be taken for another one: nothing is booked for it, and
    the same line is not held again."""
    _ask(row_id, "SAME", reason, same_as=other_id)


@command.command("retract")
@_ROW
@click.argument("shares", nargs=-1, metavar="[WALLET=AMOUNT…]")
@_REASON
def retract(row_id: str, shares: tuple[str, ...], reason: str) -> None:
    """Ask for the booking of ROW, which has vanished, to be taken back; from whom, if not from
    whoever has got it."""
    _ask(row_id, "RETRACT", reason, [_share(each) for each in shares])


@command.command("actions")
@click.option("--status", help="Only those that stand so, such as AWAITING_APPROVAL.")
@_JSON
def actions(status: str | None, as_json: bool) -> None:
    """What was asked for, the latest first."""
    query = {} if status is None else {"status": status}
    with calling("bank") as system:
        for action in system.pages(_ACTIONS, **query):
            click.echo(json.dumps(action) if as_json else _action(action))


@command.command("approve")
@_ACTION
@click.option("--reason")
def approve(action_id: str, reason: str | None) -> None:
    """Agree to what somebody else asked for."""
    _say(action_id, "approvals", reason, "approver")


@command.command("refuse")
@_ACTION
@click.option("--reason")
@click.option("--own", is_flag=True, help="Take back what one has asked for oneself.")
def refuse(action_id: str, reason: str | None, own: bool) -> None:
    """Refuse what somebody asked for."""
    _say(action_id, "refusals", reason, "bank" if own else "approver")


def _ask(
    row_id: str,
    kind: str,
    reason: str,
    shares: list[Json] | None = None,
    same_as: str | None = None,
) -> None:
    disposal = kind in ("ALLOCATE", "RETURN", "WRITE_OFF")
    where = _SUSPENSE if disposal else "/v1/bank/rows"
    body: dict[str, Any] = {"kind": kind, "reason": reason}
    if shares:
        body["shares"] = shares
    if same_as is not None:
        body["sameAs"] = same_as
    with calling("bank") as system:
        action = system.done("POST", f"{where}/{row_id}/actions", json=body)
    click.echo(_action(action))


def _say(action_id: str, word: str, reason: str | None, role: str) -> None:
    body = {} if reason is None else {"reason": reason}
    with calling(role) as system:
        click.echo(_action(system.done("POST", f"{_ACTIONS}/{action_id}/{word}", json=body)))


def _share(text: str) -> Json:
    wallet, equals, amount = text.partition("=")
    if not equals:
        raise click.UsageError(f"{text!r} is not WALLET=AMOUNT")
    return {"walletId": wallet, "amount": amount}


def told(item: Json) -> str:
    """As a person reads it in a list."""
    item = cleaned(item)
    lines = [
        f"{item['rowId']}  {item['amount']:>14} {item['currency']}  {item['ageDays']:>3} days"
        f"  {item['description']}"
    ]
    if item["openAction"]:
        open_action = item["openAction"]
        lines.append(f"    {open_action['kind']} {open_action['actionId']} {open_action['status']}")
    lines += [
        f"    perhaps {each['walletId']} ({each['why'].lower()})" for each in item["suggestions"]
    ]
    return "\n".join(lines)


def _action(action: Json) -> str:
    action = cleaned(action)
    told = f"{action['actionId']}  {action['kind']:<9} {action['amount']:>14} {action['currency']}"
    told += f"  {action['status']}"
    if action["sameAs"]:
        told += f"  as {action['sameAs']}"
    if action["reference"]:
        told += f"  reference {action['reference']}"
    return told + (f"  {action['problem']}" if action["problem"] else "")
