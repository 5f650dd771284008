SET LOCAL search_path = sov;

-- Accounts that are let go, and what a statement file proves.

ALTER TABLE bank_accounts ADD COLUMN followed_until timestamptz;
COMMENT ON COLUMN bank_accounts.followed_until IS
    'Since when the bank process is told to follow others, and not this one: it is fetched no more.'
    ' Null while it is followed, and again once it is named again. Its rows and wallets stay, and are'
    ' part of every tie-out.';
COMMENT ON COLUMN bank_accounts.by_api IS
    'Whether the API is where its rows come from, and fetched and fetched_to are the API''s: from its'
    ' first word on, until the process runs without an API. Else they come from statement files.';

ALTER TABLE bank_statements ADD COLUMN covers_to date;
COMMENT ON COLUMN bank_statements.covers_to IS
    'The last day that the file tells of, once it is stored. Null where it was stored before this was'
    ' kept: then it proves no tie-out.';

-- A payment file that the bank has booked as one debit.

ALTER TABLE bank_actions DROP CONSTRAINT bank_actions_kind;
ALTER TABLE bank_actions ADD CONSTRAINT bank_actions_kind CHECK (kind IN
    ('ALLOCATE', 'RETURN', 'WRITE_OFF', 'BOOK', 'SAME', 'RETRACT', 'EXPORT'));

ALTER TABLE payouts ADD COLUMN shares_row boolean NOT NULL DEFAULT false;
ALTER TABLE payouts ADD CONSTRAINT payouts_shares_row CHECK
    (NOT shares_row OR (debit_row IS NOT NULL AND export_id IS NOT NULL));
ALTER TABLE payouts DROP CONSTRAINT payouts_debit_row_key;
CREATE UNIQUE INDEX payouts_debit_row_key ON payouts (debit_row) WHERE NOT shares_row;
CREATE INDEX payouts_sharing ON payouts (debit_row) WHERE shares_row;
COMMENT ON COLUMN payouts.shares_row IS
    'Two people have said that debit_row is the one debit for the file that it was exported in: others'
    ' have it too, and each has a movement of its own.';
COMMENT ON COLUMN bank_rows.wallet_id IS
    'The other side of its transfer; the control wallet itself for a row that payouts share (purpose'
    ' PAYOUTS), which is booked by as many transfers, under their keys. transfer_id is the first of them.';
