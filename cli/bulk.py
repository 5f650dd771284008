"""`./sov bulk`: files of transfers or wallets, from any machine that has a key."""

from __future__ import annotations

import json
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final

import click
import httpx

from cli.bulk_calls import ENDED, File, Json, NotAccepted, bulk_calls
from cli.bulk_watching import told, uploading, watch

#: All posted; some lines were not; the file was not taken, or refused as a whole.
_ALL, _SOME, _NONE = 0, 3, 1
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
MEDIA: Final = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
_NAMES: Final = {"ndjson": "ndjson", "jsonl": "ndjson", "csv": "csv"}
_FOLLOW_EVERY_S: Final = 1.0
_BATCH = click.argument("batch_id", metavar="ID")


@click.group("bulk")
def command() -> None:
    """Files of transfers. Needs SOV_URL and SOV_KEY_BATCH, and nothing else of this machine.

    Exit codes: 0 all lines posted, 3 some were not, 1 the file was not accepted.
    """


@command.command("submit")
@click.argument("file", metavar="FILE|-")
@click.option("--watch", "watched", is_flag=True, help="Wait until every line is decided.")
@click.option("--atomic", is_flag=True, help="All lines or none; at most 10,000.")
@click.option("--dry-run", is_flag=True, help="Move nothing: check lines, estimate refusals.")
@click.option("--id", "batch_id", help="Its id; the same file under the same id is done once.")
@click.option("--kind", type=click.Choice(["transfers", "wallets"]), default="transfers")
@click.option("--format", "form", type=click.Choice(list(MEDIA)), help="Else by its name.")
@click.option("--not-after", help="Post no line later than this (RFC 3339).")
@click.option("--from-wallet", "from_wallet_id", help="Whom to debit where a line does not say.")
@click.option("--control-count", help="How many lines there must be.")
@click.option("--control-total", help="What all amounts must add up to.")
def submit(
    file: str,
    watched: bool,
    atomic: bool,
    dry_run: bool,
    batch_id: str | None,
    kind: str,
    form: str | None,
    **more: str | None,
) -> None:
    """Hand FILE in (- is standard input): CSV or NDJSON, gzip or zstd."""
    names = {"not_after": "notAfter", "from_wallet_id": "fromWalletId"}
    names |= {"control_count": "controlCount", "control_total": "controlTotal"}
    query = {names[name]: value for name, value in more.items() if value is not None}
    query |= {"kind": kind, "atomic": _word(atomic), "dryRun": _word(dry_run)}
    batch_id = batch_id or f"bulk-{secrets.token_hex(8)}"
    try:
        with opened(file, form) as found, bulk_calls() as bulk:
            with uploading(found.size) as shown:
                document = bulk.submit(
                    found,
                    batch_id,
                    query,
                    lambda sent: shown.update(sent, found.size, "uploading"),
                )
            click.echo(document["batchId"])
            if watched:
                document = watch(bulk, batch_id)
            _end(document)
    except NotAccepted as problem:
        raise click.ClickException(str(problem)) from None


@command.command("status")
@_BATCH
@click.option("--watch", "watched", is_flag=True, help="Until every line is decided.")
@click.option("--json", "as_json", is_flag=True, help="The whole document.")
def status(batch_id: str, watched: bool, as_json: bool) -> None:
    """How far the file has come."""
    try:
        with bulk_calls() as bulk:
            document = watch(bulk, batch_id) if watched else bulk.status(batch_id)
    except NotAccepted as problem:
        raise click.ClickException(str(problem)) from None
    if as_json:
        click.echo(json.dumps(document, indent=2))
    _end(document, quiet=as_json)


@command.command("results")
@_BATCH
@click.option("--format", "form", type=click.Choice(list(MEDIA)), default="csv")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Not stdout.")
@click.option("--follow", is_flag=True, help="Until every line is decided.")
@click.option("--after-line", type=int, default=0, help="Leave out the lines up to this one.")
def results(batch_id: str, form: str, output: Path | None, follow: bool, after_line: int) -> None:
    """What became of each line, in the file's order. While some are open: exit code 3."""
    target: IO[bytes] = sys.stdout.buffer if output is None else output.open("wb")
    try:
        with bulk_calls() as bulk:
            first, complete = True, False
            while not complete:
                with bulk.results(batch_id, after_line, MEDIA[form]) as answer:
                    complete = answer.headers["sov-results-complete"] == "true"
                    after_line = int(answer.headers["sov-results-last-line"])
                    _copy(answer, target, without_head=form == "csv" and not first)
                first = False
                if not complete and not follow:
                    break
                if not complete:
                    time.sleep(_FOLLOW_EVERY_S)
    except NotAccepted as problem:
        raise click.ClickException(str(problem)) from None
    except httpx.HTTPError as problem:
        raise click.ClickException(f"cut short, ask again: {problem!r}") from None
    finally:
        target.flush()
        if output is not None:
            target.close()
    if not complete:
        click.echo(f"not all lines are decided: go on with --after-line {after_line}", err=True)
        sys.exit(_SOME)


def _wishing(word: str, help_text: str) -> None:
    @command.command(word, help=help_text)
    @_BATCH
    def wish(batch_id: str) -> None:
        try:
            with bulk_calls() as bulk:
                click.echo(told(bulk.wish(batch_id, word)))
        except NotAccepted as problem:
            raise click.ClickException(str(problem)) from None


_wishing("pause", "Send no more of its lines for now.")
_wishing("resume", "Go on with a paused file.")
_wishing("cancel", "Send no more of its lines; what was posted stays posted.")


def _end(document: Json, *, quiet: bool = False) -> None:
    """Say how it stands, and end with the exit code that says so."""
    if not quiet:
        click.echo(told(document))
        if document["reason"]:
            click.echo(document["reason"], err=True)
    if document["status"] == "FAILED":
        sys.exit(_NONE)
    if document["status"] in ENDED and document["posted"] != document["lines"]:
        sys.exit(_SOME)
    sys.exit(_ALL)


def _copy(answer: httpx.Response, target: IO[bytes], *, without_head: bool) -> None:
    for part in answer.iter_bytes():
        if without_head:
            _, _, part = part.partition(b"\n")  # the first part is the header alone
            without_head = False
        target.write(part)


@contextmanager
def opened(name: str, form: str | None) -> Iterator[File]:
    """The file, so that it can be read again from any place: standard input is kept on disk. What
    it is and how it is packed is seen by its name and its first bytes."""
    with ExitStack() as stack:
        content: IO[bytes]
        if name == "-":
            content = stack.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(sys.stdin.buffer, content)
        else:
            try:
                content = stack.enter_context(Path(name).open("rb"))
            except OSError as problem:
                raise click.ClickException(str(problem)) from None
        size = content.seek(0, 2)
        content.seek(0)
        beginning = content.read(4)
        encoding = "gzip" if beginning.startswith(_GZIP) else "identity"
        if beginning == _ZSTD:
            encoding = "zstd"
        found = form or _form_of(name, beginning)
        yield File(content, size, MEDIA[found], encoding)


def _form_of(name: str, beginning: bytes) -> str:
    for suffix in reversed(Path(name).suffixes):
        if suffix[1:].lower() in _NAMES:
            return _NAMES[suffix[1:].lower()]
    return "ndjson" if beginning.lstrip().startswith(b"{") else "csv"


def _word(flag: bool) -> str:
    return "true" if flag else "false"
