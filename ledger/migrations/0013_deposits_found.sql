SET LOCAL search_path = sov;

-- Whatever is asked for about a row looks for what was asked for before, also where that is over.
CREATE INDEX bank_actions_row ON bank_actions (row_id);
