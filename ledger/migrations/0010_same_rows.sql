SET LOCAL search_path = sov;

-- A held row that is another one: said by two people, like everything that money depends on, and
-- remembered, so that its line is known when it is shown again.

ALTER TABLE bank_rows
    ADD COLUMN same_as uuid,
    ADD CONSTRAINT bank_rows_same_row FOREIGN KEY (same_as) REFERENCES bank_rows (row_id),
    ADD CONSTRAINT bank_rows_same CHECK
        (same_as IS NULL OR (retracted IS NOT NULL AND decided IS NULL AND same_as <> row_id));
CREATE INDEX bank_rows_same_as ON bank_rows (same_as) WHERE same_as IS NOT NULL;
COMMENT ON COLUMN bank_rows.same_as IS
    'The row that this one is: two people have said so, and it is none of its own. It says what its'
    ' source shows of that row, where that one has another source.';

ALTER TABLE bank_actions
    ADD COLUMN other_row_id uuid,
    DROP CONSTRAINT bank_actions_kind,
    ADD CONSTRAINT bank_actions_kind CHECK (kind IN
        ('ALLOCATE', 'RETURN', 'WRITE_OFF', 'BOOK', 'SAME', 'RETRACT')),
    ADD CONSTRAINT bank_actions_other_row FOREIGN KEY (other_row_id) REFERENCES bank_rows (row_id),
    ADD CONSTRAINT bank_actions_same CHECK ((kind = 'SAME') = (other_row_id IS NOT NULL));
COMMENT ON TABLE bank_actions IS
    'What somebody asked to be done about a row, and how far it has come: suspense allocated, returned'
    ' or written off; a held row booked after all, or taken for another one; the booking of a vanished'
    ' row taken back. Each needs a second person. REFUSED: by a person; FAILED: by the ledger, or'
    ' because the bank has changed its mind.';
COMMENT ON COLUMN bank_actions.other_row_id IS 'For SAME: the row that the held one is.';

CREATE INDEX bank_actions_naming ON bank_actions (other_row_id) WHERE finished IS NULL;
CREATE INDEX bank_exceptions_held_for ON bank_exceptions (other_row_id)
    WHERE kind = 'HELD' AND resolved IS NULL;

ALTER TABLE bank_accounts
    ADD COLUMN opening_row uuid,
    ADD CONSTRAINT bank_accounts_opening_row FOREIGN KEY (opening_row) REFERENCES bank_rows (row_id);
COMMENT ON COLUMN bank_accounts.opening_minor IS
    'The balance before the first row: held before the account was followed, and in no wallet. Null'
    ' until there is a row that says. It changes where rows come that stand before the first one, or'
    ' people say that the first is none; not because a row vanishes or its balance changes, for then'
    ' what is missing at the beginning would be taken for money held before. Balance behind the last'
    ' row = opening - control.';
COMMENT ON COLUMN bank_accounts.opening_row IS
    'Whose word the opening balance is; null where it was taken before this was kept.';

-- What one person has said so far stands: the rows are none.
UPDATE bank_rows r SET same_as = e.other_row_id
  FROM bank_exceptions e
 WHERE e.row_id = r.row_id AND e.kind = 'HELD' AND e.resolution = 'SAME'
   AND e.other_row_id <> r.row_id AND r.retracted IS NOT NULL AND r.decided IS NULL;
