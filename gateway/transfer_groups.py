"""Several transfers in order, all of them or none."""

from __future__ import annotations

from gateway.answers import CREATED
from gateway.backend import Backend
from gateway.bodies import NewTransferGroup, validated
from gateway.call import Call
from gateway.identifiers import optional_key
from gateway.movements import movement, named_wallets, require_sides
from gateway.operations import WRITERS, Operation, Success
from gateway.problems import GatewayCode, invalid
from gateway.reading import GROUP_LIMIT, read_document
from gateway.response import Answer
from gateway.schemas import TransferGroup
from gateway.writing import Writes
from ledger.commands import TRANSFER_KEY_LENGTH, PostTransferGroup
from ledger.rejections import Code


class TransferGroups:
    """The route ``/v1/transfer-groups``."""

    def __init__(self, backend: Backend, writes: Writes) -> None:
        self._backend, self._writes = backend, writes

    async def post(self, call: Call) -> Answer:
        body = validated(NewTransferGroup, await read_document(call, GROUP_LIMIT))
        key = optional_key(call, body.external_unique_id, TRANSFER_KEY_LENGTH)
        for index, member in enumerate(body.transfers):
            require_sides(member, _pointer(index))
            if member.external_unique_id is None:
                raise invalid(
                    "is required",
                    f"{_pointer(index)}/externalUniqueId",
                    code=GatewayCode.IDEMPOTENCY_KEY_MISSING,
                )
        named = await named_wallets(call, self._backend.services, body.transfers)
        transfers = tuple(movement(m, m.external_unique_id or "", named) for m in body.transfers)
        return await self._writes.carry_out(call, PostTransferGroup(transfers, key))

    def operations(self) -> list[Operation]:
        return [
            Operation(
                method="POST",
                path="/v1/transfer-groups",
                answer=self.post,
                access=WRITERS,
                tag="transfers",
                summary="Post several transfers, all or none",
                description="In order: each sees the ones before it. A refusal carries the `index`"
                " of the transfer that stopped them all.",
                success={CREATED: Success("All transfers", TransferGroup)},
                problems=(
                    GatewayCode.IDEMPOTENCY_KEY_MISSING,
                    Code.INVALID_AMOUNT,
                    Code.DUPLICATE_GROUP,
                    Code.DUPLICATE_TRANSFER,
                    Code.UNKNOWN_WALLET,
                    Code.SAME_WALLET,
                    Code.CURRENCY_MISMATCH,
                    Code.WALLET_CLOSED,
                    Code.WALLET_FROZEN,
                    Code.LIMIT_EXCEEDED,
                    Code.INSUFFICIENT_FUNDS,
                ),
                body=NewTransferGroup,
                example={
                    "externalUniqueId": "payroll-2026-03",
                    "transfers": [
                        {
                            "fromWalletId": "0198f0a4-2c8e-7d31-9f0e-3a5b8c1d2e4f",
                            "toExternalUniqueId": "employee-17",
                            "amount": "1000.00",
                            "externalUniqueId": "payroll-2026-03-17",
                        }
                    ],
                },
            )
        ]


def _pointer(index: int) -> str:
    return f"/transfers/{index}"
