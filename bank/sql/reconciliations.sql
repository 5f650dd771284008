-- Reconciliations, from what is asked for to what was found. None of this is part of the books.
--
-- Whatever a worker writes it writes as the attempt that it claimed: one that was frozen, and has been
-- replaced, writes nothing more.

-- name: create
-- A new one, unless there is one under this id. Without an extract it can be compared at once.
-- $1 text id, $2 text actor, $3 text kind, $4/$5 timestamptz period, $6 text account id, $7 text made
-- by, $8 text format, $9 text encoding
INSERT INTO reconciliations (reconciliation_id, actor, kind, period_from, period_to, account_id,
                             made_by, format, encoding, status, sent)
VALUES ($1::text, $2::text, $3::text, $4::timestamptz, $5::timestamptz, $6::text, $7::text, $8::text,
        $9::text, CASE WHEN $8::text IS NULL THEN 'QUEUED' ELSE 'RECEIVING' END,
        CASE WHEN $8::text IS NULL THEN clock_timestamp() END)
    ON CONFLICT (reconciliation_id) DO NOTHING
RETURNING reconciliation_id

-- name: get
-- One of them.
-- $1 text id
SELECT reconciliation_id, actor, kind, period_from, period_to, account_id, made_by, format, encoding,
       status, received_bytes, digest, created, started, finished, attempt, reason, agrees,
       differences
  FROM reconciliations WHERE reconciliation_id = $1::text

-- name: named
-- Those of these names.
-- $1 text[] ids
SELECT reconciliation_id, actor, kind, period_from, period_to, account_id, made_by, format, encoding,
       status, received_bytes, digest, created, started, finished, attempt, reason, agrees,
       differences
  FROM reconciliations WHERE reconciliation_id = ANY ($1::text[])

-- name: page
-- The latest first.
-- $1 timestamptz and $2 text: after this one, $3 integer limit
SELECT reconciliation_id, actor, kind, period_from, period_to, account_id, made_by, format, encoding,
       status, received_bytes, digest, created, started, finished, attempt, reason, agrees,
       differences
  FROM reconciliations
 WHERE (created, reconciliation_id) < ($1::timestamptz, $2::text)
 ORDER BY created DESC, reconciliation_id DESC
 LIMIT $3::integer

-- name: report
-- $1 text id
SELECT report FROM reconciliations WHERE reconciliation_id = $1::text

-- name: begin_upload
-- The extract's first byte is about to come: what an upload that was cut has left is no use any more.
-- Answers the upload's number, which every piece of it brings.
-- $1 text id
WITH begun AS (
    UPDATE reconciliations
       SET received_bytes = 0, attempt = attempt + 1, touched = clock_timestamp()
     WHERE reconciliation_id = $1::text AND status = 'RECEIVING'
 RETURNING reconciliation_id, attempt
), dropped AS (
    DELETE FROM reconciliation_uploads u USING begun
     WHERE u.reconciliation_id = begun.reconciliation_id
)
SELECT attempt FROM begun

-- name: append
-- The extract's next piece, only where it really is the next of this upload, and only while all
-- uploads together have room for it.
-- $1 text id, $2 integer upload, $3 bigint position, $4 bytea bytes, $5 bigint most bytes of all
WITH moved AS (
    UPDATE reconciliations
       SET received_bytes = received_bytes + length($4::bytea), touched = clock_timestamp()
     WHERE reconciliation_id = $1::text AND attempt = $2::integer AND status = 'RECEIVING'
       AND received_bytes = $3::bigint
       AND length($4::bytea) <= $5::bigint
           - (SELECT coalesce(sum(r.received_bytes), 0) FROM reconciliations r
               WHERE r.finished IS NULL)
 RETURNING reconciliation_id
)
INSERT INTO reconciliation_uploads (reconciliation_id, position, bytes)
SELECT reconciliation_id, $3::bigint, $4::bytea FROM moved
RETURNING position

-- name: arrived
-- The whole extract is there, and its command is about to be sent.
-- $1 text id, $2 integer upload, $3 bigint bytes in all, $4 bytea digest
UPDATE reconciliations
   SET status = 'QUEUED', digest = $4::bytea, sent = clock_timestamp()
 WHERE reconciliation_id = $1::text AND attempt = $2::integer AND received_bytes = $3::bigint
   AND status = 'RECEIVING'
RETURNING reconciliation_id

-- name: fail_upload
-- An upload that cannot go on.
-- $1 text id, $2 integer upload, $3 text reason
UPDATE reconciliations SET status = 'FAILED', reason = $3::text, finished = clock_timestamp()
 WHERE reconciliation_id = $1::text AND attempt = $2::integer AND status = 'RECEIVING'

-- name: piece
-- A piece of an extract.
-- $1 text id, $2 bigint position
SELECT bytes FROM reconciliation_uploads
 WHERE reconciliation_id = $1::text AND position = $2::bigint

-- name: unsent
-- Those that nobody works on although their command is long gone: they are to be sent again.
-- $1 interval since it was sent, $2 integer limit
UPDATE reconciliations SET sent = clock_timestamp()
 WHERE reconciliation_id IN (
       SELECT reconciliation_id FROM reconciliations
        WHERE finished IS NULL AND status IN ('QUEUED', 'RUNNING')
          AND coalesce(leased_until < clock_timestamp(), true)
          AND coalesce(not_before <= clock_timestamp(), true)
          AND coalesce(sent < clock_timestamp() - $1::interval, true)
        ORDER BY created
        LIMIT $2::integer
          FOR UPDATE SKIP LOCKED)
RETURNING reconciliation_id

-- name: resend
-- Its command has not been sent yet after all.
-- $1 text id
UPDATE reconciliations SET sent = NULL WHERE reconciliation_id = $1::text AND finished IS NULL

-- name: claim
-- It is to be compared now, by whoever asks: unless that is done, postponed, or somebody is at it. tries
-- counts those that nobody brought to an orderly end; what the last of them came to stays known.
-- $1 text id, $2 interval lease
UPDATE reconciliations
   SET attempt = attempt + 1, tries = tries + 1, status = 'RUNNING',
       reason = CASE WHEN tries > 0 THEN reason END,
       leased_until = clock_timestamp() + $2::interval,
       started = coalesce(started, clock_timestamp())
 WHERE reconciliation_id = $1::text AND finished IS NULL AND status IN ('QUEUED', 'RUNNING')
   AND coalesce(leased_until < clock_timestamp(), true)
   AND coalesce(not_before <= clock_timestamp(), true)
RETURNING reconciliation_id, actor, kind, period_from, period_to, account_id, made_by, format,
          encoding, status, received_bytes, digest, created, started, finished, attempt, reason,
          agrees, differences, tries

-- name: renew
-- The lease goes on; nothing is answered where somebody else has it by now.
-- $1 text id, $2 integer attempt, $3 interval lease
UPDATE reconciliations SET leased_until = clock_timestamp() + $3::interval
 WHERE reconciliation_id = $1::text AND attempt = $2::integer AND finished IS NULL
RETURNING reconciliation_id

-- name: postpone
-- Not now: its command is sent again after a while.
-- $1 text id, $2 integer attempt, $3 interval, $4 text reason, $5 integer tries that do not count
UPDATE reconciliations
   SET status = 'QUEUED', reason = $4::text, leased_until = NULL, sent = NULL,
       not_before = clock_timestamp() + $3::interval, tries = tries - $5::integer
 WHERE reconciliation_id = $1::text AND attempt = $2::integer AND finished IS NULL

-- name: add_differences
-- What was found, in order.
-- $1 text id, $2 integer attempt, $3 bigint[] numbers, $4 text[] kinds, $5 text[] documents
WITH held AS (
    SELECT reconciliation_id, attempt FROM reconciliations
     WHERE reconciliation_id = $1::text AND attempt = $2::integer AND finished IS NULL
       FOR SHARE
), kept AS (
    INSERT INTO reconciliation_differences (reconciliation_id, attempt, number, kind, document)
    SELECT held.reconciliation_id, held.attempt, d.*
      FROM held, unnest($3::bigint[], $4::text[], $5::text[]) AS d
)
SELECT reconciliation_id FROM held

-- name: finish
-- It is compared: what came of it, once and for all.
-- $1 text id, $2 integer attempt, $3 bigint differences, $4 boolean agrees, $5 text report
UPDATE reconciliations
   SET status = 'DONE', differences = $3::bigint, agrees = $4::boolean, report = $5::text,
       finished = clock_timestamp(), leased_until = NULL, reason = NULL
 WHERE reconciliation_id = $1::text AND attempt = $2::integer AND finished IS NULL
RETURNING reconciliation_id

-- name: fail
-- It cannot be compared.
-- $1 text id, $2 integer attempt, $3 text reason
UPDATE reconciliations
   SET status = 'FAILED', reason = $3::text, finished = clock_timestamp(), leased_until = NULL
 WHERE reconciliation_id = $1::text AND attempt = $2::integer AND finished IS NULL
RETURNING reconciliation_id

-- name: differences
-- A page of what was found.
-- $1 text id, $2 integer attempt, $3 text kind or null, $4 bigint after this number, $5 integer limit
SELECT number, kind, document FROM reconciliation_differences
 WHERE reconciliation_id = $1::text AND attempt = $2::integer
   AND ($3::text IS NULL OR kind = $3::text) AND number > $4::bigint
 ORDER BY number
 LIMIT $5::integer

-- name: stale_uploads
-- Extracts that never arrived whole.
-- $1 interval
UPDATE reconciliations
   SET status = 'FAILED', reason = 'the upload was cut short and never sent again',
       finished = clock_timestamp()
 WHERE status = 'RECEIVING' AND touched < clock_timestamp() - $1::interval

-- name: drop_uploads
-- Bytes of what has ended.
DELETE FROM reconciliation_uploads u USING reconciliations r
 WHERE r.reconciliation_id = u.reconciliation_id AND r.finished IS NOT NULL

-- name: drop_differences
-- What earlier attempts have found, so many at a time; answers how many they were. Never what a later
-- one has: whoever asks may have been frozen.
-- $1 text id, $2 integer attempts before this one, $3 integer limit
WITH dropped AS (
    DELETE FROM reconciliation_differences
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM reconciliation_differences
                              WHERE reconciliation_id = $1::text AND attempt < $2::integer
                              LIMIT $3::integer))
 RETURNING 1
)
SELECT count(*) FROM dropped
