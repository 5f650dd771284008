"""Wallets: opening, finding, changing them, and what is on them."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from gateway.answers import CREATED, OK
from gateway.auth import require_operator
from gateway.backend import Backend
from gateway.bodies import NewWallet, WalletChange, validated
from gateway.call import Call
from gateway.cursors import Cursor, position_id
from gateway.identifiers import idempotency_key, wallet_id_of, wallet_not_found
from gateway.operations import READERS, WRITERS, Operation, Success
from gateway.parameters import CURSOR, LIMIT, Parameter
from gateway.problems import GatewayCode, invalid
from gateway.reading import read_document
from gateway.response import Answer
from gateway.schemas import Wallet, WalletPage
from gateway.writing import Writes
from ledger import reads
from ledger.commands import WALLET_KEY_LENGTH, ChangeWallet, CreateWallet
from ledger.records import WalletStatus, WalletType
from ledger.rejections import Code
from topology import documents

_TAG: Final = "wallets"
_ALL: Final = "/v1/wallets"
_ONE: Final = "/v1/wallets/{walletId}"
_LONGEST_REFERENCE: Final = 40

_EXTERNAL_ID: Final = Parameter(
    "externalUniqueId",
    {"type": "string", "minLength": WALLET_KEY_LENGTH[0], "maxLength": WALLET_KEY_LENGTH[1]},
    "Only the wallet with this external id.",
)
_REFERENCE: Final = Parameter(
    "reference",
    {"type": "string", "minLength": 1, "maxLength": _LONGEST_REFERENCE},
    "Only the wallet with this payment reference; spaces and case do not matter.",
)


class Wallets:
    """The routes ``/v1/wallets`` and ``/v1/wallets/{walletId}``."""

    def __init__(self, backend: Backend, writes: Writes) -> None:
        self._backend, self._writes = backend, writes

    async def post(self, call: Call) -> Answer:
        body = validated(NewWallet, await read_document(call))
        key = idempotency_key(call, body.external_unique_id, WALLET_KEY_LENGTH)
        minimum = body.minimum_balance or Decimal(0)
        wallet_type = WalletType(body.type or WalletType.STANDARD)
        if wallet_type is WalletType.SYSTEM:
            require_operator(call, "a SYSTEM wallet")
            if minimum:
                raise invalid("a SYSTEM wallet has no lower limit", "/minimumBalance")
        if minimum:
            require_operator(call, "a minimumBalance other than 0")
        command = CreateWallet(
            external_unique_id=key,
            currency=body.currency,
            type=wallet_type,
            minimum_balance=minimum,
            name=body.name,
            metadata=body.metadata or {},
        )
        return await self._writes.carry_out(call, command)

    async def change(self, call: Call) -> Answer:
        body = validated(WalletChange, await read_document(call))
        if not body.model_fields_set:
            raise invalid("names nothing to change", "")
        if "minimum_balance" in body.model_fields_set:
            require_operator(call, "a change of minimumBalance")
        command = ChangeWallet(
            wallet_id=wallet_id_of(call),
            status=WalletStatus(body.status) if "status" in body.model_fields_set else None,
            minimum_balance=body.minimum_balance,
            name=body.name,
            metadata=body.metadata,
        )
        return await self._writes.carry_out(call, command)

    async def get(self, call: Call) -> Answer:
        wallet_id = wallet_id_of(call)
        found = await reads.wallet(self._backend.services.books, wallet_id)
        if found is None:
            raise wallet_not_found(wallet_id)
        return Answer(OK, documents.wallet(found.state))

    async def page(self, call: Call) -> Answer:
        """All wallets, or those with a name: at most one then."""
        query = call.query
        external_id = query.text(_EXTERNAL_ID.name, *WALLET_KEY_LENGTH)
        reference = query.text(_REFERENCE.name, 1, _LONGEST_REFERENCE)
        limit = query.limit()
        cursor = Cursor(_ALL, external_id, reference)
        position = cursor.read(query)
        after = reads.FIRST_ID if position is None else position_id(position)
        books = self._backend.services.books
        if external_id is None and reference is None:
            found = await reads.wallets(books, after=after, limit=limit + 1)
        else:
            found = await reads.find_wallets(
                books,
                external_unique_id=external_id,
                reference=None if reference is None else "".join(reference.split()).upper(),
            )
        more = len(found) > limit
        items = [documents.wallet(state) for state in found[:limit]]
        return Answer(OK, cursor.page(items, found[limit - 1].wallet.wallet_id if more else None))

    def operations(self) -> list[Operation]:
        return [self._post(), self._list(), self._get(), self._change()]

    def _post(self) -> Operation:
        return Operation(
            method="POST",
            path=_ALL,
            answer=self.post,
            access=WRITERS,
            tag=_TAG,
            summary="Open a wallet",
            success={CREATED: Success("The wallet", Wallet)},
            problems=(
                GatewayCode.IDEMPOTENCY_KEY_MISSING,
                Code.INVALID_AMOUNT,
                Code.DUPLICATE_WALLET,
                Code.LIMIT_EXCEEDED,
            ),
            body=NewWallet,
            example={
                "externalUniqueId": "customer-4711-main",
                "currency": "ZAR",
                "name": "Everyday",
                "metadata": {"customer": "4711"},
            },
        )

    def _list(self) -> Operation:
        return Operation(
            method="GET",
            path=_ALL,
            answer=self.page,
            access=READERS,
            tag=_TAG,
            summary="Wallets, all or by name",
            success={OK: Success("A page of them", WalletPage)},
            query=(_EXTERNAL_ID, _REFERENCE, LIMIT, CURSOR),
        )

    def _get(self) -> Operation:
        return Operation(
            method="GET",
            path=_ONE,
            answer=self.get,
            access=READERS,
            tag=_TAG,
            summary="A wallet",
            success={OK: Success("The wallet", Wallet)},
            problems=(Code.WALLET_NOT_FOUND,),
        )

    def _change(self) -> Operation:
        return Operation(
            method="PATCH",
            path=_ONE,
            answer=self.change,
            access=WRITERS,
            tag=_TAG,
            summary="Change a wallet",
            description="Members that are left out stay; `name` and `metadata` are replaced whole.",
            success={OK: Success("The wallet as it is now", Wallet)},
            problems=(
                Code.INVALID_AMOUNT,
                Code.WALLET_NOT_FOUND,
                Code.WALLET_CLOSED,
                Code.WALLET_NOT_EMPTY,
                Code.LIMIT_EXCEEDED,
                Code.INSUFFICIENT_FUNDS,
            ),
            body=WalletChange,
            example={"status": "FROZEN"},
        )
