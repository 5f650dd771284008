-- What the simulated bank remembers. Amounts are whole cents.

CREATE TABLE IF NOT EXISTS accounts (
    account_id TEXT PRIMARY KEY,
    number TEXT NOT NULL,
    name TEXT NOT NULL,
    product TEXT NOT NULL,
    profile_id TEXT NOT NULL,
    opening INTEGER NOT NULL,
    booked INTEGER NOT NULL, -- the balance behind all rows that have a number
    next_order INTEGER NOT NULL
);

-- Pending without a posting date, unnumbered without a posted order.
CREATE TABLE IF NOT EXISTS rows (
    row_id INTEGER PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts,
    credit INTEGER NOT NULL,
    transaction_type TEXT,
    description TEXT NOT NULL,
    card TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    transaction_date TEXT NOT NULL,
    due REAL, -- when it settles by itself
    posted_order INTEGER NOT NULL DEFAULT 0,
    posting_date TEXT,
    value_date TEXT,
    running INTEGER,
    vanished INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS rows_in_order ON rows (account_id, posting_date, posted_order);
CREATE INDEX IF NOT EXISTS rows_due ON rows (due) WHERE due IS NOT NULL;

CREATE TABLE IF NOT EXISTS beneficiaries (
    beneficiary_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    account_number TEXT NOT NULL,
    code TEXT NOT NULL,
    bank TEXT NOT NULL,
    last_paid TEXT,
    last_amount INTEGER,
    faster INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS payments (
    reference TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts,
    target TEXT NOT NULL, -- a beneficiary, or another of the holder's accounts
    own INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    mine TEXT NOT NULL,
    theirs TEXT NOT NULL,
    faster INTEGER NOT NULL,
    state TEXT NOT NULL,
    made REAL NOT NULL,
    lapses REAL,
    row_id INTEGER
);

CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT NOT NULL);
