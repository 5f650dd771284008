-- What people ask to be done about rows, what others say to it, and what lies in suspense.

-- name: suspense
-- What nobody could attribute and is still there, the oldest first, with the action that is open.
-- $1 uuid after this row, $2 integer limit
SELECT r.row_id, r.account_id, r.posting_date, r.amount_minor, r.description, r.purpose, r.matched_by,
       r.candidates, r.booked, r.transfer_id, r.vanished, a.currency, a.suspense_wallet,
       o.action_id AS open_action, o.kind AS open_kind, o.status AS open_status
  FROM bank_rows r
  JOIN bank_accounts a USING (account_id)
  LEFT JOIN bank_actions o ON o.row_id = r.row_id AND o.finished IS NULL
 WHERE r.wallet_id = a.suspense_wallet AND r.credit AND r.booked IS NOT NULL
   AND r.retracted IS NULL AND r.row_id > $1::uuid
   AND NOT EXISTS (SELECT FROM bank_actions d
                    WHERE d.row_id = r.row_id AND d.status = 'DONE'
                      AND d.kind IN ('ALLOCATE', 'RETURN', 'WRITE_OFF'))
 ORDER BY r.row_id LIMIT $2::integer

-- name: expected
-- Payments that somebody expects and that a row could be: a suggestion, no more.
-- $1 uuid[] rows
SELECT r.row_id, e.expected_id, e.wallet_id, e.note
  FROM bank_rows r
  JOIN bank_expected_payments e
    ON e.account_id = r.account_id AND e.amount_minor = r.amount_minor AND e.ended IS NULL
   AND coalesce(r.transaction_date, r.posting_date) BETWEEN e.first_day AND e.last_day
 WHERE r.row_id = ANY ($1::uuid[])
 ORDER BY r.row_id, e.expected_id

-- name: lock_row
-- The row that an action is about, with its account; until the action is kept nothing else about it
-- is.
-- $1 uuid row id
SELECT r.row_id, r.account_id, r.credit, r.amount_minor, r.wallet_id, r.purpose, r.held, r.vanished,
       r.retracted, r.decided, r.booked, r.matched_by, r.posting_date, r.posted_order, r.description,
       r.transaction_type, r.value_date, r.transaction_date, r.running_minor, r.source,
       a.currency, a.control_wallet, a.suspense_wallet, a.charges_wallet
  FROM bank_rows r JOIN bank_accounts a USING (account_id)
 WHERE r.row_id = $1::uuid
   FOR UPDATE OF r

-- name: currency
-- What a row's amount is in.
-- $1 uuid row id
SELECT a.currency FROM bank_rows r JOIN bank_accounts a USING (account_id) WHERE r.row_id = $1::uuid

-- name: lately
-- What was done or tried about a row and stands in the way of something else: an action that is open,
-- a disposal that is done, a command that may still be decided.
-- $1 uuid row id
SELECT action_id, kind, status FROM bank_actions
 WHERE row_id = $1::uuid
   AND (finished IS NULL OR (status = 'DONE' AND kind IN ('ALLOCATE', 'RETURN', 'WRITE_OFF'))
        OR send_until > clock_timestamp())
 ORDER BY action_id DESC LIMIT 1

-- name: named_by
-- The open action that says that another row is this one.
-- $1 uuid row id
SELECT action_id, status FROM bank_actions WHERE other_row_id = $1::uuid AND finished IS NULL LIMIT 1

-- name: ask
-- $1 uuid action id, $2 text kind, $3 uuid row, $4 uuid exception, $5 json detail, $6 text reason,
-- $7 text key, $8 text owner, $9 text reference, $10 uuid the other row or null
INSERT INTO bank_actions (action_id, kind, row_id, exception_id, detail, reason, requested_by,
                          requested_owner, reference, other_row_id)
VALUES ($1::uuid, $2::text, $3::uuid, $4::uuid, $5::json, $6::text, $7::text, $8::text, $9::text,
        $10::uuid)

-- name: action
-- $1 uuid action id
SELECT a.action_id, a.kind, a.row_id, a.exception_id, a.detail, a.reason, a.requested_by,
       a.requested_owner, a.requested, a.status, a.reference, a.problem, a.send_until, a.finished,
       a.other_row_id, r.amount_minor, r.credit, c.currency, r.account_id
  FROM bank_actions a JOIN bank_rows r USING (row_id) JOIN bank_accounts c USING (account_id)
 WHERE a.action_id = $1::uuid

-- name: lock_action
-- $1 uuid action id
SELECT action_id, status, requested_owner FROM bank_actions WHERE action_id = $1::uuid FOR UPDATE

-- name: actions
-- The latest first.
-- $1 uuid before this one, $2 text status or null for all, $3 integer limit
SELECT a.action_id, a.kind, a.row_id, a.exception_id, a.detail, a.reason, a.requested_by,
       a.requested_owner, a.requested, a.status, a.reference, a.problem, a.send_until, a.finished,
       a.other_row_id, r.amount_minor, r.credit, c.currency, r.account_id
  FROM bank_actions a JOIN bank_rows r USING (row_id) JOIN bank_accounts c USING (account_id)
 WHERE a.action_id < $1::uuid AND ($2::text IS NULL OR a.status = $2::text)
 ORDER BY a.action_id DESC LIMIT $3::integer

-- name: verdicts
-- $1 uuid[] subjects
SELECT subject_id, owner, key_id, verdict, reason, given
  FROM bank_verdicts WHERE subject_id = ANY ($1::uuid[]) ORDER BY given

-- name: say
-- One word per person.
-- $1 uuid subject, $2 text owner, $3 text key, $4 text verdict, $5 text reason
INSERT INTO bank_verdicts (subject_id, owner, key_id, verdict, reason)
VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text)
    ON CONFLICT (subject_id, owner) DO NOTHING
RETURNING subject_id

-- name: step
-- An action goes on, unless it has gone on already.
-- $1 uuid action id, $2 text from, $3 text to, $4 text problem
UPDATE bank_actions
   SET status = $3::text, problem = $4::text,
       finished = CASE WHEN $3::text IN ('DONE', 'REFUSED', 'FAILED')
                       THEN clock_timestamp() END
 WHERE action_id = $1::uuid AND status = $2::text
RETURNING action_id

-- name: approved
-- Actions to be carried out, in the order in which they were asked for, with their rows.
-- $1 uuid after this one, $2 integer limit
SELECT a.action_id, a.kind, a.row_id, a.other_row_id, a.exception_id, a.detail, a.requested_by, a.reason,
       r.account_id, r.credit, r.amount_minor, r.wallet_id, r.held, r.vanished, r.retracted, r.decided,
       r.booked, r.description, r.purpose, r.matched_by,
       coalesce(r.not_before > clock_timestamp(), false) AS is_refused,
       c.currency, c.control_wallet, c.suspense_wallet, c.charges_wallet
  FROM bank_actions a JOIN bank_rows r USING (row_id) JOIN bank_accounts c USING (account_id)
 WHERE a.status = 'APPROVED' AND a.action_id > $1::uuid
 ORDER BY a.action_id LIMIT $2::integer

-- name: send_until
-- Until when the action's command may be decided. It only grows.
-- $1 uuid action id, $2 timestamptz until
UPDATE bank_actions SET send_until = greatest(send_until, $2::timestamptz)
 WHERE action_id = $1::uuid AND status = 'APPROVED'
RETURNING action_id

-- name: release
-- A row that was held back is booked like any other from now on.
-- $1 uuid row id
UPDATE bank_rows SET held = false WHERE row_id = $1::uuid AND held

-- name: retract
-- The booking of a row that has vanished was taken back, or was never made and never will be.
-- $1 uuid row id
UPDATE bank_rows SET retracted = clock_timestamp()
 WHERE row_id = $1::uuid AND vanished IS NOT NULL AND retracted IS NULL
RETURNING row_id

-- name: awaited_return
-- Which returns a debit names, however far they have come.
-- $1 text account id, $2 text[] references
SELECT a.action_id, a.row_id, a.reference, a.status, r.amount_minor
  FROM bank_actions a JOIN bank_rows r USING (row_id)
 WHERE r.account_id = $1::text AND a.kind = 'RETURN'
   AND a.reference = ANY ($2::text[])
   FOR UPDATE OF a

-- name: lock_returned
-- The row that a debit has returned to its sender.
-- $1 text the return's reference
SELECT r.row_id, r.retracted FROM bank_actions a JOIN bank_rows r USING (row_id)
 WHERE a.reference = $1::text
   FOR UPDATE OF r

-- name: taking_back_debit
-- The action, while it is open, that takes back the debit of a return.
-- $1 uuid the return
SELECT t.action_id, t.status
  FROM bank_actions t
  JOIN bank_rows d ON d.row_id = t.row_id AND d.purpose = 'RETURNED'
  JOIN bank_actions a ON a.reference = d.matched_by
 WHERE a.action_id = $1::uuid AND t.kind = 'RETRACT' AND t.finished IS NULL

-- name: await_again
-- The debit of a return was none: it waits for another one, unless its own row was taken back too.
-- $1 text the return's reference
UPDATE bank_actions
   SET status = 'AWAITING_BANK', finished = NULL, problem = 'the bank shows its debit no more'
 WHERE reference = $1::text AND status = 'DONE'
   AND EXISTS (SELECT FROM bank_rows r
                WHERE r.row_id = bank_actions.row_id AND r.retracted IS NULL)

-- name: exceptions
-- Open ones, or all; the latest first.
-- $1 uuid before this one, $2 boolean open only, $3 integer limit
SELECT e.exception_id, e.account_id, e.kind, e.row_id, e.other_row_id, e.detail, e.found, e.resolved,
       e.resolution, e.resolved_by, e.reason,
       o.action_id AS open_action, o.kind AS open_kind, o.status AS open_status
  FROM bank_exceptions e
  LEFT JOIN bank_actions o ON o.row_id = e.row_id AND o.finished IS NULL
 WHERE e.exception_id < $1::uuid AND (NOT $2::boolean OR e.resolved IS NULL)
 ORDER BY e.exception_id DESC LIMIT $3::integer

-- name: exception
-- $1 uuid exception id
SELECT e.exception_id, e.account_id, e.kind, e.row_id, e.other_row_id, e.detail, e.found, e.resolved,
       e.resolution, e.resolved_by, e.reason,
       o.action_id AS open_action, o.kind AS open_kind, o.status AS open_status
  FROM bank_exceptions e
  LEFT JOIN bank_actions o ON o.row_id = e.row_id AND o.finished IS NULL
 WHERE e.exception_id = $1::uuid

-- name: lock_exception
-- With whether nobody has said yet whose its row is.
-- $1 uuid exception id
SELECT kind, resolved,
       EXISTS (SELECT FROM bank_rows r
                WHERE r.row_id = e.row_id AND r.decided IS NULL AND r.retracted IS NULL) AS waits
  FROM bank_exceptions e WHERE exception_id = $1::uuid FOR UPDATE

-- name: resolve
-- $1 uuid exception id, $2 text resolution, $3 text by, $4 text reason
UPDATE bank_exceptions
   SET resolved = clock_timestamp(), resolution = $2::text, resolved_by = $3::text,
       reason = $4::text
 WHERE exception_id = $1::uuid AND resolved IS NULL

-- name: lock_account_of
-- $1 uuid row id
SELECT a.account_id FROM bank_accounts a JOIN bank_rows r USING (account_id)
 WHERE r.row_id = $1::uuid
   FOR NO KEY UPDATE OF a

-- name: held_for
-- Which row a held one may be; null where none was named.
-- $1 uuid row id
SELECT other_row_id FROM bank_exceptions
 WHERE row_id = $1::uuid AND kind = 'HELD' AND resolved IS NULL

-- name: came_back
-- Whether a row that had vanished came back since another one is held back.
-- $1 uuid the held row, $2 uuid the other row
SELECT true FROM bank_exceptions h JOIN bank_exceptions v ON v.resolved > h.found
 WHERE h.row_id = $1::uuid AND h.kind = 'HELD' AND h.resolved IS NULL
   AND v.row_id = $2::uuid AND v.kind = 'VANISHED' AND v.resolution = 'CAME_BACK'
 LIMIT 1

-- name: open_about
-- What stands in the way of saying that a row is another one: an action about that one that is open, a
-- command that may still be decided.
-- $1 uuid row id, $2 uuid the action that says so, or null
SELECT action_id, status FROM bank_actions
 WHERE row_id = $1::uuid AND (finished IS NULL OR send_until > clock_timestamp())
UNION ALL
SELECT action_id, status FROM bank_actions
 WHERE other_row_id = $1::uuid AND finished IS NULL AND action_id IS DISTINCT FROM $2::uuid
 LIMIT 1

-- name: hand_on
-- What was said to be a row is what that one is.
-- $1 uuid row id, $2 uuid the row that it is
UPDATE bank_rows SET same_as = $2::uuid WHERE same_as = $1::uuid

-- name: drop_remake
-- A held row is another one under a new guise: no row of its own. It says what its source shows of the
-- other one.
-- $1 uuid row id, $2 uuid the row that it is, $3 date posting date, $4 bigint posted order,
-- $5 text description, $6 text transaction type, $7 date value date, $8 date transaction date,
-- $9 bigint running balance, $10 text source
UPDATE bank_rows
   SET vanished = clock_timestamp(), retracted = clock_timestamp(), held = false, same_as = $2::uuid,
       posting_date = $3::date, posted_order = $4::bigint, description = $5::text,
       transaction_type = $6::text, value_date = $7::date, transaction_date = $8::date,
       running_minor = $9::bigint, source = $10::text
 WHERE row_id = $1::uuid AND held AND decided IS NULL

-- name: add_alias
-- $1 uuid alias id, $2 text account, $3 text alias, $4 text spelling, $5 uuid wallet, $6 text key,
-- $7 text owner
INSERT INTO bank_aliases (alias_id, account_id, alias, spelling, wallet_id, created_by, created_owner)
VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::uuid, $6::text, $7::text)
    ON CONFLICT (account_id, alias) WHERE ended IS NULL DO NOTHING
RETURNING alias_id

-- name: lock_alias
-- $1 uuid alias id
SELECT created_owner, approved FROM bank_aliases
 WHERE alias_id = $1::uuid AND ended IS NULL FOR UPDATE

-- name: approve_alias
-- From now on the words count.
-- $1 uuid alias id
UPDATE bank_aliases SET approved = clock_timestamp()
 WHERE alias_id = $1::uuid AND approved IS NULL AND ended IS NULL

-- name: end_alias
-- $1 uuid alias id, $2 text who
UPDATE bank_aliases SET ended = clock_timestamp(), ended_by = $2::text
 WHERE alias_id = $1::uuid AND ended IS NULL
RETURNING alias_id

-- name: aliases
-- Those in force, and those that wait for approval.
-- $1 uuid before this one, $2 integer limit
SELECT alias_id, account_id, alias, spelling, wallet_id, created_by, created, approved
  FROM bank_aliases WHERE alias_id < $1::uuid AND ended IS NULL
 ORDER BY alias_id DESC LIMIT $2::integer

-- name: expect
-- $1 uuid expected id, $2 text account, $3 uuid wallet, $4 bigint amount, $5 date first, $6 date last,
-- $7 text note, $8 text who
INSERT INTO bank_expected_payments (expected_id, account_id, wallet_id, amount_minor, first_day,
                                    last_day, note, created_by)
VALUES ($1::uuid, $2::text, $3::uuid, $4::bigint, $5::date, $6::date, $7::text, $8::text)

-- name: end_expected
-- $1 uuid expected id, $2 text who
UPDATE bank_expected_payments SET ended = clock_timestamp(), ended_by = $2::text
 WHERE expected_id = $1::uuid AND ended IS NULL
RETURNING expected_id

-- name: expectations
-- Those in force.
-- $1 uuid before this one, $2 integer limit
SELECT e.expected_id, e.account_id, e.wallet_id, e.amount_minor, e.first_day, e.last_day, e.note,
       e.created_by, e.created, a.currency
  FROM bank_expected_payments e JOIN bank_accounts a USING (account_id)
 WHERE e.expected_id < $1::uuid AND e.ended IS NULL
 ORDER BY e.expected_id DESC LIMIT $2::integer

-- name: rows
-- The latest first.
-- $1 uuid before this one, $2 text account or null for all, $3 integer limit
SELECT r.*, a.currency FROM bank_rows r JOIN bank_accounts a USING (account_id)
 WHERE r.row_id < $1::uuid AND ($2::text IS NULL OR r.account_id = $2::text)
 ORDER BY r.row_id DESC LIMIT $3::integer

-- name: wallet
-- Whether money of this currency can be given to the wallet; and whether it is one that stands for a
-- bank account, into which money comes by rows alone.
-- $1 uuid wallet id
SELECT wallet_id, type, currency, status,
       EXISTS (SELECT FROM bank_accounts
                WHERE $1::uuid IN (control_wallet, suspense_wallet)) AS is_the_banks
  FROM wallets WHERE wallet_id = $1::uuid
