-- What the bank said: accounts, rows, fetches, statement files, exceptions; and whose money it is.

-- name: accounts
-- Every account that is followed, or was.
SELECT account_id, currency, control_wallet, suspense_wallet, charges_wallet, followed_from,
       opening_minor, fetched, fetched_to, by_api, account_number, followed_until
  FROM bank_accounts ORDER BY account_id

-- name: follow
-- A new account, with the wallets that stand for it.
-- $1 text account id, $2 text currency, $3 uuid control, $4 uuid suspense, $5 uuid charges,
-- $6 date followed from
INSERT INTO bank_accounts (account_id, currency, control_wallet, suspense_wallet, charges_wallet,
                           followed_from)
VALUES ($1::text, $2::text, $3::uuid, $4::uuid, $5::uuid, $6::date)
    ON CONFLICT (account_id) DO NOTHING

-- name: keep_following
-- Follow those that are to be followed, and let go of all others. Answers those of which that is news.
-- $1 text[] account ids; empty: all
UPDATE bank_accounts
   SET followed_until = CASE WHEN followed_until IS NULL THEN clock_timestamp() END
 WHERE (followed_until IS NULL)
    <> (cardinality($1::text[]) = 0 OR account_id = ANY ($1::text[]))
RETURNING account_id, followed_until

-- name: without_api
-- From now on rows come from files: what the API has told proves nothing of later days.
UPDATE bank_accounts SET by_api = false WHERE by_api

-- name: undescribed
-- Accounts whose number is not known yet.
SELECT account_id FROM bank_accounts WHERE account_number IS NULL

-- name: describe
-- What the bank calls an account.
-- $1 text account id, $2 text number, $3 text name
UPDATE bank_accounts SET account_number = $2::text, name = $3::text
 WHERE account_id = $1::text AND account_number IS NULL

-- name: lock_account
-- One statement of an account is compared and stored at a time.
-- $1 text account id
SELECT account_id, currency, control_wallet, suspense_wallet, charges_wallet, followed_from,
       opening_minor, fetched, fetched_to, by_api, account_number, followed_until
  FROM bank_accounts WHERE account_id = $1::text FOR NO KEY UPDATE

-- name: known
-- The rows of some days, but for those whose booking was taken back. Of those that people have said
-- are another row the last of each source is among them, as long as that one has another source.
-- $1 text account id, $2 date first, $3 date last
SELECT r.row_id, r.posting_date, r.posted_order, r.credit, r.amount_minor, r.description,
       r.transaction_type, r.value_date, r.transaction_date, r.running_minor, r.source,
       r.vanished IS NOT NULL AS vanished, r.decided IS NOT NULL AS decided, r.same_as,
       ARRAY(SELECT s.source FROM bank_rows s WHERE s.same_as = r.row_id) AS retold_by,
       ARRAY(SELECT h.source FROM bank_exceptions e JOIN bank_rows h ON h.row_id = e.row_id
              WHERE e.other_row_id = r.row_id AND e.kind = 'HELD' AND e.resolved IS NULL
                AND h.vanished IS NULL AND h.credit = r.credit
                AND h.amount_minor = r.amount_minor) AS suspected_in
  FROM bank_rows r
 WHERE r.account_id = $1::text AND r.posting_date BETWEEN $2::date AND $3::date
   AND (r.retracted IS NULL
        OR EXISTS (SELECT FROM bank_rows f
                    WHERE f.row_id = r.same_as AND f.retracted IS NULL AND f.source <> r.source)
           AND NOT EXISTS (SELECT FROM bank_rows n
                            WHERE n.same_as = r.same_as AND n.source = r.source
                              AND n.retracted > r.retracted))
 ORDER BY r.posting_date, r.posted_order, r.row_id

-- name: elsewhere
-- Rows of other days whose payment was made on one of these.
-- $1 text account id, $2 date first and $3 date last day that are looked at anyway, $4 date[] days
SELECT r.row_id, r.posting_date, r.posted_order, r.credit, r.amount_minor, r.description,
       r.transaction_type, r.value_date, r.transaction_date, r.running_minor, r.source,
       r.vanished IS NOT NULL AS vanished, r.decided IS NOT NULL AS decided, r.same_as,
       ARRAY(SELECT s.source FROM bank_rows s WHERE s.same_as = r.row_id) AS retold_by,
       ARRAY(SELECT h.source FROM bank_exceptions e JOIN bank_rows h ON h.row_id = e.row_id
              WHERE e.other_row_id = r.row_id AND e.kind = 'HELD' AND e.resolved IS NULL
                AND h.vanished IS NULL AND h.credit = r.credit
                AND h.amount_minor = r.amount_minor) AS suspected_in
  FROM bank_rows r
 WHERE r.account_id = $1::text AND r.transaction_date = ANY ($4::date[])
   AND r.posting_date NOT BETWEEN $2::date AND $3::date AND r.retracted IS NULL
 ORDER BY r.posting_date, r.posted_order, r.row_id

-- name: add_rows
-- Rows that are new.
-- $1 uuid row id, $2 text account id, $3 date posting date, $4 bigint posted order, $5 boolean credit,
-- $6 bigint amount, $7 text description, $8 text transaction type, $9 date value date,
-- $10 date transaction date, $11 bigint running balance, $12 text source, $13 boolean held
INSERT INTO bank_rows (row_id, account_id, posting_date, posted_order, credit, amount_minor,
                       description, transaction_type, value_date, transaction_date, running_minor,
                       source, held)
VALUES ($1::uuid, $2::text, $3::date, $4::bigint, $5::boolean, $6::bigint, $7::text, $8::text,
        $9::date, $10::date, $11::bigint, $12::text, $13::boolean)

-- name: lift
-- Take rows off their places, before each is put where it stands now: two may have changed places.
-- $1 uuid[] row ids
UPDATE bank_rows SET posted_order = NULL WHERE row_id = ANY ($1::uuid[])

-- name: place
-- Where a row stands now, what it says, and who says so. Whose it is stays as it was decided.
-- $1 uuid row id, $2 date posting date, $3 bigint posted order, $4 text description,
-- $5 text transaction type, $6 date value date, $7 date transaction date, $8 bigint running balance,
-- $9 text source
UPDATE bank_rows
   SET posting_date = $2::date, posted_order = $3::bigint, description = $4::text,
       transaction_type = $5::text, value_date = $6::date, transaction_date = $7::date,
       running_minor = $8::bigint, source = $9::text,
       vanished = CASE WHEN EXISTS (SELECT FROM bank_actions a
                                     WHERE a.row_id = bank_rows.row_id AND a.kind = 'RETRACT'
                                       AND a.finished IS NULL)
                       THEN vanished END
 WHERE row_id = $1::uuid
RETURNING vanished IS NULL

-- name: vanish
-- A row that the bank does not show any more.
-- $1 uuid row id
UPDATE bank_rows SET vanished = clock_timestamp()
 WHERE row_id = $1::uuid AND vanished IS NULL
RETURNING vanished

-- name: head
-- The first row of an account that is shown and tells a balance, and those before it that told one and
-- are gone; each with what the rows before it come to that tell none. What is another row is none.
-- $1 text account id
WITH shown AS (
    SELECT posting_date, coalesce(posted_order, 9223372036854775807) AS number, row_id
      FROM bank_rows
     WHERE account_id = $1::text AND vanished IS NULL AND running_minor IS NOT NULL
     ORDER BY posting_date, posted_order, row_id
     LIMIT 1
), counted AS (
    SELECT r.row_id, r.posting_date, coalesce(r.posted_order, 9223372036854775807) AS number,
           CASE WHEN r.credit THEN r.amount_minor ELSE -r.amount_minor END AS signed_minor,
           r.running_minor, r.retracted
      FROM bank_rows r CROSS JOIN shown s
     WHERE r.account_id = $1::text AND r.same_as IS NULL AND r.posting_date <= s.posting_date
       AND (r.posting_date, coalesce(r.posted_order, 9223372036854775807), r.row_id)
        <= (s.posting_date, s.number, s.row_id)
), summed AS (
    SELECT *, coalesce(sum(signed_minor) FILTER (WHERE running_minor IS NULL AND retracted IS NULL)
                       OVER (ORDER BY posting_date, number, row_id), 0)::bigint AS untold_minor
      FROM counted
)
SELECT row_id, posting_date, number, signed_minor, running_minor, untold_minor
  FROM summed
 WHERE running_minor IS NOT NULL
 ORDER BY posting_date, number, row_id

-- name: opening
-- What was held before the first row, as it is kept, and whose word that is.
-- $1 text account id
SELECT opening_minor, opening_row FROM bank_accounts WHERE account_id = $1::text

-- name: open_with
-- What was held before the first row.
-- $1 text account id, $2 bigint amount, $3 uuid the row whose word it is; null as it was
UPDATE bank_accounts
   SET opening_minor = $2::bigint, opening_row = coalesce($3::uuid, opening_row)
 WHERE account_id = $1::text

-- name: close_opening
-- The first row says again what is kept.
-- $1 text account id
UPDATE bank_exceptions
   SET resolved = clock_timestamp(), resolution = 'CLOSED_BY_ITSELF', resolved_by = 'bank'
 WHERE account_id = $1::text AND kind = 'GAP' AND row_id IS NULL AND resolved IS NULL

-- name: before
-- The last row before some days.
-- $1 text account id, $2 date first
SELECT row_id, posting_date, posted_order, credit, amount_minor, description, transaction_type,
       value_date, transaction_date, running_minor, source, vanished IS NOT NULL AS vanished,
       decided IS NOT NULL AS decided, same_as, ARRAY[]::text[] AS retold_by,
       ARRAY[]::text[] AS suspected_in
  FROM bank_rows
 WHERE account_id = $1::text AND posting_date < $2::date AND vanished IS NULL
   AND running_minor IS NOT NULL
 ORDER BY posting_date DESC, posted_order DESC, row_id DESC
 LIMIT 1

-- name: after
-- The first row after some days.
-- $1 text account id, $2 date last
SELECT row_id, posting_date, posted_order, credit, amount_minor, description, transaction_type,
       value_date, transaction_date, running_minor, source, vanished IS NOT NULL AS vanished,
       decided IS NOT NULL AS decided, same_as, ARRAY[]::text[] AS retold_by,
       ARRAY[]::text[] AS suspected_in
  FROM bank_rows
 WHERE account_id = $1::text AND posting_date > $2::date AND vanished IS NULL
   AND running_minor IS NOT NULL
 ORDER BY posting_date, posted_order, row_id
 LIMIT 1

-- name: raise_
-- Something that a person has to look at, once; again where it had been over by itself.
-- $1 uuid exception id, $2 text account id, $3 text kind, $4 text fingerprint, $5 uuid row,
-- $6 uuid other row, $7 text detail
INSERT INTO bank_exceptions (exception_id, account_id, kind, fingerprint, row_id, other_row_id,
                             detail)
VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::uuid, $6::uuid, $7::text)
    ON CONFLICT (account_id, kind, fingerprint) DO UPDATE
   SET found = clock_timestamp(), detail = excluded.detail, resolved = NULL, resolution = NULL,
       resolved_by = NULL, reason = NULL
 WHERE bank_exceptions.resolved_by = 'bank'
RETURNING exception_id

-- name: raise_all
-- The same of many at once, in order, no two of them alike. Answers the kinds of those that are news.
-- $1 text account id, $2 uuid[] exception ids, $3 text[] kinds, $4 text[] fingerprints, $5 uuid[] rows,
-- $6 uuid[] other rows, $7 text[] details
INSERT INTO bank_exceptions (exception_id, account_id, kind, fingerprint, row_id, other_row_id,
                             detail)
SELECT n.exception_id, $1::text, n.kind, n.fingerprint, n.row_id, n.other_row_id, n.detail
  FROM unnest($2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::text[])
       WITH ORDINALITY AS n (exception_id, kind, fingerprint, row_id, other_row_id, detail, place)
 ORDER BY n.place
    ON CONFLICT (account_id, kind, fingerprint) DO UPDATE
   SET found = clock_timestamp(), detail = excluded.detail, resolved = NULL, resolution = NULL,
       resolved_by = NULL, reason = NULL
 WHERE bank_exceptions.resolved_by = 'bank'
RETURNING kind

-- name: resolve_row
-- Exceptions of a row that are over.
-- $1 uuid row id, $2 text[] kinds, $3 text resolution, $4 text by, $5 text reason
UPDATE bank_exceptions
   SET resolved = clock_timestamp(), resolution = $3::text, resolved_by = $4::text,
       reason = $5::text
 WHERE row_id = $1::uuid AND kind = ANY ($2::text[]) AND resolved IS NULL

-- name: close_gaps
-- Holes that are none any more, among those that end at these rows or at one that is none.
-- $1 text account id, $2 text[] fingerprints of those that are still there, $3 uuid[] their rows
UPDATE bank_exceptions
   SET resolved = clock_timestamp(), resolution = 'CLOSED_BY_ITSELF', resolved_by = 'bank'
 WHERE account_id = $1::text AND kind = 'GAP' AND resolved IS NULL
   AND NOT (fingerprint = ANY ($2::text[]))
   AND (row_id = ANY ($3::uuid[])
        OR EXISTS (SELECT FROM bank_rows r
                    WHERE r.row_id = bank_exceptions.row_id AND r.retracted IS NOT NULL))

-- name: fetched
-- How far the account was looked at. Once that was done through the API, no file says so.
-- $1 text account id, $2 date last day, $3 boolean through the API
UPDATE bank_accounts
   SET fetched = clock_timestamp(), by_api = $3::boolean,
       fetched_to = CASE WHEN by_api = $3::boolean THEN greatest(fetched_to, $2::date)
                         ELSE $2::date END
 WHERE account_id = $1::text AND ($3::boolean OR NOT by_api)

-- name: ask_fetch
-- Somebody wants the account looked at now.
-- $1 uuid fetch id, $2 text account id, $3 text who
INSERT INTO bank_fetches (fetch_id, account_id, requested_by)
VALUES ($1::uuid, $2::text, $3::text)

-- name: waiting_fetches
-- Who wants what looked at.
SELECT fetch_id, account_id FROM bank_fetches WHERE finished IS NULL ORDER BY requested

-- name: begin_fetch
-- Before the bank is asked. Begun anew it stays as old as it is: whoever began it may yet end it, with
-- what the bank said then. Answers the time.
-- $1 uuid fetch id, $2 date first day
UPDATE bank_fetches SET started = coalesce(started, clock_timestamp()), first_day = $2::date
 WHERE fetch_id = $1::uuid
RETURNING clock_timestamp()

-- name: end_fetch
-- What came of it, as whoever is first says: two processes may be at it, one of them frozen for a while.
-- $1 uuid fetch id, $2 integer rows, $3 integer new, $4 integer exceptions, $5 text problem
UPDATE bank_fetches
   SET finished = clock_timestamp(), rows_read = $2::integer, rows_new = $3::integer,
       exceptions = $4::integer, problem = $5::text
 WHERE fetch_id = $1::uuid AND finished IS NULL

-- name: fetch
-- $1 uuid fetch id
SELECT fetch_id, account_id, requested_by, requested, started, finished, first_day, rows_read,
       rows_new, exceptions, problem
  FROM bank_fetches WHERE fetch_id = $1::uuid

-- name: hand_in
-- A statement file, unless the same one was handed in before, and was neither refused nor unreadable.
-- $1 uuid statement id, $2 text account id, $3 text format, $4 json columns, $5 bytea digest,
-- $6 bytea body, $7 text key, $8 text owner
INSERT INTO bank_statements (statement_id, account_id, format, columns, digest, body, uploaded_by,
                             uploaded_owner)
VALUES ($1::uuid, $2::text, $3::text, $4::json, $5::bytea, $6::bytea, $7::text, $8::text)
    ON CONFLICT (account_id, digest) WHERE status NOT IN ('REFUSED', 'FAILED') DO NOTHING
RETURNING statement_id

-- name: hand_in_again
-- The same file once more.
-- $1 text account id, $2 bytea digest
UPDATE bank_statements SET handed_in_again = clock_timestamp()
 WHERE account_id = $1::text AND digest = $2::bytea AND status NOT IN ('REFUSED', 'FAILED')
RETURNING statement_id

-- name: statement
-- $1 uuid statement id
SELECT s.statement_id, s.account_id, a.currency, s.format, s.sha256, s.uploaded_by, s.uploaded_owner,
       s.uploaded, s.handed_in_again, s.status, s.finished, s.rows_read, s.rows_new, s.exceptions,
       s.problem, s.named_account, s.account_confirmed, s.first_entry, s.last_entry, s.first_day,
       s.last_day, s.opening_minor, s.closing_minor, s.credits, s.credits_minor, s.debits,
       s.debits_minor, s.new_credits, s.new_credits_minor, s.new_debits, s.new_debits_minor
  FROM bank_statements s JOIN bank_accounts a USING (account_id)
 WHERE s.statement_id = $1::uuid

-- name: statements
-- The latest first.
-- $1 uuid before this one, $2 text account or null for all, $3 text status or null for all,
-- $4 integer limit
SELECT s.statement_id, s.account_id, a.currency, s.format, s.sha256, s.uploaded_by, s.uploaded_owner,
       s.uploaded, s.handed_in_again, s.status, s.finished, s.rows_read, s.rows_new, s.exceptions,
       s.problem, s.named_account, s.account_confirmed, s.first_entry, s.last_entry, s.first_day,
       s.last_day, s.opening_minor, s.closing_minor, s.credits, s.credits_minor, s.debits,
       s.debits_minor, s.new_credits, s.new_credits_minor, s.new_debits, s.new_debits_minor
  FROM bank_statements s JOIN bank_accounts a USING (account_id)
 WHERE s.statement_id < $1::uuid AND ($2::text IS NULL OR s.account_id = $2::text)
   AND ($3::text IS NULL OR s.status = $3::text)
 ORDER BY s.statement_id DESC LIMIT $4::integer

-- name: statement_file
-- $1 uuid statement id
SELECT format, body FROM bank_statements WHERE statement_id = $1::uuid

-- name: waiting_statements
-- The first file that is to be read, and whether it is to be believed.
-- $1 text[] but of these accounts
SELECT s.statement_id, s.account_id, s.format, s.columns, s.body, s.uploaded,
       s.status = 'APPROVED' AS approved
  FROM bank_statements s
 WHERE s.status IN ('RECEIVED', 'APPROVED') AND s.account_id <> ALL ($1::text[])
 ORDER BY s.uploaded LIMIT 1

-- name: tell_statement
-- What the file says, as it was read just now, for whoever has to agree to it and for tie-outs.
-- $1 uuid statement id, $2 text account that it names, $3 boolean whether that is the account,
-- $4 date first and $5 date last entry, $6 date first and $7 date last day that it accounts for,
-- $8 bigint opening and $9 bigint closing balance, $10 integer credits, $11 bigint their sum,
-- $12 integer debits, $13 bigint their sum; $14 to $17 the same of what is new
UPDATE bank_statements
   SET named_account = $2::text, account_confirmed = $3::boolean, first_entry = $4::date,
       last_entry = $5::date, first_day = $6::date, last_day = $7::date,
       opening_minor = $8::bigint, closing_minor = $9::bigint, credits = $10::integer,
       credits_minor = $11::bigint, debits = $12::integer, debits_minor = $13::bigint,
       new_credits = $14::integer, new_credits_minor = $15::bigint, new_debits = $16::integer,
       new_debits_minor = $17::bigint
 WHERE statement_id = $1::uuid AND status IN ('RECEIVED', 'APPROVED')

-- name: await_approval
-- Somebody else has to agree to the file.
-- $1 uuid statement id, $2 integer rows, $3 integer new, $4 integer exceptions
UPDATE bank_statements
   SET status = 'AWAITING_APPROVAL', rows_read = $2::integer, rows_new = $3::integer,
       exceptions = $4::integer
 WHERE statement_id = $1::uuid AND status = 'RECEIVED'

-- name: lock_statement
-- $1 uuid statement id
SELECT status, uploaded_owner FROM bank_statements WHERE statement_id = $1::uuid FOR UPDATE

-- name: judge_statement
-- What a second person says to a file.
-- $1 uuid statement id, $2 text status, $3 text problem
UPDATE bank_statements
   SET status = $2::text, problem = $3::text,
       finished = CASE WHEN $2::text = 'REFUSED' THEN clock_timestamp() END
 WHERE statement_id = $1::uuid AND status = 'AWAITING_APPROVAL'

-- name: end_statement
-- $1 uuid statement id, $2 integer rows, $3 integer new, $4 integer exceptions, $5 text problem
UPDATE bank_statements
   SET finished = clock_timestamp(), rows_read = $2::integer, rows_new = $3::integer,
       exceptions = $4::integer, problem = $5::text,
       status = CASE WHEN $5::text IS NULL THEN 'DONE' ELSE 'FAILED' END
 WHERE statement_id = $1::uuid AND status IN ('RECEIVED', 'APPROVED')

-- name: undecided
-- Rows that nobody has said the purpose of, in the order in which they came.
-- $1 uuid after this row, $2 integer limit
SELECT row_id FROM bank_rows
 WHERE decided IS NULL AND NOT held AND vanished IS NULL AND row_id > $1::uuid
 ORDER BY row_id LIMIT $2::integer

-- name: lock_undecided
-- One of them, as long as it still is: nobody holds it back or changes it meanwhile.
-- $1 uuid row id
SELECT r.row_id, r.account_id, r.posting_date, r.posted_order, r.credit, r.amount_minor,
       r.description, r.transaction_type, r.value_date, r.transaction_date, r.running_minor,
       r.stored, r.wallet_id, r.purpose, r.matched_by, r.candidates, r.session_id, r.transfer_key,
       r.not_before, a.currency, a.control_wallet, a.suspense_wallet, a.charges_wallet
  FROM bank_rows r JOIN bank_accounts a USING (account_id)
 WHERE r.row_id = $1::uuid AND r.decided IS NULL AND NOT r.held AND r.vanished IS NULL
   FOR UPDATE OF r

-- name: wallets_named
-- Wallets by payment reference; only those that can own a deposit. In one that stands for a bank
-- account it would be nobody's: not even two people could take it out.
-- $1 text[] references, $2 text currency
SELECT reference, wallet_id FROM wallets
 WHERE reference = ANY ($1::text[]) AND type = 'STANDARD' AND currency = $2::text
   AND NOT EXISTS (SELECT FROM bank_accounts
                    WHERE wallets.wallet_id IN (control_wallet, suspense_wallet))

-- name: wallets_meant
-- Wallets by alias.
-- $1 text account id, $2 text[] aliases
SELECT alias, wallet_id FROM bank_aliases
 WHERE account_id = $1::text AND alias = ANY ($2::text[]) AND approved IS NOT NULL
   AND ended IS NULL

-- name: wait
-- Why nobody has decided the row yet.
-- $1 uuid row id, $2 text problem
UPDATE bank_rows SET problem = $2::text
 WHERE row_id = $1::uuid AND problem IS DISTINCT FROM $2::text

-- name: decide
-- Whose money a row is, before anything is sent.
-- $1 uuid row id, $2 uuid wallet, $3 text purpose, $4 text matched by, $5 uuid[] candidates,
-- $6 text session, $7 text transfer key
UPDATE bank_rows
   SET wallet_id = $2::uuid, purpose = $3::text, matched_by = $4::text, candidates = $5::uuid[],
       session_id = $6::text, transfer_key = $7::text, decided = clock_timestamp(),
       problem = NULL
 WHERE row_id = $1::uuid AND decided IS NULL

-- name: unbooked
-- Rows whose transfer is not known to be on the ledger: what was decided is sent, whatever has become
-- of the row since, for it may have been sent already. What the ledger has refused may go later. A row
-- that payouts share is booked by theirs.
-- $1 uuid after this row, $2 integer limit
SELECT r.row_id, r.account_id, r.posting_date, r.posted_order, r.credit, r.amount_minor,
       r.description, r.transaction_type, r.value_date, r.transaction_date, r.running_minor,
       r.stored, r.wallet_id, r.purpose, r.matched_by, r.candidates, r.session_id, r.transfer_key,
       r.not_before, a.currency, a.control_wallet, a.suspense_wallet, a.charges_wallet
  FROM bank_rows r JOIN bank_accounts a USING (account_id)
 WHERE r.decided IS NOT NULL AND r.booked IS NULL AND r.row_id > $1::uuid
   AND r.purpose <> 'PAYOUTS'
   AND (r.not_before IS NULL OR r.not_before < clock_timestamp())
 ORDER BY r.row_id LIMIT $2::integer

-- name: redirect
-- To suspense, because the ledger has refused the wallet.
-- $1 uuid row id, $2 uuid the refused wallet, $3 uuid suspense, $4 text why, $5 timestamptz when
UPDATE bank_rows
   SET wallet_id = $3::uuid, purpose = 'WALLET_REFUSED', candidates = ARRAY[$2::uuid],
       problem = $4::text, not_before = $5::timestamptz
 WHERE row_id = $1::uuid AND wallet_id = $2::uuid AND booked IS NULL

-- name: stuck
-- Why the row's transfer is not there yet.
-- $1 uuid row id, $2 text problem
UPDATE bank_rows SET problem = $2::text, not_before = clock_timestamp() + interval '10 minutes'
 WHERE row_id = $1::uuid AND booked IS NULL

-- name: book
-- The row's transfer is on the ledger, whoever asked for it.
-- $1 uuid row id, $2 uuid transfer id, $3 uuid the wallet that it went to or came from
UPDATE bank_rows
   SET transfer_id = $2::uuid, wallet_id = $3::uuid, booked = clock_timestamp(), problem = NULL
 WHERE row_id = $1::uuid AND booked IS NULL
RETURNING row_id
