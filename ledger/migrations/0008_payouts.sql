SET LOCAL search_path = sov;

-- Payouts to bank accounts: what was asked for, what people said, how far each has come. The money
-- itself is moved and held by commands; nothing here is part of the books, and nothing is deleted.

CREATE TABLE payout_exports (
    export_id           uuid        NOT NULL,
    account_id          text        NOT NULL COLLATE "C",
    format              text        NOT NULL,
    payouts             integer     NOT NULL,
    total_minor         bigint      NOT NULL,
    currency            text        NOT NULL,
    content             bytea       NOT NULL,
    key_id              text        NOT NULL,
    owner               text        NOT NULL,
    made                timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT payout_exports_pkey PRIMARY KEY (export_id),
    CONSTRAINT payout_exports_account FOREIGN KEY (account_id) REFERENCES bank_accounts (account_id),
    CONSTRAINT payout_exports_format CHECK (format IN ('PAIN.001', 'CSV'))
);
COMMENT ON TABLE payout_exports IS
    'Payment files for a person to upload, kept byte for byte: an answer that was lost is fetched'
    ' again, never made again.';

CREATE TABLE payouts (
    payout_id           uuid        NOT NULL,
    external_unique_id  text        NOT NULL COLLATE "C",
    account_id          text        NOT NULL COLLATE "C",
    wallet_id           uuid        NOT NULL,
    currency            text        NOT NULL,
    amount_minor        bigint      NOT NULL,
    beneficiary_id      text,
    beneficiary_name    text        NOT NULL,
    account_number      text        NOT NULL,
    branch_code         text        NOT NULL,
    my_reference        text        NOT NULL COLLATE "C",
    their_reference     text        NOT NULL,
    description         text,
    approvals_needed    integer     NOT NULL,
    approvals           integer     NOT NULL DEFAULT 0,
    key_id              text        NOT NULL,
    owner               text        NOT NULL,
    state               text        NOT NULL DEFAULT 'REQUESTED',
    reason              text,
    requested           timestamptz NOT NULL DEFAULT clock_timestamp(),
    left_until          timestamptz NOT NULL,
    not_after           timestamptz,
    held                timestamptz,
    submitted           timestamptz,
    paid_beneficiary_id text,
    payment_reference   text,
    authorised_until    timestamptz,
    export_id           uuid,
    giving_up           text,
    named_row           uuid,
    named_by            text,
    debit_row           uuid,
    transfer_id         uuid,
    settled             timestamptz,
    return_row          uuid,
    return_transfer_id  uuid,
    returned            timestamptz,
    problem             text,
    changed             timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT payouts_pkey PRIMARY KEY (payout_id),
    CONSTRAINT payouts_my_reference_key UNIQUE (my_reference),
    CONSTRAINT payouts_debit_row_key UNIQUE (debit_row),
    CONSTRAINT payouts_return_row_key UNIQUE (return_row),
    CONSTRAINT payouts_account FOREIGN KEY (account_id) REFERENCES bank_accounts (account_id),
    CONSTRAINT payouts_export FOREIGN KEY (export_id) REFERENCES payout_exports (export_id),
    CONSTRAINT payouts_debit FOREIGN KEY (debit_row) REFERENCES bank_rows (row_id),
    CONSTRAINT payouts_named FOREIGN KEY (named_row) REFERENCES bank_rows (row_id),
    CONSTRAINT payouts_return FOREIGN KEY (return_row) REFERENCES bank_rows (row_id),
    CONSTRAINT payouts_amount CHECK (amount_minor > 0),
    CONSTRAINT payouts_state CHECK (state IN
        ('REQUESTED', 'AWAITING_APPROVAL', 'HELD', 'AWAITING_BENEFICIARY', 'SUBMITTING',
         'AWAITING_BANK', 'UNKNOWN', 'SETTLED', 'REJECTED', 'RETURNED')),
    CONSTRAINT payouts_approved CHECK (approvals >= approvals_needed OR state NOT IN
        ('HELD', 'AWAITING_BENEFICIARY', 'SUBMITTING', 'AWAITING_BANK', 'UNKNOWN')),
    CONSTRAINT payouts_asked_once CHECK (submitted IS NULL OR export_id IS NULL),
    CONSTRAINT payouts_one_question CHECK (giving_up IS NULL OR named_row IS NULL),
    CONSTRAINT payouts_named_by CHECK ((named_row IS NULL) = (named_by IS NULL)),
    CONSTRAINT payouts_settled CHECK
        ((transfer_id IS NOT NULL) = (state IN ('SETTLED', 'RETURNED'))),
    CONSTRAINT payouts_returned CHECK ((return_transfer_id IS NOT NULL) = (state = 'RETURNED'))
) WITH (fillfactor = 70);
CREATE INDEX payouts_payment_reference ON payouts (payment_reference)
    WHERE payment_reference IS NOT NULL;
-- A key whose money could never be held is not used up.
CREATE UNIQUE INDEX payouts_external_unique_id_key ON payouts (external_unique_id)
    WHERE held IS NOT NULL OR state = 'REQUESTED';
CREATE INDEX payouts_open ON payouts (state, payout_id)
    WHERE state NOT IN ('SETTLED', 'REJECTED', 'RETURNED');
CREATE INDEX payouts_wallet ON payouts (wallet_id, payout_id);
CREATE INDEX payouts_unbooked ON payouts (payout_id)
    WHERE (debit_row IS NOT NULL AND transfer_id IS NULL)
       OR (return_row IS NOT NULL AND return_transfer_id IS NULL);
COMMENT ON TABLE payouts IS
    'Payments to bank accounts. A state is written before what it stands for is done: SUBMITTING'
    ' before the bank is asked, the debit row before its transfer is.';
COMMENT ON COLUMN payouts.left_until IS
    'Until then the gateway that took the order sees to the reservation; from then on the bank'
    ' process does.';
COMMENT ON COLUMN payouts.not_after IS
    'What the caller said (Sov-Deadline): money that is not held by then is not held any more.';
COMMENT ON COLUMN payouts.paid_beneficiary_id IS
    'Whom the bank was asked to pay, as it calls them; beneficiary_id is what the order said.';
COMMENT ON COLUMN payouts.giving_up IS
    'The owner of the key that says the bank will not pay it; null where nobody does, and where a'
    ' second person has had the word on it.';

COMMENT ON COLUMN payouts.named_row IS
    'A debit that somebody says is this payout''s though it does not name it, until a second person'
    ' has had the word on it; named_by is the owner of the key that said so.';

CREATE TABLE payout_words (
    payout_id           uuid        NOT NULL,
    word                text        NOT NULL,
    key_id              text        NOT NULL,
    owner               text        NOT NULL,
    reason              text,
    said                timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT payout_words_payout FOREIGN KEY (payout_id) REFERENCES payouts (payout_id),
    CONSTRAINT payout_words_word CHECK (word IN
        ('APPROVED', 'DECLINED', 'CANCELLED', 'RESUMED', 'EXPORTED', 'GIVING_UP', 'GIVEN_UP',
         'NOT_GIVEN_UP', 'ROW_NAMED', 'ROW_AGREED', 'ROW_REFUSED'))
);
CREATE INDEX payout_words_of ON payout_words (payout_id, said);
CREATE UNIQUE INDEX payout_words_once ON payout_words (payout_id, owner) WHERE word = 'APPROVED';
COMMENT ON TABLE payout_words IS
    'Who said what to a payout, when and why. One person approves once, with however many keys.';
