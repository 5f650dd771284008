-- The tie-out with the bank, asked in one REPEATABLE READ snapshot. A row of the bank counts from the
-- beginning of its posting date (the bank's day) on; a movement of ours from its decision on.

-- name: followed
-- Whether an account was followed by this moment's day.
-- $1 date day
SELECT EXISTS (SELECT FROM bank_accounts WHERE followed_from <= $1::date)

-- name: accounts
-- The accounts that are followed, or were, each with whether all its rows until then are known. Of what
-- the API tells, only a look that was begun after the moment proves that: one that was begun before may
-- be stored after it and lack rows. Where rows come from files one file has to prove it, which accounts
-- for the last day and was handed in once that was over; and there has to be no day before it, back to
-- the first that is known at all, for which nothing accounts: rows of such a day that come to nothing
-- show in no balance. Days are the bank's, whose clocks are two hours before UTC's.
-- $1 text account id or null for all, $2 timestamptz moment, $3 date first day behind it
SELECT a.account_id, a.currency, a.control_wallet, a.suspense_wallet, a.charges_wallet,
       a.followed_from, a.followed_until, a.opening_minor, w.external_unique_id AS control_name,
       coalesce(f.asked >= $2::timestamptz AND a.fetched_to >= $3::date - 1, false)
       OR (NOT a.by_api AND p.statement_id IS NOT NULL AND h.first IS NULL) AS complete,
       CASE WHEN NOT a.by_api THEN h.first END AS missing_day,
       p.statement_id, p.closing_minor, p.closing_day
  FROM bank_accounts a
  JOIN wallets w ON w.wallet_id = a.control_wallet
 CROSS JOIN LATERAL (SELECT max(b.started) AS asked FROM bank_fetches b
                      WHERE b.account_id = a.account_id
                        AND b.finished IS NOT NULL AND b.problem IS NULL) f
  LEFT JOIN LATERAL (
       SELECT b.statement_id, b.closing_minor, greatest(b.last_day, b.last_entry) AS closing_day
         FROM bank_statements b
        WHERE b.account_id = a.account_id AND b.status = 'DONE' AND b.last_day >= $3::date - 1
          AND b.uploaded >= ($3::date::timestamp AT TIME ZONE interval '2 hours')
        ORDER BY b.uploaded DESC LIMIT 1) p ON NOT a.by_api
 CROSS JOIN LATERAL (
       SELECT lower(datemultirange(daterange(least(greatest(min(lower(d.days)), a.followed_from),
                                                    $3::date - 1), $3::date))
                    - range_agg(d.days)) AS first
         FROM (SELECT daterange(b.first_day, b.last_day, '[]') AS days
                 FROM bank_statements b
                WHERE b.account_id = a.account_id AND b.status = 'DONE'
                  AND b.first_day IS NOT NULL
               UNION ALL
               -- A look at the API takes in all days before its own.
               SELECT daterange(a.followed_from,
                                (f.asked AT TIME ZONE interval '2 hours')::date)
                WHERE a.followed_from < (f.asked AT TIME ZONE interval '2 hours')::date) d) h
 WHERE ($1::text IS NULL OR a.account_id = $1::text) AND a.followed_from < $3::date
 ORDER BY a.account_id

-- name: ask_fetch
-- Have the account looked at, unless somebody waits for that already; where it was done since the
-- moment, and did not help, not before a minute has passed. Never where its rows come from files.
-- $1 uuid fetch id, $2 text account id, $3 text who, $4 timestamptz moment
INSERT INTO bank_fetches (fetch_id, account_id, requested_by)
SELECT $1::uuid, $2::text, $3::text
 WHERE NOT EXISTS (SELECT FROM bank_fetches
                    WHERE account_id = $2::text
                      AND (finished IS NULL
                           OR (requested >= $4::timestamptz
                               AND requested > clock_timestamp() - interval '1 minute')))
   AND EXISTS (SELECT FROM bank_accounts WHERE account_id = $2::text AND by_api)
RETURNING fetch_id

-- name: rows
-- What the bank shows: how many rows, what they add up to, and those that the bank itself booked.
-- $1 text account id, $2 date first day that is not counted, $3 date first day of the period
SELECT count(*) AS rows,
       coalesce(sum(CASE WHEN credit THEN amount_minor ELSE -amount_minor END), 0)::bigint AS minor,
       count(*) FILTER (WHERE posting_date >= $3::date) AS period_rows,
       count(*) FILTER (WHERE purpose = 'BANK_CHARGE' AND posting_date >= $3::date) AS charges,
       coalesce(sum(CASE WHEN credit THEN amount_minor ELSE -amount_minor END)
                FILTER (WHERE purpose = 'BANK_CHARGE' AND posting_date >= $3::date), 0)::bigint
           AS charges_minor
  FROM bank_rows
 WHERE account_id = $1::text AND vanished IS NULL AND posting_date < $2::date

-- name: last_row
-- The last row that says a balance, and what rows behind it add up to that say none.
-- $1 text account id, $2 date first day that is not counted
WITH last AS (
    SELECT row_id, posting_date, posted_order, running_minor
      FROM bank_rows
     WHERE account_id = $1::text AND vanished IS NULL AND posting_date < $2::date
       AND running_minor IS NOT NULL
     ORDER BY posting_date DESC, posted_order DESC, row_id DESC
     LIMIT 1
)
SELECT l.row_id, l.posting_date, l.posted_order, l.running_minor, b.behind_rows, b.behind_minor
  FROM last l
 CROSS JOIN LATERAL (
       SELECT count(*) AS behind_rows,
              coalesce(sum(CASE WHEN r.credit THEN r.amount_minor ELSE -r.amount_minor END), 0)::bigint
                  AS behind_minor
         FROM bank_rows r
        WHERE r.account_id = $1::text AND r.vanished IS NULL AND r.running_minor IS NULL
          AND r.posting_date BETWEEN l.posting_date AND $2::date - 1
          AND (r.posting_date, coalesce(r.posted_order, 9223372036854775807), r.row_id)
            > (l.posting_date, coalesce(l.posted_order, 9223372036854775807), l.row_id)) b

-- name: doubts
-- Open exceptions with which nobody knows what the bank shows: holes that begin before the day, and
-- what could not be read, which is of no day that anybody knows.
-- $1 text account id, $2 date first day that is not counted
SELECT e.exception_id, e.kind, e.detail, r.row_id, r.posting_date, r.posted_order
  FROM bank_exceptions e
  LEFT JOIN bank_rows r ON r.row_id = e.row_id
  LEFT JOIN bank_rows b ON b.row_id = e.other_row_id
 WHERE e.account_id = $1::text AND e.resolved IS NULL
   AND (e.kind = 'UNREADABLE'
        OR e.kind = 'GAP' AND coalesce(least(b.posting_date, r.posting_date) < $2::date, true))
 ORDER BY e.found, e.exception_id

-- name: charges
-- What the bank booked by itself in the period.
-- $1 text account id, $2 date first day, $3 date first day that is not counted, $4 integer limit
SELECT row_id, posting_date, posted_order, credit, amount_minor, description, transaction_type
  FROM bank_rows
 WHERE account_id = $1::text AND vanished IS NULL AND purpose = 'BANK_CHARGE'
   AND posting_date >= $2::date AND posting_date < $3::date
 ORDER BY posting_date, posted_order, row_id
 LIMIT $4::integer

-- name: pairs
-- Rows and movements of the control wallet that do not say the same by the moment, the oldest first.
-- A booking is known by its key, which was kept with the row before anything was sent; each key is
-- there once on either side. Those of payouts that share a row are its booking together, once all are
-- there; what took a booking back belongs to its row too. All of all time is looked at: a row may come,
-- change or vanish long after its day, and nothing says when it did. Amounts as the bank sees them:
-- what comes in is positive.
-- $1 text account id, $2 uuid control wallet, $3 timestamptz moment, $4 date first day that is not
-- counted
WITH shown AS (
    SELECT row_id, posting_date, posted_order, description, held, vanished, decided, wallet_id,
           transfer_key, problem, stored < now() - interval '10 minutes' AS overdue,
           CASE WHEN credit THEN amount_minor ELSE -amount_minor END AS minor,
           CASE WHEN vanished IS NOT NULL OR posting_date >= $4::date THEN 0
                WHEN credit THEN amount_minor ELSE -amount_minor END AS posted_minor
      FROM bank_rows
     WHERE account_id = $1::text
), parts AS (
    SELECT t.transfer_id, t.created, t.description, r.transfer_key AS booking_key,
           CASE WHEN t.from_wallet_id = $2::uuid THEN t.amount_minor ELSE -t.amount_minor END AS minor,
           nullif(CASE WHEN t.from_wallet_id = $2::uuid THEN t.to_wallet_id ELSE t.from_wallet_id END,
                  p.wallet_id) AS strange_wallet_id
      FROM payouts p
      JOIN bank_rows r ON r.row_id = p.debit_row AND r.transfer_key IS NOT NULL
      JOIN transfers t ON t.external_unique_id = 'payout:' || p.payout_id::text
     WHERE p.shares_row AND t.reversal_of IS NULL
       AND $2::uuid IN (t.from_wallet_id, t.to_wallet_id)
), taken_back AS (
    SELECT t.transfer_id, t.created, t.description,
           coalesce(p.booking_key, o.external_unique_id) AS booking_key,
           CASE WHEN t.from_wallet_id = $2::uuid THEN t.amount_minor ELSE -t.amount_minor END AS minor
      FROM transfers t
      JOIN transfers o ON o.transfer_id = t.reversal_of
      LEFT JOIN parts p ON p.transfer_id = o.transfer_id
     WHERE t.reversal_of IS NOT NULL AND $2::uuid IN (t.from_wallet_id, t.to_wallet_id)
    UNION ALL
    SELECT t.transfer_id, t.created, t.description, r.transfer_key,
           CASE WHEN t.from_wallet_id = $2::uuid THEN t.amount_minor ELSE -t.amount_minor END
      FROM bank_actions a
      JOIN bank_rows r ON r.row_id = a.row_id AND r.transfer_key IS NOT NULL
      JOIN transfers t
        ON t.external_unique_id > 'bank-action:' || a.action_id::text || ':'
       AND t.external_unique_id < 'bank-action:' || a.action_id::text || ';'
     WHERE a.kind = 'RETRACT' AND $2::uuid IN (t.from_wallet_id, t.to_wallet_id)
), corrections AS (
    SELECT booking_key, min(created) AS created, min(description) AS description,
           sum(minor)::bigint AS minor,
           coalesce(sum(minor) FILTER (WHERE created < $3::timestamptz), 0)::bigint AS booked_minor
      FROM taken_back GROUP BY booking_key
), booked AS (
    SELECT t.external_unique_id AS booking_key, t.transfer_id, t.description, e.created,
           -e.amount_minor AS minor, false AS is_shared,
           CASE WHEN e.created < $3::timestamptz THEN -e.amount_minor ELSE 0 END AS booked_minor,
           CASE WHEN t.from_wallet_id = $2::uuid THEN t.to_wallet_id ELSE t.from_wallet_id END
               AS other_wallet_id
      FROM entries e
      JOIN transfers t USING (transfer_id)
     WHERE e.wallet_id = $2::uuid
       AND NOT EXISTS (SELECT FROM taken_back k WHERE k.transfer_id = e.transfer_id)
       AND NOT EXISTS (SELECT FROM parts p WHERE p.transfer_id = e.transfer_id)
    UNION ALL
    SELECT booking_key, min(transfer_id::text)::uuid, min(description), min(created),
           sum(minor)::bigint, true,
           coalesce(sum(minor) FILTER (WHERE created < $3::timestamptz), 0)::bigint,
           coalesce(min(strange_wallet_id::text)::uuid, $2::uuid)
      FROM parts GROUP BY booking_key
), paired AS (
    SELECT s.row_id, s.posting_date, s.posted_order,
           coalesce(s.description, b.description, c.description, '') AS description,
           coalesce(s.held, false) AS held, s.vanished, s.decided, s.wallet_id, s.problem,
           coalesce(s.overdue, false) AS overdue, coalesce(s.minor, 0) AS row_minor,
           b.transfer_id, coalesce(s.transfer_key, b.booking_key, c.booking_key) AS key,
           CASE WHEN b.is_shared AND b.minor IS DISTINCT FROM s.minor THEN NULL
                ELSE least(b.created, c.created) END AS created,
           b.other_wallet_id,
           CASE WHEN b.is_shared AND b.minor IS DISTINCT FROM s.minor THEN NULL
                ELSE b.minor END AS booking_minor,
           coalesce(b.minor, 0) + coalesce(c.minor, 0) AS moved_minor,
           coalesce(s.posted_minor, 0) AS posted_minor,
           coalesce(b.booked_minor, 0) + coalesce(c.booked_minor, 0) AS booked_minor
      FROM shown s
      FULL JOIN booked b ON b.booking_key = s.transfer_key
      FULL JOIN corrections c ON c.booking_key = coalesce(s.transfer_key, b.booking_key)
)
SELECT * FROM paired
 WHERE row_id IS NULL OR transfer_id IS NULL OR posted_minor <> booked_minor
    OR booking_minor IS DISTINCT FROM row_minor OR moved_minor <> row_minor
    OR other_wallet_id IS DISTINCT FROM wallet_id
 ORDER BY posting_date, posted_order, row_id, created, key

-- name: control
-- What the bank owes us by the moment, by the books.
-- $1 uuid control wallet, $2 timestamptz moment
SELECT count(*) AS entries, -coalesce(sum(amount_minor), 0)::bigint AS minor
  FROM entries WHERE wallet_id = $1::uuid AND created < $2::timestamptz

-- name: rests
-- What balances of others take the account to have by the moment: what the bank owes us by it, less
-- what it has booked by itself.
-- $1 uuid control wallet, $2 uuid charges wallet, $3 timestamptz moment
SELECT -coalesce(sum(amount_minor), 0)::bigint FROM entries
 WHERE wallet_id IN ($1::uuid, $2::uuid) AND created < $3::timestamptz

-- name: balances
-- Balances by the moment: wallets in one sum, SYSTEM wallets and those given each by itself.
-- $1 timestamptz moment, $2 uuid[] wallets to be named, $3 text[] currencies
SELECT b.currency, b.wallet_id, min(b.external_unique_id) AS name, min(b.type) AS type,
       count(*) AS wallets, sum(b.minor)::numeric AS minor
  FROM (SELECT w.currency, w.external_unique_id, w.type,
               CASE WHEN w.type = 'SYSTEM' OR w.wallet_id = ANY ($2::uuid[])
                    THEN w.wallet_id END AS wallet_id,
               CASE WHEN w.last_entry IS NULL OR w.last_entry < $1::timestamptz
                    THEN w.balance_minor
                    ELSE coalesce((SELECT e.balance_minor FROM entries e
                                    WHERE e.wallet_id = w.wallet_id
                                      AND e.created < $1::timestamptz
                                    ORDER BY e.sequence DESC LIMIT 1), 0) END AS minor
          FROM wallets w
         WHERE w.currency = ANY ($3::text[])) b
 GROUP BY b.currency, b.wallet_id
 ORDER BY b.currency, min(b.type), min(b.external_unique_id)
