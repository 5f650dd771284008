-- The relay's place in the outcome log.

-- name: claim
-- The cursors, held until the transaction ends; those that another relay holds are left to it.
SELECT partition, number FROM relay_cursors ORDER BY partition FOR UPDATE SKIP LOCKED

-- name: marks
-- A stretch of one partition's outcome log, in order: no more of each than what can be told of it.
-- $1 smallint partition, $2 bigint after this number, $3 integer limit
SELECT number, command_id, kind, first_event
  FROM outcomes
 WHERE partition = $1::smallint AND number > $2::bigint
 ORDER BY number
 LIMIT $3::integer

-- name: advance
-- Everything up to this outcome has been told.
-- $1 smallint partition, $2 bigint number
UPDATE relay_cursors SET number = $2::bigint WHERE partition = $1::smallint

-- name: oldest
-- When the oldest outcome was decided whose events are not told yet.
SELECT min(o.decided)
  FROM relay_cursors c
  JOIN outcomes o ON o.partition = c.partition AND o.number = c.number + 1
