SET LOCAL search_path = sov;

-- What a consumer writes, a row to a value: an array of these costs both sides half of what an array
-- for each column does.

CREATE TYPE movement AS (
    transfer_id         uuid,
    command_id          uuid,
    external_unique_id  text,
    from_wallet_id      uuid,
    to_wallet_id        uuid,
    amount_minor        bigint,
    from_sequence       bigint,
    to_sequence         bigint,
    from_balance        bigint,
    to_balance          bigint,
    currency            text,
    session_id          text,
    external_id         text,
    description         text,
    metadata            text,
    reversal_of         uuid,
    group_id            uuid
);

CREATE TYPE decision AS (
    partition           smallint,
    number              bigint,
    command_id          uuid,
    kind                text,
    subject_id          uuid,
    first_event         bigint,
    actor               text,
    detail              text
);
