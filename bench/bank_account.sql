-- What the bank process would have kept about an account whose rows are all booked.

-- name: follow
-- From today on, so that nobody reconciles yesterday by himself.
-- $1 text account id, $2 text currency, $3 uuid control, $4 uuid suspense and $5 uuid charges wallet
INSERT INTO bank_accounts (account_id, currency, control_wallet, suspense_wallet, charges_wallet,
                           followed_from, opening_minor, by_api)
VALUES ($1::text, $2::text, $3::uuid, $4::uuid, $5::uuid,
        (now() AT TIME ZONE 'Africa/Johannesburg')::date, 0, true)

-- name: store
-- A row for every movement of the control wallet, the last ones of today.
-- $1 text account id, $2 bigint rows, $3 bigint rows of a day
INSERT INTO bank_rows (row_id, account_id, posting_date, posted_order, credit, amount_minor,
                       description, transaction_type, value_date, transaction_date, running_minor,
                       source, stored, wallet_id, purpose, transfer_key, decided, transfer_id, booked)
SELECT substr(t.external_unique_id, 10)::uuid, a.account_id, d.day, e.sequence, e.amount_minor < 0,
       t.amount_minor, t.description, 'EFT', d.day, d.day, -e.balance_minor, 'API', t.created,
       CASE WHEN e.amount_minor < 0 THEN t.to_wallet_id ELSE t.from_wallet_id END,
       CASE WHEN t.from_wallet_id = a.charges_wallet THEN 'BANK_CHARGE' ELSE 'INSIDE' END,
       t.external_unique_id, t.created, t.transfer_id, t.created
  FROM bank_accounts a
  JOIN entries e ON e.wallet_id = a.control_wallet
  JOIN transfers t USING (transfer_id)
 CROSS JOIN LATERAL (SELECT a.followed_from - (($2::bigint - e.sequence) / $3::bigint)::integer)
       AS d (day)
 WHERE a.account_id = $1::text
 ORDER BY e.sequence

-- name: look
-- The bank was asked just now, and told nothing new.
-- $1 text account id
WITH looked AS (
    UPDATE bank_accounts
       SET fetched = now(), fetched_to = (now() AT TIME ZONE 'Africa/Johannesburg')::date
     WHERE account_id = $1::text
)
INSERT INTO bank_fetches (fetch_id, account_id, requested_by, started, finished)
VALUES (gen_random_uuid(), $1::text, 'bench', now(), now())

-- name: change
-- Every so manieth row has an amount of a cent more, but for those that were changed before.
-- $1 text account id, $2 bigint every so manieth, $3 bigint but these
UPDATE bank_rows SET amount_minor = amount_minor + 1
 WHERE account_id = $1::text AND posted_order % $2::bigint = 0 AND posted_order % $3::bigint <> 0
