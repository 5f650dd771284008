"""The accounts that are followed, and the wallets that stand for them in the books."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import structlog

from bank.investec.records import SAST
from bank.services import ACTOR, Services
from bank.sql import DEPOSITS as SQL
from bank.stored import BankAccount, account_of
from ledger.commands import CreateWallet
from ledger.database import Queries
from ledger.outcomes import WalletCreated
from ledger.records import Wallet, WalletType
from ledger.rejections import Code, Rejection
from producers.commands import Answered
from topology.errors import Unavailable

_WAIT_S: Final = 20.0

_log = structlog.get_logger(__name__)


async def followed(queries: Queries) -> list[BankAccount]:
    """All that are, or were."""
    return [account_of(record) for record in await queries.fetch(SQL.accounts)]


class Accounts:
    """The step that follows the accounts which are to be followed, and lets go of all others: these
    are fetched no more, and what is stored of them is still decided and booked."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def run(self) -> None:
        """Raises ``BankError``, ``Unavailable`` or a database's error."""
        await self._keep_following()
        known = {account.account_id for account in await followed(self._services.pool)}
        for account_id, currency in await self._wanted(known):
            await self._follow(account_id, currency)
        await self._describe()

    async def _keep_following(self) -> None:
        pool, named = self._services.pool, sorted(self._services.follow.accounts)
        for changed in await pool.fetch(SQL.keep_following, named):
            if changed["followed_until"] is None:
                _log.info("bank.followed_again", account=changed["account_id"])
                self._services.wake("feed")
            else:
                _log.warning("bank.let_go", account=changed["account_id"], named=named)
        if self._services.bank is None:
            await pool.fetch(SQL.without_api)

    async def _describe(self) -> None:
        """What payment files call the accounts."""
        pool, bank = self._services.pool, self._services.bank
        if bank is None or not await pool.fetch(SQL.undescribed):
            return
        for account in await bank.accounts():
            await pool.fetch(SQL.describe, account.account_id, account.number, account.name)

    async def _wanted(self, known: set[str]) -> list[tuple[str, str]]:
        bank, follow = self._services.bank, self._services.follow
        if bank is None:
            return [(each, follow.currency) for each in sorted(follow.accounts - known)]
        if follow.accounts and follow.accounts <= known:
            return []
        found = [account.account_id for account in await bank.accounts()]
        wanted = [
            each
            for each in found
            if each not in known and (not follow.accounts or each in follow.accounts)
        ]
        return [(each, (await bank.balance(each)).currency) for each in wanted]

    async def _follow(self, account_id: str, currency: str) -> None:
        """Each part may be there already: made by whoever was killed over it."""
        control = await self._wallet(f"bank-control:{account_id}", currency, WalletType.SYSTEM)
        suspense = await self._wallet(f"bank-suspense:{account_id}", currency)
        charges = await self._wallet(f"bank-charges:{account_id}", currency, WalletType.SYSTEM)
        since = self._services.follow.since
        if since is None:
            since = self._services.clock.now().astimezone(SAST).date()
        await self._services.pool.fetch(
            SQL.follow, account_id, currency, control, suspense, charges, since
        )
        _log.info("bank.followed", account=account_id, since=str(since))
        self._services.wake("feed")

    async def _wallet(
        self, key: str, currency: str, kind: WalletType = WalletType.STANDARD
    ) -> UUID:
        command = CreateWallet(key, currency, kind, name=key.partition(":")[0].replace("-", " "))
        answer = await self._services.commands.ask(command, actor=ACTOR, wait_s=_WAIT_S)
        if not isinstance(answer, Answered):
            raise Unavailable(f"whether there is a wallet {key} is not known yet")
        wallet = _wallet_of(answer)
        if wallet is None or (wallet.currency, wallet.type) != (currency, kind):
            raise Unavailable(f"the wallet {key} is not what it has to be: {answer.outcome.result}")
        return wallet.wallet_id


def _wallet_of(answer: Answered) -> Wallet | None:
    match answer.outcome.result:
        case WalletCreated(state=state):
            return state.wallet
        case Rejection(code=Code.DUPLICATE_WALLET, wallet=state) if state is not None:
            return state.wallet
        case _:
            return None
