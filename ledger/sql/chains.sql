-- The hash chain, for the audit to follow.

-- name: partitions
-- The partitions whose chain there is to follow.
SELECT partition FROM heads ORDER BY partition

-- name: links
-- A stretch of one partition's chain.
-- $1 smallint partition, $2 bigint after this number, $3 integer limit
SELECT first_number, last_number, hash
  FROM chain
 WHERE partition = $1::smallint AND last_number > $2::bigint
 ORDER BY last_number
 LIMIT $3::integer
