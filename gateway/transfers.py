"""Money from one wallet to another, and back."""

from __future__ import annotations

from typing import Final

from gateway.answers import CREATED, OK
from gateway.backend import Backend, reading
from gateway.bodies import NewReversal, NewTransfer, validated
from gateway.call import Call
from gateway.cursors import Cursor
from gateway.identifiers import idempotency_key, not_found, optional_key, path_id
from gateway.movements import movement, named_wallets, require_sides
from gateway.operations import READERS, WRITERS, Operation, Success
from gateway.parameters import CURSOR, LIMIT, Parameter
from gateway.problems import GatewayCode
from gateway.reading import read_document
from gateway.response import Answer
from gateway.schemas import Check, Transfer, TransferPage
from gateway.writing import Writes, require_in_time
from ledger import reads
from ledger.check import check_transfer
from ledger.commands import TRANSFER_KEY_LENGTH, ReverseTransfer
from ledger.rejections import Code

_TAG: Final = "transfers"
#: No key is this short, so that a check without one meets no duplicate.
_NO_KEY: Final = ""

_KEY: Final = Parameter(
    "externalUniqueId",
    {"type": "string", "minLength": TRANSFER_KEY_LENGTH[0], "maxLength": TRANSFER_KEY_LENGTH[1]},
    "The transfer that used this key: one or none.",
    required=True,
    example="order-2026-000123",
)
_REFUSALS: Final = (
    GatewayCode.IDEMPOTENCY_KEY_MISSING,
    Code.INVALID_REQUEST,
    Code.INVALID_AMOUNT,
    Code.DUPLICATE_TRANSFER,
    Code.CURRENCY_MISMATCH,
    Code.WALLET_CLOSED,
    Code.WALLET_FROZEN,
    Code.LIMIT_EXCEEDED,
    Code.INSUFFICIENT_FUNDS,
)


class Transfers:
    """The routes below ``/v1/transfers``."""

    def __init__(self, backend: Backend, writes: Writes) -> None:
        self._backend, self._writes = backend, writes

    async def post(self, call: Call) -> Answer:
        """Post a transfer, or only say whether it would succeed."""
        body = validated(NewTransfer, await read_document(call))
        require_sides(body)
        if body.only_check:
            return await self._check(call, body)
        key = idempotency_key(call, body.external_unique_id, TRANSFER_KEY_LENGTH)
        services = self._backend.services
        named = await named_wallets(call, services, [body])
        return await self._writes.carry_out(call, movement(body, key, named))

    async def reverse(self, call: Call) -> Answer:
        """Give a transfer back, whole or in part."""
        body = validated(NewReversal, await read_document(call))
        key = idempotency_key(call, body.external_unique_id, TRANSFER_KEY_LENGTH)
        transfer_id = path_id(call, "transferId", Code.TRANSFER_NOT_FOUND, "transfer")
        services = self._backend.services
        require_in_time(services, call)
        async with reading(call):
            original = await services.originals.direction(transfer_id)
        if original is None:
            raise not_found(Code.TRANSFER_NOT_FOUND, "transfer", transfer_id)
        command = ReverseTransfer(
            transfer_id=transfer_id,
            from_wallet_id=original.to_wallet_id,
            to_wallet_id=original.from_wallet_id,
            external_unique_id=key,
            amount=body.amount,
            description=body.description,
        )
        return await self._writes.carry_out(call, command)

    async def get(self, call: Call) -> Answer:
        transfer_id = path_id(call, "transferId", Code.TRANSFER_NOT_FOUND, "transfer")
        services = self._backend.services
        found = await reads.transfer(services.books, transfer_id)
        if found is None:
            raise not_found(Code.TRANSFER_NOT_FOUND, "transfer", transfer_id)
        return Answer(OK, services.answers.transfer(found))

    async def find(self, call: Call) -> Answer:
        """The transfer of a key, as a list of one or none."""
        key = call.query.required_text(_KEY.name, *TRANSFER_KEY_LENGTH)
        call.query.limit()
        cursor = Cursor("/v1/transfers", key)
        cursor.read(call.query)
        services = self._backend.services
        found = await reads.transfer_of_key(services.books, key)
        items = [] if found is None else [services.answers.transfer(found)]
        return Answer(OK, cursor.page(items, None))

    async def _check(self, call: Call, body: NewTransfer) -> Answer:
        key = optional_key(call, body.external_unique_id, TRANSFER_KEY_LENGTH)
        services = self._backend.services
        require_in_time(services, call)
        command = movement(body, key or _NO_KEY, await named_wallets(call, services, [body]))
        async with reading(call), services.books.snapshot() as snapshot:
            rejection = await check_transfer(snapshot, command)
        if rejection is not None:
            raise services.answers.refusal(rejection)
        return Answer(OK, {"wouldSucceed": True})

    def operations(self) -> list[Operation]:
        return [self._post(), self._reverse(), self._get(), self._find()]

    def _post(self) -> Operation:
        return Operation(
            method="POST",
            path="/v1/transfers",
            answer=self.post,
            access=WRITERS,
            tag=_TAG,
            summary="Post a transfer",
            description="Two wallets, one amount, and a key that is used up for ever. With a"
            " `sessionId` all reservations of that session are released first.",
            success={
                CREATED: Success("The transfer", Transfer),
                OK: Success("With `onlyCheck`: it would succeed now", Check, decided=False),
            },
            problems=(*_REFUSALS, Code.UNKNOWN_WALLET, Code.SAME_WALLET),
            body=NewTransfer,
            example={
                "fromWalletId": "0198f0a4-2c8e-7d31-9f0e-3a5b8c1d2e4f",
                "toWalletId": "0198f0a4-2c8e-7d31-9f0e-3a5b8c1d2e50",
                "amount": "100.00",
                "externalUniqueId": "order-2026-000123",
                "description": "Groceries",
            },
        )

    def _reverse(self) -> Operation:
        return Operation(
            method="POST",
            path="/v1/transfers/{transferId}/reversals",
            answer=self.reverse,
            access=WRITERS,
            tag=_TAG,
            summary="Reverse a transfer, whole or in part",
            description="All reversals of a transfer together never exceed it; a reversal cannot"
            " be reversed.",
            success={CREATED: Success("The reversal", Transfer)},
            problems=(*_REFUSALS, Code.TRANSFER_NOT_FOUND, Code.REVERSAL_EXCEEDS_ORIGINAL),
            body=NewReversal,
            example={"externalUniqueId": "refund-2026-000123", "amount": "40.00"},
        )

    def _get(self) -> Operation:
        return Operation(
            method="GET",
            path="/v1/transfers/{transferId}",
            answer=self.get,
            access=READERS,
            tag=_TAG,
            summary="A transfer",
            success={OK: Success("The transfer", Transfer)},
            problems=(Code.TRANSFER_NOT_FOUND,),
        )

    def _find(self) -> Operation:
        return Operation(
            method="GET",
            path="/v1/transfers",
            answer=self.find,
            access=READERS,
            tag=_TAG,
            summary="Find a transfer by its key",
            success={OK: Success("One transfer, or none", TransferPage)},
            query=(_KEY, LIMIT, CURSOR),
        )
