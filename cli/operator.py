"""The way to the system for commands that ask it over HTTP, as an operator or whoever has to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

import click
import httpx

from cli.home import home
from cli.servers.kept import read_json
from cli.supervision import state
from topology.texts import clean

URL: Final = "SOV_URL"

#: As long as a call may wait for its command (``Prefer: wait``), and some for the way.
WAIT_S: Final = 30
_PATIENCE_S: Final = WAIT_S + 5

Json = dict[str, Any]


class Answer:
    """What the system said to one call."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.location = response.headers.get("location", "")
        self.command_id = response.headers.get("sov-command-id", "")
        self.document: Json = response.json() if response.content else {}

    @property
    def succeeded(self) -> bool:
        return self.status < httpx.codes.BAD_REQUEST

    @property
    def is_pending(self) -> bool:
        return self.status == httpx.codes.ACCEPTED

    @property
    def code(self) -> str:
        """The problem's code, empty where there is none."""
        return "" if self.succeeded else str(self.document["code"])

    @property
    def problem(self) -> str:
        return clean(f"{self.status} {self.code}: {self.document['detail']}")


class Operator:
    """Calls with one key, the operator's as a rule. Every method raises ``ClickException`` without
    an answer."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, path: str, **query: str | int) -> Json:
        """The document; a refusal ends the command in one line."""
        answer = self._call("GET", path, params=query)
        if not answer.succeeded:
            raise click.ClickException(answer.problem)
        return answer.document

    def pages(self, path: str, **query: str | int) -> Iterator[Json]:
        """The items of all pages of a list."""
        more: dict[str, str | int] = {}
        while True:
            page = self.get(path, **query, **more)
            yield from page["items"]
            if page["nextCursor"] is None:
                return
            more = {"cursor": page["nextCursor"]}

    def post(self, path: str, body: Json) -> Answer:
        return self._call("POST", path, json=body, headers={"Prefer": f"wait={WAIT_S}"})

    def done(self, method: str, path: str, **how: Any) -> Json:
        """The document of a call that has to succeed; a refusal ends the command in one line."""
        answer = self._call(method, path, **how)
        if not answer.succeeded:
            raise click.ClickException(answer.problem)
        return answer.document

    def content(self, path: str) -> bytes:
        """A file, as it is."""
        try:
            response = self._client.get(path)
            if response.is_error:
                raise click.ClickException(Answer(response).problem)
            return response.content
        except (httpx.HTTPError, ValueError) as problem:
            raise self._silent(problem) from None

    def _call(self, method: str, path: str, **how: Any) -> Answer:
        try:
            return Answer(self._client.request(method, path, **how))
        except (httpx.HTTPError, ValueError) as problem:
            raise self._silent(problem) from None

    def _silent(self, problem: Exception) -> click.ClickException:
        return click.ClickException(
            f"{self._client.base_url} does not answer as it should: {problem}"
        )


def operator() -> AbstractContextManager[Operator]:
    """By ``SOV_URL`` and ``SOV_KEY_OPERATOR``, or what `./sov up` made where they are not set."""
    return calling("operator")


@contextmanager
def calling(role: str) -> Iterator[Operator]:
    """The same with the key of another scope: ``SOV_KEY_<ROLE>``."""
    variable = f"SOV_KEY_{role.upper()}"
    url, key = os.environ.get(URL), os.environ.get(variable)
    if not url and not key:
        here = home(os.environ)
        snapshot = state.read(here.state_file)
        url = None if snapshot is None else snapshot.url
        key = str(read_json(here.keys_file).get(role, ""))
    if not url or not key:
        raise click.ClickException(f"set {URL} and {variable}, or run ./sov up first")
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=url, headers=headers, timeout=_PATIENCE_S) as client:
        yield Operator(client)
