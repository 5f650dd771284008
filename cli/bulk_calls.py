"""Bulk files over HTTP: handing one in, however often the way is cut, and asking about it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Final

import click
import httpx

from cli.home import home
from cli.servers.kept import read_json
from cli.supervision import state

URL: Final = "SOV_URL"
KEY: Final = "SOV_KEY_BATCH"
ENDED: Final = ("DONE", "CANCELLED", "FAILED")

_PIECE: Final = 256 * 1024
_TIMEOUT_S: Final = 60.0
#: How long the system may be away before an upload is given up.
_PATIENCE_S: Final = 300.0
_PAUSE_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
_MAY_SUCCEED_LATER: Final = frozenset({429, 500, 502, 503, 504})

Json = dict[str, Any]
Sent = Callable[[int], None]


class NotAccepted(Exception):
    """The system refused; the text says what it said."""


class _Away(Exception):
    """It did not answer, or not as it should: worth another try."""


@dataclass(frozen=True, slots=True)
class File:
    """What is handed in; ``content`` can be read from any place."""

    content: IO[bytes]
    size: int
    media_type: str
    encoding: str


class Bulk:
    """The calls of a bulk job. Methods raise ``NotAccepted``."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def submit(self, file: File, batch_id: str, query: Mapping[str, str], sent: Sent) -> Json:
        """Hand the file in; answers once it has arrived whole. An upload that is cut goes on where
        it stands; ``sent`` hears how many bytes are there."""
        deadline_s = time.monotonic() + _PATIENCE_S
        tries, known = 0, 0
        begun = False
        while True:
            try:
                if not begun:
                    return self._post(file, batch_id, query, sent)
                document = self._ask(batch_id)
                if document is None:
                    begun = False
                    continue
                if document["status"] != "RECEIVING":
                    return document
                if document["receivedBytes"] > known:
                    known, tries = document["receivedBytes"], 0
                    deadline_s = time.monotonic() + _PATIENCE_S
                return self._patch(file, batch_id, document["receivedBytes"], sent)
            except _Away as problem:
                if time.monotonic() > deadline_s:
                    raise NotAccepted(f"given up after {_PATIENCE_S:.0f} s: {problem}") from None
                begun = True
                time.sleep(_PAUSE_S[min(tries, len(_PAUSE_S) - 1)])
                tries += 1

    def status(self, batch_id: str) -> Json:
        """Asks again while the system is away."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while True:
            try:
                document = self._ask(batch_id)
            except _Away as problem:
                if time.monotonic() > deadline_s:
                    raise NotAccepted(str(problem)) from None
                time.sleep(_PAUSE_S[2])
            else:
                if document is None:
                    raise NotAccepted(f"there is no batch {batch_id}")
                return document

    def wish(self, batch_id: str, word: str) -> Json:
        try:
            return self._document(self._client.post(f"/v1/batches/{batch_id}/{word}"))
        except (httpx.HTTPError, _Away) as problem:
            raise NotAccepted(str(problem)) from None

    @contextmanager
    def results(self, batch_id: str, after_line: int, accept: str) -> Iterator[httpx.Response]:
        """The stream of what is decided behind a line. Raises ``httpx.HTTPError`` where it breaks
        off."""
        with self._client.stream(
            "GET",
            f"/v1/batches/{batch_id}/results",
            params={"afterLine": str(after_line)},
            headers={"Accept": accept},
        ) as answer:
            if answer.is_error:
                answer.read()
                raise NotAccepted(_problem(answer))
            yield answer

    def _post(self, file: File, batch_id: str, query: Mapping[str, str], sent: Sent) -> Json:
        headers = {"Content-Type": file.media_type}
        if file.encoding != "identity":
            headers["Content-Encoding"] = file.encoding
        return self._send("POST", "/v1/batches", file, 0, sent, headers, batchId=batch_id, **query)

    def _patch(self, file: File, batch_id: str, offset: int, sent: Sent) -> Json:
        headers = {"Upload-Offset": str(offset), "Content-Type": "application/octet-stream"}
        return self._send("PATCH", f"/v1/batches/{batch_id}", file, offset, sent, headers)

    def _send(
        self,
        method: str,
        path: str,
        file: File,
        offset: int,
        sent: Sent,
        headers: Mapping[str, str],
        **query: str,
    ) -> Json:
        length = {"Content-Length": str(file.size - offset)}
        try:
            answer = self._client.request(
                method,
                path,
                params=query or None,
                content=_pieces(file, offset, sent),
                headers={**headers, **length},
            )
        except httpx.HTTPError as problem:
            raise _Away(f"the upload was cut: {problem!r}") from None
        return self._document(answer)

    def _ask(self, batch_id: str) -> Json | None:
        try:
            answer = self._client.get(f"/v1/batches/{batch_id}")
        except httpx.HTTPError as problem:
            raise _Away(f"no answer: {problem!r}") from None
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return self._document(answer)

    def _document(self, answer: httpx.Response) -> Json:
        if answer.status_code in _MAY_SUCCEED_LATER:
            raise _Away(_problem(answer))
        if answer.is_error:
            raise NotAccepted(_problem(answer))
        try:
            document: Json = answer.json()
        except ValueError:
            raise _Away("the answer is not JSON") from None
        return document


@contextmanager
def bulk_calls() -> Iterator[Bulk]:
    """By ``SOV_URL`` and ``SOV_KEY_BATCH``, or what `./sov up` made where they are not set."""
    url, key = os.environ.get(URL), os.environ.get(KEY)
    if not url and not key:
        here = home(os.environ)
        snapshot = state.read(here.state_file)
        url = None if snapshot is None else snapshot.url
        key = str(read_json(here.keys_file).get("batch", ""))
    if not url or not key:
        raise click.ClickException(f"set {URL} and {KEY}, or run ./sov up first")
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_S) as client:
        yield Bulk(client)


def _pieces(file: File, offset: int, sent: Sent) -> Iterator[bytes]:
    file.content.seek(offset)
    while piece := file.content.read(_PIECE):
        yield piece
        offset += len(piece)
        sent(offset)


def _problem(answer: httpx.Response) -> str:
    try:
        document = answer.json()
        return f"{answer.status_code} {document['code']}: {document['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason_phrase}"
