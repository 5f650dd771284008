-- Commands and messages that were parked.

-- name: park
-- One more dead letter.
-- $1 uuid id, $2 smallint layout, $3 smallint partition, $4 text reason, $5 uuid command id,
-- $6 text submission as JSON, $7 bytea message, $8 text traceback
INSERT INTO dead_letters (dead_letter_id, layout, partition, reason, command_id, submission,
                          message, traceback)
VALUES ($1::uuid, $2::smallint, $3::smallint, $4::text, $5::uuid, $6::text::json, $7::bytea,
        $8::text)

-- name: list
-- Dead letters, newest first, with what resolved each. What only a single one is asked for is left
-- out: a page of tracebacks would be megabytes.
-- $1 uuid before this id, $2 text reason or null, $3 boolean resolved or null, $4 integer limit
SELECT d.dead_letter_id, d.layout, d.partition, d.created, d.reason, d.command_id, d.submission,
       NULL::bytea AS message, NULL::text AS traceback, r.command_id AS resolved_by,
       k.name AS actor_name
  FROM dead_letters d
  LEFT JOIN dead_letter_resolutions r ON r.dead_letter_id = d.dead_letter_id
  LEFT JOIN outcomes o ON o.command_id = r.command_id
  LEFT JOIN api_keys k ON k.key_id = o.actor
 WHERE d.dead_letter_id < $1::uuid
   AND ($2::text IS NULL OR d.reason = $2::text)
   AND ($3::boolean IS NULL OR (r.command_id IS NOT NULL) = $3::boolean)
 ORDER BY d.dead_letter_id DESC
 LIMIT $4::integer

-- name: show
-- One dead letter, whole.
-- $1 uuid id
SELECT d.dead_letter_id, d.layout, d.partition, d.created, d.reason, d.command_id, d.submission,
       d.message, d.traceback, r.command_id AS resolved_by, k.name AS actor_name
  FROM dead_letters d
  LEFT JOIN dead_letter_resolutions r ON r.dead_letter_id = d.dead_letter_id
  LEFT JOIN outcomes o ON o.command_id = r.command_id
  LEFT JOIN api_keys k ON k.key_id = o.actor
 WHERE d.dead_letter_id = $1::uuid

-- name: resolved_by
-- The command that dealt with a dead letter.
-- $1 uuid dead letter id
SELECT command_id FROM dead_letter_resolutions WHERE dead_letter_id = $1::uuid

-- name: reasons
-- How many letters each reason has, by the newest letter of each.
-- $1 uuid before this id, $2 integer limit
SELECT reason, open, resolved, first, last, latest_id
  FROM (SELECT d.reason,
               count(*) FILTER (WHERE r.command_id IS NULL) AS open,
               count(r.command_id) AS resolved,
               min(d.created) AS first, max(d.created) AS last,
               (array_agg(d.dead_letter_id ORDER BY d.dead_letter_id DESC))[1] AS latest_id
          FROM dead_letters d
          LEFT JOIN dead_letter_resolutions r USING (dead_letter_id)
         GROUP BY d.reason) g
 WHERE latest_id < $1::uuid
 ORDER BY latest_id DESC
 LIMIT $2::integer
