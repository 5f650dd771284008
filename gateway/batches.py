"""Bulk files: handing them in, watching them, stopping them, and what became of their lines."""

from __future__ import annotations

import re
from typing import Any, Final

import uuid_utils.compat

from gateway.answers import ACCEPTED, OK
from gateway.backend import Backend, Files
from gateway.batch_documents import document
from gateway.batch_orders import EXAMPLES, MOST_LINES, SUBMISSION, order_of, place_of
from gateway.batch_results import CSV, NDJSON, stream
from gateway.call import Call
from gateway.cursors import Cursor
from gateway.identifiers import not_found
from gateway.operations import READERS, UPLOADERS, Operation, Success
from gateway.parameters import CURSOR, LIMIT, Parameter, invalid_parameter
from gateway.problems import GatewayCode, Refusal, unavailable
from gateway.response import Answer, Streamed
from gateway.schemas import Batch as BatchSchema
from gateway.schemas import BatchPage
from gateway.uploading import conflict, is_same, offset_header, receive
from ledger import batches
from ledger.batches import Batch, Status, Wish
from ledger.database import Queries
from ledger.rejections import Code
from producers.bulk.ids import BATCH_ID
from topology.documents import Document, timestamp

_TAG: Final = "batches"
_ALL: Final = "/v1/batches"
_ONE: Final = "/v1/batches/{batchId}"
_OFFSET: Final = re.compile(rb"[0-9]{1,18}")
_AFTER_LINE: Final = Parameter(
    "afterLine", {"type": "integer", "minimum": 0}, "Leave out the lines up to this one."
)
_OFFSET_HEADER: Final = {
    "name": "Upload-Offset",
    "required": True,
    "description": "How many bytes are there already: `receivedBytes`.",
    "schema": {"type": "integer"},
    "example": 1048576,
}
_ENCODING_HEADER: Final = {
    "name": "Content-Encoding",
    "description": "`gzip` or `zstd`, where the file is packed.",
    "schema": {"type": "string"},
    "example": "gzip",
}


class Batches:
    """The routes below ``/v1/batches``."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def post(self, call: Call) -> Answer:
        """Take a file in; the same file under the same id again answers what there is."""
        files = self._files()
        batch_id = call.query.text("batchId", 1, 100) or str(uuid_utils.compat.uuid7())
        if not BATCH_ID.fullmatch(batch_id):
            raise invalid_parameter("batchId", "may have letters, digits, dots, - and _")
        order = order_of(call)
        await batches.create(files.store, batch_id, call.key.key_id, order)
        batch = await self._get(batch_id)
        if batch.order != order:
            raise conflict(batch, "a batch of this id was handed in with other parameters")
        if batch.status is Status.RECEIVING:
            await receive(call, files, batch, 0)
        elif batch.digest is None:
            raise conflict(batch, f"the batch is {batch.status}: {batch.reason or 'it has ended'}")
        elif not await is_same(call, files, batch):
            raise conflict(batch, "another file was handed in under this batchId")
        return await self._accepted(batch_id)

    async def patch(self, call: Call) -> Answer:
        """Go on with an upload where it was cut."""
        files, batch = self._files(), await self._named(call)
        value = call.field(b"upload-offset")
        if value is None or not _OFFSET.fullmatch(value):
            detail = "has to say where the upload goes on"
            raise Refusal(
                Code.INVALID_REQUEST,
                f"Upload-Offset {detail}",
                errors=[{"detail": detail, "header": "Upload-Offset"}],
                headers=[offset_header(batch)],
            )
        if int(value) != batch.received_bytes:
            raise conflict(batch, f"the upload stands at {batch.received_bytes}")
        if batch.status is Status.RECEIVING:
            await receive(call, files, batch, batch.received_bytes)
        elif batch.digest is None or call.field(b"content-length") != b"0":
            raise conflict(batch, f"nothing is missing: the batch is {batch.status}")
        return await self._accepted(batch.batch_id)

    async def get(self, call: Call) -> Answer:
        batch, told = await self._told(call.segment("batchId"))
        return Answer(OK, told, (offset_header(batch),))

    async def latest(self, call: Call) -> Answer:
        """The latest first."""
        limit, cursor = call.query.limit(), Cursor(_ALL)
        position = cursor.read(call.query)
        async with self._books().snapshot() as books:
            found = await batches.page(books, place_of(position), limit + 1)
            page = found[:limit]
            items = [await _document(books, batch) for batch in page]
        last = page[-1] if len(found) > limit else None
        following = None if last is None else f"{timestamp(last.created)} {last.batch_id}"
        return Answer(OK, cursor.page(items, following))

    async def results(self, call: Call) -> Answer:
        """Every line that has its last word, as far as all lines before it have theirs."""
        after_line = call.query.integer("afterLine", 0, MOST_LINES, 0)
        batch = await self._named(call)
        decided = await batches.decided(self._books(), batch)
        complete = decided.before_lot is None
        accepts = call.field(b"accept") or b""
        media_type = NDJSON if b"ndjson" in accepts or b"jsonl" in accepts else CSV
        return Streamed(
            OK,
            headers=(
                (b"sov-results-complete", b"true" if complete else b"false"),
                (b"sov-results-last-line", b"%d" % max(decided.last_line, after_line)),
            ),
            media_type=media_type,
            parts=stream(self._books(), batch, decided.before_lot, after_line, media_type),
        )

    async def pause(self, call: Call) -> Answer:
        return await self._wish(call, Wish.PAUSE)

    async def resume(self, call: Call) -> Answer:
        return await self._wish(call, Wish.RUN)

    async def cancel(self, call: Call) -> Answer:
        return await self._wish(call, Wish.CANCEL)

    async def _wish(self, call: Call, wanted: Wish) -> Answer:
        batch, files = await self._named(call), self._files()
        if not await batches.wish(files.store, batch.batch_id, wanted):
            batch = await self._named(call)
            if not (wanted is Wish.CANCEL and batch.wish is Wish.CANCEL):
                raise conflict(batch, f"the batch is {batch.status}, or about to be CANCELLED")
        _, told = await self._told(batch.batch_id)
        return Answer(OK, told)

    async def _accepted(self, batch_id: str) -> Answer:
        batch, told = await self._told(batch_id)
        location = (b"location", f"{_ALL}/{batch_id}".encode())
        return Answer(ACCEPTED, told, (location, offset_header(batch)))

    async def _told(self, batch_id: str) -> tuple[Batch, Document]:
        """The batch and its document: its word and its counts are of one moment."""
        async with self._books().snapshot() as books:
            batch = await self._get(batch_id, books)
            return batch, await _document(books, batch)

    async def _named(self, call: Call) -> Batch:
        return await self._get(call.segment("batchId"))

    async def _get(self, batch_id: str, books: Queries | None = None) -> Batch:
        batch = None
        if BATCH_ID.fullmatch(batch_id):
            batch = await batches.get(books or self._books(), batch_id)
        if batch is None:
            raise not_found(GatewayCode.BATCH_NOT_FOUND, "batch", batch_id)
        return batch

    def _books(self) -> Any:
        return self._backend.services.books

    def _files(self) -> Files:
        files = self._backend.services.files
        if files is None:
            raise unavailable("this gateway takes no files: SOV_DATABASE_URL_UPLOADER is not set")
        return files

    def operations(self) -> list[Operation]:
        return [self._post(), self._patch(), self._list(), self._get_one(), self._results()] + [
            self._wishing(word, summary)
            for word, summary in (
                ("pause", "Send no more of the file's lines for now"),
                ("resume", "Go on with a paused file"),
                ("cancel", "Send no more of the file's lines; what was posted stays posted"),
            )
        ]

    def _post(self) -> Operation:
        return Operation(
            method="POST",
            path=_ALL,
            answer=self.post,
            access=UPLOADERS,
            tag=_TAG,
            summary="Hand in a file of transfers or wallets",
            description="CSV with a header, or NDJSON; gzip and zstd by `Content-Encoding`. Nothing"
            " moves before the whole file has arrived and its header, encoding and totals hold. The"
            " same file under the same `batchId` again is the same batch.",
            success={ACCEPTED: Success("It has arrived", BatchSchema)},
            problems=(GatewayCode.BATCH_CONFLICT,),
            query=SUBMISSION,
            files=EXAMPLES,
            headers=(_ENCODING_HEADER,),
            stores=True,
        )

    def _patch(self) -> Operation:
        return Operation(
            method="PATCH",
            path=_ONE,
            answer=self.patch,
            access=UPLOADERS,
            tag=_TAG,
            summary="Continue an upload that was cut short",
            description="With the file's remaining bytes, packed as they were.",
            success={ACCEPTED: Success("It has arrived", BatchSchema)},
            problems=(GatewayCode.BATCH_NOT_FOUND, GatewayCode.BATCH_CONFLICT),
            files={**EXAMPLES, "application/octet-stream": ""},
            headers=(_OFFSET_HEADER,),
            stores=True,
        )

    def _list(self) -> Operation:
        return Operation(
            method="GET",
            path=_ALL,
            answer=self.latest,
            access=READERS,
            tag=_TAG,
            summary="Files, the latest first",
            success={OK: Success("A page of them", BatchPage)},
            query=(LIMIT, CURSOR),
        )

    def _get_one(self) -> Operation:
        return Operation(
            method="GET",
            path=_ONE,
            answer=self.get,
            access=READERS,
            tag=_TAG,
            summary="How far a file has come",
            success={OK: Success("The batch", BatchSchema)},
            problems=(GatewayCode.BATCH_NOT_FOUND,),
        )

    def _results(self) -> Operation:
        return Operation(
            method="GET",
            path=_ONE + "/results",
            answer=self.results,
            access=READERS,
            tag=_TAG,
            summary="What became of each line, in the file's order",
            description="CSV, or NDJSON by `Accept: application/x-ndjson`. As far as all lines are"
            " decided: while the header `Sov-Results-Complete` says `false`, ask again with what"
            " `Sov-Results-Last-Line` says as `afterLine`.",
            success={OK: Success("One row per line", media_type="text/csv")},
            problems=(GatewayCode.BATCH_NOT_FOUND,),
            query=(_AFTER_LINE,),
        )

    def _wishing(self, word: str, summary: str) -> Operation:
        return Operation(
            method="POST",
            path=f"{_ONE}/{word}",
            answer=getattr(self, word),
            access=UPLOADERS,
            tag=_TAG,
            summary=summary,
            success={OK: Success("The batch; it is heeded within some seconds", BatchSchema)},
            problems=(GatewayCode.BATCH_NOT_FOUND, GatewayCode.BATCH_CONFLICT),
            stores=True,
        )


async def _document(books: Queries, batch: Batch) -> Document:
    return document(batch, await batches.progress(books, batch.batch_id))
