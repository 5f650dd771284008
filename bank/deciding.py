"""Whose money each new row is: said once, and kept before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from bank.claims import Claim, Claimant, Wait, key_of
from bank.matching import Match, aliases, match, references
from bank.services import Services
from bank.sql import DEPOSITS as SQL
from bank.stored import Purpose, StoredRow, row_of

_AT_ONCE: Final = 200
_FIRST: Final = UUID(int=0)


class Deciding:
    """The step that decides. Claimants are asked in order, then the ladder of ``bank.matching``."""

    def __init__(self, services: Services, claimants: Sequence[Claimant]) -> None:
        self._services, self._claimants = services, claimants

    async def run(self) -> None:
        pool, after = self._services.pool, _FIRST
        while records := await pool.fetch(SQL.undecided, after, _AT_ONCE):
            for record in records:
                async with pool.acquire() as connection, connection.transaction():
                    await self._decide(connection, record["row_id"])
            after = records[-1]["row_id"]
            self._services.wake("booking")

    async def _decide(self, connection: Any, row_id: UUID) -> None:
        record = await connection.fetchrow(SQL.lock_undecided, row_id)
        if record is None:
            return
        row = row_of(record)
        candidates: Sequence[UUID] = ()
        claim = await self._claimed(connection, row)
        if isinstance(claim, Wait):
            await connection.execute(SQL.wait, row.row_id, claim.why)
            return
        if claim is None:
            claim, candidates = await _matched(connection, row)
        await connection.execute(
            SQL.decide,
            row.row_id,
            claim.wallet_id,
            claim.purpose,
            claim.matched_by,
            list(candidates),
            claim.session_id,
            claim.transfer_key or key_of(row.row_id),
        )

    async def _claimed(self, connection: Any, row: StoredRow) -> Claim | Wait | None:
        for claimant in self._claimants:
            claim = await claimant.claim(connection, row)
            if claim is not None:
                return claim
        return None


async def _matched(connection: Any, row: StoredRow) -> tuple[Claim, Sequence[UUID]]:
    if not row.line.credit:
        return Claim(row.charges_wallet, Purpose.BANK_CHARGE, ""), ()
    description = row.line.description
    named = await connection.fetch(SQL.wallets_named, list(references(description)), row.currency)
    meant = await connection.fetch(SQL.wallets_meant, row.account_id, list(aliases(description)))
    found = match(
        description,
        {each["reference"]: each["wallet_id"] for each in named},
        {each["alias"]: each["wallet_id"] for each in meant},
    )
    if isinstance(found, Match):
        return Claim(found.wallet_id, Purpose(found.rung.value), found.by), ()
    return Claim(row.suspense_wallet, Purpose(found.why.value), ""), found.candidates
