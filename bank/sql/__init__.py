"""The bank side's SQL, as ``ledger.sql`` has the ledger's."""

from __future__ import annotations

import dataclasses

from bank.sql.reconciling import COMPARISONS as COMPARISONS
from bank.sql.reconciling import RECONCILIATIONS as RECONCILIATIONS
from bank.sql.reconciling import TIE_OUTS as TIE_OUTS
from ledger.sql.statements import Statements


@dataclasses.dataclass(frozen=True, slots=True)
class Leading(Statements):
    try_lead: str
    still_there: str
    wake: str


@dataclasses.dataclass(frozen=True, slots=True)
class Payouts(Statements):
    order: str
    accounts: str
    get: str
    of_key: str
    of_references: str
    alike: str
    files_alike: str
    on_its_own: str
    page: str
    words: str
    reserved: str
    submitted: str
    still_asked: str
    taken_in: str
    not_asked: str
    not_admitted: str
    answered: str
    step: str
    step_by: str
    approve: str
    giving_up: str
    stop_giving_up: str
    give_up: str
    name_row: str
    unname_row: str
    agree_row: str
    left: str
    is_reserved: str
    to_submit: str
    tell_frozen: str
    found_submitting: str
    lapsed: str
    claim_debit: str
    is_used: str
    of_export: str
    claim_as_one: str
    sharing: str
    settled_alone: str
    all_settled: str
    of_shared_row: str
    claim_return: str
    settled: str
    returned: str
    not_made: str
    not_returned: str
    told: str
    problems: str
    sessions: str
    over: str
    exportable: str
    export: str
    exported: str
    exports: str
    exported_file: str


@dataclasses.dataclass(frozen=True, slots=True)
class Deposits(Statements):
    accounts: str
    follow: str
    keep_following: str
    without_api: str
    undescribed: str
    describe: str
    lock_account: str
    known: str
    elsewhere: str
    add_rows: str
    lift: str
    place: str
    vanish: str
    head: str
    opening: str
    open_with: str
    close_opening: str
    before: str
    after: str
    raise_: str
    raise_all: str
    resolve_row: str
    close_gaps: str
    fetched: str
    ask_fetch: str
    waiting_fetches: str
    begin_fetch: str
    end_fetch: str
    fetch: str
    hand_in: str
    hand_in_again: str
    statement: str
    statements: str
    statement_file: str
    waiting_statements: str
    tell_statement: str
    await_approval: str
    lock_statement: str
    judge_statement: str
    end_statement: str
    undecided: str
    lock_undecided: str
    wallets_named: str
    wallets_meant: str
    wait: str
    decide: str
    unbooked: str
    redirect: str
    stuck: str
    book: str


@dataclasses.dataclass(frozen=True, slots=True)
class Actions(Statements):
    suspense: str
    expected: str
    lock_row: str
    currency: str
    lately: str
    named_by: str
    ask: str
    action: str
    lock_action: str
    actions: str
    verdicts: str
    say: str
    step: str
    approved: str
    send_until: str
    release: str
    retract: str
    awaited_return: str
    lock_returned: str
    taking_back_debit: str
    await_again: str
    exceptions: str
    exception: str
    lock_exception: str
    resolve: str
    lock_account_of: str
    held_for: str
    came_back: str
    open_about: str
    hand_on: str
    drop_remake: str
    add_alias: str
    lock_alias: str
    approve_alias: str
    end_alias: str
    aliases: str
    expect: str
    end_expected: str
    expectations: str
    rows: str
    wallet: str


ACTIONS = Actions.load(__name__, "actions")
DEPOSITS = Deposits.load(__name__, "deposits")
LEADING = Leading.load(__name__, "leading")
PAYOUTS = Payouts.load(__name__, "payouts")
