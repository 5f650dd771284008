"""Reconciliations: asking for one, and reading what came of it."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import structlog

from bank.reconciliation import report_text, requests
from bank.reconciliation.requests import Kind, Request, Status
from gateway.answers import ACCEPTED, OK
from gateway.backend import Backend, Extracts
from gateway.books import Books
from gateway.call import Call
from gateway.cursors import Cursor, position_number
from gateway.extracts import conflict, is_same, receive
from gateway.identifiers import not_found
from gateway.operations import READERS, RECONCILERS, Operation, Success
from gateway.parameters import CURSOR, LIMIT, Parameter
from gateway.problems import GatewayCode, unavailable
from gateway.reconciliation_documents import (
    DifferencePage,
    ReconciliationPage,
    ReconciliationSchema,
    difference_document,
    document,
)
from gateway.reconciliation_orders import EXAMPLES, QUERY, asked_of, place_of
from gateway.response import Answer
from producers.bulk.ids import BATCH_ID
from topology.documents import Document, timestamp
from topology.errors import Unavailable

_TAG: Final = "reconciliations"
_ALL: Final = "/v1/reconciliations"
_ONE: Final = "/v1/reconciliations/{reconciliationId}"
_DIFFERENCES: Final = f"{_ONE}/differences"
_REPORT: Final = f"{_ONE}/report"
_TEXT: Final = b"text/plain; charset=utf-8"
#: Of the differences in a text for people; all of them are in their own list.
_SHOWN: Final = 50
_KINDS: Final = (
    *("MISSING_HERE", "MISSING_THERE", "AMOUNT", "WALLET", "STATUS"),
    *("LISTED_TWICE", "UNREADABLE", "BALANCE", "NOT_PROVEN", "GAP"),
)
_KIND: Final = Parameter("kind", {"type": "string", "enum": list(_KINDS)}, "Only these.")
_ENCODING_HEADER: Final = {
    "name": "Content-Encoding",
    "description": "`gzip` or `zstd`, where the extract is packed.",
    "schema": {"type": "string"},
    "example": "gzip",
}

_log = structlog.get_logger(__name__)


class Reconciliations:
    """The routes below ``/v1/reconciliations``."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def post(self, call: Call) -> Answer:
        """Keep what is to be compared, and send word of it; the same again is the same."""
        store, extracts = self._place()
        asked = await asked_of(call, self._backend.services.clock.now())
        made = await requests.create(store, asked.reconciliation_id, call.key.key_id, asked.order)
        request = await self._get(asked.reconciliation_id, store)
        if request.order != asked.order:
            raise conflict("a reconciliation of this id was asked for with other parameters")
        announce = made
        if request.status is Status.RECEIVING:
            await receive(call, store, extracts, request)
            announce = True
        elif request.order.kind is Kind.ECLIPSE:
            if request.digest is None:
                raise conflict(f"the reconciliation is FAILED: {request.reason}")
            if not await is_same(call, request):
                raise conflict("another extract was sent under this reconciliationId")
        if announce:
            await self._announce(store, extracts, asked.reconciliation_id)
        location = (b"location", f"{_ALL}/{asked.reconciliation_id}".encode())
        found = await self._get(asked.reconciliation_id, store)
        return Answer(ACCEPTED, document(found), (location,))

    async def _announce(self, store: Books, extracts: Extracts, reconciliation_id: str) -> None:
        """It is kept: whether its command arrives decides only how soon it is compared."""
        try:
            await extracts.commands.send(reconciliation_id)
        except Unavailable as error:
            _log.warning("reconciliation.not_sent", id=reconciliation_id, error=str(error))
            await requests.resend(store, reconciliation_id)

    async def get(self, call: Call) -> Answer:
        return Answer(OK, document(await self._named(call)))

    async def latest(self, call: Call) -> Answer:
        """The latest first."""
        limit, cursor = call.query.limit(), Cursor(_ALL)
        found = await requests.page(self._books(), place_of(cursor.read(call.query)), limit + 1)
        page = found[:limit]
        last = page[-1] if len(found) > limit else None
        following = None if last is None else f"{timestamp(last.created)} {last.reconciliation_id}"
        return Answer(OK, cursor.page([document(each) for each in page], following))

    async def differences(self, call: Call) -> Answer:
        """In the order in which they were found."""
        kind = call.query.choice("kind", _KINDS, "") if "kind" in call.query else None
        limit, request = call.query.limit(), await self._named(call)
        cursor = Cursor(_DIFFERENCES, request.reconciliation_id, kind)
        position = cursor.read(call.query)
        after = 0 if position is None else position_number(position)
        found = await requests.differences(self._books(), request, kind, after, limit + 1)
        page = found[:limit]
        following = page[-1].number if len(found) > limit else None
        return Answer(OK, cursor.page([difference_document(each) for each in page], following))

    async def report(self, call: Call) -> Answer:
        """For a person, or by ``Accept: application/json`` for a machine."""
        request = await self._named(call)
        kept = await requests.report(self._books(), request.reconciliation_id)
        if kept is None:
            why = f": {request.reason}" if request.reason else ""
            raise conflict(f"there is no report yet: it is {request.status}{why}")
        if b"json" in (call.field(b"accept") or b""):
            return Answer(OK, kept.encode())
        found = await requests.differences(self._books(), request, None, 0, _SHOWN)
        shown = [difference_document(each) for each in found]
        report: Document = msgspec.json.decode(kept)
        text = report_text.written(report, shown, request.differences or 0)
        return Answer(OK, text.encode(), media_type=_TEXT)

    async def _named(self, call: Call) -> Request:
        return await self._get(call.segment("reconciliationId"), self._books())

    async def _get(self, reconciliation_id: str, queries: Any) -> Request:
        request = None
        if BATCH_ID.fullmatch(reconciliation_id):
            request = await requests.get(queries, reconciliation_id)
        if request is None:
            code = GatewayCode.RECONCILIATION_NOT_FOUND
            raise not_found(code, "reconciliation", reconciliation_id)
        return request

    def _books(self) -> Books:
        return self._backend.services.books

    def _place(self) -> tuple[Books, Extracts]:
        services = self._backend.services
        if services.bank is None or services.extracts is None:
            raise unavailable("this gateway reconciles nothing: SOV_DATABASE_URL_BANKER is not set")
        return services.bank, services.extracts

    def operations(self) -> list[Operation]:
        return [self._post(), self._list(), self._get_one(), self._differences(), self._report()]

    def _post(self) -> Operation:
        return Operation(
            method="POST",
            path=_ALL,
            answer=self.post,
            access=RECONCILERS,
            tag=_TAG,
            summary="Compare the books with the bank, or with an extract of Eclipse's",
            description="BANK as JSON, or by the query without a body; ECLIPSE by the query, with"
            " the extract as the body: CSV with a header, or NDJSON; gzip and zstd by"
            " `Content-Encoding`. Compared in the background, in one snapshot; a period that is"
            " over but not complete yet is waited for.",
            success={ACCEPTED: Success("It is kept, and will be compared", ReconciliationSchema)},
            problems=(GatewayCode.RECONCILIATION_CONFLICT,),
            query=QUERY,
            files=EXAMPLES,
            headers=(_ENCODING_HEADER,),
            stores=True,
        )

    def _list(self) -> Operation:
        return Operation(
            method="GET",
            path=_ALL,
            answer=self.latest,
            access=READERS,
            tag=_TAG,
            summary="Reconciliations, the latest first",
            success={OK: Success("A page of them", ReconciliationPage)},
            query=(LIMIT, CURSOR),
        )

    def _get_one(self) -> Operation:
        return Operation(
            method="GET",
            path=_ONE,
            answer=self.get,
            access=READERS,
            tag=_TAG,
            summary="How far a reconciliation has come, and whether both sides agree",
            success={OK: Success("The reconciliation", ReconciliationSchema)},
            problems=(GatewayCode.RECONCILIATION_NOT_FOUND,),
        )

    def _differences(self) -> Operation:
        return Operation(
            method="GET",
            path=_DIFFERENCES,
            answer=self.differences,
            access=READERS,
            tag=_TAG,
            summary="What differs, each with what to do",
            description="Empty until it is DONE.",
            success={OK: Success("A page of them", DifferencePage)},
            problems=(GatewayCode.RECONCILIATION_NOT_FOUND,),
            query=(_KIND, LIMIT, CURSOR),
        )

    def _report(self) -> Operation:
        return Operation(
            method="GET",
            path=_REPORT,
            answer=self.report,
            access=READERS,
            tag=_TAG,
            summary="The report",
            description="Text for a person; by `Accept: application/json` the same for a machine.",
            success={OK: Success("The report", media_type="text/plain")},
            problems=(
                GatewayCode.RECONCILIATION_NOT_FOUND,
                GatewayCode.RECONCILIATION_CONFLICT,
            ),
        )
