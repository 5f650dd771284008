"""Money held for a session, until it is spent, released or expires."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from gateway.answers import CREATED, NO_CONTENT, OK
from gateway.backend import Backend, Services
from gateway.bodies import NewReservation, validated
from gateway.call import Call
from gateway.cursors import Cursor, position_id
from gateway.identifiers import (
    idempotency_key,
    not_found,
    path_id,
    wallet_id_of,
    wallet_not_found,
)
from gateway.operations import READERS, WRITERS, Operation, Success
from gateway.parameters import CURSOR, LIMIT, Parameter
from gateway.problems import GatewayCode
from gateway.reading import read_document
from gateway.response import Answer
from gateway.schemas import Reservation, ReservationPage
from gateway.writing import Writes
from ledger import reads
from ledger.commands import (
    RESERVATION_KEY_LENGTH,
    SESSION_LENGTH,
    PlaceReservation,
    ReleaseReservation,
    ReleaseSession,
)
from ledger.rejections import Code
from topology import documents

_TAG: Final = "reservations"
_ALL: Final = "/v1/wallets/{walletId}/reservations"
_ONE: Final = "/v1/wallets/{walletId}/reservations/{reservationId}"
_SESSION_SCHEMA: Final = {
    "type": "string",
    "minLength": SESSION_LENGTH[0],
    "maxLength": SESSION_LENGTH[1],
}
_OF_SESSION: Final = Parameter("sessionId", _SESSION_SCHEMA, "Only those of this session.")
_THE_SESSION: Final = Parameter(
    "sessionId",
    _SESSION_SCHEMA,
    "Whose reservations to release.",
    required=True,
    example="session-000042",
)


class Reservations:
    """The routes below ``/v1/wallets/{walletId}/reservations``."""

    def __init__(self, backend: Backend, writes: Writes) -> None:
        self._backend, self._writes = backend, writes

    async def post(self, call: Call) -> Answer:
        body = validated(NewReservation, await read_document(call))
        key = idempotency_key(call, body.external_unique_id, RESERVATION_KEY_LENGTH)
        command = PlaceReservation(
            wallet_id=wallet_id_of(call),
            amount=body.amount,
            session_id=body.session_id,
            expires=body.expires,
            external_unique_id=key,
            currency=body.currency,
            description=body.description,
        )
        return await self._writes.carry_out(call, command)

    async def page(self, call: Call) -> Answer:
        """Those that hold funds now, a page of them."""
        wallet_id = wallet_id_of(call)
        session_id = call.query.text(_OF_SESSION.name, *SESSION_LENGTH)
        limit = call.query.limit()
        cursor = Cursor(_ALL, wallet_id, session_id)
        position = cursor.read(call.query)
        services = self._backend.services
        found = await reads.live_reservations(
            services.books,
            wallet_id,
            session_id=session_id,
            after=reads.FIRST_ID if position is None else position_id(position),
            limit=limit + 1,
        )
        if not found:
            await _require_wallet(services, wallet_id)
        more = len(found) > limit
        items = [documents.reservation(r) for r in found[:limit]]
        return Answer(OK, cursor.page(items, found[limit - 1].reservation_id if more else None))

    async def get(self, call: Call) -> Answer:
        wallet_id, reservation_id = wallet_id_of(call), _reservation_id(call)
        services = self._backend.services
        found = await reads.live_reservations(
            services.books, wallet_id, reservation_id=reservation_id
        )
        if not found:
            await _require_wallet(services, wallet_id)
            raise not_found(Code.RESERVATION_NOT_FOUND, "live reservation", reservation_id)
        return Answer(OK, documents.reservation(found[0]))

    async def release(self, call: Call) -> Answer:
        command = ReleaseReservation(wallet_id_of(call), _reservation_id(call))
        return await self._writes.carry_out(call, command)

    async def release_session(self, call: Call) -> Answer:
        session_id = call.query.required_text(_THE_SESSION.name, *SESSION_LENGTH)
        command = ReleaseSession(wallet_id_of(call), session_id)
        return await self._writes.carry_out(call, command)

    def operations(self) -> list[Operation]:
        return [self._post(), self._list(), self._get(), *self._releases()]

    def _post(self) -> Operation:
        return Operation(
            method="POST",
            path=_ALL,
            answer=self.post,
            access=WRITERS,
            tag=_TAG,
            summary="Reserve an amount for a session",
            success={CREATED: Success("The reservation", Reservation)},
            problems=(
                GatewayCode.IDEMPOTENCY_KEY_MISSING,
                Code.INVALID_AMOUNT,
                Code.DUPLICATE_RESERVATION,
                Code.WALLET_NOT_FOUND,
                Code.CURRENCY_MISMATCH,
                Code.WALLET_CLOSED,
                Code.WALLET_FROZEN,
                Code.LIMIT_EXCEEDED,
                Code.INSUFFICIENT_FUNDS,
            ),
            body=NewReservation,
            example={
                "amount": "1000.00",
                "sessionId": "session-000042",
                "expires": "2030-03-24T10:00:00Z",
                "externalUniqueId": "reservation-000042",
            },
        )

    def _list(self) -> Operation:
        return Operation(
            method="GET",
            path=_ALL,
            answer=self.page,
            access=READERS,
            tag=_TAG,
            summary="A wallet's reservations that hold funds now",
            success={OK: Success("A page of them", ReservationPage)},
            problems=(Code.WALLET_NOT_FOUND,),
            query=(_OF_SESSION, LIMIT, CURSOR),
        )

    def _get(self) -> Operation:
        return Operation(
            method="GET",
            path=_ONE,
            answer=self.get,
            access=READERS,
            tag=_TAG,
            summary="A reservation that holds funds now",
            success={OK: Success("The reservation", Reservation)},
            problems=(Code.WALLET_NOT_FOUND, Code.RESERVATION_NOT_FOUND),
        )

    def _releases(self) -> list[Operation]:
        return [
            Operation(
                method="DELETE",
                path=_ALL,
                answer=self.release_session,
                access=WRITERS,
                tag=_TAG,
                summary="Release all that a session holds on a wallet",
                success={NO_CONTENT: Success("Released, or nothing was held")},
                problems=(Code.WALLET_NOT_FOUND,),
                query=(_THE_SESSION,),
            ),
            Operation(
                method="DELETE",
                path=_ONE,
                answer=self.release,
                access=WRITERS,
                tag=_TAG,
                summary="Release a reservation",
                success={NO_CONTENT: Success("Released")},
                problems=(Code.WALLET_NOT_FOUND, Code.RESERVATION_NOT_FOUND),
            ),
        ]


def _reservation_id(call: Call) -> UUID:
    return path_id(call, "reservationId", Code.RESERVATION_NOT_FOUND, "live reservation")


async def _require_wallet(services: Services, wallet_id: UUID) -> None:
    if await reads.wallet(services.books, wallet_id) is None:
        raise wallet_not_found(wallet_id)
