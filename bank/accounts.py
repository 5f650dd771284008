"""The accounts that are followed, and the wallets that stand for them in the books."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog

from bank.investec.errors import BankError
from bank.investec.records import bank_day
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
        """Raises ``BankError``, ``Unavailable`` or a database's error; of single accounts at the
        end only: what becomes of one is nothing to the others."""
        await self._keep_following()
        known = {account.account_id for account in await followed(self._services.pool)}
        wanted, problems = await self._wanted(known)
        for account_id in wanted:
            try:
                await self._follow(account_id, await self._currency(account_id))
            except (BankError, Unavailable) as error:
                problems.append(f"account {account_id} is not followed: {error}")
        await self._describe()
        if problems:
            raise Unavailable("; ".join(problems))

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

    async def _wanted(self, known: set[str]) -> tuple[Sequence[str], list[str]]:
        """Accounts to be taken up, and what is wrong with those that cannot be."""
        bank, follow = self._services.bank, self._services.follow
        named = sorted(follow.accounts - known)
        if bank is None or (follow.accounts and not named):
            return named, []
        found = [account.account_id for account in await bank.accounts()]
        if not follow.accounts:
            return [each for each in found if each not in known], []
        missing = [f"the bank shows no account {each}" for each in named if each not in found]
        return [each for each in named if each in found], missing

    async def _currency(self, account_id: str) -> str:
        bank = self._services.bank
        if bank is None:
            return self._services.follow.currency
        return (await bank.balance(account_id)).currency

    async def _follow(self, account_id: str, currency: str) -> None:
        """Each part may be there already: made by whoever was killed over it."""
        control = await self._wallet(f"bank-control:{account_id}", currency, WalletType.SYSTEM)
        suspense = await self._wallet(f"bank-suspense:{account_id}", currency)
        charges = await self._wallet(f"bank-charges:{account_id}", currency, WalletType.SYSTEM)
        since = self._services.follow.since
        if since is None:
            since = bank_day(self._services.clock.now())
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
