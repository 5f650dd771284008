-- From one partitioning to the next, in one transaction of the owner.

-- name: lock
-- Every head row, once the batches that hold them are committed: from here on nothing is decided.
-- $1 smallint layout that is expected to be in force
SELECT layout, partition
  FROM heads
 WHERE $1::smallint = (SELECT max(layout) FROM layouts)
 ORDER BY partition
   FOR UPDATE

-- name: add
-- The new layout comes into force.
-- $1 smallint layout, $2 smallint partitions
INSERT INTO layouts (layout, partitions) VALUES ($1::smallint, $2::smallint)

-- name: move_heads
-- Partitions keep their numbering and their chain; whoever owned them finds nothing to lock. The
-- clock starts later than anything that was decided anywhere: a wallet that changes its partition
-- is never decided about at an earlier time than before. Partitions that are left over rest.
-- $1 smallint new layout, $2 smallint partitions
UPDATE heads
   SET layout = CASE WHEN partition < $2::smallint THEN $1::smallint ELSE 0 END,
       epoch = epoch + 1, owner_pid = NULL, owner_started = NULL,
       decided_at = greatest(
           clock_timestamp(),
           (SELECT max(decided_at) + interval '1 microsecond' FROM heads))

-- name: add_heads
-- Partitions that there never were before.
-- $1 smallint new layout, $2 smallint partitions, $3 bytea first hash
INSERT INTO heads (layout, partition, last_hash, decided_at)
SELECT $1::smallint, p, $3::bytea,
       greatest(clock_timestamp(), (SELECT max(decided_at) FROM heads))
  FROM generate_series(0, $2::smallint - 1) AS p
 WHERE p NOT IN (SELECT partition FROM heads)

-- name: add_relay_cursors
-- And their events, told from the first one.
INSERT INTO relay_cursors (partition)
SELECT partition FROM heads
    ON CONFLICT (partition) DO NOTHING

-- name: before
-- The layouts that were in force once.
-- $1 smallint layout in force
SELECT layout, partitions FROM layouts WHERE layout < $1::smallint ORDER BY layout
