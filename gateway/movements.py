"""From the bodies of transfers to commands: which wallets they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.backend import Services, reading
from gateway.bodies import Transfer
from gateway.call import Call
from gateway.identifiers import parse_id
from gateway.problems import invalid
from ledger.commands import WALLET_KEY_LENGTH, PostTransfer, WalletRef

Refs = Mapping[str, WalletRef]


async def named_wallets(call: Call, services: Services, bodies: Sequence[Transfer]) -> Refs:
    """The wallets that the bodies name by external id, as commands may carry them."""
    names = {
        name
        for body in bodies
        for name in (body.from_external_unique_id, body.to_external_unique_id)
        if name is not None
    }
    if not names:
        return {}
    async with reading(call):
        return await services.names.refs(names)


def require_sides(body: Transfer, pointer: str = "") -> None:
    """Raises ``Refusal`` unless each side names its wallet in exactly one way."""
    _require_one("from", body.from_wallet_id, body.from_external_unique_id, pointer)
    _require_one("to", body.to_wallet_id, body.to_external_unique_id, pointer)


def movement(body: Transfer, key: str, named: Refs) -> PostTransfer:
    """The command that the body asks for."""
    return PostTransfer(
        from_wallet=_wallet(body.from_wallet_id, body.from_external_unique_id, named),
        to_wallet=_wallet(body.to_wallet_id, body.to_external_unique_id, named),
        amount=body.amount,
        external_unique_id=key,
        currency=body.currency,
        session_id=body.session_id,
        external_id=body.external_id,
        description=body.description,
        metadata=body.metadata or {},
    )


def _require_one(side: str, wallet_id: str | None, external_id: str | None, pointer: str) -> None:
    if wallet_id is None and external_id is None:
        what = f"is required, or {side}ExternalUniqueId instead"
        raise invalid(what, f"{pointer}/{side}WalletId")
    if wallet_id is not None and external_id is not None:
        what = f"must be left out where {side}WalletId is given"
        raise invalid(what, f"{pointer}/{side}ExternalUniqueId")


def _wallet(wallet_id: str | None, external_id: str | None, named: Refs) -> WalletRef:
    if external_id is not None:
        return named[external_id]
    text = wallet_id or ""
    found = parse_id(text)
    return _nobody(text) if found is None else WalletRef(wallet_id=found)


def _nobody(text: str) -> WalletRef:
    """To callers ids are opaque: one that is no id of ours names a wallet that does not exist. The
    ledger says so, because other refusals come before. No wallet has a name as short as this."""
    shortest, _ = WALLET_KEY_LENGTH
    shown = text if len(text) < shortest else f"{text[: shortest - 2]}…"
    return WalletRef(external_unique_id=shown)
