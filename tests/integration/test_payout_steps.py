"""The statements that change a payout's state lead where its rules say, and from nowhere else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from bank.payouts.states import Event, State, sources, target
from bank.sql import PAYOUTS as SQL
from ledger.database import connect_owner
from tests.databases import Database

_ACCOUNT = "172878438321553632224"
_WITH_THE_BANK = (State.SUBMITTING, State.AWAITING_BANK, State.UNKNOWN)
_MADE = (State.SETTLED, State.RETURNED)
_UNAPPROVED = (State.REQUESTED, State.AWAITING_APPROVAL)


@dataclass
class Case:
    """A payout in some state, and everything that its statements ask for beside it."""

    connection: Any
    payout_id: UUID
    debit_row: UUID
    return_row: UUID
    other_row: UUID
    """Of no payout yet."""
    export_id: UUID

    async def run(self, statement: str, *arguments: object) -> None:
        await self.connection.fetch(statement, *arguments)

    async def asked(self, statement: str, *arguments: object) -> None:
        """About the asking that it is in."""
        submitted = await self.connection.fetchval("SELECT submitted FROM payouts")
        await self.run(statement, self.payout_id, submitted, *arguments)


async def _reserved(case: Case) -> None:
    """Nobody else has to agree."""
    await case.run("UPDATE payouts SET approvals_needed = 0")
    await case.run(SQL.reserved, case.payout_id)


async def _debited(case: Case) -> None:
    await case.run(SQL.claim_debit, case.payout_id, case.other_row)
    await case.run(SQL.settled, case.other_row, uuid4())


async def _credited_back(case: Case) -> None:
    await case.run(SQL.claim_return, case.payout_id, case.other_row)
    await case.run(SQL.returned, case.other_row, uuid4(), "in suspense")


Run = Callable[[Case], Awaitable[None]]
_RUNS: list[tuple[Event, Run]] = [
    (Event.RESERVED, _reserved),
    (Event.RESERVED_FOR_APPROVAL, lambda c: c.run(SQL.reserved, c.payout_id)),
    (Event.APPROVED, lambda c: c.run(SQL.approve, c.payout_id, "k2", "ben", None)),
    (Event.SUBMITTED, lambda c: c.run(SQL.submitted, c.payout_id, "b-1")),
    (Event.NOT_ASKED, lambda c: c.asked(SQL.not_asked, "away")),
    (Event.NOT_ASKED, lambda c: c.asked(SQL.not_admitted, "403")),
    (Event.TAKEN_IN, lambda c: c.asked(SQL.taken_in, "UBP1", "taken", None)),
    (Event.REFUSED, lambda c: c.asked(SQL.answered, target(Event.REFUSED).value, "no")),
    (Event.UNHEARD, lambda c: c.asked(SQL.answered, target(Event.UNHEARD).value, "cut")),
    (Event.UNHEARD, lambda c: c.run(SQL.found_submitting, "killed")),
    (Event.LAPSED, lambda c: c.run(SQL.lapsed, "too late")),
    (Event.GIVEN_UP, lambda c: c.run(SQL.give_up, c.payout_id, "k2", "ben", None)),
    (
        Event.EXPORTED,
        lambda c: c.run(SQL.exported, [c.payout_id], c.export_id, "k1", "anna", "in a file"),
    ),
    (Event.DEBITED, _debited),
    (Event.CREDITED_BACK, _credited_back),
    (Event.NOT_MADE, lambda c: c.run(SQL.not_made, c.debit_row, "taken back")),
    (Event.NOT_RETURNED, lambda c: c.run(SQL.not_returned, c.return_row, "taken back")),
]


async def test_the_statements_lead_where_the_rules_say(database: Database) -> None:
    connection = await connect_owner(database.owner)
    try:
        for event, run in _RUNS:
            for state in State:
                expected = target(event) if state in sources(event) else state
                assert await _after(connection, state, run) is expected, f"{state}: {event}"
    finally:
        await connection.close()


async def _after(connection: Any, state: State, run: Run) -> State:
    """Nothing of it stays."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await run(await _case(connection, state))
        return State(await connection.fetchval("SELECT state FROM payouts"))
    finally:
        await transaction.rollback()


async def _case(connection: Any, state: State) -> Case:
    wallet_id = uuid4()
    case = Case(connection, *(uuid4() for _ in range(5)))
    await connection.execute(
        "INSERT INTO wallets (wallet_id, external_unique_id, reference, type, status, currency,"
        " minimum_minor, created) VALUES ($1, 'w', 'r', 'STANDARD', 'ACTIVE', 'ZAR', 0, now())",
        wallet_id,
    )
    await connection.execute(
        "INSERT INTO reservations (reservation_id, wallet_id, external_unique_id, session_id,"
        " amount_minor, currency, expires, created, command_id)"
        " VALUES ($1, $2, $3, $3, 1000, 'ZAR', now() + interval '1 day', now(), $1)",
        *(uuid4(), wallet_id, f"payout:{case.payout_id}"),
    )
    await connection.execute(
        "INSERT INTO bank_accounts (account_id, currency, control_wallet, suspense_wallet,"
        " charges_wallet, followed_from) VALUES ($1, 'ZAR', $2, $2, $2, current_date)",
        *(_ACCOUNT, uuid4()),
    )
    for row_id in (case.debit_row, case.return_row, case.other_row):
        await connection.execute(
            "INSERT INTO bank_rows (row_id, account_id, posting_date, credit, amount_minor,"
            " description, source) VALUES ($1, $2, current_date, false, 1000, 'row', 'API')",
            *(row_id, _ACCOUNT),
        )
    await connection.execute(
        "INSERT INTO payout_exports (export_id, account_id, format, payouts, total_minor, currency,"
        " content, key_id, owner) VALUES ($1, $2, 'CSV', 1, 1000, 'ZAR', '', 'k1', 'anna')",
        *(case.export_id, _ACCOUNT),
    )
    is_returned = state is State.RETURNED
    await connection.execute(
        "INSERT INTO payouts (payout_id, external_unique_id, account_id, wallet_id, currency,"
        " amount_minor, beneficiary_name, account_number, branch_code, my_reference,"
        " their_reference, key_id, owner, left_until, authorised_until, giving_up,"
        " approvals_needed, state, approvals, submitted, debit_row, transfer_id, return_row,"
        " return_transfer_id)"
        " VALUES ($1, 'p', $2, $3, 'ZAR', 1000, 'Thandi', '62000000001', '580105', 'PO1', 'x',"
        " 'k1', 'anna', now(), now() - interval '1 day', 'anna', 1, $4, $5, $6, $7, $8, $9, $10)",
        *(case.payout_id, _ACCOUNT, wallet_id, state.value),
        0 if state in _UNAPPROVED else 1,
        await connection.fetchval("SELECT now()") if state in _WITH_THE_BANK else None,
        *((case.debit_row, uuid4()) if state in _MADE else (None, None)),
        *((case.return_row, uuid4()) if is_returned else (None, None)),
    )
    return case
