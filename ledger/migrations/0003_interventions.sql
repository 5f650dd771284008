SET LOCAL search_path = sov;

CREATE TABLE interventions (
    number              bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    partition           smallint    NOT NULL,
    state               text        NOT NULL,
    until               timestamptz,
    actor               text        NOT NULL,
    reason              text        NOT NULL,
    made                timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT interventions_pkey PRIMARY KEY (number),
    CONSTRAINT interventions_state CHECK (state IN ('OPEN', 'DRAINING', 'PAUSED')),
    -- What a program stopped starts again by itself if the program dies; a person's word stays.
    CONSTRAINT interventions_until CHECK ((state = 'DRAINING') = (until IS NOT NULL)),
    CONSTRAINT interventions_reason CHECK (length(reason) BETWEEN 1 AND 300)
);
CREATE INDEX interventions_latest ON interventions (partition, number DESC);
COMMENT ON TABLE interventions IS
    'What operators did to partitions, and why; the latest row of a partition is in force. DRAINING'
    ' takes no new commands and applies those it has, until a time; PAUSED does neither.';

ALTER TABLE heads ADD CONSTRAINT heads_partition_key UNIQUE (partition);
COMMENT ON TABLE heads IS
    'One row per partition, locked by every transaction that decides in it: fence, numbering, clock.'
    ' Repartitioning moves the row to the next layout, so that whoever still has the old one finds'
    ' nothing to lock; a partition that is not used any more rests in layout 0.';
