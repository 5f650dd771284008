SET LOCAL search_path = sov;

-- Reconciliations: what was asked to be compared with the books, and what came of it. None of this is
-- part of the books. What a comparison found is kept for good; the bytes of an extract only until it
-- has been compared.

CREATE TABLE reconciliations (
    reconciliation_id   text        NOT NULL COLLATE "C",
    actor               text        NOT NULL,
    kind                text        NOT NULL,
    period_from         timestamptz NOT NULL,
    period_to           timestamptz NOT NULL,
    account_id          text        COLLATE "C",
    made_by             text,
    format              text,
    encoding            text,
    status              text        NOT NULL,
    received_bytes      bigint      NOT NULL DEFAULT 0,
    digest              bytea,
    created             timestamptz NOT NULL DEFAULT clock_timestamp(),
    touched             timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent                timestamptz,
    not_before          timestamptz,
    attempt             integer     NOT NULL DEFAULT 0,
    tries               integer     NOT NULL DEFAULT 0,
    leased_until        timestamptz,
    reason              text,
    started             timestamptz,
    finished            timestamptz,
    agrees              boolean,
    differences         bigint,
    report              text,
    CONSTRAINT reconciliations_pkey PRIMARY KEY (reconciliation_id),
    CONSTRAINT reconciliations_kind CHECK (kind IN ('BANK', 'ECLIPSE')),
    CONSTRAINT reconciliations_period CHECK (period_from < period_to),
    CONSTRAINT reconciliations_extract CHECK
        ((kind = 'ECLIPSE') = (format IS NOT NULL AND encoding IS NOT NULL AND made_by IS NOT NULL)),
    CONSTRAINT reconciliations_format CHECK (format IN ('CSV', 'NDJSON')),
    CONSTRAINT reconciliations_encoding CHECK (encoding IN ('identity', 'gzip', 'zstd')),
    CONSTRAINT reconciliations_made_by CHECK (made_by IN ('ECLIPSE', 'ANYBODY')),
    CONSTRAINT reconciliations_status CHECK (status IN
        ('RECEIVING', 'QUEUED', 'RUNNING', 'DONE', 'FAILED')),
    CONSTRAINT reconciliations_finished CHECK
        ((status IN ('DONE', 'FAILED')) = (finished IS NOT NULL)),
    CONSTRAINT reconciliations_done CHECK ((status = 'DONE') = (agrees IS NOT NULL
        AND differences IS NOT NULL AND report IS NOT NULL))
) WITH (fillfactor = 50);
CREATE INDEX reconciliations_unfinished ON reconciliations (created) WHERE finished IS NULL;
CREATE INDEX reconciliations_created ON reconciliations (created DESC, reconciliation_id);
COMMENT ON TABLE reconciliations IS
    'What is to be compared and what came of it. attempt fences: whoever claims it counts it up, and'
    ' nothing is written but by the attempt that stands there. Half-empty pages: leases are renewed'
    ' every few seconds (HOT).';
COMMENT ON COLUMN reconciliations.sent IS
    'When its command was published last. One that has no end and is not being worked on long after'
    ' that was lost, and is sent again.';

CREATE TABLE reconciliation_uploads (
    reconciliation_id   text        NOT NULL COLLATE "C",
    position            bigint      NOT NULL,
    bytes               bytea       NOT NULL,
    CONSTRAINT reconciliation_uploads_pkey PRIMARY KEY (reconciliation_id, position)
);
ALTER TABLE reconciliation_uploads ALTER COLUMN bytes SET STORAGE EXTERNAL;
ALTER TABLE reconciliation_uploads SET (autovacuum_vacuum_scale_factor = 0.01,
                                        toast.autovacuum_vacuum_scale_factor = 0.01);
COMMENT ON TABLE reconciliation_uploads IS
    'Extracts exactly as they came, by offset; deleted once they have been compared.';

CREATE TABLE reconciliation_differences (
    reconciliation_id   text        NOT NULL COLLATE "C",
    attempt             integer     NOT NULL,
    number              bigint      NOT NULL,
    kind                text        NOT NULL,
    document            text        NOT NULL,
    CONSTRAINT reconciliation_differences_pkey PRIMARY KEY (reconciliation_id, attempt, number)
);
CREATE INDEX reconciliation_differences_kind
    ON reconciliation_differences (reconciliation_id, attempt, kind, number);
COMMENT ON TABLE reconciliation_differences IS
    'What a comparison found, numbered in the order in which it was found; of the attempt that came'
    ' to its end. Those of others are deleted.';
