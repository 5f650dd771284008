SET LOCAL search_path = sov;

COMMENT ON TABLE chain IS
    'Links over the outcome log: SHA-256 over the previous link and the outcomes first_number to'
    ' last_number. A transaction adds one per partition that it decides in, and a large one, which is'
    ' written in slices, one per slice and partition.';

-- The bank side: what the bank said, what people decided about it, and how far each thing has come.
-- Nothing here is part of the books: money moves by commands alone. Unlike bulk files nothing of it
-- is ever deleted.

CREATE TABLE bank_accounts (
    account_id          text        NOT NULL COLLATE "C",
    account_number      text,
    name                text,
    currency            text        NOT NULL,
    control_wallet      uuid        NOT NULL,
    suspense_wallet     uuid        NOT NULL,
    charges_wallet      uuid        NOT NULL,
    followed_from       date        NOT NULL,
    opening_minor       bigint,
    fetched             timestamptz,
    fetched_to          date,
    by_api              boolean     NOT NULL DEFAULT false,
    created             timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT bank_accounts_pkey PRIMARY KEY (account_id)
);
COMMENT ON TABLE bank_accounts IS
    'Real bank accounts that are followed, each with the wallets that stand for it in the books:'
    ' what the bank owes us (SYSTEM, negative), what nobody could attribute, what the bank books itself.';
COMMENT ON COLUMN bank_accounts.opening_minor IS
    'The balance before the first row that was stored: held before the account was followed, and in no'
    ' wallet. Null until there is a row that says. Balance behind the last row = opening - control.';

COMMENT ON COLUMN bank_accounts.by_api IS
    'Whether fetched and fetched_to are the API''s; before its first word they are of statement files.';

CREATE TABLE bank_rows (
    row_id              uuid        NOT NULL,
    account_id          text        NOT NULL COLLATE "C",
    posting_date        date        NOT NULL,
    posted_order        bigint,
    credit              boolean     NOT NULL,
    amount_minor        bigint      NOT NULL,
    description         text        NOT NULL,
    transaction_type    text,
    value_date          date,
    transaction_date    date,
    running_minor       bigint,
    source              text        NOT NULL,
    stored              timestamptz NOT NULL DEFAULT clock_timestamp(),
    held                boolean     NOT NULL DEFAULT false,
    vanished            timestamptz,
    retracted           timestamptz,
    wallet_id           uuid,
    purpose             text,
    matched_by          text,
    candidates          uuid[],
    session_id          text        COLLATE "C",
    transfer_key        text        COLLATE "C",
    decided             timestamptz,
    transfer_id         uuid,
    booked              timestamptz,
    problem             text,
    not_before          timestamptz,
    CONSTRAINT bank_rows_pkey PRIMARY KEY (row_id),
    CONSTRAINT bank_rows_account FOREIGN KEY (account_id) REFERENCES bank_accounts (account_id),
    CONSTRAINT bank_rows_transfer_key_key UNIQUE (transfer_key),
    CONSTRAINT bank_rows_amount CHECK (amount_minor > 0),
    CONSTRAINT bank_rows_decided CHECK
        ((decided IS NULL) = (wallet_id IS NULL) AND (decided IS NULL) = (purpose IS NULL)
         AND (decided IS NULL) = (transfer_key IS NULL)),
    CONSTRAINT bank_rows_booked CHECK
        ((booked IS NULL) = (transfer_id IS NULL) AND (booked IS NULL OR decided IS NOT NULL)),
    CONSTRAINT bank_rows_retracted CHECK (retracted IS NULL OR vanished IS NOT NULL)
);
CREATE UNIQUE INDEX bank_rows_place ON bank_rows (account_id, posting_date, posted_order)
    WHERE vanished IS NULL;
CREATE INDEX bank_rows_statement ON bank_rows (account_id, posting_date, posted_order, row_id);
CREATE INDEX bank_rows_issued ON bank_rows (account_id, transaction_date);
CREATE INDEX bank_rows_undecided ON bank_rows (row_id)
    WHERE decided IS NULL AND NOT held AND vanished IS NULL;
CREATE INDEX bank_rows_unbooked ON bank_rows (row_id) WHERE decided IS NOT NULL AND booked IS NULL;
CREATE INDEX bank_rows_wallet ON bank_rows (wallet_id, row_id);
COMMENT ON TABLE bank_rows IS
    'Settled rows of bank statements, each once. row_id is ours and makes the key of its transfer;'
    ' whose money it is is decided and kept before anything is sent, so that a second try after a'
    ' crash asks for the very same transfer: control to wallet_id for a credit, wallet_id to control'
    ' for a debit, under transfer_key.';
COMMENT ON COLUMN bank_rows.posted_order IS
    'Its number among the account''s rows, as the bank gave it; null where a statement file has none.';
COMMENT ON COLUMN bank_rows.held IS
    'Perhaps another row under a new guise: booked by nobody before two people say that it is not.';
COMMENT ON COLUMN bank_rows.vanished IS
    'The bank does not show it any more, since then; retracted: and its booking was taken back.';
COMMENT ON COLUMN bank_rows.not_before IS
    'When its transfer may be asked for again after a refusal: a command that was issued before one was'
    ' recorded only meets it once more.';
COMMENT ON COLUMN bank_rows.purpose IS
    'What the booking is: EXACT, INSIDE, ALIAS (found its wallet); NOTHING_FOUND, SEVERAL_WALLETS,'
    ' WALLET_REFUSED (to suspense, and why); RETURNED (suspense went back to its sender); BANK_CHARGE'
    ' (what the bank booked by itself); and those of payouts.';

CREATE TABLE bank_exceptions (
    exception_id        uuid        NOT NULL,
    account_id          text        NOT NULL COLLATE "C",
    kind                text        NOT NULL,
    fingerprint         text        NOT NULL COLLATE "C",
    row_id              uuid,
    other_row_id        uuid,
    detail              text        NOT NULL,
    found               timestamptz NOT NULL DEFAULT clock_timestamp(),
    resolved            timestamptz,
    resolution          text,
    resolved_by         text,
    reason              text,
    CONSTRAINT bank_exceptions_pkey PRIMARY KEY (exception_id),
    CONSTRAINT bank_exceptions_kind CHECK (kind IN
        ('VANISHED', 'MOVED', 'CHANGED', 'HELD', 'GAP', 'UNREADABLE', 'REFUSED', 'KEY_TAKEN',
         'PAYOUT')),
    CONSTRAINT bank_exceptions_resolved CHECK
        ((resolved IS NULL) = (resolution IS NULL) AND (resolved IS NULL) = (resolved_by IS NULL))
);
CREATE UNIQUE INDEX bank_exceptions_once ON bank_exceptions (account_id, kind, fingerprint);
CREATE INDEX bank_exceptions_open ON bank_exceptions (found, exception_id) WHERE resolved IS NULL;
CREATE INDEX bank_exceptions_row ON bank_exceptions (row_id);
COMMENT ON TABLE bank_exceptions IS
    'What a person has to look at: rows that changed, vanished or look like one that vanished, holes in'
    ' the chain of balances, rows that cannot be read, bookings that the ledger refused. Found again,'
    ' the same thing makes no second one.';

CREATE TABLE bank_fetches (
    fetch_id            uuid        NOT NULL,
    account_id          text        NOT NULL COLLATE "C",
    requested_by        text        NOT NULL,
    requested           timestamptz NOT NULL DEFAULT clock_timestamp(),
    started             timestamptz,
    finished            timestamptz,
    first_day           date,
    rows_read           integer,
    rows_new            integer,
    exceptions          integer,
    problem             text,
    CONSTRAINT bank_fetches_pkey PRIMARY KEY (fetch_id),
    CONSTRAINT bank_fetches_account FOREIGN KEY (account_id) REFERENCES bank_accounts (account_id)
);
CREATE INDEX bank_fetches_waiting ON bank_fetches (requested) WHERE finished IS NULL;
COMMENT ON TABLE bank_fetches IS 'Each look at a statement through the API: who wanted it, what came.';

CREATE TABLE bank_statements (
    statement_id        uuid        NOT NULL,
    account_id          text        NOT NULL COLLATE "C",
    format              text        NOT NULL,
    columns             json,
    digest              bytea       NOT NULL,
    body                bytea       NOT NULL,
    uploaded_by         text        NOT NULL,
    uploaded_owner      text        NOT NULL,
    uploaded            timestamptz NOT NULL DEFAULT clock_timestamp(),
    status              text        NOT NULL DEFAULT 'RECEIVED',
    finished            timestamptz,
    rows_read           integer,
    rows_new            integer,
    exceptions          integer,
    problem             text,
    CONSTRAINT bank_statements_pkey PRIMARY KEY (statement_id),
    CONSTRAINT bank_statements_account FOREIGN KEY (account_id) REFERENCES bank_accounts (account_id),
    CONSTRAINT bank_statements_format CHECK (format IN ('MT940', 'CAMT053', 'OFX', 'CSV')),
    CONSTRAINT bank_statements_status CHECK (status IN
        ('RECEIVED', 'AWAITING_APPROVAL', 'APPROVED', 'DONE', 'REFUSED', 'FAILED')),
    CONSTRAINT bank_statements_finished CHECK
        ((status IN ('DONE', 'REFUSED', 'FAILED')) = (finished IS NOT NULL))
);
CREATE UNIQUE INDEX bank_statements_once ON bank_statements (account_id, digest)
    WHERE status NOT IN ('REFUSED', 'FAILED');
CREATE INDEX bank_statements_waiting ON bank_statements (uploaded)
    WHERE status IN ('RECEIVED', 'APPROVED');
COMMENT ON TABLE bank_statements IS
    'Statement files exactly as they were handed in, and what came of them. The same file is one. A file'
    ' that says anything new is believed when a second person has approved it: its rows are deposits.';

CREATE TABLE bank_aliases (
    alias_id            uuid        NOT NULL,
    account_id          text        NOT NULL COLLATE "C",
    alias               text        NOT NULL COLLATE "C",
    spelling            text        NOT NULL,
    wallet_id           uuid        NOT NULL,
    created_by          text        NOT NULL,
    created_owner       text        NOT NULL,
    created             timestamptz NOT NULL DEFAULT clock_timestamp(),
    approved            timestamptz,
    ended               timestamptz,
    ended_by            text,
    CONSTRAINT bank_aliases_pkey PRIMARY KEY (alias_id),
    CONSTRAINT bank_aliases_account FOREIGN KEY (account_id) REFERENCES bank_accounts (account_id)
);
CREATE UNIQUE INDEX bank_aliases_once ON bank_aliases (account_id, alias) WHERE ended IS NULL;
COMMENT ON TABLE bank_aliases IS
    'Words that stand for a wallet in the descriptions of an account''s rows; alias is their plain'
    ' spelling. They count from when a second person has approved of them.';

CREATE TABLE bank_expected_payments (
    expected_id         uuid        NOT NULL,
    account_id          text        NOT NULL COLLATE "C",
    wallet_id           uuid        NOT NULL,
    amount_minor        bigint      NOT NULL,
    first_day           date        NOT NULL,
    last_day            date        NOT NULL,
    note                text,
    created_by          text        NOT NULL,
    created             timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended               timestamptz,
    ended_by            text,
    CONSTRAINT bank_expected_payments_pkey PRIMARY KEY (expected_id),
    CONSTRAINT bank_expected_payments_account FOREIGN KEY (account_id)
        REFERENCES bank_accounts (account_id),
    CONSTRAINT bank_expected_payments_amount CHECK (amount_minor > 0),
    CONSTRAINT bank_expected_payments_days CHECK (first_day <= last_day)
);
CREATE INDEX bank_expected_payments_open
    ON bank_expected_payments (account_id, amount_minor) WHERE ended IS NULL;
COMMENT ON TABLE bank_expected_payments IS
    'Amounts that somebody says will come: suggestions for what lies in suspense, never more.';

CREATE TABLE bank_actions (
    action_id           uuid        NOT NULL,
    kind                text        NOT NULL,
    row_id              uuid        NOT NULL,
    exception_id        uuid,
    detail              json        NOT NULL,
    reason              text        NOT NULL,
    requested_by        text        NOT NULL,
    requested_owner     text        NOT NULL,
    requested           timestamptz NOT NULL DEFAULT clock_timestamp(),
    status              text        NOT NULL DEFAULT 'AWAITING_APPROVAL',
    reference           text        COLLATE "C",
    problem             text,
    send_until          timestamptz,
    finished            timestamptz,
    CONSTRAINT bank_actions_pkey PRIMARY KEY (action_id),
    CONSTRAINT bank_actions_row FOREIGN KEY (row_id) REFERENCES bank_rows (row_id),
    CONSTRAINT bank_actions_reference_key UNIQUE (reference),
    CONSTRAINT bank_actions_kind CHECK (kind IN
        ('ALLOCATE', 'RETURN', 'WRITE_OFF', 'BOOK', 'RETRACT')),
    CONSTRAINT bank_actions_status CHECK (status IN
        ('AWAITING_APPROVAL', 'APPROVED', 'AWAITING_BANK', 'DONE', 'REFUSED', 'FAILED')),
    CONSTRAINT bank_actions_finished CHECK
        ((status IN ('DONE', 'REFUSED', 'FAILED')) = (finished IS NOT NULL))
);
CREATE UNIQUE INDEX bank_actions_one_at_a_time ON bank_actions (row_id)
    WHERE status NOT IN ('REFUSED', 'FAILED', 'DONE');
CREATE UNIQUE INDEX bank_actions_done_once ON bank_actions (row_id)
    WHERE status = 'DONE' AND kind IN ('ALLOCATE', 'RETURN', 'WRITE_OFF');
CREATE INDEX bank_actions_approved ON bank_actions (action_id) WHERE status = 'APPROVED';
COMMENT ON TABLE bank_actions IS
    'What somebody asked to be done about a row, and how far it has come: suspense allocated, returned'
    ' or written off; a held row booked after all; the booking of a vanished row taken back. Each needs'
    ' a second person. REFUSED: by a person; FAILED: by the ledger.';
COMMENT ON COLUMN bank_actions.send_until IS
    'Its command is decided by then or never: kept before it is sent, so that a process that was frozen'
    ' and goes on cannot send it after another action about the same row was begun.';
COMMENT ON COLUMN bank_actions.reference IS
    'For a return: what has to stand in the debit that pays it back, so that it is known when it comes.';

CREATE TABLE bank_verdicts (
    subject_id          uuid        NOT NULL,
    owner               text        NOT NULL,
    key_id              text        NOT NULL,
    verdict             text        NOT NULL,
    reason              text,
    given               timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT bank_verdicts_pkey PRIMARY KEY (subject_id, owner),
    CONSTRAINT bank_verdicts_verdict CHECK (verdict IN ('APPROVED', 'REFUSED'))
);
COMMENT ON TABLE bank_verdicts IS
    'What second people said about actions and payouts: one word per person, who may have several keys.';
