-- Payouts, from the order to the bank's row. None of this is part of the books.
--
-- Whoever changes a state names those in which it may be changed (bank.payouts.states), and nothing
-- is changed any more once the bank's debit row is known: from then on it is only booked. So of two
-- processes, or a process and a person, one comes too late and is told so.

-- name: order
-- A new payout, unless its key is in use.
-- $1 uuid payout id, $2 text key, $3 text account, $4 uuid wallet, $5 text currency,
-- $6 bigint amount, $7 text beneficiary id, $8 text name, $9 text account number, $10 text branch,
-- $11 text my reference, $12 text their reference, $13 text description, $14 integer approvals,
-- $15 text key id, $16 text owner, $17 interval how long the gateway sees to it,
-- $18 timestamptz not to be held later, or null
INSERT INTO payouts (payout_id, external_unique_id, account_id, wallet_id, currency, amount_minor,
                     beneficiary_id, beneficiary_name, account_number, branch_code, my_reference,
                     their_reference, description, approvals_needed, key_id, owner, left_until,
                     not_after)
VALUES ($1::uuid, $2::text, $3::text, $4::uuid, $5::text, $6::bigint, $7::text, $8::text, $9::text,
        $10::text, $11::text, $12::text, $13::text, $14::integer, $15::text, $16::text,
        clock_timestamp() + $17::interval, $18::timestamptz)
    ON CONFLICT (external_unique_id) WHERE held IS NOT NULL OR state = 'REQUESTED' DO NOTHING
RETURNING payout_id

-- name: accounts
-- Our accounts. Payouts are made from those that are followed: of others nobody would see the rows.
SELECT account_id, account_number, name, currency, control_wallet, suspense_wallet, charges_wallet,
       followed_until IS NULL AS followed
  FROM bank_accounts
 ORDER BY account_id

-- name: get
-- One payout.
-- $1 uuid payout id
SELECT * FROM payouts WHERE payout_id = $1::uuid

-- name: of_key
-- The payout that uses a key.
-- $1 text key
SELECT * FROM payouts
 WHERE external_unique_id = $1::text AND (held IS NOT NULL OR state = 'REQUESTED')

-- name: of_references
-- Whose references stand in a row's description, ours or the bank's.
-- $1 text account, $2 text[] our references, $3 text[] words that may be the bank's
SELECT p.*, EXISTS (SELECT FROM bank_rows r
                     WHERE r.row_id = p.debit_row AND r.vanished IS NOT NULL) AS vanished
  FROM payouts p
 WHERE account_id = $1::text
   AND (my_reference = ANY ($2::text[]) OR payment_reference = ANY ($3::text[]))

-- name: alike
-- Payouts of an amount that the bank may have made, and whose row is not known; also those of the
-- last month that it was asked for and that were given up, or refused.
-- $1 text account, $2 bigint amount, $3 date posted
SELECT * FROM payouts
 WHERE account_id = $1::text AND amount_minor = $2::bigint AND debit_row IS NULL
   AND (state IN ('AWAITING_BENEFICIARY', 'SUBMITTING', 'AWAITING_BANK', 'UNKNOWN')
        OR (state = 'REJECTED' AND (submitted IS NOT NULL OR export_id IS NOT NULL)
            AND (changed AT TIME ZONE 'Africa/Johannesburg')::date >= $3::date - 30))
   AND (requested AT TIME ZONE 'Africa/Johannesburg')::date <= $3::date

-- name: files_alike
-- Files of a total, or with just so much in them that has no row yet: a bank may pay a file as one.
-- $1 text account, $2 bigint total, $3 date posted
SELECT e.export_id FROM payout_exports e
 WHERE e.account_id = $1::text
   AND (e.made AT TIME ZONE 'Africa/Johannesburg')::date <= $3::date
   AND (e.total_minor = $2::bigint
        OR $2::bigint = (SELECT sum(p.amount_minor) FROM payouts p
                          WHERE p.export_id = e.export_id AND p.debit_row IS NULL
                            AND p.state <> 'REJECTED'))
   AND EXISTS (SELECT FROM payouts p
                WHERE p.export_id = e.export_id AND p.debit_row IS NULL
                  AND (p.state <> 'REJECTED'
                       OR (p.changed AT TIME ZONE 'Africa/Johannesburg')::date >= $3::date - 30))

-- name: on_its_own
-- Whether two people have said that a row is no payout's (an action BOOK).
-- $1 uuid row id
SELECT true FROM bank_actions WHERE row_id = $1::uuid AND kind = 'BOOK' AND status = 'DONE'

-- name: page
-- Payouts, the latest first.
-- $1 uuid before this one, $2 text state or null, $3 uuid wallet or null, $4 boolean only those with
-- a problem, $5 integer limit
SELECT * FROM payouts
 WHERE payout_id < $1::uuid AND ($2::text IS NULL OR state = $2::text)
   AND ($3::uuid IS NULL OR wallet_id = $3::uuid) AND (NOT $4::boolean OR problem IS NOT NULL)
 ORDER BY payout_id DESC
 LIMIT $5::integer

-- name: words
-- Who said what to payouts, in order.
-- $1 uuid[] payout ids
SELECT payout_id, word, key_id, owner, reason, said FROM payout_words
 WHERE payout_id = ANY ($1::uuid[])
 ORDER BY said

-- name: reserved
-- Its money is reserved: who has to agree is asked, or the bank is.
-- $1 uuid payout id
UPDATE payouts
   SET state = CASE WHEN approvals_needed > 0 THEN 'AWAITING_APPROVAL' ELSE 'HELD' END,
       held = clock_timestamp(), changed = clock_timestamp()
 WHERE payout_id = $1::uuid AND state = 'REQUESTED' AND debit_row IS NULL
RETURNING *

-- name: submitted
-- The bank is about to be asked, for money that is held. What comes of it names this asking, by its
-- time: a word that is late, or said twice, is not about the one after it.
-- $1 uuid payout id, $2 text beneficiary id
UPDATE payouts p
   SET state = 'SUBMITTING', paid_beneficiary_id = $2::text, reason = NULL,
       submitted = clock_timestamp(), changed = clock_timestamp()
 WHERE payout_id = $1::uuid AND state = 'HELD' AND debit_row IS NULL
   AND EXISTS (SELECT FROM reservations r
                WHERE r.session_id = 'payout:' || p.payout_id::text AND r.released IS NULL
                  AND r.expires > clock_timestamp())
RETURNING *

-- name: taken_in
-- The bank has it.
-- $1 uuid payout id, $2 timestamptz when it was asked, $3 text the bank's reference, $4 text what it
-- said, $5 interval how long its own authorisers may take, null where it needs none
UPDATE payouts
   SET state = 'AWAITING_BANK', payment_reference = $3::text, reason = $4::text,
       authorised_until = clock_timestamp() + $5::interval, changed = clock_timestamp()
 WHERE payout_id = $1::uuid AND state = 'SUBMITTING' AND submitted = $2::timestamptz
   AND debit_row IS NULL
RETURNING *

-- name: not_asked
-- The bank was certainly not reached.
-- $1 uuid payout id, $2 timestamptz when it was to be asked, $3 text why
UPDATE payouts
   SET state = 'HELD', submitted = NULL, reason = $3::text, changed = clock_timestamp()
 WHERE payout_id = $1::uuid AND state = 'SUBMITTING' AND submitted = $2::timestamptz
   AND debit_row IS NULL
RETURNING *

-- name: answered
-- The bank has refused it, or has said nothing that can be understood.
-- $1 uuid payout id, $2 timestamptz when it was asked, $3 text state, $4 text reason
UPDATE payouts SET state = $3::text, reason = $4::text, changed = clock_timestamp()
 WHERE payout_id = $1::uuid AND state = 'SUBMITTING' AND submitted = $2::timestamptz
   AND debit_row IS NULL
RETURNING *

-- name: step
-- Any other step that no person takes.
-- $1 uuid payout id, $2 text[] states in which it can be taken, $3 text state, $4 text reason
UPDATE payouts SET state = $3::text, reason = $4::text, changed = clock_timestamp()
 WHERE payout_id = $1::uuid AND state = ANY ($2::text[]) AND debit_row IS NULL
RETURNING *

-- name: step_by
-- A step that a person takes, and who it was.
-- $1 uuid payout id, $2 text[] states in which it can be taken, $3 text state, $4 text word,
-- $5 text key id, $6 text owner, $7 text reason
WITH stepped AS (
    UPDATE payouts SET state = $3::text, reason = $7::text, changed = clock_timestamp()
     WHERE payout_id = $1::uuid AND state = ANY ($2::text[]) AND named_row IS NULL
       AND debit_row IS NULL
 RETURNING payout_id
)
INSERT INTO payout_words (payout_id, word, key_id, owner, reason)
SELECT payout_id, $4::text, $5::text, $6::text, $7::text FROM stepped
RETURNING payout_id

-- name: approve
-- One more person agrees; the last of them lets it go. A second word of one owner breaks
-- payout_words_once, and takes nothing with it.
-- $1 uuid payout id, $2 text key id, $3 text owner, $4 text reason
WITH stepped AS (
    UPDATE payouts
       SET approvals = approvals + 1, changed = clock_timestamp(),
           state = CASE WHEN approvals + 1 >= approvals_needed THEN 'HELD' ELSE state END
     WHERE payout_id = $1::uuid AND state = 'AWAITING_APPROVAL' AND owner <> $3::text
       AND debit_row IS NULL
 RETURNING payout_id
)
INSERT INTO payout_words (payout_id, word, key_id, owner, reason)
SELECT payout_id, 'APPROVED', $2::text, $3::text, $4::text FROM stepped
RETURNING payout_id

-- name: giving_up
-- Somebody is sure that the bank will not pay it; another one has to be.
-- $1 uuid payout id, $2 text key id, $3 text owner, $4 text reason
WITH stepped AS (
    UPDATE payouts SET giving_up = $3::text, changed = clock_timestamp()
     WHERE payout_id = $1::uuid AND state IN ('AWAITING_BANK', 'UNKNOWN') AND giving_up IS NULL
       AND named_row IS NULL AND debit_row IS NULL
 RETURNING payout_id
)
INSERT INTO payout_words (payout_id, word, key_id, owner, reason)
SELECT payout_id, 'GIVING_UP', $2::text, $3::text, $4::text FROM stepped
RETURNING payout_id

-- name: stop_giving_up
-- Somebody is not so sure.
-- $1 uuid payout id, $2 text key id, $3 text owner, $4 text reason
WITH stepped AS (
    UPDATE payouts SET giving_up = NULL, changed = clock_timestamp()
     WHERE payout_id = $1::uuid AND giving_up IS NOT NULL AND debit_row IS NULL
 RETURNING payout_id
)
INSERT INTO payout_words (payout_id, word, key_id, owner, reason)
SELECT payout_id, 'NOT_GIVEN_UP', $2::text, $3::text, $4::text FROM stepped
RETURNING payout_id

-- name: give_up
-- A second person is sure as well: the money is given back.
-- $1 uuid payout id, $2 text key id, $3 text owner, $4 text reason
WITH stepped AS (
    UPDATE payouts
       SET state = 'REJECTED', giving_up = NULL, reason = $4::text, changed = clock_timestamp()
     WHERE payout_id = $1::uuid AND state IN ('AWAITING_BANK', 'UNKNOWN')
       AND giving_up <> $3::text AND debit_row IS NULL
 RETURNING payout_id
)
INSERT INTO payout_words (payout_id, word, key_id, owner, reason)
SELECT payout_id, 'GIVEN_UP', $2::text, $3::text, $4::text FROM stepped
RETURNING payout_id

-- name: name_row
-- Somebody says that an unbooked debit is this payout's; another one has to say so too. The row is
-- locked before the payout, as by whoever decides rows.
-- $1 uuid payout id, $2 uuid row id, $3 text key id, $4 text owner, $5 text reason
WITH locked AS MATERIALIZED (
    SELECT account_id, amount_minor FROM bank_rows
     WHERE row_id = $2::uuid AND NOT credit AND decided IS NULL AND vanished IS NULL
       FOR UPDATE
), stepped AS (
    UPDATE payouts p SET named_row = $2::uuid, named_by = $4::text, changed = clock_timestamp()
      FROM locked r
     WHERE p.payout_id = $1::uuid
       AND (p.state IN ('AWAITING_BENEFICIARY', 'AWAITING_BANK', 'UNKNOWN')
            OR (p.state = 'REJECTED' AND (p.submitted IS NOT NULL OR p.export_id IS NOT NULL)))
       AND p.giving_up IS NULL AND p.named_row IS NULL AND p.debit_row IS NULL
       AND r.account_id = p.account_id AND r.amount_minor = p.amount_minor
 RETURNING p.payout_id
)
INSERT INTO payout_words (payout_id, word, key_id, owner, reason)
SELECT payout_id, 'ROW_NAMED', $3::text, $4::text, $5::text FROM stepped
RETURNING payout_id

-- name: unname_row
-- Somebody says that it is not.
-- $1 uuid payout id, $2 text key id, $3 text owner, $4 text reason
WITH stepped AS (
    UPDATE payouts SET named_row = NULL, named_by = NULL, changed = clock_timestamp()
     WHERE payout_id = $1::uuid AND named_row IS NOT NULL AND debit_row IS NULL
 RETURNING payout_id
)
INSERT INTO payout_words (payout_id, word, key_id, owner, reason)
SELECT payout_id, 'ROW_REFUSED', $2::text, $3::text, $4::text FROM stepped
RETURNING payout_id

-- name: agree_row
-- A second person says so: the payout has its row. In the transaction that keeps how it is booked.
-- $1 uuid payout id, $2 uuid row id, $3 text key id, $4 text owner, $5 text reason
WITH stepped AS (
    UPDATE payouts
       SET debit_row = $2::uuid, named_row = NULL, named_by = NULL, changed = clock_timestamp()
     WHERE payout_id = $1::uuid AND named_row = $2::uuid AND named_by <> $4::text
       AND debit_row IS NULL
 RETURNING payout_id
)
INSERT INTO payout_words (payout_id, word, key_id, owner, reason)
SELECT payout_id, 'ROW_AGREED', $3::text, $4::text, $5::text FROM stepped
RETURNING payout_id

-- name: left
-- Orders whose gateway has not come back with an answer.
-- $1 integer limit
SELECT * FROM payouts
 WHERE state = 'REQUESTED' AND left_until < clock_timestamp() AND debit_row IS NULL
 ORDER BY payout_id
 LIMIT $1::integer

-- name: is_reserved
-- Whether the books have a reservation of a key.
-- $1 text key
SELECT true FROM reservations WHERE external_unique_id = $1::text

-- name: to_submit
-- What the bank is to be asked for, the oldest first; and whether its money is still held.
-- $1 integer limit, $2 text[] accounts that are followed, whose rows somebody will see; empty: all
SELECT p.*, EXISTS (SELECT FROM reservations r
                     WHERE r.session_id = 'payout:' || p.payout_id::text AND r.released IS NULL
                       AND r.expires > clock_timestamp()) AS is_held
  FROM payouts p
 WHERE state = 'HELD' AND debit_row IS NULL
   AND (cardinality($2::text[]) = 0 OR account_id = ANY ($2::text[]))
 ORDER BY payout_id
 LIMIT $1::integer

-- name: found_submitting
-- Whoever begins to act knows nothing of what was being asked for: it may have been heard.
-- $1 text reason
UPDATE payouts SET state = 'UNKNOWN', reason = $1::text, changed = clock_timestamp()
 WHERE state = 'SUBMITTING' AND debit_row IS NULL
RETURNING payout_id

-- name: lapsed
-- The bank's authorisers had their time.
-- $1 text reason
UPDATE payouts SET state = 'UNKNOWN', reason = $1::text, changed = clock_timestamp()
 WHERE state = 'AWAITING_BANK' AND authorised_until < clock_timestamp() AND debit_row IS NULL
RETURNING payout_id

-- name: claim_debit
-- The bank's row of a payout: from now on it is only booked.
-- $1 uuid payout id, $2 uuid row id
UPDATE payouts
   SET debit_row = $2::uuid, giving_up = NULL, named_row = NULL, named_by = NULL,
       changed = clock_timestamp()
 WHERE payout_id = $1::uuid AND debit_row IS NULL AND state NOT IN ('SETTLED', 'RETURNED')
RETURNING wallet_id

-- name: of_export
-- What of a file is neither paid nor given up, locked. The row is locked before, as by whoever decides
-- rows.
-- $1 uuid export id
SELECT * FROM payouts
 WHERE export_id = $1::uuid AND debit_row IS NULL AND state <> 'REJECTED'
 ORDER BY payout_id
   FOR UPDATE

-- name: claim_as_one
-- The one row of all these: from now on they are only settled.
-- $1 uuid[] payout ids, $2 uuid row id
UPDATE payouts SET debit_row = $2::uuid, shares_row = true, changed = clock_timestamp()
 WHERE payout_id = ANY ($1::uuid[]) AND debit_row IS NULL
   AND state IN ('AWAITING_BANK', 'UNKNOWN') AND giving_up IS NULL AND named_row IS NULL
RETURNING payout_id

-- name: sharing
-- Payouts that share a row and whose money has not left their wallets yet, each as a row of its own
-- would be. What the ledger has refused may go later.
-- $1 uuid after this payout, $2 integer limit
SELECT p.payout_id, p.my_reference, r.row_id, r.account_id, r.posting_date, r.posted_order, r.credit,
       p.amount_minor, r.description, r.transaction_type, r.value_date, r.transaction_date,
       r.running_minor, r.stored, p.wallet_id, r.purpose, r.matched_by,
       'payout:' || p.payout_id::text AS session_id, 'payout:' || p.payout_id::text AS transfer_key,
       r.not_before, a.currency, a.control_wallet, a.suspense_wallet, a.charges_wallet
  FROM payouts p
  JOIN bank_rows r ON r.row_id = p.debit_row
  JOIN bank_accounts a ON a.account_id = r.account_id
 WHERE p.shares_row AND p.transfer_id IS NULL AND p.payout_id > $1::uuid
   AND (r.not_before IS NULL OR r.not_before < clock_timestamp())
 ORDER BY p.payout_id
 LIMIT $2::integer

-- name: settled_alone
-- The money of one that shares its row has left its wallet.
-- $1 uuid payout id, $2 uuid transfer id
UPDATE payouts
   SET state = 'SETTLED', transfer_id = $2::uuid, settled = clock_timestamp(), reason = NULL,
       problem = NULL, changed = clock_timestamp()
 WHERE payout_id = $1::uuid AND shares_row AND transfer_id IS NULL
RETURNING payout_id

-- name: all_settled
-- Rows of several payouts, all of which have left their wallets; each with the first one's transfer.
SELECT r.row_id, r.wallet_id, (array_agg(p.transfer_id ORDER BY p.payout_id))[1] AS transfer_id
  FROM bank_rows r
  JOIN payouts p ON p.debit_row = r.row_id AND p.shares_row
 WHERE r.decided IS NOT NULL AND r.booked IS NULL
 GROUP BY r.row_id
HAVING bool_and(p.transfer_id IS NOT NULL)

-- name: of_shared_row
-- From which wallets the money of a row has come that payouts share.
-- $1 uuid row id
SELECT wallet_id, amount_minor FROM payouts
 WHERE debit_row = $1::uuid AND shares_row
 ORDER BY payout_id

-- name: claim_return
-- The row that undoes it.
-- $1 uuid payout id, $2 uuid row id
UPDATE payouts SET return_row = $2::uuid, changed = clock_timestamp()
 WHERE payout_id = $1::uuid AND return_row IS NULL AND state = 'SETTLED'
RETURNING wallet_id

-- name: settled
-- The money has left its wallet: the row is booked.
-- $1 uuid row id, $2 uuid transfer id
UPDATE payouts
   SET state = 'SETTLED', transfer_id = $2::uuid, settled = clock_timestamp(), reason = NULL,
       problem = NULL, changed = clock_timestamp()
 WHERE debit_row = $1::uuid AND transfer_id IS NULL
RETURNING payout_id

-- name: returned
-- The money has come back: the row is booked, where its wallet could not take it, to suspense.
-- $1 uuid row id, $2 uuid transfer id
UPDATE payouts p
   SET state = 'RETURNED', return_transfer_id = $2::uuid, returned = clock_timestamp(),
       reason = CASE WHEN r.wallet_id <> p.wallet_id
                     THEN 'its wallet could not take it back: it lies in suspense' END,
       problem = NULL, changed = clock_timestamp()
  FROM bank_rows r
 WHERE r.row_id = $1::uuid AND p.return_row = $1::uuid AND p.return_transfer_id IS NULL
   AND p.state = 'SETTLED'
RETURNING p.payout_id

-- name: problems
-- What keeps their rows from being booked.
UPDATE payouts p SET problem = r.problem, changed = clock_timestamp()
  FROM bank_rows r
 WHERE ((r.row_id = p.debit_row AND p.transfer_id IS NULL)
        OR (r.row_id = p.return_row AND p.return_transfer_id IS NULL))
   AND p.problem IS DISTINCT FROM r.problem
RETURNING p.payout_id, p.problem

-- name: sessions
-- What is reserved for payouts, as the books have it.
-- $1 text after this session, $2 integer limit
SELECT session_id, wallet_id FROM reservations
 WHERE released IS NULL AND expires > clock_timestamp()
   AND session_id > $1::text AND session_id >= 'payout:' AND session_id < 'payout;'
 ORDER BY session_id
 LIMIT $2::integer

-- name: over
-- Which of these hold nothing any more.
-- $1 uuid[] payout ids
SELECT payout_id FROM payouts
 WHERE payout_id = ANY ($1::uuid[]) AND state IN ('SETTLED', 'REJECTED', 'RETURNED')
   AND (debit_row IS NULL OR transfer_id IS NOT NULL)

-- name: exportable
-- Payouts that a file may carry, in order, locked until it is written. Their money is held.
-- $1 text account, $2 uuid[] these alone, or null: those that the bank has no beneficiary for,
-- $3 integer limit
SELECT * FROM payouts p
 WHERE account_id = $1::text AND debit_row IS NULL AND named_row IS NULL
   AND EXISTS (SELECT FROM reservations r
                WHERE r.session_id = 'payout:' || p.payout_id::text AND r.released IS NULL
                  AND r.expires > clock_timestamp())
   AND (CASE WHEN $2::uuid[] IS NULL THEN state = 'AWAITING_BENEFICIARY'
             ELSE payout_id = ANY ($2::uuid[]) AND state IN ('HELD', 'AWAITING_BENEFICIARY') END)
 ORDER BY payout_id
 LIMIT $3::integer
   FOR UPDATE

-- name: export
-- A file.
-- $1 uuid export id, $2 text account, $3 text format, $4 integer how many, $5 bigint total,
-- $6 text currency, $7 bytea content, $8 text key id, $9 text owner
INSERT INTO payout_exports (export_id, account_id, format, payouts, total_minor, currency, content,
                            key_id, owner)
VALUES ($1::uuid, $2::text, $3::text, $4::integer, $5::bigint, $6::text, $7::bytea, $8::text,
        $9::text)

-- name: exported
-- What it carries is a person's to bring to the bank, and never sent by us as well.
-- $1 uuid[] payout ids, $2 uuid export id, $3 text key id, $4 text owner, $5 text reason
WITH stepped AS (
    UPDATE payouts
       SET state = 'AWAITING_BANK', export_id = $2::uuid, reason = $5::text,
           changed = clock_timestamp()
     WHERE payout_id = ANY ($1::uuid[]) AND state IN ('HELD', 'AWAITING_BENEFICIARY')
       AND debit_row IS NULL
 RETURNING payout_id
)
INSERT INTO payout_words (payout_id, word, key_id, owner, reason)
SELECT payout_id, 'EXPORTED', $3::text, $4::text, $5::text FROM stepped
RETURNING payout_id

-- name: exports
-- Files, the latest first, without what is in them.
-- $1 uuid before this one, $2 integer limit
SELECT export_id, account_id, format, payouts, total_minor, currency, key_id, owner, made
  FROM payout_exports
 WHERE export_id < $1::uuid
 ORDER BY export_id DESC
 LIMIT $2::integer

-- name: exported_file
-- One file.
-- $1 uuid export id
SELECT * FROM payout_exports WHERE export_id = $1::uuid
