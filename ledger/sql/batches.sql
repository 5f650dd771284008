-- Bulk files, from their first byte to their last result. None of this is part of the books.
--
-- Whatever a worker writes about a file it writes as the holder of its lease, and holds that until it
-- is written (``held``): one that was frozen, and has been replaced, writes nothing more.

-- name: create
-- A new file, unless there is one under this id; nothing of it has arrived yet.
-- $1 text batch id, $2 text actor, $3 text kind, $4 text format, $5 text encoding, $6 boolean atomic,
-- $7 boolean dry run, $8 timestamptz not after, $9 text from wallet, $10 bigint control count,
-- $11 numeric control total
INSERT INTO batches (batch_id, actor, kind, format, encoding, atomic, dry_run, not_after,
                     from_wallet, control_count, control_total)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::boolean, $7::boolean,
        $8::timestamptz, $9::text, $10::bigint, $11::numeric)
    ON CONFLICT (batch_id) DO NOTHING

-- name: get
-- One file.
-- $1 text batch id
SELECT batch_id, actor, kind, format, encoding, atomic, dry_run, not_after, from_wallet,
       control_count, control_total, status, wish, received_bytes, digest, lines, prepared, reason,
       created, received, started, finished
  FROM batches WHERE batch_id = $1::text

-- name: page
-- Files, the latest first.
-- $1 timestamptz and $2 text: after this one, $3 integer limit
SELECT batch_id, actor, kind, format, encoding, atomic, dry_run, not_after, from_wallet,
       control_count, control_total, status, wish, received_bytes, digest, lines, prepared, reason,
       created, received, started, finished
  FROM batches
 WHERE (created, batch_id) < ($1::timestamptz, $2::text)
 ORDER BY created DESC, batch_id DESC
 LIMIT $3::integer

-- name: progress
-- What became of the lines whose lots are done.
-- $1 text batch id
SELECT coalesce(sum(posted), 0)::bigint AS posted, coalesce(sum(rejected), 0)::bigint AS rejected,
       coalesce(sum(invalid), 0)::bigint AS invalid, coalesce(sum(expired), 0)::bigint AS expired,
       coalesce(sum(cancelled), 0)::bigint AS cancelled
  FROM batch_lots WHERE batch_id = $1::text AND results IS NOT NULL

-- name: amounts
-- Sums by currency over the lots that are done, in minor units.
-- $1 text batch id
SELECT s.which, s.currency, sum(s.minor)::numeric AS minor
  FROM batch_lots l
 CROSS JOIN LATERAL (
        SELECT 'posted' AS which, key AS currency, value::numeric AS minor
          FROM jsonb_each_text(l.posted_minor)
         UNION ALL
        SELECT 'rejected', key, value::numeric FROM jsonb_each_text(l.rejected_minor)) AS s
 WHERE l.batch_id = $1::text
 GROUP BY s.which, s.currency

-- name: append
-- The next piece of an upload, only where it really is the next (of two uploaders one is told so),
-- and only while all uploads together have room for it. Pieces that are written at the same moment
-- do not see each other: their sum may go beyond by as many of them.
-- $1 text batch id, $2 bigint position, $3 bytea bytes, $4 bigint most bytes of all uploads
WITH moved AS (
    UPDATE batches
       SET received_bytes = received_bytes + length($3::bytea), touched = clock_timestamp()
     WHERE batch_id = $1::text AND received_bytes = $2::bigint AND status = 'RECEIVING'
       AND length($3::bytea) <= $4::bigint
           - (SELECT coalesce(sum(b.received_bytes), 0) FROM batches b
               WHERE b.finished IS NULL AND NOT b.prepared)
           - (SELECT coalesce(sum(b.received_bytes), 0) FROM batches b
               WHERE b.finished > clock_timestamp() - interval '2 minutes' AND NOT b.prepared)
 RETURNING batch_id
)
INSERT INTO batch_uploads (batch_id, position, bytes)
SELECT batch_id, $2::bigint, $3::bytea FROM moved
RETURNING position

-- name: staged
-- How many bytes all uploads have that are kept at the moment, by what the files say: those that
-- are not read yet, and those that ended unread so lately that perhaps they are not tidied yet.
SELECT ((SELECT coalesce(sum(b.received_bytes), 0) FROM batches b
          WHERE b.finished IS NULL AND NOT b.prepared)
        + (SELECT coalesce(sum(b.received_bytes), 0) FROM batches b
            WHERE b.finished > clock_timestamp() - interval '2 minutes'
              AND NOT b.prepared))::bigint

-- name: arrived
-- The whole file is there.
-- $1 text batch id, $2 bigint bytes in all, $3 bytea digest
UPDATE batches
   SET status = CASE WHEN wish = 'PAUSE' THEN 'PAUSED' ELSE 'QUEUED' END, digest = $3::bytea,
       received = clock_timestamp()
 WHERE batch_id = $1::text AND received_bytes = $2::bigint AND status = 'RECEIVING'
RETURNING batch_id

-- name: piece
-- A piece of an upload, and where the next one starts.
-- $1 text batch id, $2 bigint position
SELECT bytes FROM batch_uploads WHERE batch_id = $1::text AND position = $2::bigint

-- name: wish
-- What somebody wants to be done with the file, heeded between messages. What nobody works on obeys
-- at once.
-- $1 text batch id, $2 text wish
UPDATE batches
   SET wish = $2::text,
       status = CASE
           WHEN status = 'RECEIVING' AND $2::text = 'CANCEL' THEN 'CANCELLED'
           WHEN status = 'QUEUED' AND $2::text = 'PAUSE'
                AND coalesce(leased_until < clock_timestamp(), true) THEN 'PAUSED'
           WHEN status = 'PAUSED' AND $2::text <> 'PAUSE' THEN 'QUEUED'
           ELSE status END,
       finished = CASE WHEN status = 'RECEIVING' AND $2::text = 'CANCEL'
                       THEN clock_timestamp() END
 WHERE batch_id = $1::text AND finished IS NULL AND wish <> 'CANCEL'
RETURNING batch_id

-- name: claim
-- The oldest file that waits and that nobody works on. Not held by a lock: a transaction as long as
-- a file would keep the whole database from being vacuumed, and two that worked on one file would
-- only repeat each other.
-- $1 text worker, $2 interval lease, $3 text[] files that it has already
UPDATE batches
   SET leased_by = $1::text, leased_until = clock_timestamp() + $2::interval
 WHERE batch_id = (
       SELECT batch_id FROM batches
        WHERE finished IS NULL AND status IN ('QUEUED', 'RUNNING')
          AND coalesce(leased_until < clock_timestamp(), true)
          AND batch_id <> ALL ($3::text[])
        ORDER BY created
        LIMIT 1
          FOR UPDATE SKIP LOCKED)
RETURNING batch_id

-- name: renew
-- The leases go on; answers what is wished. A file that is missing is somebody else's by now.
-- $1 text worker, $2 interval lease, $3 text[] batch ids
UPDATE batches
   SET leased_until = clock_timestamp() + $2::interval
 WHERE batch_id = ANY ($3::text[]) AND leased_by = $1::text AND finished IS NULL
RETURNING batch_id, wish

-- name: release
-- Somebody else may go on with it at once.
-- $1 text worker, $2 text[] batch ids
UPDATE batches SET leased_until = NULL
 WHERE batch_id = ANY ($2::text[]) AND leased_by = $1::text

-- name: begin
-- The file is being worked on.
-- $1 text batch id, $2 text worker
UPDATE batches SET status = 'RUNNING', started = coalesce(started, clock_timestamp())
 WHERE batch_id = $1::text AND leased_by = $2::text AND finished IS NULL

-- name: pause
-- It rests, if that is still wished.
-- $1 text batch id, $2 text worker
UPDATE batches SET status = CASE WHEN wish = 'PAUSE' THEN 'PAUSED' ELSE 'QUEUED' END,
       leased_until = NULL
 WHERE batch_id = $1::text AND leased_by = $2::text AND finished IS NULL

-- name: finish
-- The last word on the file, never while one of its lines has none.
-- $1 text batch id, $2 text worker, $3 text status, $4 text reason
UPDATE batches
   SET status = $3::text, reason = coalesce($4::text, reason), finished = clock_timestamp(),
       leased_until = NULL
 WHERE batch_id = $1::text AND leased_by = $2::text AND finished IS NULL
   AND NOT EXISTS (SELECT FROM batch_lots WHERE batch_id = $1::text AND results IS NULL)
   AND ($3::text <> 'DONE'
        OR lines = (SELECT coalesce(sum(l.lines), 0) FROM batch_lots l WHERE batch_id = $1::text))
RETURNING batch_id

-- name: defect
-- Working on it failed in a way that nobody foresaw; how often by now.
-- $1 text batch id, $2 text worker
UPDATE batches SET defects = defects + 1
 WHERE batch_id = $1::text AND leased_by = $2::text AND finished IS NULL
RETURNING CASE WHEN prepared THEN 0 ELSE defects END AS unread

-- name: fail_upload
-- An upload that cannot go on.
-- $1 text batch id, $2 text reason
UPDATE batches SET status = 'FAILED', reason = $2::text, finished = clock_timestamp()
 WHERE batch_id = $1::text AND status = 'RECEIVING'

-- name: add_lots
-- Lines that were read, in order.
-- $1 text batch id, $2 text worker, $3 integer[] lots, $4/$5 bigint[] first and last lines,
-- $6 integer[] lines, $7 bytea[] bodies
WITH held AS (
    SELECT batch_id FROM batches
     WHERE batch_id = $1::text AND leased_by = $2::text AND finished IS NULL AND NOT prepared
       FOR SHARE
)
INSERT INTO batch_lots (batch_id, lot, first_line, last_line, lines, body)
SELECT held.batch_id, l.*
  FROM held, unnest($3::integer[], $4::bigint[], $5::bigint[], $6::integer[], $7::bytea[]) AS l
RETURNING lot

-- name: prepared
-- The whole file was read and holds.
-- $1 text batch id, $2 text worker, $3 bigint lines
UPDATE batches SET prepared = true, lines = $3::bigint
 WHERE batch_id = $1::text AND leased_by = $2::text AND finished IS NULL
RETURNING batch_id

-- name: drop_uploads
-- $1 text batch id
DELETE FROM batch_uploads WHERE batch_id = $1::text

-- name: drop_lots
-- Of a file that has ended, or that its worker reads from the beginning.
-- $1 text batch id, $2 text worker
WITH held AS (
    SELECT batch_id FROM batches
     WHERE batch_id = $1::text
       AND (finished IS NOT NULL OR (leased_by = $2::text AND NOT prepared))
       FOR SHARE
), dropped AS (
    DELETE FROM batch_lots USING held WHERE batch_lots.batch_id = held.batch_id
)
SELECT batch_id FROM held

-- name: open_lots
-- The next lots without results.
-- $1 text batch id, $2 integer after this lot, $3 integer limit
SELECT lot, body, layout FROM batch_lots
 WHERE batch_id = $1::text AND lot > $2::integer AND results IS NULL
 ORDER BY lot
 LIMIT $3::integer

-- name: bodies
-- All lots of a file in order.
-- $1 text batch id
SELECT lot, lines, body, layout FROM batch_lots WHERE batch_id = $1::text ORDER BY lot

-- name: send_lots
-- From here on their commands may be on the way.
-- $1 text batch id, $2 text worker, $3 integer[] lots, $4 smallint layout
WITH held AS (
    SELECT batch_id FROM batches
     WHERE batch_id = $1::text AND leased_by = $2::text AND finished IS NULL
       FOR SHARE
), marked AS (
    UPDATE batch_lots SET layout = coalesce(layout, $4::smallint)
      FROM held
     WHERE batch_lots.batch_id = held.batch_id AND lot = ANY ($3::integer[])
)
SELECT batch_id FROM held

-- name: finish_lot
-- What became of all of its lines, once and for all.
-- $1 text batch id, $2 text worker, $3 integer lot, $4 bytea results, $5 posted, $6 rejected,
-- $7 invalid, $8 expired, $9 cancelled (integers), $10/$11 jsonb posted and rejected amounts
WITH held AS (
    SELECT batch_id FROM batches
     WHERE batch_id = $1::text AND leased_by = $2::text AND finished IS NULL
       FOR SHARE
), kept AS (
    UPDATE batch_lots
       SET results = $4::bytea, posted = $5::integer, rejected = $6::integer,
           invalid = $7::integer, expired = $8::integer, cancelled = $9::integer,
           posted_minor = $10::jsonb, rejected_minor = $11::jsonb
      FROM held
     WHERE batch_lots.batch_id = held.batch_id AND lot = $3::integer AND results IS NULL
)
SELECT batch_id FROM held

-- name: parked
-- Files that were to be posted whole and ended with one refusal of all their lines: perhaps their
-- command was parked, and is replayed one day.
SELECT b.batch_id
  FROM batches b
  JOIN batch_lots l ON l.batch_id = b.batch_id AND l.lot = 0
 WHERE b.atomic AND NOT b.dry_run AND b.status = 'DONE' AND l.rejected = l.lines

-- name: amend
-- Other last words on all lines of such a file, at once, because the replay has decided them.
-- $1 text batch id, $2 text reason, $3 integer[] lots, $4 bytea[] results, $5 posted, $6 rejected,
-- $7 expired, $8 cancelled (integer[]), $9/$10 text[] posted and rejected amounts as JSON
WITH ended AS (
    UPDATE batches SET reason = $2::text
     WHERE batch_id = $1::text AND status = 'DONE' AND atomic
 RETURNING batch_id
)
UPDATE batch_lots
   SET results = a.results, posted = a.posted, rejected = a.rejected, expired = a.expired,
       cancelled = a.cancelled, posted_minor = a.posted_minor::jsonb,
       rejected_minor = a.rejected_minor::jsonb
  FROM ended, unnest($3::integer[], $4::bytea[], $5::integer[], $6::integer[], $7::integer[],
                     $8::integer[], $9::text[], $10::text[])
           AS a (lot, results, posted, rejected, expired, cancelled, posted_minor, rejected_minor)
 WHERE batch_lots.batch_id = ended.batch_id AND batch_lots.lot = a.lot

-- name: done_until
-- The first lot whose results are not known yet, NULL where all are; and the last line before it.
-- $1 text batch id
SELECT o.open, (SELECT max(last_line) FROM batch_lots
                 WHERE batch_id = $1::text AND (o.open IS NULL OR lot < o.open)) AS last_line
  FROM (SELECT min(lot) AS open FROM batch_lots
         WHERE batch_id = $1::text AND results IS NULL) AS o

-- name: results
-- Results of some lots in order.
-- $1 text batch id, $2 bigint after this line, $3 integer before this lot, $4 integer limit
SELECT lot, last_line, results FROM batch_lots
 WHERE batch_id = $1::text AND last_line > $2::bigint AND lot >= $5::integer
   AND ($3::integer IS NULL OR lot < $3::integer)
 ORDER BY lot
 LIMIT $4::integer

-- name: currencies
-- $1 uuid[] wallet ids
SELECT wallet_id, currency FROM wallets WHERE wallet_id = ANY ($1::uuid[])

-- name: stale_uploads
-- Uploads that nobody has continued for long.
-- $1 interval
UPDATE batches
   SET status = 'FAILED', reason = 'the upload was cut short and never continued',
       finished = clock_timestamp()
 WHERE status = 'RECEIVING' AND finished IS NULL AND touched < clock_timestamp() - $1::interval

-- name: leftovers
-- Finished files whose bytes are still there.
SELECT b.batch_id
  FROM batch_uploads u
  JOIN batches b ON b.batch_id = u.batch_id
 WHERE u.position = 0 AND b.finished IS NOT NULL

-- name: outdated
-- Files that ended so long ago that nobody asks for their results any more.
-- $1 interval
SELECT batch_id FROM batches WHERE finished < clock_timestamp() - $1::interval LIMIT 10

-- name: forget
-- $1 text batch id
DELETE FROM batches WHERE batch_id = $1::text
