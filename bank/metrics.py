"""What the bank process counts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

FETCHES = Counter("sov_bank_fetches_total", "Looks at a bank statement", ["result"])
ROWS = Counter("sov_bank_rows_total", "Rows of statements that were stored", ["fate"])
EXCEPTIONS = Counter("sov_bank_exceptions_total", "What a person has to look at", ["kind"])
BOOKED = Counter("sov_bank_booked_total", "Rows whose transfer is on the ledger", ["purpose"])
LEADS = Gauge("sov_bank_leads", "Whether this process acts, or stands by")
STEP_FAILURES = Counter(
    "sov_bank_step_failures_total", "Runs of a step that did not end well", ["step"]
)
PAYOUTS = Counter(
    "sov_bank_payouts_total", "Payouts that the bank was asked for or has made", ["became"]
)
