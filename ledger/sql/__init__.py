"""The ledger's SQL, one ``.sql`` file per subject and one field per statement.

In the files a statement starts with ``-- name: <field>``; a field without a statement, or a
statement without a field, fails at import.
"""

from __future__ import annotations

import dataclasses
import re
from importlib import resources
from typing import TypeVar

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)

T = TypeVar("T", bound="_Statements")


@dataclasses.dataclass(frozen=True, slots=True)
class _Statements:
    @classmethod
    def load(cls: type[T], stem: str) -> T:
        text = resources.files(__name__).joinpath(f"{stem}.sql").read_text()
        _, *parts = _NAME.split(text)
        found = {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
        expected = {field.name for field in dataclasses.fields(cls)}
        if found.keys() != expected:
            raise LookupError(f"{stem}.sql and {cls.__name__}: {found.keys() ^ expected}")
        return cls(**found)


@dataclasses.dataclass(frozen=True, slots=True)
class Execute(_Statements):
    lock_heads: str
    find_wallets: str
    wallets: str
    reservations: str
    facts: str
    reversed: str
    create_wallets: str
    change_wallets: str
    place_reservations: str
    release_reservations: str
    create_groups: str
    refuse_keys: str
    post: str


@dataclasses.dataclass(frozen=True, slots=True)
class Lookup(_Statements):
    wallets: str
    transfers: str
    releases: str
    reservations: str
    groups: str
    outcomes: str
    outcome_range: str


@dataclasses.dataclass(frozen=True, slots=True)
class Heads(_Statements):
    take_over: str
    end_owner: str
    reown: str
    tick: str
    sweep: str
    stale: str
    announce: str
    neighbours: str
    state: str


@dataclasses.dataclass(frozen=True, slots=True)
class Deployment(_Statements):
    read: str


@dataclasses.dataclass(frozen=True, slots=True)
class Reads(_Statements):
    clock: str
    complete_until: str
    wallet_ids: str
    wallet: str
    wallet_of_reference: str
    wallets: str
    balance_at: str
    first_sequence: str
    entries_ascending: str
    entries_descending: str
    transfer_of_key: str
    live_reservations: str
    command: str


@dataclasses.dataclass(frozen=True, slots=True)
class Keys(_Statements):
    create: str
    all: str
    revoke: str


@dataclasses.dataclass(frozen=True, slots=True)
class DeadLetters(_Statements):
    park: str
    list: str
    show: str


@dataclasses.dataclass(frozen=True, slots=True)
class Relay(_Statements):
    claim: str
    advance: str
    oldest: str


DEAD_LETTERS = DeadLetters.load("dead_letters")
DEPLOYMENT = Deployment.load("deployment")
EXECUTE = Execute.load("execute")
HEADS = Heads.load("heads")
KEYS = Keys.load("keys")
LOOKUP = Lookup.load("lookup")
READS = Reads.load("reads")
RELAY = Relay.load("relay")
