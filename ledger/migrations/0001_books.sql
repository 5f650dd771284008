SET LOCAL search_path = sov;

-- The books. Everything lives in the schema sov; keys are compared byte for byte (COLLATE "C").
--
-- There are no foreign keys and no triggers on the money path: consumers lock every wallet they
-- write to and no role can delete one, so a foreign key could only repeat, row by row, what the
-- lock already proved. ledger.audit checks the same references over the whole books.
-- (docs/decisions/0004-no-foreign-keys.md)

CREATE TABLE wallets (
    wallet_id           uuid        NOT NULL,
    external_unique_id  text        NOT NULL COLLATE "C",
    reference           text        NOT NULL COLLATE "C",
    type                text        NOT NULL,
    status              text        NOT NULL,
    currency            text        NOT NULL,
    minimum_minor       bigint,
    balance_minor       bigint      NOT NULL DEFAULT 0,
    last_sequence       bigint      NOT NULL DEFAULT 0,
    last_entry          timestamptz,
    name                text,
    metadata            json,
    created             timestamptz NOT NULL,
    CONSTRAINT wallets_pkey PRIMARY KEY (wallet_id),
    CONSTRAINT wallets_external_unique_id_key UNIQUE (external_unique_id),
    CONSTRAINT wallets_reference_key UNIQUE (reference),
    CONSTRAINT wallets_type CHECK (type IN ('STANDARD', 'SYSTEM')),
    CONSTRAINT wallets_status CHECK (status IN ('ACTIVE', 'FROZEN', 'CLOSED')),
    CONSTRAINT wallets_minimum CHECK ((type = 'SYSTEM') = (minimum_minor IS NULL)),
    CONSTRAINT wallets_balance_limit
        CHECK (balance_minor BETWEEN -90000000000000000 AND 90000000000000000)
) WITH (fillfactor = 70);
COMMENT ON TABLE wallets IS
    'Owners of a balance in one currency. Half-empty pages: a balance update stays on its page (HOT).';

CREATE TABLE transfers (
    transfer_id         uuid        NOT NULL,
    command_id          uuid        NOT NULL,
    external_unique_id  text        NOT NULL COLLATE "C",
    from_wallet_id      uuid        NOT NULL,
    to_wallet_id        uuid        NOT NULL,
    amount_minor        bigint      NOT NULL,
    from_sequence       bigint      NOT NULL,
    to_sequence         bigint      NOT NULL,
    created             timestamptz NOT NULL,
    currency            text        NOT NULL,
    session_id          text        COLLATE "C",
    external_id         text        COLLATE "C",
    description         text,
    metadata            json,
    reversal_of         uuid,
    group_id            uuid,
    CONSTRAINT transfers_pkey PRIMARY KEY (transfer_id),
    CONSTRAINT transfers_external_unique_id_key UNIQUE (external_unique_id),
    CONSTRAINT transfers_amount CHECK (amount_minor > 0),
    CONSTRAINT transfers_wallets CHECK (from_wallet_id <> to_wallet_id)
);
CREATE INDEX transfers_reversal_of ON transfers (reversal_of) WHERE reversal_of IS NOT NULL;
COMMENT ON TABLE transfers IS 'Immutable movements; their key is used up for ever.';

CREATE TABLE entries (
    wallet_id           uuid        NOT NULL,
    sequence            bigint      NOT NULL,
    transfer_id         uuid        NOT NULL,
    amount_minor        bigint      NOT NULL,
    balance_minor       bigint      NOT NULL,
    created             timestamptz NOT NULL,
    CONSTRAINT entries_pkey PRIMARY KEY (wallet_id, sequence)
);
COMMENT ON TABLE entries IS
    'The signed legs of transfers. created never falls along sequence, so a date is found by'
    ' bisecting the primary key and needs no index of its own.';

CREATE TABLE transfer_groups (
    group_id            uuid        NOT NULL,
    command_id          uuid        NOT NULL,
    external_unique_id  text        COLLATE "C",
    created             timestamptz NOT NULL,
    CONSTRAINT transfer_groups_pkey PRIMARY KEY (group_id),
    CONSTRAINT transfer_groups_external_unique_id_key UNIQUE (external_unique_id)
);

CREATE TABLE reservations (
    reservation_id      uuid        NOT NULL,
    wallet_id           uuid        NOT NULL,
    external_unique_id  text        NOT NULL COLLATE "C",
    session_id          text        NOT NULL COLLATE "C",
    amount_minor        bigint      NOT NULL,
    currency            text        NOT NULL,
    expires             timestamptz NOT NULL,
    created             timestamptz NOT NULL,
    command_id          uuid        NOT NULL,
    description         text,
    released            timestamptz,
    released_by         uuid,
    CONSTRAINT reservations_pkey PRIMARY KEY (reservation_id),
    CONSTRAINT reservations_external_unique_id_key UNIQUE (external_unique_id),
    CONSTRAINT reservations_amount CHECK (amount_minor > 0),
    CONSTRAINT reservations_released CHECK (released IS NOT NULL OR released_by IS NULL)
);
CREATE INDEX reservations_live_wallet ON reservations (wallet_id) WHERE released IS NULL;
CREATE INDEX reservations_live_session ON reservations (session_id) WHERE released IS NULL;
CREATE INDEX reservations_live_expiry ON reservations (expires) WHERE released IS NULL;
CREATE INDEX reservations_released_by ON reservations (released_by) WHERE released_by IS NOT NULL;
COMMENT ON COLUMN reservations.released IS
    'When it ended. released_by names the transfer that spent its session or the command that'
    ' released it, and is null where the sweeper tidied an expired one. A row with released IS NULL'
    ' is live only while expires is in the future.';

CREATE TABLE outcomes (
    partition           smallint    NOT NULL,
    number              bigint      NOT NULL,
    command_id          uuid        NOT NULL,
    kind                text        NOT NULL,
    subject_id          uuid,
    first_event         bigint,
    decided             timestamptz NOT NULL,
    actor               text        NOT NULL,
    detail              json,
    CONSTRAINT outcomes_pkey PRIMARY KEY (partition, number),
    CONSTRAINT outcomes_command_id_key UNIQUE (command_id)
);
COMMENT ON TABLE outcomes IS
    'What became of each command, numbered in commit order: outbox and audit trail. subject_id'
    ' names the immutable rows that hold the rest; detail holds what no such row does.';

CREATE TABLE refused_keys (
    space               text        NOT NULL,
    key                 text        NOT NULL COLLATE "C",
    partition           smallint    NOT NULL,
    number              bigint      NOT NULL,
    decided             timestamptz NOT NULL,
    CONSTRAINT refused_keys_pkey PRIMARY KEY (space, key, partition, number)
);
COMMENT ON TABLE refused_keys IS
    'Which outcome refused a key: a command issued before it must not use that key any more.';

CREATE TABLE chain (
    partition           smallint    NOT NULL,
    last_number         bigint      NOT NULL,
    first_number        bigint      NOT NULL,
    hash                bytea       NOT NULL,
    CONSTRAINT chain_pkey PRIMARY KEY (partition, last_number),
    CONSTRAINT chain_numbers CHECK (first_number <= last_number)
);
COMMENT ON TABLE chain IS
    'One link per transaction and partition: SHA-256 over the previous link and its outcomes.';

CREATE TABLE layouts (
    layout              smallint    NOT NULL,
    partitions          smallint    NOT NULL,
    created             timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT layouts_pkey PRIMARY KEY (layout),
    CONSTRAINT layouts_bounds CHECK (layout BETWEEN 1 AND 255 AND partitions BETWEEN 1 AND 256)
);
COMMENT ON TABLE layouts IS 'The partitionings there have been; the highest one is in force.';

CREATE TABLE heads (
    layout              smallint    NOT NULL,
    partition           smallint    NOT NULL,
    epoch               bigint      NOT NULL DEFAULT 0,
    owner_pid           integer,
    owner_started       timestamptz,
    next_number         bigint      NOT NULL DEFAULT 1,
    next_event          bigint      NOT NULL DEFAULT 1,
    last_hash           bytea       NOT NULL,
    decided_at          timestamptz NOT NULL,
    CONSTRAINT heads_pkey PRIMARY KEY (layout, partition)
) WITH (fillfactor = 10);
COMMENT ON TABLE heads IS
    'One row per partition, locked by every transaction that decides in it: fence, numbering, clock.';

CREATE TABLE consumers (
    slot                smallint    NOT NULL,
    slots               smallint    NOT NULL,
    process             text        NOT NULL,
    seen                timestamptz NOT NULL,
    CONSTRAINT consumers_pkey PRIMARY KEY (slot)
) WITH (fillfactor = 10);
COMMENT ON TABLE consumers IS
    'Which consumers are alive, so that one hands a neighbour''s partitions back. Only a hint: what'
    ' owns a partition is its head''s epoch.';

CREATE TABLE relay_cursors (
    partition           smallint    NOT NULL,
    number              bigint      NOT NULL DEFAULT 0,
    CONSTRAINT relay_cursors_pkey PRIMARY KEY (partition)
) WITH (fillfactor = 10);
COMMENT ON TABLE relay_cursors IS 'The last outcome of each partition whose events were published.';

CREATE TABLE dead_letters (
    dead_letter_id      uuid        NOT NULL,
    layout              smallint    NOT NULL,
    partition           smallint    NOT NULL,
    created             timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason              text        NOT NULL,
    command_id          uuid,
    submission          json,
    message             bytea,
    traceback           text,
    CONSTRAINT dead_letters_pkey PRIMARY KEY (dead_letter_id)
);
COMMENT ON TABLE dead_letters IS
    'Commands that broke the consumer, and messages that could not be read, parked with the reason.';

CREATE TABLE api_keys (
    key_id              text        NOT NULL,
    name                text        NOT NULL,
    owner               text        NOT NULL,
    scopes              text[]      NOT NULL,
    secret_hash         bytea       NOT NULL,
    rate                integer,
    created             timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires             timestamptz,
    revoked             timestamptz,
    CONSTRAINT api_keys_pkey PRIMARY KEY (key_id),
    CONSTRAINT api_keys_secret_hash_key UNIQUE (secret_hash),
    CONSTRAINT api_keys_rate CHECK (rate > 0)
);
CREATE UNIQUE INDEX api_keys_name ON api_keys (name) WHERE revoked IS NULL;

CREATE TABLE deployment (
    singleton           boolean     NOT NULL DEFAULT true,
    command_id_secret   bytea       NOT NULL,
    CONSTRAINT deployment_pkey PRIMARY KEY (singleton),
    CONSTRAINT deployment_singleton CHECK (singleton)
);
COMMENT ON TABLE deployment IS 'What all processes of this installation share: one row.';
