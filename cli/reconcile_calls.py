"""Reconciliations over HTTP: asking for one, waiting for its end, reading what it found."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import click
import httpx

from cli.bulk_calls import File
from cli.home import home
from cli.servers.kept import read_json
from cli.supervision import state
from topology.texts import clean

URL: Final = "SOV_URL"
#: Either may ask; the first that is set is used.
KEYS: Final = ("SOV_KEY_BANK", "SOV_KEY_OPERATOR")
ENDED: Final = ("DONE", "FAILED")

_ALL: Final = "/v1/reconciliations"
_PIECE: Final = 256 * 1024
_TIMEOUT_S: Final = 60.0
_LOOK_EVERY_S: Final = 0.5
#: How long the system may be away before waiting for an end is given up.
_PATIENCE_S: Final = 300.0

Json = dict[str, Any]


class Reconciliations:
    """Every method raises ``ClickException`` where the system refuses or does not answer."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def ask(self, body: Mapping[str, str]) -> Json:
        """For one without an extract."""
        return self._call("POST", _ALL, json=dict(body))

    def send(self, file: File, query: Mapping[str, str]) -> Json:
        """For one with an extract."""
        headers = {"Content-Type": file.media_type, "Content-Length": str(file.size)}
        if file.encoding != "identity":
            headers["Content-Encoding"] = file.encoding
        return self._call("POST", _ALL, params=dict(query), headers=headers, content=_pieces(file))

    def get(self, reconciliation_id: str) -> Json:
        return self._call("GET", f"{_ALL}/{reconciliation_id}")

    def latest(self, limit: int) -> list[Json]:
        items: list[Json] = self._call("GET", _ALL, params={"limit": limit})["items"]
        return items

    def report(self, reconciliation_id: str, *, as_json: bool) -> str:
        accept = "application/json" if as_json else "text/plain"
        path = f"{_ALL}/{reconciliation_id}/report"
        return self._answer("GET", path, headers={"Accept": accept}).text

    def differences(self, reconciliation_id: str, kind: str | None) -> Iterator[Json]:
        """All of them."""
        query = {"limit": "1000"} | ({} if kind is None else {"kind": kind})
        while True:
            page = self._call("GET", f"{_ALL}/{reconciliation_id}/differences", params=query)
            yield from page["items"]
            if page["nextCursor"] is None:
                return
            query["cursor"] = page["nextCursor"]

    def ended(self, reconciliation_id: str) -> Json:
        """How it stands once it has ended; asks again while the system is away."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while True:
            try:
                document = self.get(reconciliation_id)
            except click.ClickException:
                if time.monotonic() > deadline_s:
                    raise
            else:
                deadline_s = time.monotonic() + _PATIENCE_S
                if document["status"] in ENDED:
                    return document
            time.sleep(_LOOK_EVERY_S)

    def _call(self, method: str, path: str, **how: Any) -> Json:
        answer = self._answer(method, path, **how)
        try:
            document: Json = answer.json()
        except ValueError as problem:
            raise click.ClickException(f"the answer is not JSON: {problem}") from None
        return document

    def _answer(self, method: str, path: str, **how: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **how)
        except httpx.HTTPError as problem:
            url = self._client.base_url
            raise click.ClickException(f"{url} does not answer: {problem!r}") from None
        if answer.is_error:
            raise click.ClickException(_problem(answer))
        return answer


@contextmanager
def reconciliation_calls() -> Iterator[Reconciliations]:
    """By ``SOV_URL`` and a key, or what `./sov up` made where neither is set."""
    url = os.environ.get(URL)
    key = next((os.environ[name] for name in KEYS if os.environ.get(name)), None)
    if not url and not key:
        here = home(os.environ)
        snapshot = state.read(here.state_file)
        url = None if snapshot is None else snapshot.url
        key = str(read_json(here.keys_file).get("bank", ""))
    if not url or not key:
        raise click.ClickException(f"set {URL} and {KEYS[0]}, or run ./sov up first")
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_S) as client:
        yield Reconciliations(client)


def _pieces(file: File) -> Iterator[bytes]:
    file.content.seek(0)
    while piece := file.content.read(_PIECE):
        yield piece


def _problem(answer: httpx.Response) -> str:
    try:
        document = answer.json()
        return clean(f"{answer.status_code} {document['code']}: {document['detail']}")
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason_phrase}"
