"""Which requests the open loop sends, in which order: rendered once, gone through in turns."""

from __future__ import annotations

import json
import random
import struct
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

ROUTES: Final = ("transfer", "reservation", "session transfer", "balance", "history")

#: Requests in the plan by route: a payments platform asks for balances more often than for pages.
MIXED: Final = {
    "transfer": 1600,
    "reservation": 600,
    "session transfer": 600,
    "balance": 800,
    "history": 400,
}
READS: Final = {"balance": 2000, "history": 2000}
TRANSFERS: Final = {"transfer": 4000}

#: Where the generator writes how often the plan was gone through, so that keys are unique.
_HOLE: Final = "########"
#: How many requests a session transfer comes behind its reservation, at least.
_BEHIND: Final = 200
_LIVE_UNTIL: Final = "2999-01-01T00:00:00Z"


class Session(NamedTuple):
    """A session and the wallet that it holds money on."""

    session_id: str
    wallet: str


class Planner:
    """Renders requests; the same seed gives the same ones."""

    def __init__(self, wallets: Sequence[str], key: str, seed: int) -> None:
        self._wallets, self._seed = wallets, seed
        self._head = f"Host: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        self._chance = random.Random(seed)  # noqa: S311 - reproducible load, no secret
        self._held: deque[tuple[int, Session]] = deque()

    def requests(self, mix: Mapping[str, int]) -> Iterator[tuple[int, bytes]]:
        """Route and request, in order."""
        for position, route in enumerate(self._order(mix)):
            match route:
                case "balance":
                    request = self._get(f"{self._wallet()}/balance")
                case "history":
                    request = self._get(f"{self._wallet()}/transactions?order=desc&limit=50")
                case "reservation":
                    request = self._reserve(position)
                case "session transfer":
                    request = self._spend(position)
                case _:
                    request = self._transfer(position, self._wallet(), None)
            yield ROUTES.index(route), request

    def _order(self, mix: Mapping[str, int]) -> list[str]:
        """Shuffled; but first come reservations and last their transfers, so that a turn of the
        plan leaves as little held as it found."""
        order = [route for route, count in mix.items() for _ in range(count)]
        self._chance.shuffle(order)
        early = [p for p in range(_BEHIND) if order[p] == "session transfer"]
        late = [p for p in range(len(order) - _BEHIND, len(order)) if order[p] == "reservation"]
        for first, last in zip(early, late, strict=False):
            order[first], order[last] = order[last], order[first]
        return order

    def _wallet(self) -> str:
        return self._chance.choice(self._wallets)

    def _name(self, position: int) -> str:
        return f"open-{self._seed}-{position}-{_HOLE}"

    def _reserve(self, position: int) -> bytes:
        session = Session(f"session-{self._name(position)}", self._wallet())
        self._held.append((position, session))
        body = {
            "amount": "0.02",
            "sessionId": session.session_id,
            "expires": _LIVE_UNTIL,
            "externalUniqueId": self._name(position),
        }
        return self._post(f"/v1/wallets/{session.wallet}/reservations", body)

    def _spend(self, position: int) -> bytes:
        """The oldest session that was surely answered; where there is none, one that holds nothing,
        which makes it an ordinary transfer."""
        session = Session(f"session-{self._name(position)}", self._wallet())
        if self._held and self._held[0][0] <= position - _BEHIND:
            session = self._held.popleft()[1]
        return self._transfer(position, session.wallet, session.session_id)

    def _transfer(self, position: int, source: str, session_id: str | None) -> bytes:
        target = self._wallet()
        while target == source:
            target = self._wallet()
        body = {
            "fromWalletId": source,
            "toWalletId": target,
            "amount": "0.01",
            "externalUniqueId": self._name(position),
        }
        return self._post(
            "/v1/transfers", body if session_id is None else {**body, "sessionId": session_id}
        )

    def _get(self, path: str) -> bytes:
        return f"GET /v1/wallets/{path} HTTP/1.1\r\n{self._head}\r\n".encode()

    def _post(self, path: str, body: Mapping[str, str]) -> bytes:
        content = json.dumps(body, separators=(",", ":"))
        return (
            f"POST {path} HTTP/1.1\r\n{self._head}Content-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n{content}"
        ).encode()


def encoded(requests: Sequence[tuple[int, bytes]]) -> bytes:
    """The plan as ``open_loop.c`` reads it."""
    parts = [struct.pack("=I", len(requests))]
    for route, request in requests:
        holes = list(_holes(request))
        parts.append(struct.pack(f"=III{len(holes)}I", route, len(request), len(holes), *holes))
        parts.append(request)
    return b"".join(parts)


def _holes(request: bytes) -> Iterator[int]:
    hole = _HOLE.encode()
    at = request.find(hole)
    while at >= 0:
        yield at
        at = request.find(hole, at + len(hole))
