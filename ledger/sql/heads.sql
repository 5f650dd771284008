-- The head rows outside of batches: taking partitions over, keeping their clocks going.

-- name: take_over
-- Become the owner: the epoch moves, and with it every batch of an earlier owner fails.
-- $1 smallint layout, $2 smallint partition
UPDATE heads
   SET epoch = epoch + 1, owner_pid = pg_backend_pid(), owner_started = a.backend_start
  FROM pg_stat_activity a
 WHERE layout = $1::smallint AND partition = $2::smallint AND a.pid = pg_backend_pid()
RETURNING epoch

-- name: end_owner
-- End the backend of the recorded owner, unless its process id belongs to another session by now:
-- a consumer frozen inside a statement holds its locks for ever, and no timeout frees them.
-- $1 smallint layout, $2 smallint partition
SELECT pg_terminate_backend(a.pid)
  FROM heads h
  JOIN pg_stat_activity a ON a.pid = h.owner_pid AND a.backend_start = h.owner_started
 WHERE h.layout = $1::smallint AND h.partition = $2::smallint AND a.pid <> pg_backend_pid()

-- name: reown
-- After a reconnect: record the new backend as owner of the partitions whose epoch is still ours.
-- Waits for the old backend, so that afterwards its last commit is seen or never happened.
-- $1 smallint layout, $2 smallint[] partitions, $3 bigint[] epochs
WITH mine AS (
    SELECT h.partition
      FROM heads h
      JOIN unnest($2::smallint[], $3::bigint[]) AS m (partition, epoch) USING (partition, epoch)
     WHERE h.layout = $1::smallint
     ORDER BY h.partition
       FOR NO KEY UPDATE OF h
)
UPDATE heads
   SET owner_pid = pg_backend_pid(), owner_started = a.backend_start
  FROM mine, pg_stat_activity a
 WHERE heads.layout = $1::smallint AND heads.partition = mine.partition
   AND a.pid = pg_backend_pid()
RETURNING heads.partition

-- name: turn
-- One writer at a time, of those that ask for it: until the transaction ends.
SELECT pg_advisory_xact_lock(x'7475726e'::bigint)

-- name: tick
-- Move the clocks of idle partitions, so that expired commands and finished history become final:
-- to the database's time, or further where the partition is ahead of it.
-- $1 smallint layout, $2 smallint[] partitions, $3 bigint[] epochs, $4 timestamptz[] no earlier than
WITH mine AS (
    SELECT h.partition, m.earliest
      FROM heads h
      JOIN unnest($2::smallint[], $3::bigint[], $4::timestamptz[])
           AS m (partition, epoch, earliest) USING (partition, epoch)
     WHERE h.layout = $1::smallint
     ORDER BY h.partition
       FOR NO KEY UPDATE OF h
)
UPDATE heads
   SET decided_at = greatest(heads.decided_at, clock_timestamp(), mine.earliest)
  FROM mine
 WHERE heads.layout = $1::smallint AND heads.partition = mine.partition
RETURNING heads.partition, heads.decided_at

-- name: sweep
-- Tidy reservations that expired a while ago; they hold nothing since their expiry. The margin
-- covers a batch whose decision time is still behind the clock.
-- $1 interval margin, $2 integer limit
UPDATE reservations
   SET released = expires
 WHERE reservation_id IN (
        SELECT reservation_id
          FROM reservations
         WHERE released IS NULL AND expires < clock_timestamp() - $1::interval
         ORDER BY reservation_id
         LIMIT $2::integer
           FOR UPDATE SKIP LOCKED)
RETURNING reservation_id

-- name: times
-- Where the partitions' clocks stand: those that nobody ticks stand still.
-- $1 smallint layout
SELECT partition, decided_at FROM heads WHERE layout = $1::smallint

-- name: announce
-- This consumer is alive.
-- $1 smallint slot, $2 smallint slots, $3 text process
INSERT INTO consumers (slot, slots, process, seen)
VALUES ($1::smallint, $2::smallint, $3::text, clock_timestamp())
    ON CONFLICT (slot) DO UPDATE
   SET slots = excluded.slots, process = excluded.process, seen = excluded.seen

-- name: neighbours
-- The slots of consumers that are alive.
-- $1 interval silence
SELECT slot FROM consumers WHERE seen > clock_timestamp() - $1::interval

-- name: state
-- Where the partitions have come to, for the logs: a chain that is also kept elsewhere cannot be
-- rewritten unnoticed.
-- $1 smallint layout, $2 smallint[] partitions
SELECT partition, epoch, next_number - 1 AS last_number, last_hash, decided_at
  FROM heads
 WHERE layout = $1::smallint AND partition = ANY ($2::smallint[])
 ORDER BY partition
