SET LOCAL search_path = sov;

-- Only the latest refusal of a key counts, and a key that is tried every second for a year is still
-- one row.
DELETE FROM refused_keys earlier
 USING refused_keys later
 WHERE earlier.space = later.space AND earlier.key = later.key
   AND (earlier.decided, earlier.partition, earlier.number)
       < (later.decided, later.partition, later.number);

ALTER TABLE refused_keys DROP CONSTRAINT refused_keys_pkey;
ALTER TABLE refused_keys ADD CONSTRAINT refused_keys_pkey PRIMARY KEY (space, key);
ALTER TABLE refused_keys SET (fillfactor = 70);

COMMENT ON TABLE refused_keys IS
    'Which outcome refused a key last: a command issued before it must not use that key any more.'
    ' The outcomes keep all of them; this is where the rules look.';
