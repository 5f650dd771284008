SET LOCAL search_path = sov;

CREATE TABLE dead_letter_resolutions (
    dead_letter_id      uuid        NOT NULL,
    command_id          uuid        NOT NULL,
    CONSTRAINT dead_letter_resolutions_pkey PRIMARY KEY (dead_letter_id),
    CONSTRAINT dead_letter_resolutions_command_id_key UNIQUE (command_id)
);
COMMENT ON TABLE dead_letter_resolutions IS
    'Dead letters that were dealt with, once each. Who, when and what became of it is the outcome of'
    ' the command: a discard (with its reason), or what the replayed command came to.';
