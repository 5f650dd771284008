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
-- Dead letters, newest first.
-- $1 integer limit
SELECT dead_letter_id, layout, partition, created, reason, command_id, submission, message,
       traceback
  FROM dead_letters
 ORDER BY created DESC, dead_letter_id
 LIMIT $1::integer

-- name: show
-- One dead letter.
-- $1 uuid id
SELECT dead_letter_id, layout, partition, created, reason, command_id, submission, message,
       traceback
  FROM dead_letters
 WHERE dead_letter_id = $1::uuid
