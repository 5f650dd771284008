-- What each role may do; run by the owner after every migration, so that nothing is left over.
-- sov_writer (consumers, relay) writes the books and can change no entry, transfer or outcome;
-- sov_reader (gateways) reads them; sov_uploader (gateways, bulk) reads them too and keeps bulk files;
-- sov_banker (gateways, bank) reads them too and keeps the bank side, of which nothing is deleted.
-- Each role has its part: where one was never made, the others' parts are run without it.

-- role: sov_writer
GRANT USAGE ON SCHEMA sov TO sov_writer;
REVOKE ALL ON ALL TABLES IN SCHEMA sov FROM sov_writer;
GRANT SELECT ON ALL TABLES IN SCHEMA sov TO sov_writer;
GRANT INSERT ON sov.wallets, sov.transfers, sov.entries, sov.transfer_groups, sov.reservations,
                sov.outcomes, sov.refused_keys, sov.chain, sov.dead_letters,
                sov.dead_letter_resolutions
   TO sov_writer;
GRANT UPDATE (status, minimum_minor, balance_minor, last_sequence, last_entry, name, metadata)
   ON sov.wallets TO sov_writer;
GRANT UPDATE (partition, number, decided) ON sov.refused_keys TO sov_writer;
GRANT UPDATE (released, released_by) ON sov.reservations TO sov_writer;
GRANT UPDATE (epoch, owner_pid, owner_started, next_number, next_event, last_hash, decided_at)
   ON sov.heads TO sov_writer;
GRANT INSERT, UPDATE (number) ON sov.relay_cursors TO sov_writer;
GRANT INSERT, UPDATE (slots, process, seen) ON sov.consumers TO sov_writer;

-- role: sov_reader
GRANT USAGE ON SCHEMA sov TO sov_reader;
REVOKE ALL ON ALL TABLES IN SCHEMA sov FROM sov_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA sov TO sov_reader;

-- role: sov_uploader
GRANT USAGE ON SCHEMA sov TO sov_uploader;
REVOKE ALL ON ALL TABLES IN SCHEMA sov FROM sov_uploader;
GRANT SELECT ON ALL TABLES IN SCHEMA sov TO sov_uploader;
GRANT INSERT, UPDATE, DELETE ON sov.batches, sov.batch_uploads, sov.batch_lots TO sov_uploader;

-- role: sov_banker
GRANT USAGE ON SCHEMA sov TO sov_banker;
REVOKE ALL ON ALL TABLES IN SCHEMA sov FROM sov_banker;
GRANT SELECT ON ALL TABLES IN SCHEMA sov TO sov_banker;
GRANT INSERT, UPDATE ON sov.bank_accounts, sov.bank_exceptions, sov.bank_fetches,
                        sov.bank_expected_payments
   TO sov_banker;
-- What the bank said of an amount, and what two people agree to, stays as it was kept: only how far it
-- has come changes.
GRANT INSERT ON sov.bank_rows, sov.bank_actions, sov.bank_verdicts, sov.bank_statements,
                sov.bank_aliases, sov.payouts, sov.payout_words, sov.payout_exports
   TO sov_banker;
GRANT UPDATE (posting_date, posted_order, description, transaction_type, value_date,
              transaction_date, running_minor, source, held, vanished, retracted, same_as, wallet_id,
              purpose, matched_by, candidates, session_id, transfer_key, decided, transfer_id, booked,
              problem, not_before)
   ON sov.bank_rows TO sov_banker;
GRANT UPDATE (status, problem, send_until, finished) ON sov.bank_actions TO sov_banker;
GRANT UPDATE (status, rows_read, rows_new, exceptions, problem, finished, handed_in_again,
              named_account, account_confirmed, first_entry, last_entry, first_day, last_day,
              opening_minor, closing_minor, credits, credits_minor, debits, debits_minor, new_credits,
              new_credits_minor, new_debits, new_debits_minor)
   ON sov.bank_statements TO sov_banker;
GRANT UPDATE (approved, ended, ended_by) ON sov.bank_aliases TO sov_banker;
GRANT UPDATE (state, reason, approvals, held, submitted, paid_beneficiary_id, payment_reference,
              authorised_until, export_id, giving_up, named_row, named_by, debit_row, transfer_id,
              settled, return_row, return_transfer_id, returned, problem, pause, changed, shares_row)
   ON sov.payouts TO sov_banker;
GRANT INSERT, UPDATE ON sov.reconciliations TO sov_banker;
GRANT INSERT, DELETE ON sov.reconciliation_uploads, sov.reconciliation_differences TO sov_banker;
