"""Watching a bulk file: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from cli.bulk_calls import ENDED, Bulk, Json

_LOOK_EVERY_S: Final = 0.5
_TELL_EVERY_S: Final = 2.0
_COUNTS: Final = ("posted", "rejected", "invalid", "expired", "cancelled")


def watch(bulk: Bulk, batch_id: str) -> Json:
    """Show how the file gets on until it has ended; answers how it stands then."""
    with _shown("lines") as show:
        began_s: float | None = None
        while True:
            document = bulk.status(batch_id)
            done = sum(document[name] for name in _COUNTS)
            now_s = time.monotonic()
            if began_s is None and document["status"] != "QUEUED":
                began_s = now_s
            rate = done / (now_s - began_s) if began_s is not None and now_s > began_s else 0.0
            show.update(done, document["lines"], f"{told(document)} {rate:,.0f}/s")
            if document["status"] in ENDED:
                return document
            time.sleep(_LOOK_EVERY_S)


@contextmanager
def uploading(size: int) -> Iterator[Shown]:
    """Shows how many bytes have gone."""
    with _shown("bytes") as show:
        show.update(0, size, "uploading")
        yield show


def told(document: Json) -> str:
    """One line: the status and every count that is not zero."""
    counts = " ".join(f"{name}={document[name]}" for name in _COUNTS if document[name])
    return f"{document['status']} {counts}".strip()


class Shown:
    """What is shown of one thing that goes on."""

    def __init__(self, unit: str, bar: Progress | None) -> None:
        self._unit, self._bar = unit, bar
        self._task: TaskID | None = None
        self._told_s = 0.0
        self._last = ""

    def update(self, done: int, total: int | None, text: str) -> None:
        if self._bar is not None:
            if self._task is None:
                self._task = self._bar.add_task(text, total=total)
            self._bar.update(self._task, completed=done, total=total, description=text)
            return
        line = f"{done}/{'?' if total is None else total} {self._unit} {text}"
        finished = total is not None and done >= total
        if line != self._last and (finished or time.monotonic() - self._told_s >= _TELL_EVERY_S):
            click.echo(line, err=True)
            self._last, self._told_s = line, time.monotonic()


@contextmanager
def _shown(unit: str) -> Iterator[Shown]:
    if not sys.stderr.isatty():
        yield Shown(unit, None)
        return
    columns = (
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield Shown(unit, bar)
