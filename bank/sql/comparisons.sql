-- An extract of Eclipse's against the books. All of this is asked in one REPEATABLE READ snapshot, on
-- a connection that has made its staging tables before: temporary ones, which may be filled in a
-- transaction that is read only for everything else, and which are gone with whoever is killed.

-- name: staging
-- Before the snapshot.
CREATE TEMPORARY TABLE extract_lines (
    line            bigint      NOT NULL,
    key             text        NOT NULL COLLATE "C",
    from_wallet_id  uuid,
    from_name       text        COLLATE "C",
    to_wallet_id    uuid,
    to_name         text        COLLATE "C",
    amount          numeric     NOT NULL,
    currency        text,
    happened        timestamptz,
    state           text        NOT NULL
);
CREATE TEMPORARY TABLE period_transfers (
    transfer_id     uuid        NOT NULL,
    key             text        NOT NULL COLLATE "C",
    from_wallet_id  uuid        NOT NULL,
    to_wallet_id    uuid        NOT NULL,
    amount_minor    bigint      NOT NULL,
    currency        text        NOT NULL,
    created         timestamptz NOT NULL,
    rank            bigint      NOT NULL
)

-- name: moment
-- Which moment the snapshot shows, and until when nothing can be added to what it shows.
SELECT clock_timestamp() AS now,
       (SELECT min(decided_at) FROM heads WHERE layout > 0) AS complete_until

-- name: eclipse_keys
-- The keys that Eclipse asks with. An operator's count as well: what was moved by hand Eclipse does
-- not know of either, and its balances are apart from ours by it.
SELECT key_id FROM api_keys WHERE scopes && ARRAY['eclipse', 'operator']

-- name: stretches
-- Of each partition the numbers of the outcomes that were decided in the period, from the first to
-- before the last: decided never falls along number, so both are found by bisecting the primary key.
-- $1 timestamptz[] two moments
WITH RECURSIVE ends AS (
    SELECT c.partition,
           coalesce((SELECT max(o.number) FROM outcomes o WHERE o.partition = c.partition), 0) + 1
               AS stop
      FROM relay_cursors c
), bisect (partition, moment, low, high) AS (
    SELECT e.partition, m.moment, 1::bigint, e.stop FROM ends e, unnest($1::timestamptz[]) m (moment)
    UNION ALL
    SELECT b.partition, b.moment,
           CASE WHEN o.decided < b.moment THEN o.number + 1 ELSE b.low END,
           CASE WHEN o.decided < b.moment THEN b.high ELSE o.number END
      FROM bisect b
      JOIN outcomes o ON o.partition = b.partition AND o.number = (b.low + b.high) / 2
     WHERE b.low < b.high
)
SELECT partition, min(low) AS first, max(low) AS stop
  FROM bisect WHERE low = high
 GROUP BY partition
HAVING min(low) < max(low)

-- name: gather
-- The transfers of the period, found by their outcomes: those say who asked, and are numbered in the
-- order of time, which no index of the transfers is.
-- $1 smallint[] partitions, $2 bigint[] first and $3 bigint[] stop numbers, $4 text[] actors or null
WITH decided AS (
    SELECT o.kind, o.subject_id, o.detail
      FROM unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS s (partition, first, stop)
      JOIN outcomes o
        ON o.partition = s.partition AND o.number >= s.first AND o.number < s.stop
     WHERE o.kind IN ('TransferPosted', 'TransferGroupPosted')
       AND ($4::text[] IS NULL OR o.actor = ANY ($4::text[]))
), made AS (
    SELECT d.subject_id AS transfer_id FROM decided d WHERE d.kind = 'TransferPosted'
    UNION ALL
    SELECT m::uuid
      FROM decided d, json_array_elements_text(d.detail -> 'transfers') AS m
     WHERE d.kind = 'TransferGroupPosted'
)
INSERT INTO period_transfers
SELECT t.transfer_id, t.external_unique_id, t.from_wallet_id, t.to_wallet_id, t.amount_minor,
       t.currency, t.created, 1
  FROM made
  JOIN transfers t USING (transfer_id)

-- name: transfers_by_currency
-- What moved here in the period.
SELECT currency, count(*) AS transfers, sum(amount_minor)::numeric AS minor
  FROM period_transfers GROUP BY currency ORDER BY currency

-- name: lines_by_state
-- What the extract has, in the currencies of the wallets that are debited where it does not say.
SELECT l.state, coalesce(l.currency, w.currency, n.currency) AS currency, count(*) AS lines,
       sum(l.amount) AS amount
  FROM extract_lines l
  LEFT JOIN wallets w ON w.wallet_id = l.from_wallet_id
  LEFT JOIN wallets n ON n.external_unique_id = l.from_name
 GROUP BY 1, 2
 ORDER BY 2, 1

-- name: pairs
-- Every line and every transfer of the period that is not paired with one that says the same. Of
-- several lines with one key the first that is done is paired, the others are on their own.
-- $1 text[] currencies, $2 bigint[] how many minor units each has
SELECT l.line, l.key, l.from_wallet_id AS line_from, l.from_name, l.to_wallet_id AS line_to,
       l.to_name, l.amount, l.currency AS said_currency, l.happened, l.state, l.rank,
       coalesce(l.currency, l.wallet_currency) AS line_currency, l.from_id, l.to_id,
       t.transfer_id, t.key AS transfer_key, t.from_wallet_id, t.to_wallet_id, t.amount_minor,
       t.currency, t.created
  FROM (SELECT e.*, coalesce(e.from_wallet_id, f.wallet_id) AS from_id,
               coalesce(e.to_wallet_id, c.wallet_id) AS to_id,
               coalesce(w.currency, f.currency) AS wallet_currency,
               row_number() OVER (PARTITION BY e.key ORDER BY (e.state <> 'DONE'), e.line) AS rank
          FROM extract_lines e
          LEFT JOIN wallets f ON f.external_unique_id = e.from_name
          LEFT JOIN wallets c ON c.external_unique_id = e.to_name
          LEFT JOIN wallets w ON w.wallet_id = e.from_wallet_id) l
  FULL JOIN period_transfers t ON t.key = l.key AND t.rank = l.rank
  LEFT JOIN unnest($1::text[], $2::bigint[]) AS u (currency, units) ON u.currency = t.currency
 WHERE l.key IS NULL OR t.key IS NULL OR l.state <> 'DONE'
    OR l.amount * u.units IS DISTINCT FROM t.amount_minor
    OR l.from_id IS DISTINCT FROM t.from_wallet_id OR l.to_id IS DISTINCT FROM t.to_wallet_id
    OR (l.currency IS NOT NULL AND l.currency <> t.currency)

-- name: elsewhere
-- Transfers outside the period, or that somebody else asked for, by their keys.
-- $1 text[] keys
SELECT transfer_id, external_unique_id AS key, from_wallet_id, to_wallet_id, amount_minor, currency,
       created
  FROM transfers
 WHERE external_unique_id = ANY ($1::text[])

-- name: reversed
-- How much of transfers was given back by now.
-- $1 uuid[] transfer ids
SELECT reversal_of AS transfer_id, sum(amount_minor)::bigint AS minor
  FROM transfers WHERE reversal_of = ANY ($1::uuid[]) GROUP BY reversal_of

-- name: names
-- What wallets are called.
-- $1 uuid[] wallet ids
SELECT wallet_id, external_unique_id FROM wallets WHERE wallet_id = ANY ($1::uuid[])
