"""The rules of wallets: opening, naming, freezing, closing, limits."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from uuid import UUID

import msgspec

from ledger.books import Books
from ledger.commands import ChangeWallet, CreateWallet
from ledger.money import LIMIT_MINOR, UnknownCurrency, exponent_of, to_minor
from ledger.outcomes import WalletChanged, WalletCreated
from ledger.records import Balance, Wallet, WalletState, WalletStatus, WalletType
from ledger.rejections import Code, Rejection
from ledger.transfers import limit_exceeded, too_fine, wallet_closed

NewId = Callable[[], UUID]
NewReference = Callable[[], str]


def decide_wallet(
    command: CreateWallet, books: Books, new_id: NewId, new_reference: NewReference
) -> WalletCreated | Rejection:
    """Open a wallet with a zero balance."""
    try:
        exponent = exponent_of(command.currency)
    except UnknownCurrency as error:
        return Rejection(Code.INVALID_REQUEST, str(error), pointer="/currency")
    minimum_minor = _minimum(command.type, command.minimum_balance, exponent)
    if minimum_minor is None and command.type is not WalletType.SYSTEM:
        return too_fine(command.currency, "/minimumBalance")
    original = books.taken_wallets.get(command.external_unique_id)
    if original is not None:
        original = _as_it_stands(original, books)
        return Rejection(
            Code.DUPLICATE_WALLET,
            "a wallet with this externalUniqueId is on the ledger already; none was created",
            same_payload=original.wallet.currency == command.currency
            and original.wallet.type is command.type
            and original.wallet.minimum_minor == minimum_minor
            and original.wallet.name == command.name,
            wallet=original,
        )
    if minimum_minor is not None and abs(minimum_minor) > LIMIT_MINOR:
        return limit_exceeded(command.currency)
    wallet = Wallet(
        wallet_id=new_id(),
        external_unique_id=command.external_unique_id,
        currency=command.currency,
        type=command.type,
        status=WalletStatus.ACTIVE,
        minimum_minor=minimum_minor,
        reference=new_reference(),
        created=books.at,
        name=command.name,
        metadata=command.metadata,
    )
    return WalletCreated(WalletState(wallet, Balance(0, 0, minimum_minor)))


def decide_change(command: ChangeWallet, books: Books) -> WalletChanged | Rejection:
    """Change what may change of a wallet; its balance is not touched."""
    wallet = books.wallets.get(command.wallet_id)
    if wallet is None:
        return wallet_not_found(command.wallet_id)
    changed = msgspec.structs.replace(
        wallet,
        status=command.status or wallet.status,
        name=wallet.name if command.name is None else command.name,
        metadata=wallet.metadata if command.metadata is None else command.metadata,
    )
    if command.minimum_balance is not None:
        if wallet.type is WalletType.SYSTEM:
            return Rejection(
                Code.INVALID_REQUEST, "a SYSTEM wallet has no lower limit", "/minimumBalance"
            )
        exponent = exponent_of(wallet.currency)
        minimum_minor = _minimum(wallet.type, command.minimum_balance, exponent)
        if minimum_minor is None:
            return too_fine(wallet.currency, "/minimumBalance")
        changed = msgspec.structs.replace(changed, minimum_minor=minimum_minor)
    return _refuse_change(wallet, changed, books) or WalletChanged(books.state(changed))


def _refuse_change(wallet: Wallet, changed: Wallet, books: Books) -> Rejection | None:
    balance = books.balance(changed)
    if wallet.status is WalletStatus.CLOSED:
        return wallet_closed(wallet)
    if changed.status is WalletStatus.CLOSED and (
        balance.current_minor != 0 or balance.reserved_minor != 0
    ):
        return Rejection(
            Code.WALLET_NOT_EMPTY,
            f"wallet {wallet.wallet_id} still has a balance or a live reservation",
            pointer="/status",
        )
    if changed.minimum_minor is None or wallet.minimum_minor is None:
        return None
    if abs(changed.minimum_minor) > LIMIT_MINOR:
        return limit_exceeded(wallet.currency)
    # A limit that the wallet already breaks would make rule 4 unverifiable.
    if changed.minimum_minor > wallet.minimum_minor and balance.available_minor < 0:
        return Rejection(
            Code.INSUFFICIENT_FUNDS,
            "the balance without its reservations is below the minimum asked for",
            pointer="/minimumBalance",
        )
    return None


def _as_it_stands(state: WalletState, books: Books) -> WalletState:
    """The wallet with what the batch has done to it so far."""
    wallet = books.wallets.get(state.wallet.wallet_id)
    # Not loaded where another partition has created it just now: then it is as it was read.
    return state if wallet is None else books.state(wallet)


def _minimum(wallet_type: WalletType, minimum: Decimal, exponent: int) -> int | None:
    return None if wallet_type is WalletType.SYSTEM else to_minor(minimum, exponent)


def wallet_not_found(wallet_id: UUID) -> Rejection:
    return Rejection(Code.WALLET_NOT_FOUND, f"there is no wallet {wallet_id}")
