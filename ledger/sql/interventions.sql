-- What operators did to partitions.

-- name: record
-- The same for several partitions.
-- $1 smallint[] partitions, $2 text state, $3 interval how long, or null, $4 text actor,
-- $5 text reason
INSERT INTO interventions (partition, state, until, actor, reason)
SELECT p, $2::text, clock_timestamp() + $3::interval, $4::text, $5::text
  FROM unnest($1::smallint[]) AS p

-- name: in_force
-- Partitions that are not simply open.
SELECT partition, state, until, actor, reason, made
  FROM (SELECT DISTINCT ON (partition) *
          FROM interventions
         ORDER BY partition, number DESC) latest
 WHERE state <> 'OPEN' AND (until IS NULL OR until > clock_timestamp())
 ORDER BY partition
