"""Money from a wallet to any bank account: asking for it, and watching it."""

from __future__ import annotations

from typing import Final, assert_never

from bank.payouts import names, orders
from bank.payouts.orders import Payout
from bank.payouts.placing import not_reserved, reserved
from bank.payouts.states import State
from bank.sql import LEADING
from gateway.answers import ACCEPTED, CREATED, OK
from gateway.backend import Backend, Services
from gateway.bodies import validated
from gateway.call import Call
from gateway.cursors import Cursor, position_id
from gateway.identifiers import not_found, parse_id, path_id
from gateway.operations import MAKERS, READERS, Operation, Success
from gateway.parameters import CURSOR, LIMIT, Parameter, invalid_parameter
from gateway.payout_bodies import NewPayout
from gateway.payout_documents import PayoutPage, PayoutSchema, document
from gateway.payout_orders import bank_of, keep, order_of, same_payload
from gateway.problems import DATABASE_AWAY, GatewayCode, Refusal
from gateway.reading import read_document
from gateway.response import Answer
from gateway.writing import require_in_time
from ledger.kept import KEEPER
from ledger.rejections import Code
from producers.commands import Answered, Pending
from topology.documents import Document
from topology.errors import Unavailable

TAG: Final = "payouts"
ALL: Final = "/v1/payouts"
ONE: Final = "/v1/payouts/{payoutId}"
EXAMPLE: Final = {
    "walletExternalUniqueId": "escrow-000042",
    "amount": "1500.00",
    "externalUniqueId": "payout-000042",
    "beneficiary": {
        "name": "Thandi Nkosi",
        "accountNumber": "62000000001",
        "branchCode": "250655",
    },
    "theirReference": "Invoice 42",
}
_STATUS: Final = Parameter(
    "status", {"type": "string", "enum": [state.value for state in State]}, "Only those."
)
_WALLET: Final = Parameter("walletId", {"type": "string"}, "Only those from this wallet.")
_PROBLEM: Final = Parameter(
    "problem",
    {"type": "string", "enum": ["true", "false"], "default": "false"},
    "`true`: only those whose row cannot be booked.",
)


async def named(call: Call, services: Services) -> Payout:
    """The payout in the path, as it stands. Raises ``Refusal``."""
    payout_id = path_id(call, "payoutId", GatewayCode.PAYOUT_NOT_FOUND, "payout")
    found = await orders.get(services.bank or services.books, payout_id)
    if found is None:
        raise not_found(GatewayCode.PAYOUT_NOT_FOUND, "payout", payout_id)
    return found


async def written(services: Services, payout: Payout) -> Document:
    """The payout with what people said to it."""
    said = await orders.words(services.bank or services.books, [payout.payout_id])
    return document(payout, said.get(payout.payout_id, []))


class Payouts:
    """The routes of payouts themselves."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def post(self, call: Call) -> Answer:
        """Keep the order, hold its money, and say how it stands."""
        body = validated(NewPayout, await read_document(call))
        services = self._backend.services
        require_in_time(services, call)
        bank = bank_of(services)
        order = await order_of(call, services, body)
        payout, is_new = await keep(call, bank, order, services.payout_tiers)
        same = same_payload(payout, order)
        if not is_new and not (same and payout.state is State.REQUESTED):
            raise Refusal(
                GatewayCode.DUPLICATE_PAYOUT,
                "a payout with this externalUniqueId is there already; nothing was held",
                members={"samePayload": same, "payout": await written(services, payout)},
            )
        if call.waiting.respond_async:
            await bank.fetch(LEADING.wake, names.PLACE)
            answer = await _stands(services, payout)
        else:
            answer = await _hold(call, services, payout)
        if call.waiting.applied is not None:
            answer.headers += ((b"preference-applied", call.waiting.applied),)
        return answer

    async def get(self, call: Call) -> Answer:
        services = self._backend.services
        return Answer(OK, await written(services, await named(call, services)))

    async def page(self, call: Call) -> Answer:
        """The latest first."""
        query = call.query
        status = query.choice(_STATUS.name, ("", *(s.value for s in State)), "")
        wallet = query.text(_WALLET.name, 1, 100)
        wallet_id = None if wallet is None else parse_id(wallet)
        if wallet is not None and wallet_id is None:
            raise invalid_parameter(_WALLET.name, "is no wallet's id")
        with_problem = query.choice(_PROBLEM.name, ("true", "false"), "false") == "true"
        limit, cursor = query.limit(), Cursor(ALL, status, wallet, with_problem)
        position = cursor.read(query)
        books = self._backend.services.books
        found = await orders.page(
            books,
            before=orders.LAST_ID if position is None else position_id(position),
            state=State(status) if status else None,
            wallet_id=wallet_id,
            with_problem=with_problem,
            limit=limit + 1,
        )
        page = found[:limit]
        said = await orders.words(books, [payout.payout_id for payout in page])
        items = [document(payout, said.get(payout.payout_id, [])) for payout in page]
        return Answer(OK, cursor.page(items, page[-1].payout_id if len(found) > limit else None))

    def operations(self) -> list[Operation]:
        return [self._post(), self._list(), self._get()]

    def _post(self) -> Operation:
        return Operation(
            method="POST",
            path=ALL,
            answer=self.post,
            access=MAKERS,
            tag=TAG,
            summary="Pay somebody's bank account",
            description="The money is reserved until the bank has paid it, or certainly will not."
            " Who has to agree depends on the amount. It is asked of the bank once; a key that is"
            " in use asks for nothing again.",
            success={
                CREATED: Success("Its money is held", PayoutSchema),
                ACCEPTED: Success(
                    "Kept, and not known yet to be held: ask at `Location`",
                    PayoutSchema,
                    decided=False,
                ),
            },
            problems=(
                GatewayCode.IDEMPOTENCY_KEY_MISSING,
                GatewayCode.DUPLICATE_PAYOUT,
                Code.INVALID_AMOUNT,
                Code.UNKNOWN_WALLET,
                Code.SAME_WALLET,
                Code.WALLET_NOT_FOUND,
                Code.CURRENCY_MISMATCH,
                Code.WALLET_CLOSED,
                Code.WALLET_FROZEN,
                Code.LIMIT_EXCEEDED,
                Code.INSUFFICIENT_FUNDS,
                Code.DUPLICATE_RESERVATION,
            ),
            body=NewPayout,
            example=EXAMPLE,
        )

    def _list(self) -> Operation:
        return Operation(
            method="GET",
            path=ALL,
            answer=self.page,
            access=READERS,
            tag=TAG,
            summary="Payouts, the latest first",
            success={OK: Success("A page of them", PayoutPage)},
            query=(_STATUS, _WALLET, _PROBLEM, LIMIT, CURSOR),
        )

    def _get(self) -> Operation:
        return Operation(
            method="GET",
            path=ONE,
            answer=self.get,
            access=READERS,
            tag=TAG,
            summary="How a payout stands, who said what to it, and what people can do",
            success={OK: Success("The payout", PayoutSchema)},
            problems=(GatewayCode.PAYOUT_NOT_FOUND,),
        )


async def _hold(call: Call, services: Services, payout: Payout) -> Answer:
    """Raises ``Refusal`` or ``Unavailable`` where the money is not held, and will not be."""
    bank = bank_of(services)
    try:
        told = await services.sender.ask(
            payout.reservation,
            # Who asked for it is kept with the payout; its names are the bank side's own.
            actor=KEEPER,
            wait_s=call.waiting.wait_s,
            spent_s=call.exchange.elapsed_s,
            deadline=call.deadline,
            trace=call.exchange.trace_id,
        )
    except Unavailable as error:
        try:
            await not_reserved(bank, payout, f"unavailable: {error}")
        except DATABASE_AWAY:
            # The order stays, and the process goes on with it: that nothing was accepted would not
            # be true.
            return _answer(ACCEPTED, document(payout, []), payout)
        raise
    match told:
        case Pending():
            return await _stands(services, payout)
        case Answered(command_id=command_id, outcome=outcome):
            await reserved(bank, payout, outcome.result)
            await bank.fetch(LEADING.wake, names.SUBMIT)
            stands = await _stands(services, payout)
            decided = services.answers.decided(command_id, outcome.result, call.exchange.trace_id)
            if stands.status == ACCEPTED and decided.code:
                return decided
            token = services.sender.command_ids.token(command_id)
            stands.headers += ((b"sov-command-id", token.encode()),)
            return stands
        case _:
            assert_never(told)


async def _stands(services: Services, payout: Payout) -> Answer:
    """How it stands by now: held, or nobody knows yet."""
    found = await orders.get(bank_of(services), payout.payout_id) or payout
    status = ACCEPTED if found.held is None else CREATED
    return _answer(status, await written(services, found), found)


def _answer(status: int, content: Document, payout: Payout) -> Answer:
    return Answer(status, content, ((b"location", f"{ALL}/{payout.payout_id}".encode()),))
