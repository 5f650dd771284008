-- Records by their ids, exactly as they were when they were made.

-- name: wallets
-- Wallets with their balances now.
-- $1 uuid[] wallet ids
SELECT w.wallet_id, w.external_unique_id, w.reference, w.type, w.status, w.currency,
       w.minimum_minor, w.balance_minor, w.name, w.metadata, w.created,
       coalesce((SELECT sum(r.amount_minor)
                   FROM reservations r
                  WHERE r.wallet_id = w.wallet_id AND r.released IS NULL
                    AND r.expires > clock_timestamp()), 0)::bigint AS reserved_minor
  FROM wallets w
 WHERE w.wallet_id = ANY ($1::uuid[])

-- name: transfers
-- Transfers with the balances their entries left.
-- $1 uuid[] transfer ids
SELECT t.*, d.balance_minor AS from_balance_minor, c.balance_minor AS to_balance_minor
  FROM transfers t
  JOIN entries d ON d.wallet_id = t.from_wallet_id AND d.sequence = t.from_sequence
  JOIN entries c ON c.wallet_id = t.to_wallet_id AND c.sequence = t.to_sequence
 WHERE t.transfer_id = ANY ($1::uuid[])

-- name: releases
-- What transfers and release commands released.
-- $1 uuid[] transfer or command ids
SELECT released_by, reservation_id, wallet_id, session_id, amount_minor, currency
  FROM reservations
 WHERE released_by = ANY ($1::uuid[])
 ORDER BY reservation_id

-- name: reservations
-- Reservations as they were placed.
-- $1 uuid[] reservation ids
SELECT reservation_id, wallet_id, amount_minor, currency, session_id, expires, created,
       external_unique_id, description
  FROM reservations
 WHERE reservation_id = ANY ($1::uuid[])

-- name: groups
-- Transfer groups.
-- $1 uuid[] group ids
SELECT group_id, external_unique_id FROM transfer_groups WHERE group_id = ANY ($1::uuid[])

-- name: outcomes
-- What became of commands.
-- $1 uuid[] command ids
SELECT partition, number, command_id, kind, subject_id, first_event, decided, actor, detail
  FROM outcomes
 WHERE command_id = ANY ($1::uuid[])

-- name: outcome_range
-- A stretch of one partition's outcome log, in order.
-- $1 smallint partition, $2 bigint first number, $3 integer limit
SELECT partition, number, command_id, kind, subject_id, first_event, decided, actor, detail
  FROM outcomes
 WHERE partition = $1::smallint AND number >= $2::bigint
 ORDER BY number
 LIMIT $3::integer
