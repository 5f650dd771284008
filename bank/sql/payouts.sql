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
-- Whose references stand in a row's description, ours or the bank's; and whether another row of theirs
-- can give way to it. One that payouts share cannot: first it is taken back.
-- $1 text account, $2 text[] our references, $3 text[] words that may be the bank's
SELECT p.*, NOT p.shares_row
            AND EXISTS (SELECT FROM bank_rows r
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
-- Whether two people have said that a row is on its own: by an action BOOK, asked for when they were
-- told of this doubt. One for which there was another reason says nothing about it.
-- $1 uuid row id, $2 text fingerprint of the exception PAYOUT
SELECT true FROM bank_actions a JOIN bank_exceptions e USING (row_id)
 WHERE a.row_id = $1::uuid AND a.kind = 'BOOK' AND a.status = 'DONE'
   AND e.kind = 'PAYOUT' AND e.fingerprint = $2::text AND e.found < a.requested
 LIMIT 1

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
-- The bank is about to be asked, for money that is held, of a wallet that can pay. What comes of it
-- names this asking, by its time: a word that is late, or said twice, is not about the one after it.
-- $1 uuid payout id, $2 text beneficiary id
UPDATE payouts p
   SET state = 'SUBMITTING', paid_beneficiary_id = $2::text, reason = NULL,
       submitted = clock_timestamp(), changed = clock_timestamp()
 WHERE payout_id = $1::uuid AND state = 'HELD' AND debit_row IS NULL
   AND EXISTS (SELECT FROM reservations r
                WHERE r.session_id = 'payout:' || p.payout_id::text AND r.released IS NULL
                  AND r.expires > clock_timestamp())
   AND EXISTS (SELECT FROM wallets w WHERE w.wallet_id = p.wallet_id AND w.status = 'ACTIVE')
RETURNING *

-- name: still_asked
-- Whether that was a moment ago, by a clock that does not stand still while a machine sleeps; nothing
-- where others have decided about it since.
-- $1 uuid payout id, $2 timestamptz when it was asked, $3 interval how long a moment is
SELECT submitted > clock_timestamp() - $3::interval FROM payouts
 WHERE payout_id = $1::uuid AND state = 'SUBMITTING' AND submitted = $2::timestamptz
   AND debit_row IS NULL

-- name: taken_in
-- The bank has it. Where its row was faster than the answer, or others have decided meanwhile, only
-- the bank's reference is kept: money that comes back may carry no other.
-- $1 uuid payout id, $2 timestamptz when it was asked, $3 text the bank's reference, $4 text what it
-- said, $5 interval how long its own authorisers may take, null where it needs none
UPDATE payouts
   SET payment_reference = $3::text, changed = clock_timestamp(),
       state = CASE WHEN state = 'SUBMITTING' AND debit_row IS NULL
                    THEN 'AWAITING_BANK' ELSE state END,
       reason = CASE WHEN state = 'SUBMITTING' AND debit_row IS NULL
                     THEN $4::text ELSE reason END,
       authorised_until = CASE WHEN state = 'SUBMITTING' AND debit_row IS NULL
                               THEN clock_timestamp() + $5::interval ELSE authorised_until END
 WHERE payout_id = $1::uuid AND submitted = $2::timestamptz
RETURNING *

-- name: not_asked
-- The bank was certainly not reached.
-- $1 uuid payout id, $2 timestamptz when it was to be asked, $3 text why
UPDATE payouts
   SET state = 'HELD', submitted = NULL, reason = $3::text, changed = clock_timestamp()
 WHERE payout_id = $1::uuid AND state = 'SUBMITTING' AND submitted = $2::timestamptz
   AND debit_row IS NULL
RETURNING *

-- name: not_admitted
-- The bank did not look at it, perhaps for a reason of this payment alone: it is asked again, each
-- time later.
-- $1 uuid payout id, $2 timestamptz when it was asked, $3 text why
UPDATE payouts
   SET state = 'HELD', submitted = NULL, reason = $3::text, changed = clock_timestamp(),
       pause = least(coalesce(pause * 2, interval '1 second'), interval '10 minutes')
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
-- $1 uuid after this one, $2 integer limit
SELECT * FROM payouts
 WHERE state = 'REQUESTED' AND left_until < clock_timestamp() AND debit_row IS NULL
   AND payout_id > $1::uuid
 ORDER BY payout_id
 LIMIT $2::integer

-- name: is_reserved
-- Whether the books have a reservation of a key.
-- $1 text key
SELECT true FROM reservations WHERE external_unique_id = $1::text

-- name: to_submit
-- What the bank is to be asked for, in order; and whether its money is still held. Nothing of a frozen
-- wallet, nor what the bank has just not admitted.
-- $1 uuid after this one, $2 integer limit, $3 text[] accounts that are followed, whose rows somebody
-- will see; empty: all
SELECT p.*, EXISTS (SELECT FROM reservations r
                     WHERE r.session_id = 'payout:' || p.payout_id::text AND r.released IS NULL
                       AND r.expires > clock_timestamp()) AS is_held
  FROM payouts p JOIN wallets w USING (wallet_id)
 WHERE p.state = 'HELD' AND p.debit_row IS NULL AND w.status <> 'FROZEN'
   AND (cardinality($3::text[]) = 0 OR p.account_id = ANY ($3::text[]))
   AND (p.pause IS NULL OR p.changed + p.pause < clock_timestamp())
   AND p.payout_id > $1::uuid
 ORDER BY p.payout_id
 LIMIT $2::integer

-- name: tell_frozen
-- Say of payouts of frozen wallets that they wait for that; and say so no more once they do not.
-- $1 text reason
UPDATE payouts p
   SET reason = CASE WHEN w.status = 'FROZEN' THEN $1::text END, changed = clock_timestamp()
  FROM wallets w
 WHERE w.wallet_id = p.wallet_id AND p.state = 'HELD' AND p.debit_row IS NULL
   AND (w.status = 'FROZEN') <> (p.reason IS NOT DISTINCT FROM $1::text)

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
-- The bank's row of a payout: from now on it is only booked. Another row takes its place only where it
-- has vanished.
-- $1 uuid payout id, $2 uuid row id
UPDATE payouts p
   SET debit_row = $2::uuid, giving_up = NULL, named_row = NULL, named_by = NULL,
       changed = clock_timestamp()
 WHERE p.payout_id = $1::uuid
   AND CASE WHEN p.debit_row IS NULL THEN p.state NOT IN ('SETTLED', 'RETURNED')
            ELSE NOT p.shares_row
                 AND EXISTS (SELECT FROM bank_rows v
                              WHERE v.row_id = p.debit_row AND v.vanished IS NOT NULL) END
RETURNING p.wallet_id

-- name: is_used
-- Whether a payout's key is that of a transfer, or will be: another row needs a key of its own.
-- $1 text key
SELECT true FROM bank_rows WHERE transfer_key = $1::text
 UNION ALL
SELECT true FROM transfers WHERE external_unique_id = $1::text
 LIMIT 1

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
   SET state = CASE WHEN state = 'RETURNED' THEN state ELSE 'SETTLED' END, transfer_id = $2::uuid,
       settled = clock_timestamp(), reason = NULL, problem = NULL, changed = clock_timestamp()
 WHERE debit_row = $1::uuid AND transfer_id IS DISTINCT FROM $2::uuid
RETURNING payout_id, state

-- name: returned
-- The money has come back: the row is booked, to its wallet or, where that could not have it, to
-- suspense.
-- $1 uuid row id, $2 uuid transfer id, $3 text reason in the second case
UPDATE payouts p
   SET state = 'RETURNED', return_transfer_id = $2::uuid, returned = clock_timestamp(),
       reason = CASE WHEN r.wallet_id <> p.wallet_id THEN $3::text END,
       problem = NULL, changed = clock_timestamp()
  FROM bank_rows r
 WHERE p.return_row = $1::uuid AND r.row_id = p.return_row
   AND p.return_transfer_id IS NULL AND p.state = 'SETTLED'
RETURNING p.payout_id, p.state

-- name: not_made
-- The booking of its row was taken back: its money is free, and a row that comes after all is booked
-- under a key of its own.
-- $1 uuid row id, $2 text reason
UPDATE payouts
   SET state = 'REJECTED', debit_row = NULL, shares_row = false, transfer_id = NULL,
       settled = NULL, reason = $2::text, changed = clock_timestamp()
 WHERE debit_row = $1::uuid AND state = 'SETTLED' AND return_row IS NULL
RETURNING payout_id, state

-- name: not_returned
-- The booking of the row by which it came back was taken back: it was made, and that is all.
-- $1 uuid row id, $2 text reason
UPDATE payouts
   SET state = 'SETTLED', return_row = NULL, return_transfer_id = NULL, returned = NULL,
       reason = $2::text, changed = clock_timestamp()
 WHERE return_row = $1::uuid AND state = 'RETURNED'
RETURNING payout_id, state

-- name: told
-- The booking of its row was taken back, though money has come back as well: it stays what it is.
-- $1 uuid row id, $2 text reason
UPDATE payouts SET reason = $2::text, changed = clock_timestamp()
 WHERE debit_row = $1::uuid
RETURNING payout_id, state

-- name: problems
-- What keeps their rows from being booked.
WITH unbooked AS MATERIALIZED (
    SELECT row_id, problem FROM bank_rows WHERE decided IS NOT NULL AND booked IS NULL
), waiting AS (
    SELECT d.payout_id, u.problem
      FROM unbooked u JOIN payouts d ON d.debit_row = u.row_id AND NOT d.shares_row
     UNION ALL
    SELECT d.payout_id, u.problem
      FROM unbooked u JOIN payouts d ON d.debit_row = u.row_id AND d.shares_row
                                    AND d.transfer_id IS NULL
     UNION ALL
    SELECT d.payout_id, u.problem FROM unbooked u JOIN payouts d ON d.return_row = u.row_id
)
UPDATE payouts p SET problem = w.problem, changed = clock_timestamp()
  FROM waiting w
 WHERE p.payout_id = w.payout_id AND p.problem IS DISTINCT FROM w.problem
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
-- Payouts that a file may carry, in order, locked until it is written. Their money is held, and their
-- wallets can pay.
-- $1 text account, $2 uuid[] these alone, or null: those that the bank has no beneficiary for,
-- $3 integer limit
SELECT * FROM payouts p
 WHERE account_id = $1::text AND debit_row IS NULL AND named_row IS NULL
   AND EXISTS (SELECT FROM reservations r
                WHERE r.session_id = 'payout:' || p.payout_id::text AND r.released IS NULL
                  AND r.expires > clock_timestamp())
   AND EXISTS (SELECT FROM wallets w WHERE w.wallet_id = p.wallet_id AND w.status = 'ACTIVE')
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
