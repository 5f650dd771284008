"""Reconciliation's part of the bank side's SQL."""

from __future__ import annotations

import dataclasses
from typing import Final

from ledger.sql.statements import Statements

PACKAGE: Final = "bank.sql"


@dataclasses.dataclass(frozen=True, slots=True)
class Reconciliations(Statements):
    create: str
    get: str
    named: str
    page: str
    report: str
    begin_upload: str
    append: str
    arrived: str
    fail_upload: str
    piece: str
    unsent: str
    resend: str
    claim: str
    renew: str
    postpone: str
    add_differences: str
    finish: str
    fail: str
    differences: str
    stale_uploads: str
    drop_uploads: str
    drop_differences: str


@dataclasses.dataclass(frozen=True, slots=True)
class Comparisons(Statements):
    staging: str
    moment: str
    eclipse_keys: str
    stretches: str
    gather: str
    transfers_by_currency: str
    lines_by_state: str
    pairs: str
    elsewhere: str
    reversed: str
    names: str


@dataclasses.dataclass(frozen=True, slots=True)
class TieOuts(Statements):
    followed: str
    accounts: str
    ask_fetch: str
    rows: str
    last_row: str
    doubts: str
    charges: str
    pairs: str
    control: str
    rests: str
    balances: str


COMPARISONS = Comparisons.load(PACKAGE, "comparisons")
RECONCILIATIONS = Reconciliations.load(PACKAGE, "reconciliations")
TIE_OUTS = TieOuts.load(PACKAGE, "tie_outs")
