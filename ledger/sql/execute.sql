-- One batch, one transaction: its statements in the order in which they run.
--
-- Locks are taken in one order everywhere (heads by partition, wallets by id, reservations by id,
-- unique keys last and sorted), so that two batches can wait for each other but not in a circle. Only
-- two that are written in slices can, by keys alone, and then one of them is run again.
-- ``wallets`` and ``reservations`` get a lock clause where the batch may write; a check that moves
-- nothing (onlyCheck) reads the same statements without it.

-- name: lock
-- The fence, the numbering and the clock of every partition in the batch, then every wallet whose
-- row it may write, as ``wallets`` has them: one after the other, in one round trip. Rows of heads
-- have no wallet, and the other way round.
-- $1 smallint layout, $2 smallint[] partitions, $3 uuid[] wallet ids
WITH head AS MATERIALIZED (
    SELECT partition, epoch, next_number, next_event, last_hash, decided_at
      FROM heads
     WHERE layout = $1::smallint AND partition = ANY ($2::smallint[])
     ORDER BY partition
       FOR NO KEY UPDATE
), wallet AS MATERIALIZED (
    SELECT wallet_id, external_unique_id, reference, type, status, currency, minimum_minor,
           balance_minor, last_sequence, last_entry, name, metadata, created
      FROM wallets
     WHERE wallet_id = ANY ($3::uuid[])
     ORDER BY wallet_id
       FOR NO KEY UPDATE
)
SELECT partition, epoch, next_number, next_event, last_hash, decided_at,
       NULL::uuid AS wallet_id, NULL::text AS external_unique_id, NULL::text AS reference,
       NULL::text AS type, NULL::text AS status, NULL::text AS currency,
       NULL::bigint AS minimum_minor, NULL::bigint AS balance_minor,
       NULL::bigint AS last_sequence, NULL::timestamptz AS last_entry, NULL::text AS name,
       NULL::json AS metadata, NULL::timestamptz AS created
  FROM head
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL,
       wallet_id, external_unique_id, reference, type, status, currency, minimum_minor,
       balance_minor, last_sequence, last_entry, name, metadata, created
  FROM wallet

-- name: find_wallets
-- External ids -> wallet ids, for commands that name wallets so. A pair never changes: no lock.
-- $1 text[] external ids
SELECT external_unique_id, wallet_id FROM wallets WHERE external_unique_id = ANY ($1::text[])

-- name: wallets
-- Every wallet whose row the batch may write.
-- $1 uuid[] wallet ids
SELECT wallet_id, external_unique_id, reference, type, status, currency, minimum_minor,
       balance_minor, last_sequence, last_entry, name, metadata, created
  FROM wallets
 WHERE wallet_id = ANY ($1::uuid[])
 ORDER BY wallet_id

-- name: reservations
-- Those that the batch may release: all of a session, on any wallet, and those named by id. Locked,
-- so that nobody else releases them too.
-- $1 text[] session ids, $2 uuid[] reservation ids
SELECT reservation_id
  FROM reservations
 WHERE (session_id = ANY ($1::text[]) OR reservation_id = ANY ($2::uuid[])) AND released IS NULL
 ORDER BY reservation_id

-- name: facts
-- The rest of what the rules need, one row per fact. It must be a later statement than the locks:
-- one that locks and reads together sees reservations as they were before it waited. The clock is
-- read here for the same reason.
-- $1 uuid[] command ids, $2 uuid[] wallets whose available balance counts, $3 uuid[] reservations,
-- $4 text[] transfer keys, $5 text[] wallet keys, $6 text[] reservation keys, $7 text[] group keys
SELECT 'clock' AS kind, NULL::uuid AS id, NULL::text AS key, clock_timestamp() AS at,
       NULL::text AS record
UNION ALL
SELECT 'decided', command_id, NULL, NULL, NULL
  FROM outcomes WHERE command_id = ANY ($1::uuid[])
UNION ALL
SELECT 'held', reservation_id, NULL, expires,
       json_build_object(
         'reservation_id', reservation_id, 'wallet_id', wallet_id, 'amount_minor', amount_minor,
         'currency', currency, 'session_id', session_id, 'expires', expires, 'created', created,
         'external_unique_id', external_unique_id, 'description', description)::text
  FROM reservations
 WHERE (wallet_id = ANY ($2::uuid[]) OR reservation_id = ANY ($3::uuid[])) AND released IS NULL
UNION ALL
SELECT 'transfer', transfer_id, external_unique_id, NULL, NULL
  FROM transfers WHERE external_unique_id = ANY ($4::text[])
UNION ALL
SELECT 'wallet', wallet_id, external_unique_id, NULL, NULL
  FROM wallets WHERE external_unique_id = ANY ($5::text[])
UNION ALL
SELECT 'reservation', reservation_id, external_unique_id, NULL, NULL
  FROM reservations WHERE external_unique_id = ANY ($6::text[])
UNION ALL
SELECT 'group', group_id, external_unique_id, NULL, NULL
  FROM transfer_groups WHERE external_unique_id = ANY ($7::text[])
UNION ALL
SELECT 'refused ' || k.space, NULL, k.key, k.decided, o.detail::text
  FROM refused_keys k JOIN outcomes o USING (partition, number)
 WHERE (k.space = 'transfer' AND k.key = ANY ($4::text[]))
    OR (k.space = 'wallet' AND k.key = ANY ($5::text[]))
    OR (k.space = 'reservation' AND k.key = ANY ($6::text[]))
    OR (k.space = 'group' AND k.key = ANY ($7::text[]))

-- name: reversed
-- How much of each transfer has been given back.
-- $1 uuid[] transfer ids
SELECT reversal_of, sum(amount_minor)::bigint AS amount_minor
  FROM transfers
 WHERE reversal_of = ANY ($1::uuid[])
 GROUP BY reversal_of

-- name: letters
-- The dead letters that commands name, and what resolved them. Two that race for one are told apart
-- by its primary key.
-- $1 uuid[] dead letter ids
SELECT d.dead_letter_id, r.command_id
  FROM dead_letters d
  LEFT JOIN dead_letter_resolutions r USING (dead_letter_id)
 WHERE d.dead_letter_id = ANY ($1::uuid[])

-- name: create_wallets
-- New wallets, empty.
-- $1 uuid[] ids, $2 text[] external ids, $3 text[] references, $4 text[] types, $5 text[]
-- currencies, $6 bigint[] minimums, $7 text[] names, $8 text[] metadata, $9 timestamptz created
INSERT INTO wallets (wallet_id, external_unique_id, reference, type, status, currency,
                     minimum_minor, name, metadata, created)
SELECT w.wallet_id, w.external_unique_id, w.reference, w.type, 'ACTIVE', w.currency,
       w.minimum_minor, w.name, w.metadata::json, $9::timestamptz
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[],
              $7::text[], $8::text[])
       AS w (wallet_id, external_unique_id, reference, type, currency, minimum_minor, name,
             metadata)
 ORDER BY w.external_unique_id COLLATE "C"

-- name: change_wallets
-- What a wallet's owner or an operator may change.
-- $1 uuid[] ids, $2 text[] statuses, $3 bigint[] minimums, $4 text[] names, $5 text[] metadata
UPDATE wallets
   SET status = w.status, minimum_minor = w.minimum_minor, name = w.name,
       metadata = w.metadata::json
  FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::text[])
       AS w (wallet_id, status, minimum_minor, name, metadata)
 WHERE wallets.wallet_id = w.wallet_id

-- name: place_reservations
-- New reservations, live.
-- $1 uuid[] ids, $2 uuid[] wallets, $3 text[] keys, $4 text[] sessions, $5 bigint[] amounts,
-- $6 text[] currencies, $7 timestamptz[] expiries, $8 uuid[] commands, $9 text[] descriptions,
-- $10 timestamptz created
INSERT INTO reservations (reservation_id, wallet_id, external_unique_id, session_id, amount_minor,
                          currency, expires, command_id, description, created)
SELECT r.reservation_id, r.wallet_id, r.external_unique_id, r.session_id, r.amount_minor,
       r.currency, r.expires, r.command_id, r.description, $10::timestamptz
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::text[],
              $7::timestamptz[], $8::uuid[], $9::text[])
       AS r (reservation_id, wallet_id, external_unique_id, session_id, amount_minor, currency,
             expires, command_id, description)
 ORDER BY r.external_unique_id COLLATE "C"

-- name: release_reservations
-- Reservations that ended before their time; load locked them.
-- $1 uuid[] ids, $2 uuid[] the transfers or commands that released them, $3 timestamptz released
UPDATE reservations
   SET released = $3::timestamptz, released_by = r.released_by
  FROM unnest($1::uuid[], $2::uuid[]) AS r (reservation_id, released_by)
 WHERE reservations.reservation_id = r.reservation_id

-- name: create_groups
-- Transfer groups; their members go with the other transfers.
-- $1 uuid[] ids, $2 uuid[] commands, $3 text[] keys, $4 timestamptz created
INSERT INTO transfer_groups (group_id, command_id, external_unique_id, created)
SELECT g.group_id, g.command_id, g.external_unique_id, $4::timestamptz
  FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS g (group_id, command_id, external_unique_id)
 ORDER BY g.external_unique_id COLLATE "C"

-- name: refuse_keys
-- The keys that refused commands named, in order; the latest refusal of each is kept.
-- $1 text[] spaces, $2 text[] keys, $3 smallint[] partitions, $4 bigint[] outcome numbers,
-- $5 timestamptz decided
INSERT INTO refused_keys (space, key, partition, number, decided)
SELECT k.space, k.key, k.partition, k.number, $5::timestamptz
  FROM unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[])
       AS k (space, key, partition, number)
    ON CONFLICT (space, key) DO UPDATE
   SET partition = excluded.partition, number = excluded.number, decided = excluded.decided
 WHERE refused_keys.decided <= excluded.decided

-- name: resolve_letters
-- Dead letters that replays and discards resolved.
-- $1 uuid[] dead letter ids, $2 uuid[] commands
INSERT INTO dead_letter_resolutions (dead_letter_id, command_id)
SELECT r.dead_letter_id, r.command_id
  FROM unnest($1::uuid[], $2::uuid[]) AS r (dead_letter_id, command_id)
 ORDER BY r.dead_letter_id

-- name: post
-- Transfers with both entries, the balances they leave, outcomes, chain links and heads: all in one
-- round trip, because a lone transfer pays for each. Entries in the order of their index: many that
-- belong on one page come one after the other.
-- $1 movement[] transfers with what both balances become
-- Wallets: $2 uuid[] ids, $3 bigint[] balances, $4 bigint[] sequences
-- $5 decision[] outcomes
-- Links and heads: $6 smallint[] partitions, $7 bigint[] first and $8 bigint[] last numbers,
-- $9 bytea[] hashes, $10 bigint[] next events
-- $11 timestamptz decision time, $12 smallint layout
WITH moved AS (
    SELECT * FROM unnest($1::movement[])
), posted AS (
    INSERT INTO transfers (transfer_id, command_id, external_unique_id, from_wallet_id,
                           to_wallet_id, amount_minor, from_sequence, to_sequence, created,
                           currency, session_id, external_id, description, metadata, reversal_of,
                           group_id)
    SELECT transfer_id, command_id, external_unique_id, from_wallet_id, to_wallet_id,
           amount_minor, from_sequence, to_sequence, $11::timestamptz, currency, session_id,
           external_id, description, metadata::json, reversal_of, group_id
      FROM moved
     ORDER BY external_unique_id COLLATE "C"
), legs AS (
    INSERT INTO entries (wallet_id, sequence, transfer_id, amount_minor, balance_minor, created)
    SELECT from_wallet_id, from_sequence, transfer_id, -amount_minor, from_balance,
           $11::timestamptz
      FROM moved
    UNION ALL
    SELECT to_wallet_id, to_sequence, transfer_id, amount_minor, to_balance, $11::timestamptz
      FROM moved
     ORDER BY 1, 2
), balances AS (
    UPDATE wallets
       SET balance_minor = w.balance_minor, last_sequence = w.sequence,
           last_entry = $11::timestamptz
      FROM unnest($2::uuid[], $3::bigint[], $4::bigint[])
           AS w (wallet_id, balance_minor, sequence)
     WHERE wallets.wallet_id = w.wallet_id
), decided AS (
    INSERT INTO outcomes (partition, number, command_id, kind, subject_id, first_event, decided,
                          actor, detail)
    SELECT o.partition, o.number, o.command_id, o.kind, o.subject_id, o.first_event,
           $11::timestamptz, o.actor, o.detail::json
      FROM unnest($5::decision[]) o
), links AS (
    INSERT INTO chain (partition, first_number, last_number, hash)
    SELECT l.partition, l.first_number, l.last_number, l.hash
      FROM unnest($6::smallint[], $7::bigint[], $8::bigint[], $9::bytea[])
           AS l (partition, first_number, last_number, hash)
)
UPDATE heads
   SET next_number = h.last_number + 1, next_event = h.next_event, last_hash = h.hash,
       decided_at = $11::timestamptz
  FROM unnest($6::smallint[], $8::bigint[], $9::bytea[], $10::bigint[])
       AS h (partition, last_number, hash, next_event)
 WHERE heads.layout = $12::smallint AND heads.partition = h.partition
