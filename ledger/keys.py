"""API keys: who may ask for what. A key is shown once; the books keep its SHA-256.

A plain hash is enough: the secret is 256 random bits, not a password that could be guessed.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import asyncpg

from ledger.database import Queries
from ledger.owners import kept_owner, plain
from ledger.sql import KEYS as SQL

_PREFIX = "sov"


class Scope(StrEnum):
    ECLIPSE = "eclipse"
    """Wallets, transfers, reservations, and all reads."""
    BATCH = "batch"
    """Batches, and all reads."""
    READER = "reader"
    """Reads."""
    OPERATOR = "operator"
    """Everything but approving what it made itself, and what takes two people at the bank."""
    BANK = "bank"
    """Asking for what concerns the bank: payouts, what to do with suspense; and all reads."""
    APPROVER = "approver"
    """Agreeing to what another person asked for there; and all reads."""


class ApiKey(NamedTuple):
    key_id: str
    name: str
    owner: str
    person: str
    """Whoever that is, as the oldest key of theirs spells it."""
    scopes: frozenset[Scope]
    secret_hash: bytes
    rate: int | None
    """Requests per second, None for no limit."""
    created: datetime
    expires: datetime | None
    revoked: datetime | None

    def is_valid_at(self, moment: datetime) -> bool:
        return self.revoked is None and (self.expires is None or moment < self.expires)


class KeyNameTaken(Exception):
    """A key of this name is in use: revoke it first, or choose another name."""


def hash_secret(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


async def create(
    connection: asyncpg.Connection,
    name: str,
    scopes: Sequence[Scope],
    *,
    owner: str | None = None,
    expires: datetime | None = None,
    rate: int | None = None,
) -> str:
    """Make a key and answer it, this one time. ``owner`` (default: the name) is the person or
    system behind it: whoever made something may not approve it with another key of theirs. Raises
    ``KeyNameTaken``, ``UnusableOwner``."""
    behind = name if owner is None else kept_owner(owner)
    key_id = secrets.token_hex(6)
    key = f"{_PREFIX}_{key_id}_{secrets.token_urlsafe(32)}"
    try:
        await connection.execute(
            SQL.create, key_id, name, behind, list(scopes), hash_secret(key), rate, expires
        )
    except asyncpg.UniqueViolationError as error:
        raise KeyNameTaken(name) from error
    return key


async def load_all(connection: Queries) -> list[ApiKey]:
    """Every key, revoked and expired ones included, the oldest first."""
    people: dict[str, str] = {}
    return [
        ApiKey(
            key_id=row["key_id"],
            name=row["name"],
            owner=row["owner"],
            person=people.setdefault(plain(row["owner"]), row["owner"]),
            scopes=frozenset(Scope(s) for s in row["scopes"]),
            secret_hash=row["secret_hash"],
            rate=row["rate"],
            created=row["created"],
            expires=row["expires"],
            revoked=row["revoked"],
        )
        for row in await connection.fetch(SQL.all)
    ]


async def revoke(connection: asyncpg.Connection, id_or_name: str) -> list[str]:
    """End the key; answers the ids that were ended, none where there was no such live key."""
    return [row["key_id"] for row in await connection.fetch(SQL.revoke, id_or_name)]
