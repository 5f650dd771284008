"""The bank side's SQL, as ``ledger.sql`` has the ledger's."""

from __future__ import annotations

import dataclasses

from ledger.sql.statements import Statements


@dataclasses.dataclass(frozen=True, slots=True)
class Leading(Statements):
    try_lead: str
    still_there: str
    wake: str


@dataclasses.dataclass(frozen=True, slots=True)
class Payouts(Statements):
    order: str
    get: str
    of_key: str
    of_references: str
    alike: str
    page: str
    words: str
    reserved: str
    submitted: str
    taken_in: str
    not_asked: str
    step: str
    step_by: str
    approve: str
    giving_up: str
    stop_giving_up: str
    give_up: str
    left: str
    to_submit: str
    found_submitting: str
    lapsed: str
    claim_debit: str
    claim_return: str
    settle: str
    give_back: str
    problems: str
    sessions: str
    over: str
    exportable: str
    export: str
    exported: str
    exports: str
    exported_file: str


LEADING = Leading.load(__name__, "leading")
PAYOUTS = Payouts.load(__name__, "payouts")
