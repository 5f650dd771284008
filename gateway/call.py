"""One request, as the routes see it."""

from __future__ import annotations

from datetime import datetime

from starlette.requests import Request

from gateway.exchange import Exchange, exchange_of
from gateway.parameters import Query
from gateway.waiting import DEFAULT, Waiting
from ledger.keys import ApiKey


class Call(Request):
    """A request to one of our routes. A ``Request``, so that FastAPI hands it over untouched."""

    key: ApiKey
    """Who asks; set before the route's own code runs, absent on routes that anybody may call."""
    query: Query
    """The parameters that the route knows; set before the route's own code runs."""
    waiting: Waiting = DEFAULT
    """How long the caller waits; set together with the key."""
    deadline: datetime | None = None
    """When a write's command is to be applied at the latest, where the caller says so; set before
    the route's own code runs."""
    _fields: dict[bytes, bytes] | None = None

    @property
    def exchange(self) -> Exchange:
        return exchange_of(self.scope)

    @property
    def left_s(self) -> float:
        """How much longer looking things up may take, before a command can only come too late."""
        return self.waiting.send_within_s - self.exchange.elapsed_s

    def field(self, name: bytes) -> bytes | None:
        """A header's value by its lower-case name; of several with one name, their list."""
        if self._fields is None:
            self._fields = _fields(self.scope["headers"])
        return self._fields.get(name)

    def segment(self, name: str) -> str:
        """The part of the path that the route's template calls ``name``."""
        value: str = self.scope["path_params"][name]
        return value


def _fields(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    fields = dict(headers)
    if len(fields) != len(headers):
        fields = {}
        for name, value in headers:
            fields[name] = fields[name] + b", " + value if name in fields else value
    return fields
