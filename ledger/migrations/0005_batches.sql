SET LOCAL search_path = sov;

-- Bulk files on their way into the books. Nothing here is part of the books: what became of a line
-- is its command's outcome, and all of this may be deleted once nobody asks for it any more.

CREATE TABLE batches (
    batch_id            text        NOT NULL COLLATE "C",
    actor               text        NOT NULL,
    kind                text        NOT NULL,
    format              text        NOT NULL,
    encoding            text        NOT NULL,
    atomic              boolean     NOT NULL,
    dry_run             boolean     NOT NULL,
    not_after           timestamptz,
    from_wallet         text        COLLATE "C",
    control_count       bigint,
    control_total       numeric,
    status              text        NOT NULL DEFAULT 'RECEIVING',
    wish                text        NOT NULL DEFAULT 'RUN',
    received_bytes      bigint      NOT NULL DEFAULT 0,
    digest              bytea,
    lines               bigint,
    prepared            boolean     NOT NULL DEFAULT false,
    reason              text,
    created             timestamptz NOT NULL DEFAULT clock_timestamp(),
    touched             timestamptz NOT NULL DEFAULT clock_timestamp(),
    received            timestamptz,
    started             timestamptz,
    finished            timestamptz,
    leased_by           text,
    leased_until        timestamptz,
    defects             integer     NOT NULL DEFAULT 0,
    CONSTRAINT batches_pkey PRIMARY KEY (batch_id),
    CONSTRAINT batches_kind CHECK (kind IN ('TRANSFERS', 'WALLETS')),
    CONSTRAINT batches_format CHECK (format IN ('CSV', 'NDJSON')),
    CONSTRAINT batches_encoding CHECK (encoding IN ('identity', 'gzip', 'zstd')),
    CONSTRAINT batches_wish CHECK (wish IN ('RUN', 'PAUSE', 'CANCEL')),
    CONSTRAINT batches_status CHECK (status IN
        ('RECEIVING', 'QUEUED', 'RUNNING', 'PAUSED', 'DONE', 'CANCELLED', 'FAILED')),
    CONSTRAINT batches_finished CHECK
        ((status IN ('DONE', 'CANCELLED', 'FAILED')) = (finished IS NOT NULL))
) WITH (fillfactor = 50);
CREATE INDEX batches_unfinished ON batches (created) WHERE finished IS NULL;
CREATE INDEX batches_finished_at ON batches (finished) WHERE finished IS NOT NULL;
CREATE INDEX batches_created ON batches (created DESC, batch_id);
COMMENT ON TABLE batches IS
    'Bulk files: what was asked for and how far it has come. Half-empty pages: the lease is renewed'
    ' every few seconds, and every piece of an upload moves received_bytes (HOT).';
COMMENT ON COLUMN batches.digest IS
    'SHA-256 of the file as it was sent, known once it has arrived: tells the same file sent again'
    ' from another one under the same id.';

CREATE TABLE batch_uploads (
    batch_id            text        NOT NULL COLLATE "C",
    position            bigint      NOT NULL,
    bytes               bytea       NOT NULL,
    CONSTRAINT batch_uploads_pkey PRIMARY KEY (batch_id, position)
);
COMMENT ON TABLE batch_uploads IS
    'The received bytes exactly as they came, by offset; deleted once the lots are made of them.';

CREATE TABLE batch_lots (
    batch_id            text        NOT NULL COLLATE "C",
    lot                 integer     NOT NULL,
    first_line          bigint      NOT NULL,
    last_line           bigint      NOT NULL,
    lines               integer     NOT NULL,
    body                bytea       NOT NULL,
    layout              smallint,
    results             bytea,
    posted              integer     NOT NULL DEFAULT 0,
    rejected            integer     NOT NULL DEFAULT 0,
    invalid             integer     NOT NULL DEFAULT 0,
    expired             integer     NOT NULL DEFAULT 0,
    cancelled           integer     NOT NULL DEFAULT 0,
    posted_minor        jsonb,
    rejected_minor      jsonb,
    CONSTRAINT batch_lots_pkey PRIMARY KEY (batch_id, lot)
);
CREATE INDEX batch_lots_open ON batch_lots (batch_id, lot) WHERE results IS NULL;
COMMENT ON TABLE batch_lots IS
    'A file''s lines, checked and read, some hundred to a row; layout is the one under which their'
    ' commands were first sent, results what became of every one of them, all at once.';

-- Compressed or not, the bytes are not worth compressing again; msgpack is, quickly.
ALTER TABLE batch_uploads ALTER COLUMN bytes SET STORAGE EXTERNAL;
DO $$
BEGIN
    ALTER TABLE batch_lots ALTER COLUMN body SET COMPRESSION lz4,
                           ALTER COLUMN results SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported OR syntax_error THEN
    NULL; -- a server built without lz4: its own compression does
END
$$;

-- Filled and emptied by the gigabyte: dead pieces of one file are the next one's room.
ALTER TABLE batch_uploads SET (autovacuum_vacuum_scale_factor = 0.01,
                               toast.autovacuum_vacuum_scale_factor = 0.01);
ALTER TABLE batch_lots SET (autovacuum_vacuum_scale_factor = 0.02,
                            autovacuum_analyze_scale_factor = 0.02);
