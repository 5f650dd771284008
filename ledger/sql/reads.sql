-- Questions to the books; each is one statement and so one snapshot.

-- name: clock
-- Database time, and the time of the latest decision: later than the clock where that was put back.
-- And whether this server only repeats what another one writes.
SELECT clock_timestamp() AS now, pg_is_in_recovery() AS is_standby,
       (SELECT max(decided_at) FROM heads WHERE layout > 0) AS decided_at

-- name: complete_until
-- No entry older than this can still appear: whoever decides later decides at a later time. Read it
-- before the entries it is shown with.
SELECT min(decided_at) FROM heads WHERE layout > 0

-- name: wallet_ids
-- External ids -> wallet ids; a pair never changes.
-- $1 text[] external ids
SELECT external_unique_id, wallet_id FROM wallets WHERE external_unique_id = ANY ($1::text[])

-- name: wallet
-- One wallet with its balance at the time of reading.
-- $1 uuid wallet id
SELECT w.wallet_id, w.external_unique_id, w.reference, w.type, w.status, w.currency,
       w.minimum_minor, w.balance_minor, w.name, w.metadata, w.created, t.now,
       coalesce((SELECT sum(r.amount_minor)
                   FROM reservations r
                  WHERE r.wallet_id = w.wallet_id AND r.released IS NULL AND r.expires > t.now),
                0)::bigint AS reserved_minor
  FROM wallets w, (SELECT clock_timestamp() AS now) t
 WHERE w.wallet_id = $1::uuid

-- name: wallet_of_reference
-- The wallet that a payment reference names.
-- $1 text reference
SELECT wallet_id FROM wallets WHERE reference = $1::text

-- name: wallets
-- A page of wallet ids.
-- $1 uuid after this id, $2 integer limit
SELECT wallet_id FROM wallets WHERE wallet_id > $1::uuid ORDER BY wallet_id LIMIT $2::integer

-- name: balance_at
-- The current balance of a wallet at a moment of the past. created never falls along sequence, so
-- the last entry until then is found by bisecting the primary key.
-- $1 uuid wallet id, $2 timestamptz moment
WITH RECURSIVE bisect (low, high) AS (
    SELECT 1::bigint, last_sequence + 1 FROM wallets WHERE wallet_id = $1::uuid
    UNION ALL
    SELECT CASE WHEN e.created <= $2::timestamptz THEN e.sequence + 1 ELSE b.low END,
           CASE WHEN e.created <= $2::timestamptz THEN b.high ELSE e.sequence END
      FROM bisect b
      JOIN entries e ON e.wallet_id = $1::uuid AND e.sequence = (b.low + b.high) / 2
     WHERE b.low < b.high
)
SELECT w.currency, coalesce(e.balance_minor, 0) AS balance_minor
  FROM wallets w
  JOIN bisect b ON b.low = b.high
  LEFT JOIN entries e ON e.wallet_id = w.wallet_id AND e.sequence = b.low - 1
 WHERE w.wallet_id = $1::uuid

-- name: first_sequence
-- The sequence of a wallet's first entry at or after a moment (one past the last where there is
-- none), by bisecting the primary key.
-- $1 uuid wallet id, $2 timestamptz moment
WITH RECURSIVE bisect (low, high) AS (
    SELECT 1::bigint, last_sequence + 1 FROM wallets WHERE wallet_id = $1::uuid
    UNION ALL
    SELECT CASE WHEN e.created < $2::timestamptz THEN e.sequence + 1 ELSE b.low END,
           CASE WHEN e.created < $2::timestamptz THEN b.high ELSE e.sequence END
      FROM bisect b
      JOIN entries e ON e.wallet_id = $1::uuid AND e.sequence = (b.low + b.high) / 2
     WHERE b.low < b.high
)
SELECT low FROM bisect WHERE low = high

-- name: entries_ascending
-- A page of a wallet's history, oldest first.
-- $1 uuid wallet id, $2 bigint first sequence, $3 bigint before this sequence, $4 integer limit,
-- $5 integer offset
SELECT e.wallet_id, e.sequence, e.transfer_id, e.amount_minor, e.balance_minor, e.created,
       t.from_wallet_id, t.to_wallet_id, t.external_unique_id, t.description, t.external_id,
       t.session_id
  FROM entries e
  JOIN transfers t USING (transfer_id)
 WHERE e.wallet_id = $1::uuid AND e.sequence >= $2::bigint AND e.sequence < $3::bigint
 ORDER BY e.sequence
 LIMIT $4::integer OFFSET $5::integer

-- name: entries_descending
-- The same, newest first.
-- $1 uuid wallet id, $2 bigint first sequence, $3 bigint before this sequence, $4 integer limit,
-- $5 integer offset
SELECT e.wallet_id, e.sequence, e.transfer_id, e.amount_minor, e.balance_minor, e.created,
       t.from_wallet_id, t.to_wallet_id, t.external_unique_id, t.description, t.external_id,
       t.session_id
  FROM entries e
  JOIN transfers t USING (transfer_id)
 WHERE e.wallet_id = $1::uuid AND e.sequence >= $2::bigint AND e.sequence < $3::bigint
 ORDER BY e.sequence DESC
 LIMIT $4::integer OFFSET $5::integer

-- name: transfer_of_key
-- The transfer that used a key up.
-- $1 text key
SELECT transfer_id FROM transfers WHERE external_unique_id = $1::text

-- name: live_reservations
-- What still holds funds of a wallet.
-- $1 uuid wallet id, $2 text session id or null, $3 uuid reservation id or null, $4 uuid after this
-- id, $5 integer limit
SELECT reservation_id, wallet_id, amount_minor, currency, session_id, expires, created,
       external_unique_id, description
  FROM reservations
 WHERE wallet_id = $1::uuid AND released IS NULL AND expires > clock_timestamp()
   AND ($2::text IS NULL OR session_id = $2::text)
   AND ($3::uuid IS NULL OR reservation_id = $3::uuid)
   AND reservation_id > $4::uuid
 ORDER BY reservation_id
 LIMIT $5::integer

-- name: command
-- Whether a command has an outcome, and a time before which nobody decides about it any more: both
-- in one snapshot, so that "no outcome, and past its deadline" is final. A command of an earlier
-- layout can only be refused, by whichever partition its message is brought to.
-- $1 uuid command id, $2 smallint layout, $3 smallint partition
SELECT EXISTS (SELECT FROM outcomes WHERE command_id = $1::uuid) AS decided,
       coalesce(min(decided_at) FILTER (WHERE layout = $2::smallint AND partition = $3::smallint),
                min(decided_at)) AS decided_at
  FROM heads
 WHERE layout > 0
