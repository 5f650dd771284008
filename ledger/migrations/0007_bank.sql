SET LOCAL search_path = sov;

-- The bank side: what the bank said, what people decided about it, and how far each payout has come.
-- Nothing here is part of the books: money moves by commands alone. Unlike bulk files nothing of it
-- is ever deleted.

CREATE TABLE bank_accounts (
    account_id          text        NOT NULL COLLATE "C",
    currency            text        NOT NULL,
    control_wallet      uuid        NOT NULL,
    suspense_wallet     uuid        NOT NULL,
    charges_wallet      uuid        NOT NULL,
    followed_from       date        NOT NULL,
    fetched             timestamptz,
    fetched_to          date,
    CONSTRAINT bank_accounts_pkey PRIMARY KEY (account_id)
);
COMMENT ON TABLE bank_accounts IS
    'Real bank accounts that are followed, each with the wallets that stand for it in the books:'
    ' what the bank owes us (SYSTEM, negative), what nobody could attribute, what the bank books itself.';

CREATE TABLE bank_rows (
    row_id              uuid        NOT NULL,
    account_id          text        NOT NULL COLLATE "C",
    posting_date        date        NOT NULL,
    posted_order        bigint      NOT NULL,
    credit              boolean     NOT NULL,
    amount_minor        bigint      NOT NULL,
    description         text        NOT NULL,
    transaction_type    text,
    value_date          date,
    transaction_date    date,
    running_minor       bigint,
    source              text        NOT NULL,
    stored              timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen                timestamptz NOT NULL DEFAULT clock_timestamp(),
    vanished            timestamptz,
    held                boolean     NOT NULL DEFAULT false,
    wallet_id           uuid,
    purpose             text,
    matched_by          text,
    decided             timestamptz,
    transfer_id         uuid,
    booked              timestamptz,
    CONSTRAINT bank_rows_pkey PRIMARY KEY (row_id),
    CONSTRAINT bank_rows_account FOREIGN KEY (account_id) REFERENCES bank_accounts (account_id),
    CONSTRAINT bank_rows_amount CHECK (amount_minor > 0),
    CONSTRAINT bank_rows_purpose CHECK (purpose IN
        ('EXACT', 'INSIDE', 'ALIAS', 'NOTHING_FOUND', 'SEVERAL_WALLETS', 'PAYOUT', 'PAYOUT_RETURNED',
         'BANK_CHARGE')),
    CONSTRAINT bank_rows_decided CHECK ((decided IS NULL) = (wallet_id IS NULL)),
    CONSTRAINT bank_rows_booked CHECK (booked IS NULL OR decided IS NOT NULL)
);
CREATE UNIQUE INDEX bank_rows_place ON bank_rows (account_id, posting_date, posted_order)
    WHERE vanished IS NULL;
CREATE INDEX bank_rows_unbooked ON bank_rows (stored) WHERE booked IS NULL AND NOT held;
COMMENT ON TABLE bank_rows IS
    'Settled rows of bank statements, each once. row_id is ours and makes the key of its transfer;'
    ' whose money it is is decided and kept before anything is sent, so that a second try after a'
    ' crash asks for the very same transfer.';
