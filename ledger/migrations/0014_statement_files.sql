SET LOCAL search_path = sov;

-- What a statement file says and proves, as it was read: for whoever has to agree to it, and for the
-- proof that all rows of a period are known. The last day that a file tells of (covers_to) proved too
-- much: it need not have all of it, nor of the days before.

ALTER TABLE bank_statements
    DROP COLUMN covers_to,
    ADD COLUMN sha256               bytea       NOT NULL GENERATED ALWAYS AS (sha256(body)) STORED,
    ADD COLUMN handed_in_again      timestamptz,
    ADD COLUMN named_account        text,
    ADD COLUMN account_confirmed    boolean,
    ADD COLUMN first_entry          date,
    ADD COLUMN last_entry           date,
    ADD COLUMN first_day            date,
    ADD COLUMN last_day             date,
    ADD COLUMN opening_minor        bigint,
    ADD COLUMN closing_minor        bigint,
    ADD COLUMN credits              integer,
    ADD COLUMN credits_minor        bigint,
    ADD COLUMN debits               integer,
    ADD COLUMN debits_minor         bigint,
    ADD COLUMN new_credits          integer,
    ADD COLUMN new_credits_minor    bigint,
    ADD COLUMN new_debits           integer,
    ADD COLUMN new_debits_minor     bigint,
    ADD CONSTRAINT bank_statements_days CHECK
        ((first_day IS NULL) = (last_day IS NULL) AND first_day <= last_day);
COMMENT ON COLUMN bank_statements.sha256 IS 'Of the file alone; digest is of how it is read too.';
COMMENT ON COLUMN bank_statements.handed_in_again IS
    'When somebody last handed the same file in once more. That is one person''s word: it proves nothing.';
COMMENT ON COLUMN bank_statements.named_account IS
    'The account that the file names. account_confirmed: whether that is the one it was handed in for,'
    ' by its number; false where nothing could be compared, null where it names none.';
COMMENT ON COLUMN bank_statements.first_day IS
    'The days for which the file accounts, to last_day: it has all entries of each, or balances that'
    ' they lead from and to. Null where there is no such day, and in files that were read before this'
    ' was kept: those prove nothing.';
COMMENT ON COLUMN bank_statements.credits IS
    'Entries of the file; new_credits: those of them that were not known when it was last read.';
