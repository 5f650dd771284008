-- The rules of the books, each a question for those who break it; no rows means the rule holds.
-- They all run in one REPEATABLE READ snapshot, beside live traffic. $1 integer: how many to show.

-- name: transfers_have_both_entries
-- Rule 1: a transfer is minus its amount on one wallet and plus the same on the other.
SELECT t.transfer_id
  FROM transfers t
  LEFT JOIN entries d ON d.wallet_id = t.from_wallet_id AND d.sequence = t.from_sequence
  LEFT JOIN entries c ON c.wallet_id = t.to_wallet_id AND c.sequence = t.to_sequence
 WHERE d.transfer_id IS DISTINCT FROM t.transfer_id OR d.amount_minor IS DISTINCT FROM -t.amount_minor
    OR c.transfer_id IS DISTINCT FROM t.transfer_id OR c.amount_minor IS DISTINCT FROM t.amount_minor
    OR d.created <> t.created OR c.created <> t.created
 LIMIT $1::integer

-- name: entries_have_their_transfer
-- Rule 1: no entry stands alone.
SELECT e.wallet_id, e.sequence
  FROM entries e
  LEFT JOIN transfers t
    ON t.transfer_id = e.transfer_id
   AND CASE WHEN e.amount_minor < 0
            THEN t.from_wallet_id = e.wallet_id AND t.from_sequence = e.sequence
            ELSE t.to_wallet_id = e.wallet_id AND t.to_sequence = e.sequence END
 WHERE t.transfer_id IS NULL
 LIMIT $1::integer

-- name: currencies_sum_to_zero
-- Rule 1: all money of a currency has its other side.
SELECT currency, sum(balance_minor) AS sum_minor
  FROM wallets
 GROUP BY currency
HAVING sum(balance_minor) <> 0
 LIMIT $1::integer

-- name: transfers_stay_in_their_currency
-- Both wallets exist and have the transfer's currency.
SELECT t.transfer_id
  FROM transfers t
  LEFT JOIN wallets f ON f.wallet_id = t.from_wallet_id
  LEFT JOIN wallets w ON w.wallet_id = t.to_wallet_id
 WHERE f.currency IS DISTINCT FROM t.currency OR w.currency IS DISTINCT FROM t.currency
 LIMIT $1::integer

-- name: balances_are_the_sum_of_entries
-- Rule 2: the balance is the sum of the entries, and as many as the last sequence says.
SELECT w.wallet_id
  FROM wallets w
  LEFT JOIN (SELECT wallet_id, sum(amount_minor) AS total, count(*) AS entries,
                    max(sequence) AS last_sequence
               FROM entries GROUP BY wallet_id) e USING (wallet_id)
 WHERE coalesce(e.total, 0) <> w.balance_minor
    OR coalesce(e.entries, 0) <> w.last_sequence
    OR coalesce(e.last_sequence, 0) <> w.last_sequence
 LIMIT $1::integer

-- name: entries_follow_each_other
-- Rule 2: sequence without a gap, running balance right, created never backwards.
SELECT wallet_id, sequence
  FROM (SELECT wallet_id, sequence, amount_minor, balance_minor, created,
               lag(sequence) OVER later AS previous_sequence,
               lag(balance_minor) OVER later AS previous_balance,
               lag(created) OVER later AS previous_created
          FROM entries
        WINDOW later AS (PARTITION BY wallet_id ORDER BY sequence)) e
 WHERE sequence <> coalesce(previous_sequence, 0) + 1
    OR balance_minor <> coalesce(previous_balance, 0) + amount_minor
    OR created < previous_created
 LIMIT $1::integer

-- name: available_balances_hold
-- Rules 3 and 4: nobody has spent or reserved beyond the limit. A wallet whose minimum is above
-- zero starts below it; then nothing was ever taken from it.
SELECT w.wallet_id
  FROM wallets w
  LEFT JOIN (SELECT wallet_id, sum(amount_minor) AS reserved
               FROM reservations
              WHERE released IS NULL AND expires > clock_timestamp()
              GROUP BY wallet_id) r USING (wallet_id)
 WHERE w.type = 'STANDARD'
   AND w.balance_minor - w.minimum_minor - coalesce(r.reserved, 0) < 0
   AND (w.minimum_minor <= 0 OR r.reserved IS NOT NULL
        OR EXISTS (SELECT FROM entries e WHERE e.wallet_id = w.wallet_id AND e.amount_minor < 0))
 LIMIT $1::integer

-- name: closed_wallets_are_empty
-- A closed wallet has no balance and holds nothing.
SELECT w.wallet_id
  FROM wallets w
 WHERE w.status = 'CLOSED'
   AND (w.balance_minor <> 0
        OR EXISTS (SELECT FROM reservations r
                    WHERE r.wallet_id = w.wallet_id AND r.released IS NULL
                      AND r.expires > clock_timestamp()))
 LIMIT $1::integer

-- name: reversals_stay_within_their_original
-- What was given back never exceeds the transfer, goes the other way, and is not given back again.
SELECT r.reversal_of
  FROM transfers r
  LEFT JOIN transfers o ON o.transfer_id = r.reversal_of
 WHERE r.reversal_of IS NOT NULL
 GROUP BY r.reversal_of
HAVING bool_or(o.transfer_id IS NULL OR o.reversal_of IS NOT NULL
               OR o.from_wallet_id <> r.to_wallet_id OR o.to_wallet_id <> r.from_wallet_id)
    OR sum(r.amount_minor) > min(o.amount_minor)
 LIMIT $1::integer

-- name: keys_are_used_once
-- Rule 7, asked of the rows and not of the index.
SELECT external_unique_id FROM transfers GROUP BY 1 HAVING count(*) > 1
UNION ALL
SELECT external_unique_id FROM wallets GROUP BY 1 HAVING count(*) > 1
UNION ALL
SELECT external_unique_id FROM reservations GROUP BY 1 HAVING count(*) > 1
 LIMIT $1::integer

-- name: commands_have_one_outcome
-- Rule 7: one outcome per command id.
SELECT command_id FROM outcomes GROUP BY command_id HAVING count(*) > 1 LIMIT $1::integer

-- name: movements_have_their_outcome
-- Nothing moved without an outcome that says so, and no refusal moved anything.
SELECT t.transfer_id
  FROM transfers t
  LEFT JOIN outcomes o ON o.command_id = t.command_id
 WHERE CASE WHEN t.group_id IS NULL
            THEN o.kind IS DISTINCT FROM 'TransferPosted'
                 OR o.subject_id IS DISTINCT FROM t.transfer_id
            ELSE o.kind IS DISTINCT FROM 'TransferGroupPosted'
                 OR o.subject_id IS DISTINCT FROM t.group_id END
UNION ALL
SELECT r.reservation_id
  FROM reservations r
  LEFT JOIN outcomes o ON o.command_id = r.command_id
 WHERE o.kind IS DISTINCT FROM 'ReservationPlaced'
    OR o.subject_id IS DISTINCT FROM r.reservation_id
 LIMIT $1::integer

-- name: outcomes_have_their_movement
-- An outcome that says posted or placed has its rows.
SELECT o.command_id
  FROM outcomes o
 WHERE (o.kind = 'TransferPosted'
        AND NOT EXISTS (SELECT FROM transfers t WHERE t.transfer_id = o.subject_id))
    OR (o.kind = 'TransferGroupPosted'
        AND NOT EXISTS (SELECT FROM transfer_groups g WHERE g.group_id = o.subject_id))
    OR (o.kind = 'ReservationPlaced'
        AND NOT EXISTS (SELECT FROM reservations r WHERE r.reservation_id = o.subject_id))
    OR (o.kind = 'WalletCreated'
        AND NOT EXISTS (SELECT FROM wallets w WHERE w.wallet_id = o.subject_id))
 LIMIT $1::integer

-- name: releases_have_their_cause
-- A reservation ended by a transfer of its session, by a command, or by time.
SELECT r.reservation_id
  FROM reservations r
  LEFT JOIN transfers t ON t.transfer_id = r.released_by
  LEFT JOIN outcomes o ON o.command_id = r.released_by
 WHERE (r.released_by IS NOT NULL
        AND t.session_id IS DISTINCT FROM r.session_id
        AND o.kind IS DISTINCT FROM 'ReservationsReleased')
    OR (r.released IS NOT NULL AND r.released_by IS NULL AND r.released <> r.expires)
 LIMIT $1::integer

-- name: wallets_are_as_last_recorded
-- What a wallet's row says beside its balance is what its last recorded outcome said. All changes
-- of a wallet are numbered in one partition; its creation may be in another, and comes first.
SELECT w.wallet_id
  FROM wallets w
  LEFT JOIN (SELECT DISTINCT ON (subject_id) subject_id, detail -> 'wallet' AS said
               FROM outcomes
              WHERE kind IN ('WalletCreated', 'WalletChanged')
              ORDER BY subject_id, kind = 'WalletChanged' DESC, decided DESC, number DESC) o
    ON o.subject_id = w.wallet_id
 WHERE o.said IS NULL
    OR o.said ->> 'external_unique_id' <> w.external_unique_id
    OR o.said ->> 'currency' <> w.currency
    OR o.said ->> 'type' <> w.type
    OR o.said ->> 'status' <> w.status
    OR o.said ->> 'reference' <> w.reference
    OR o.said ->> 'name' IS DISTINCT FROM w.name
    OR (o.said ->> 'minimum_minor')::bigint IS DISTINCT FROM w.minimum_minor
    OR coalesce((o.said ->> 'metadata')::jsonb, '{}') <> coalesce(w.metadata::jsonb, '{}')
 LIMIT $1::integer

-- name: resolutions_have_their_outcome
-- A dead letter is resolved by a discard that names it, or by a replay that was decided; and every
-- discard has resolved its letter.
SELECT r.dead_letter_id
  FROM dead_letter_resolutions r
  LEFT JOIN dead_letters d ON d.dead_letter_id = r.dead_letter_id
  LEFT JOIN outcomes o ON o.command_id = r.command_id
 WHERE d.dead_letter_id IS NULL OR o.command_id IS NULL
    OR (o.kind = 'DeadLetterDiscarded' AND o.subject_id IS DISTINCT FROM r.dead_letter_id)
    OR (o.kind = 'Rejection'
        AND o.detail ->> 'code' IN ('unavailable', 'deadline-exceeded', 'dead-letter-not-found',
                                    'dead-letter-resolved'))
UNION ALL
SELECT o.subject_id
  FROM outcomes o
 WHERE o.kind = 'DeadLetterDiscarded'
   AND NOT EXISTS (SELECT FROM dead_letter_resolutions r
                    WHERE r.dead_letter_id = o.subject_id AND r.command_id = o.command_id)
 LIMIT $1::integer

-- name: outcomes_are_numbered
-- Per partition 1, 2, 3 … up to its head, decided in the order of their numbers.
SELECT partition, number
  FROM (SELECT partition, number, decided,
               lag(number) OVER earlier AS previous, lag(decided) OVER earlier AS previous_decided
          FROM outcomes
        WINDOW earlier AS (PARTITION BY partition ORDER BY number)) o
 WHERE number <> coalesce(previous, 0) + 1 OR decided < previous_decided
 LIMIT $1::integer

-- name: heads_stand_at_the_end
-- The head row knows the last outcome, the last link, and a time no earlier than both; no outcome
-- is without a head, and the layout in force has all of its heads.
(SELECT h.partition
   FROM heads h
   LEFT JOIN LATERAL (SELECT number, decided FROM outcomes o
                       WHERE o.partition = h.partition ORDER BY number DESC LIMIT 1) o ON true
   LEFT JOIN LATERAL (SELECT last_number, hash FROM chain c
                       WHERE c.partition = h.partition ORDER BY last_number DESC LIMIT 1) c ON true
  WHERE h.next_number <> coalesce(o.number, 0) + 1
     OR coalesce(c.last_number, 0) <> coalesce(o.number, 0)
     OR (c.hash IS NOT NULL AND c.hash <> h.last_hash)
     OR h.decided_at < o.decided
 UNION
 SELECT partition FROM outcomes WHERE partition NOT IN (SELECT partition FROM heads)
 UNION
 SELECT p FROM layouts l, generate_series(0, l.partitions - 1) AS p
  WHERE l.layout = (SELECT max(layout) FROM layouts)
    AND NOT EXISTS (SELECT FROM heads h WHERE h.layout = l.layout AND h.partition = p))
 LIMIT $1::integer
