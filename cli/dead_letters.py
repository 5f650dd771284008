"""`./sov dead-letters`: what was parked and why, and being done with it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from itertools import islice
from typing import Final
from uuid import UUID

import click

from cli.operator import Answer, Json, Operator, operator

_ALL: Final = "/v1/dead-letters"
#: Exit codes: the letter is not resolved; it is, and its command was refused.
_NOT_DONE: Final = 1
_REFUSED: Final = 3


@click.group("dead-letters")
def command() -> None:
    """Commands that broke the consumer and messages that could not be read.

    Asks the system over HTTP: SOV_URL and SOV_KEY_OPERATOR, or what `./sov up` made.
    """


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that are resolved too.")
@click.option("--reason", help="Only those with exactly this reason.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="JSON lines.")
def list_letters(everything: bool, reason: str | None, limit: int, as_json: bool) -> None:
    """The open dead letters by their reason, newest first."""
    query = _filters(everything=everything, reason=reason)
    with operator() as system:
        letters = list(islice(system.pages(_ALL, limit=min(limit, 1000), **query), limit))
        if as_json:
            for letter in letters:
                click.echo(json.dumps(letter))
            return
        reasons = {each["reason"]: each for each in system.pages(f"{_ALL}/reasons")}
    if not letters:
        click.echo("no dead letters" if everything else "no open dead letters")
    for why, group in _by_reason(letters).items():
        counted = reasons[why]
        click.echo(f"{why}\n  {counted['open']} open, {counted['resolved']} resolved")
        for letter in group:
            what = f"{letter['status']:9}  {letter['type'] or 'unreadable'}"
            click.echo(f"  {letter['deadLetterId']}  {letter['created'][:19]}  {what}")


@command.command("show")
@click.argument("dead_letter_id", type=click.UUID)
def show(dead_letter_id: UUID) -> None:
    """One dead letter whole: the command, the reason, the traceback, what became of it."""
    with operator() as system:
        letter = system.get(f"{_ALL}/{dead_letter_id}")
    trace = letter.pop("traceback")
    click.echo(json.dumps(letter, indent=2))
    if trace is not None:
        click.echo(trace)


@command.command("replay")
@click.argument("dead_letter_id", type=click.UUID, required=False)
@click.option(
    "--reason", help="All open ones with exactly this reason, oldest first; stops at exit 1."
)
@click.option("--dry-run", is_flag=True, help="Only show what would be sent and come of it.")
def replay(dead_letter_id: UUID | None, reason: str | None, dry_run: bool) -> None:
    """Send a parked command once more, under its own key; the check is shown first.

    Exit 0: applied. 3: refused for good reason (with --dry-run: would be). 1: not replayed, or
    parked again.
    """
    if (dead_letter_id is None) == (reason is None):
        raise click.UsageError("name one dead letter, or --reason")
    with operator() as system:
        refused = False
        for letter_id in _chosen(system, dead_letter_id, reason):
            code = _replay(system, letter_id, dry_run=dry_run)
            if code == _NOT_DONE:
                # The others of its reason would most likely only be parked again.
                sys.exit(code)
            refused = refused or code == _REFUSED
    sys.exit(_REFUSED if refused else 0)


@command.command("discard")
@click.argument("dead_letter_id", type=click.UUID)
@click.option("--reason", required=True, help="Why it need not be done; kept for ever.")
def discard(dead_letter_id: UUID, reason: str) -> None:
    """Be done with a dead letter without doing what it asks for. Exit 0: discarded."""
    with operator() as system:
        answer = system.post(f"{_ALL}/{dead_letter_id}/discards", {"reason": reason})
    if not answer.succeeded:
        raise click.ClickException(answer.problem)
    if answer.is_pending:
        raise click.ClickException(_pending(answer))
    click.echo(f"{dead_letter_id} discarded: {answer.document['reason']}")


def _by_reason(letters: Iterable[Json]) -> dict[str, list[Json]]:
    groups: dict[str, list[Json]] = {}
    for letter in letters:
        groups.setdefault(letter["reason"], []).append(letter)
    return groups


def _filters(*, everything: bool, reason: str | None) -> dict[str, str]:
    filters = {} if everything else {"resolved": "false"}
    return filters if reason is None else {**filters, "reason": reason}


def _chosen(system: Operator, letter_id: UUID | None, reason: str | None) -> list[str]:
    if letter_id is not None:
        return [str(letter_id)]
    query = _filters(everything=False, reason=reason)
    found = [letter["deadLetterId"] for letter in system.pages(_ALL, **query)]
    if not found:
        raise click.ClickException("no open dead letter has this reason")
    # In the order in which they were asked for once.
    return found[::-1]


def _replay(system: Operator, letter_id: str, *, dry_run: bool) -> int:
    """Check, then replay; answers the exit code."""
    path = f"{_ALL}/{letter_id}/replays"
    checked = system.post(path, {"dryRun": True})
    if not checked.succeeded:
        click.echo(f"{letter_id} not replayed: {checked.problem}", err=True)
        return _NOT_DONE
    click.echo(f"{checked.document['type']} {json.dumps(checked.document['command'], indent=2)}")
    click.echo(f"{letter_id} {_foreseen(checked.document)}")
    if dry_run:
        return 0 if checked.document["wouldSucceed"] else _REFUSED
    answer = system.post(path, {})
    if answer.is_pending:
        click.echo(f"{letter_id} {_pending(answer)}", err=True)
        return _NOT_DONE
    if answer.succeeded:
        click.echo(f"{letter_id} replayed: {answer.status}, command {answer.command_id}")
        return 0
    letter = system.get(f"{_ALL}/{letter_id}")
    if answer.code == "internal" or not _is_by(letter, answer):
        click.echo(f"{letter_id} not replayed: {answer.problem}", err=True)
        return _NOT_DONE
    click.echo(f"{letter_id} replayed and refused: {answer.problem}")
    return _REFUSED


def _is_by(letter: Json, answer: Answer) -> bool:
    """Whether this very answer resolved the letter."""
    resolution = letter["resolution"]
    return resolution is not None and resolution["commandId"] == answer.command_id


def _foreseen(check: Json) -> str:
    if check["wouldSucceed"]:
        return "would succeed now"
    refusal = check["refusal"]
    return f"would be refused now: {refusal['code']}: {refusal['detail']}"


def _pending(answer: Answer) -> str:
    return f"not decided yet: ask {answer.location} what became of it"
