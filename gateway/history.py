"""What a wallet holds and what moved on it, now and then."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from gateway.answers import OK
from gateway.backend import Backend
from gateway.call import Call
from gateway.cursors import Cursor, position_number
from gateway.identifiers import wallet_id_of, wallet_not_found
from gateway.operations import READERS, Operation, Success
from gateway.parameters import CURSOR, LIMIT, Parameter, Query, invalid_parameter
from gateway.response import Answer
from gateway.schemas import Balance, EntryPage
from ledger import reads
from ledger.money import exponent_of, format_minor
from ledger.reads import Stretch
from ledger.rejections import Code
from topology import documents
from topology.documents import Document, timestamp

_BALANCE: Final = "/v1/wallets/{walletId}/balance"
_TRANSACTIONS: Final = "/v1/wallets/{walletId}/transactions"
_MOST_ENTRIES: Final = 2**53
_TIME: Final = {"type": "string", "format": "date-time"}
_COUNT: Final = {"type": "integer", "minimum": 0, "maximum": _MOST_ENTRIES, "default": 0}

_AT: Final = Parameter(
    "at", _TIME, "The current balance then, this moment included; not beyond `completeUntil`."
)
_FROM: Final = Parameter("dateFromIncl", _TIME, "Entries created then or later.")
_TO: Final = Parameter("dateToExcl", _TIME, "Entries created before that.")
_OFFSET: Final = Parameter("offset", _COUNT, "How many to leave out before the first page.")
_AFTER: Final = Parameter("afterSequence", _COUNT, "Only entries behind this one of the wallet.")
_ORDER: Final = Parameter(
    "order", {"type": "string", "enum": ["asc", "desc"], "default": "asc"}, "By `sequence`."
)


class History:
    """The routes ``…/balance`` and ``…/transactions`` of a wallet."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def balance(self, call: Call) -> Answer:
        wallet_id = wallet_id_of(call)
        moment = call.query.moment(_AT.name)
        if moment is not None:
            return await self._balance_at(wallet_id, moment)
        found = await reads.wallet(self._backend.services.books, wallet_id)
        if found is None:
            raise wallet_not_found(wallet_id)
        state = found.state
        document = documents.balance(wallet_id, state.wallet.currency, state.balance, found.as_of)
        return Answer(OK, document)

    async def _balance_at(self, wallet_id: UUID, moment: datetime) -> Answer:
        books = self._backend.services.books
        # Read first: what can still change after this reading is not looked at below.
        complete_until = await reads.complete_until(books)
        if moment > complete_until:
            raise invalid_parameter(
                _AT.name, f"is later than {timestamp(complete_until)}, until when all is known"
            )
        then = await reads.balance_at(books, wallet_id, moment)
        if then is None:
            raise wallet_not_found(wallet_id)
        return Answer(OK, _balance_then(wallet_id, then, moment))

    async def transactions(self, call: Call) -> Answer:
        """A page of a wallet's entries."""
        wallet_id = wallet_id_of(call)
        question = _Question(call.query)
        cursor = Cursor(_TRANSACTIONS, wallet_id, *question.filters)
        position = cursor.read(call.query)
        services = self._backend.services
        books = services.books
        # Read first: an entry that can still appear must not be promised away.
        complete_until = await reads.complete_until(books)
        currency = await services.currencies.currency(wallet_id)
        part = await reads.stretch(
            books,
            wallet_id,
            date_from=question.date_from,
            date_to=question.date_to,
            after_sequence=question.after_sequence,
        )
        if part is None or currency is None:
            raise wallet_not_found(wallet_id)
        part = question.rest(part, position)
        found = await reads.entries(
            books, wallet_id, part, descending=question.descending, limit=question.limit + 1
        )
        page = found[: question.limit]
        more = len(found) > question.limit
        document = cursor.page(
            [documents.entry(e, currency) for e in page],
            page[-1].sequence if more else None,
        )
        document["completeUntil"] = timestamp(complete_until)
        return Answer(OK, document)

    def operations(self) -> list[Operation]:
        return [
            Operation(
                method="GET",
                path=_BALANCE,
                answer=self.balance,
                access=READERS,
                tag="wallets",
                summary="A wallet's balance, now or at a moment of the past",
                success={OK: Success("The balance", Balance)},
                problems=(Code.WALLET_NOT_FOUND,),
                query=(_AT,),
            ),
            Operation(
                method="GET",
                path=_TRANSACTIONS,
                answer=self.transactions,
                access=READERS,
                tag="wallets",
                summary="What moved on a wallet",
                description="Entries in the order of their `sequence`. To follow a wallet, ask for"
                " what is behind the last `sequence` seen.",
                success={OK: Success("A page of entries", EntryPage)},
                problems=(Code.WALLET_NOT_FOUND,),
                query=(_FROM, _TO, LIMIT, CURSOR, _OFFSET, _ORDER, _AFTER),
            ),
        ]


class _Question:
    """Which entries are asked for, and how many at a time."""

    def __init__(self, query: Query) -> None:
        self.limit = query.limit()
        self.offset = query.integer(_OFFSET.name, 0, _MOST_ENTRIES, 0)
        self.after_sequence = query.integer(_AFTER.name, 0, _MOST_ENTRIES, 0)
        self.descending = query.choice(_ORDER.name, ("asc", "desc"), "asc") == "desc"
        self.date_from = query.moment(_FROM.name)
        self.date_to = query.moment(_TO.name)
        if self.date_from and self.date_to and self.date_from > self.date_to:
            raise invalid_parameter(_TO.name, f"is before {_FROM.name}")

    @property
    def filters(self) -> tuple[object, ...]:
        return (self.date_from, self.date_to, self.after_sequence, self.descending, self.offset)

    def rest(self, part: Stretch, position: str | None) -> Stretch:
        """What is left of the stretch behind ``position``, the last sequence that was shown.

        Sequences have no gaps, so an offset is a number to add and costs nothing.
        """
        if position is None:
            if self.descending:
                return part._replace(end=part.end - self.offset)
            return part._replace(first=part.first + self.offset)
        last = position_number(position)
        if self.descending:
            return part._replace(end=min(part.end, last))
        return part._replace(first=max(part.first, last + 1))


def _balance_then(wallet_id: UUID, then: reads.BalanceThen, moment: datetime) -> Document:
    """The members of a balance; what was reserved then is not kept."""
    return {
        "walletId": str(wallet_id),
        "currency": then.currency,
        "currentBalance": format_minor(then.current_minor, exponent_of(then.currency)),
        "availableBalance": None,
        "reservations": None,
        "minimumBalance": None,
        "asOf": timestamp(moment),
    }
