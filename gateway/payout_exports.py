"""Payment files: payouts that a person brings to the bank."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from bank.payouts import exporting, orders
from bank.payouts.exporting import NothingToExport
from bank.payouts.files import KINDS, Format
from gateway.answers import CREATED, OK
from gateway.backend import Backend
from gateway.bodies import validated
from gateway.call import Call
from gateway.cursors import Cursor, position_id
from gateway.identifiers import not_found, parse_id, path_id
from gateway.operations import MAKERS, READERS, Operation, Success
from gateway.parameters import CURSOR, LIMIT
from gateway.payout_bodies import NewPayoutExport
from gateway.payout_documents import PayoutExportPage, PayoutExportSchema, export_document
from gateway.payout_orders import bank_of, person_of, source_of
from gateway.payouts import ALL, TAG
from gateway.problems import GatewayCode, Refusal, invalid
from gateway.reading import read_document
from gateway.response import Answer

_EXPORTS: Final = f"{ALL}/exports"
_FILE: Final = f"{_EXPORTS}/{{exportId}}/file"


class PayoutExports:
    """The routes below ``/v1/payouts/exports``."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def post(self, call: Call) -> Answer:
        """Write a file, and have it said of its payouts in the same moment."""
        body = validated(NewPayoutExport, await read_document(call))
        services = self._backend.services
        bank = bank_of(services)
        ids = None if body.payout_ids is None else _ids(body.payout_ids)
        source = await source_of(services, body.bank_account_id)
        try:
            async with bank.connection() as connection:
                made = await exporting.export(
                    connection,
                    Format(body.format),
                    source.debtor,
                    source.account_id,
                    person_of(call),
                    ids,
                )
        except NothingToExport as error:
            raise Refusal(GatewayCode.PAYOUT_CONFLICT, str(error)) from None
        path = f"{_EXPORTS}/{made.export_id}/file"
        return Answer(CREATED, export_document(made), ((b"location", path.encode()),))

    async def page(self, call: Call) -> Answer:
        """The latest first."""
        limit, cursor = call.query.limit(), Cursor(_EXPORTS)
        position = cursor.read(call.query)
        found = await exporting.page(
            self._backend.services.books,
            before=orders.LAST_ID if position is None else position_id(position),
            limit=limit + 1,
        )
        page = found[:limit]
        items = [export_document(export) for export in page]
        return Answer(OK, cursor.page(items, page[-1].export_id if len(found) > limit else None))

    async def file(self, call: Call) -> Answer:
        """The very bytes that were written, however often they are asked for."""
        code = GatewayCode.PAYOUT_EXPORT_NOT_FOUND
        export_id = path_id(call, "exportId", code, "payment file")
        services = self._backend.services
        found = await exporting.file(services.bank or services.books, export_id)
        if found is None:
            raise not_found(code, "payment file", export_id)
        kind = KINDS[found.export.format]
        name = f'attachment; filename="payouts-{export_id}.{kind.suffix}"'
        headers = ((b"content-disposition", name.encode()),)
        return Answer(OK, found.content, headers, kind.media_type)

    def operations(self) -> list[Operation]:
        return [self._post(), self._list(), self._file()]

    def _post(self) -> Operation:
        return Operation(
            method="POST",
            path=_EXPORTS,
            answer=self.post,
            access=MAKERS,
            tag=TAG,
            summary="Write payouts into a file to upload at the bank",
            description="pain.001 or CSV. What a file carries is `AWAITING_BANK` from then on and"
            " never asked for through the API as well; each is settled when its row appears. The"
            " file is at `Location`, and stays there.",
            success={CREATED: Success("The file's description", PayoutExportSchema)},
            problems=(GatewayCode.PAYOUT_CONFLICT,),
            body=NewPayoutExport,
            example={"format": "PAIN.001"},
            stores=True,
        )

    def _list(self) -> Operation:
        return Operation(
            method="GET",
            path=_EXPORTS,
            answer=self.page,
            access=READERS,
            tag=TAG,
            summary="Payment files, the latest first",
            success={OK: Success("A page of them", PayoutExportPage)},
            query=(LIMIT, CURSOR),
        )

    def _file(self) -> Operation:
        return Operation(
            method="GET",
            path=_FILE,
            answer=self.file,
            access=MAKERS,
            tag=TAG,
            summary="A payment file",
            success={OK: Success("XML or CSV, as it was written", media_type="application/xml")},
            problems=(GatewayCode.PAYOUT_EXPORT_NOT_FOUND,),
        )


def _ids(texts: list[str]) -> list[UUID]:
    found = [parse_id(each) for each in texts]
    for at, (text, payout_id) in enumerate(zip(texts, found, strict=True)):
        if payout_id is None:
            raise invalid(f"is no payout's id: {text[:60]!a}", f"/payoutIds/{at}")
    return [payout_id for payout_id in found if payout_id is not None]
