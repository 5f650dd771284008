"""Documents for callers: their examples, and whether the system still does what they show.

An example is an ``http`` block, the status it brings in back quotes, and the body in a ``json``
block where there is one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

Json = dict[str, Any]

_EXAMPLE: Final = re.compile(
    r"```http\n(?P<method>[A-Z]+) (?P<path>\S+)\n"
    r"(?P<head>(?:[\w-]+: [^\n]*\n)*)\n?(?P<body>.*?)```\n+"
    r"`(?P<status>\d{3})`\n+(?:```json\n(?P<answer>.*?)```)?",
    re.DOTALL,
)
_JSON: Final = re.compile(r"```json\n(.*?)```", re.DOTALL)
_ROW: Final = re.compile(r"^\| `([a-z-]+)` \| (\d{3}) \| `([A-Z0-9]+)` \| (\w+) \|$", re.MULTILINE)
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?Z")
#: What differs from run to run: times, ids of ours, command ids, trace ids, references, cursors.
_NAME: Final = re.compile(
    _TIME.pattern + r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[a-z2-7]{36}\b"
    r'|\b[0-9a-f]{32}\b|\bRF[0-9]{2}[A-Z0-9]+\b|(?<="nextCursor": ")[^"]+'
)


@dataclass(frozen=True, slots=True)
class Example:
    method: str
    path: str
    headers: dict[str, str]
    body: str
    status: int
    answer: Any


def examples(document: Path) -> Iterator[Example]:
    """In the order in which they are to be played."""
    for found in _EXAMPLE.finditer(document.read_text()):
        yield Example(
            method=found["method"],
            path=found["path"],
            headers=dict(line.split(": ", 1) for line in found["head"].splitlines()),
            body=found["body"],
            status=int(found["status"]),
            answer=json.loads(found["answer"]) if found["answer"] else None,
        )


def json_blocks(document: Path) -> list[Any]:
    return [json.loads(found) for found in _JSON.findall(document.read_text())]


def code_rows(document: Path) -> list[tuple[str, int, str, str]]:
    """The rows of the table of codes: ours, its status, Eclipse's, whose idea that is."""
    rows = _ROW.findall(document.read_text())
    return [(ours, int(status), eclipse, origin) for ours, status, eclipse, origin in rows]


class Names:
    """What the document calls things, and what they are called in this run."""

    def __init__(self, written: datetime) -> None:
        """``written`` is the day the document was written on; its requests look that far ahead."""
        self._later = timedelta(days=(datetime.now(UTC).date() - written.date()).days)
        self._names: dict[str, str] = {}

    def request(self, text: str) -> str:
        """The text of a request as it is to be sent today."""
        return _NAME.sub(lambda found: self._today(found[0]), text)

    def learn(self, written: Any, real: Any) -> None:
        """Hold an answer against the document's; they may differ in names only, and each name has
        to mean the same throughout."""
        texts = [json.dumps(document, indent=1, sort_keys=True) for document in (written, real)]
        assert _NAME.sub("*", texts[1]) == _NAME.sub("*", texts[0])
        for name, now in zip(*(_NAME.findall(text) for text in texts), strict=True):
            assert self._names.setdefault(name, now) == now, f"{name} was {self._names[name]}"

    def _today(self, name: str) -> str:
        if not _TIME.fullmatch(name):
            return self._names.get(name, name)
        moment = datetime.fromisoformat(name) + self._later
        return f"{moment:%Y-%m-%dT%H:%M:%S}Z"
