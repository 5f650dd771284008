SET LOCAL search_path = sov;

ALTER TABLE payouts ADD COLUMN pause interval;
COMMENT ON COLUMN payouts.pause IS
    'How long after its last change the bank is asked for it again, which did not admit this payment;'
    ' it doubles with each time. Null: at once.';

-- Every debit that waits is held against the payouts that it may be, again and again.
CREATE INDEX payouts_unmade ON payouts (account_id, amount_minor) WHERE debit_row IS NULL;
CREATE INDEX payouts_exported ON payouts (export_id) WHERE export_id IS NOT NULL;
-- Rows that are not booked have an index of their own.
DROP INDEX payouts_unbooked;

-- A payout that was made again has the row that the bank shows, not the one that has vanished; where
-- that one's booking was taken back, and nothing came instead, it was not made.
UPDATE payouts p
   SET debit_row = r.row_id, transfer_id = coalesce(r.transfer_id, p.transfer_id)
  FROM bank_rows v, bank_rows r
 WHERE v.row_id = p.debit_row AND v.vanished IS NOT NULL AND p.transfer_id IS NOT NULL
   AND r.row_id = (SELECT n.row_id FROM bank_rows n
                    WHERE n.wallet_id = p.wallet_id AND n.purpose = 'PAYOUT'
                      AND n.matched_by = p.my_reference AND n.vanished IS NULL
                    ORDER BY n.row_id LIMIT 1);
UPDATE payouts p
   SET state = 'REJECTED', debit_row = NULL, transfer_id = NULL, settled = NULL,
       reason = 'its row has vanished, and its booking was taken back'
  FROM bank_rows v
 WHERE v.row_id = p.debit_row AND v.retracted IS NOT NULL AND p.state = 'SETTLED'
   AND p.return_row IS NULL;

-- What was only seen still waits: nobody has said whose such a row is.
UPDATE bank_exceptions e
   SET resolved = NULL, resolution = NULL, resolved_by = NULL, reason = NULL
  FROM bank_rows r
 WHERE r.row_id = e.row_id AND e.kind = 'PAYOUT' AND e.resolution = 'ACKNOWLEDGED'
   AND r.decided IS NULL AND r.retracted IS NULL;
