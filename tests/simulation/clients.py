"""Callers that collide on a few wallets, ask in every way there is, and sometimes hang up."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

from tests.simulation.calls import READING, Caller, Patience
from tests.simulation.history import Heard, Kind, Operation
from tests.simulation.settling import Settler

_REMEMBERED: Final = 60
#: Enough that all of them are nearly always at work, and little enough to leave the machine to the
#: system: the point is collisions, not load.
_PAUSE_S: Final = 0.06
_PAGE: Final = 50


@dataclass(slots=True)
class World:
    """What all clients know: the wallets, and what was done lately."""

    run: str
    bank: str
    wallets: list[str]
    numbers: Any = field(default_factory=count)
    transfers: deque[Operation] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    reservations: deque[Operation] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    writes: deque[Operation] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def key(self, kind: str) -> str:
        return f"{kind}-{self.run}-{next(self.numbers)}"


class Client:
    """One caller with its own seeded choices; one call at a time."""

    def __init__(
        self, name: str, rng: random.Random, caller: Caller, world: World, settler: Settler
    ) -> None:
        self._name, self._rng, self._caller = name, rng, caller
        self._world, self._settler = world, settler
        self._choices: dict[Callable[[], Awaitable[Operation | None]], int] = {
            self._transfer: 25,
            self._pay_out: 6,
            self._fund: 3,
            self._reserve: 12,
            self._session_transfer: 9,
            self._release: 4,
            self._release_session: 2,
            self._reverse: 5,
            self._group: 6,
            self._wallet: 2,
            self._repeat: 8,
            self._balance: 10,
            self._entries: 5,
            self._find: 4,
        }

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            (choice,) = self._rng.choices(list(self._choices), list(self._choices.values()))
            operation = await choice()
            if operation is not None and operation.status in (429, 503):
                await asyncio.sleep(self._rng.uniform(0.1, 0.3))
            await asyncio.sleep(self._rng.expovariate(1 / _PAUSE_S))

    async def _transfer(self) -> Operation:
        source, target = self._rng.sample(self._world.wallets, 2)
        return await self._write(Kind.TRANSFER, "t", _movement(source, target, self._amount()))

    async def _fund(self) -> Operation:
        target = self._rng.choice(self._world.wallets)
        movement = _movement(self._world.bank, target, self._amount() * 3)
        return await self._write(Kind.TRANSFER, "t", movement)

    async def _pay_out(self) -> Operation:
        # Keeps the wallets poor: funds that always suffice would show little.
        source = self._rng.choice(self._world.wallets)
        movement = _movement(source, self._world.bank, self._amount() * 2)
        return await self._write(Kind.TRANSFER, "t", movement)

    async def _reserve(self) -> Operation:
        # Sessions are few, so that some hold several reservations on several wallets.
        request = {
            "wallet": self._rng.choice(self._world.wallets),
            "amount": self._amount(),
            "session": f"session-{self._rng.randrange(12)}",
            "expires": expiry(self._rng.choice((1.5, 4.0, 30.0))),
        }
        return await self._write(Kind.RESERVE, "r", request)

    async def _session_transfer(self) -> Operation:
        source, target = self._rng.sample(self._world.wallets, 2)
        session = f"session-{self._rng.randrange(12)}"
        if self._world.reservations and self._rng.random() < 0.8:
            held = self._rng.choice(self._world.reservations)
            source, session = held.request["wallet"], held.request["session"]
            target = self._rng.choice([w for w in self._world.wallets if w != source])
        movement = _movement(source, target, self._amount(), session)
        return await self._write(Kind.TRANSFER, "t", movement)

    async def _release(self) -> Operation | None:
        if not self._world.reservations:
            return None
        held = self._rng.choice(self._world.reservations)
        reservation = (held.answer or {})["reservationId"]
        request = {"wallet": held.request["wallet"], "reservation": reservation}
        return await self._write(Kind.RELEASE, None, request)

    async def _release_session(self) -> Operation:
        request = {
            "wallet": self._rng.choice(self._world.wallets),
            "session": f"session-{self._rng.randrange(12)}",
        }
        return await self._write(Kind.RELEASE_SESSION, None, request)

    async def _reverse(self) -> Operation | None:
        if not self._world.transfers:
            return None
        original = (self._rng.choice(self._world.transfers).answer or {})["transferId"]
        amount = self._rng.choice((None, self._amount()))
        request = {"original": original, "amount": amount}
        return await self._write(Kind.REVERSAL, "t", request)

    async def _group(self) -> Operation:
        key = self._world.key("g")
        members = []
        for index in range(self._rng.randint(2, 4)):
            source, target = self._rng.sample([self._world.bank, *self._world.wallets], 2)
            member = _movement(source, target, self._amount() // 2 + 1)
            members.append({**member, "key": f"{key}-{index}"})
        return await self._write(Kind.GROUP, key, {"members": members})

    async def _wallet(self) -> Operation:
        return await self._write(Kind.WALLET, "w", {"type": "STANDARD", "minimum": 0})

    async def _repeat(self) -> Operation | None:
        """The same key again: with the same payload, or with another one."""
        if not self._world.writes:
            return None
        before = self._rng.choice(self._world.writes)
        request = dict(before.request)
        if before.kind is Kind.RESERVE:
            request["expires"] = expiry(4.0)
        if before.kind in (Kind.TRANSFER, Kind.RESERVE) and self._rng.random() < 0.4:
            request["amount"] += 1
        return await self._write(before.kind, before.key, request)

    async def _balance(self) -> Operation:
        return await self._read(Kind.BALANCE, None, {"wallet": self._any_wallet()})

    async def _entries(self) -> Operation:
        request = {
            "wallet": self._any_wallet(),
            "after": self._rng.choice((0, self._rng.randrange(200))),
            "limit": _PAGE,
        }
        return await self._read(Kind.ENTRIES, None, request)

    async def _find(self) -> Operation | None:
        sent = [op.key for op in self._world.writes if op.kind is Kind.TRANSFER]
        if not sent:
            return None
        return await self._read(Kind.FIND, self._rng.choice(sent), {})

    async def _read(self, kind: Kind, key: str | None, request: Mapping[str, Any]) -> Operation:
        return await self._caller.call(self._name, kind, key=key, request=request, patience=READING)

    async def _write(self, kind: Kind, key: str | None, request: Mapping[str, Any]) -> Operation:
        """``key`` is one to use, or one letter for a fresh one of that space."""
        if key is not None and len(key) == 1:
            key = self._world.key(key)
        operation = await self._caller.call(
            self._name, kind, key=key, request=request, patience=self._patience()
        )
        if operation.heard is Heard.UNKNOWN:
            self._settler.settle(operation)
        if key is not None:
            self._world.writes.append(operation)
        if operation.heard is Heard.OK and kind is Kind.TRANSFER:
            self._world.transfers.append(operation)
        if operation.heard is Heard.OK and kind is Kind.RESERVE:
            self._world.reservations.append(operation)
        return operation

    def _patience(self) -> Patience:
        chance = self._rng.random()
        if chance < 0.5:
            return Patience.of(5.0)
        if chance < 0.7:
            return Patience.of(round(self._rng.uniform(0.1, 1.0), 2))
        if chance < 0.85:
            return Patience.of(self._rng.choice((2.0, 10.0)))
        if chance < 0.93:
            return Patience(None, deadline_s=self._rng.choice((None, 3.0, 15.0)))
        # Hangs up early, knowing nothing.
        return Patience(2.0, gives_up_s=self._rng.uniform(0.002, 0.3))

    def _amount(self) -> int:
        return self._rng.randint(1, 6_000)

    def _any_wallet(self) -> str:
        return self._rng.choice([self._world.bank, *self._world.wallets])


def expiry(in_s: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=in_s)).isoformat()


def _movement(source: str, target: str, amount: int, session: str | None = None) -> dict[str, Any]:
    return {"from": source, "to": target, "amount": amount, "session": session}
