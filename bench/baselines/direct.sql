-- The direct baseline: one function per kind of command, each called once per request, as one
-- transaction. The rules and their order are the ledger's (ledger/transfers.py, reservations.py);
-- locks are taken in its order too. A refusal is an outcome here as well.

SET search_path = sov;

CREATE TABLE direct_currencies (currency text PRIMARY KEY, digits integer NOT NULL);
CREATE SEQUENCE direct_numbers;
GRANT SELECT ON direct_currencies TO sov_writer;
GRANT USAGE ON SEQUENCE direct_numbers TO sov_writer;

CREATE FUNCTION direct_transfer(
    p_transfer uuid, p_command uuid, p_key text, p_from uuid, p_to uuid, p_amount numeric,
    p_currency text, p_session text, p_external_id text, p_description text, p_metadata json,
    p_actor text,
    OUT code text, OUT number bigint, OUT decided timestamptz, OUT minor bigint,
    OUT wallet_currency text, OUT from_sequence bigint, OUT from_balance bigint,
    OUT to_sequence bigint, OUT to_balance bigint, OUT freed text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    most CONSTANT bigint := 90000000000000000;
    source wallets;
    target wallets;
    held bigint;
    scaled numeric;
BEGIN
    number := nextval('direct_numbers');
    decided := clock_timestamp();
    <<ladder>>
    BEGIN
        IF EXISTS (SELECT FROM transfers WHERE external_unique_id = p_key) THEN
            code := 'duplicate-transfer';
            EXIT ladder;
        END IF;
        -- In id order, so that two requests wait for each other but never in a circle.
        IF p_from < p_to THEN
            SELECT * INTO source FROM wallets WHERE wallet_id = p_from FOR NO KEY UPDATE;
            SELECT * INTO target FROM wallets WHERE wallet_id = p_to FOR NO KEY UPDATE;
        ELSE
            SELECT * INTO target FROM wallets WHERE wallet_id = p_to FOR NO KEY UPDATE;
            SELECT * INTO source FROM wallets WHERE wallet_id = p_from FOR NO KEY UPDATE;
        END IF;
        IF source.wallet_id IS NULL OR target.wallet_id IS NULL THEN
            code := 'unknown-wallet';
            EXIT ladder;
        END IF;
        decided := greatest(clock_timestamp(), source.last_entry, target.last_entry);
        wallet_currency := source.currency;
        scaled := p_amount * 10 ^ (SELECT digits FROM direct_currencies c
                                    WHERE c.currency = wallet_currency);
        IF scaled <> trunc(scaled) THEN
            code := 'invalid-amount';
        ELSIF p_from = p_to THEN
            code := 'same-wallet';
        ELSIF source.currency <> target.currency OR p_currency <> source.currency THEN
            code := 'currency-mismatch';
        ELSIF source.status = 'CLOSED' OR target.status = 'CLOSED' THEN
            code := 'wallet-closed';
        ELSIF source.status = 'FROZEN' THEN
            code := 'wallet-frozen';
        ELSIF scaled > most OR target.balance_minor + scaled > most THEN
            code := 'limit-exceeded';
        END IF;
        EXIT ladder WHEN code IS NOT NULL;
        minor := scaled;
        -- A later statement than the locks, so that it sees what they waited for. The session's own
        -- reservations are released before the money is looked at.
        SELECT coalesce(sum(amount_minor), 0) INTO held
          FROM reservations
         WHERE wallet_id = p_from AND released IS NULL AND expires > decided
           AND session_id IS DISTINCT FROM p_session;
        IF source.type = 'SYSTEM' THEN
            IF source.balance_minor - held - minor < -most THEN
                code := 'limit-exceeded';
            END IF;
        ELSIF source.balance_minor - source.minimum_minor - held < minor THEN
            code := 'insufficient-funds';
        END IF;
        EXIT ladder WHEN code IS NOT NULL;

        from_sequence := source.last_sequence + 1;
        from_balance := source.balance_minor - minor;
        to_sequence := target.last_sequence + 1;
        to_balance := target.balance_minor + minor;
        INSERT INTO transfers (transfer_id, command_id, external_unique_id, from_wallet_id,
                               to_wallet_id, amount_minor, from_sequence, to_sequence, created,
                               currency, session_id, external_id, description, metadata)
        VALUES (p_transfer, p_command, p_key, p_from, p_to, minor, from_sequence, to_sequence,
                decided, wallet_currency, p_session, p_external_id, p_description, p_metadata)
            ON CONFLICT (external_unique_id) DO NOTHING;
        IF NOT FOUND THEN
            code := 'duplicate-transfer';
            EXIT ladder;
        END IF;
        INSERT INTO entries (wallet_id, sequence, transfer_id, amount_minor, balance_minor, created)
        VALUES (p_from, from_sequence, p_transfer, -minor, from_balance, decided),
               (p_to, to_sequence, p_transfer, minor, to_balance, decided);
        UPDATE wallets SET balance_minor = from_balance, last_sequence = from_sequence,
                           last_entry = decided
         WHERE wallet_id = p_from;
        UPDATE wallets SET balance_minor = to_balance, last_sequence = to_sequence,
                           last_entry = decided
         WHERE wallet_id = p_to;
        IF p_session IS NOT NULL THEN
            PERFORM FROM reservations WHERE session_id = p_session AND released IS NULL
              ORDER BY reservation_id FOR NO KEY UPDATE;
            WITH ended AS (
                UPDATE reservations SET released = decided, released_by = p_transfer
                 WHERE session_id = p_session AND released IS NULL AND expires > decided
                RETURNING reservation_id, wallet_id, session_id, amount_minor, currency)
            SELECT json_agg(json_build_array(reservation_id, wallet_id, session_id, amount_minor,
                                             currency) ORDER BY reservation_id)::text
              INTO freed FROM ended;
        END IF;
    END ladder;
    INSERT INTO outcomes (partition, number, command_id, kind, subject_id, first_event, decided,
                          actor, detail)
    VALUES (100, number, p_command,
            CASE WHEN code IS NULL THEN 'TransferPosted' ELSE 'Rejection' END,
            CASE WHEN code IS NULL THEN p_transfer END,
            CASE WHEN code IS NULL THEN number END, decided, p_actor,
            CASE WHEN code IS NOT NULL THEN json_build_object('code', code) END);
END $$;

CREATE FUNCTION direct_reservation(
    p_reservation uuid, p_command uuid, p_key text, p_wallet uuid, p_amount numeric,
    p_currency text, p_session text, p_expires timestamptz, p_description text, p_actor text,
    OUT code text, OUT number bigint, OUT decided timestamptz, OUT minor bigint,
    OUT wallet_currency text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    most CONSTANT bigint := 90000000000000000;
    holder wallets;
    held bigint;
    scaled numeric;
BEGIN
    number := nextval('direct_numbers');
    decided := clock_timestamp();
    <<ladder>>
    BEGIN
        SELECT * INTO holder FROM wallets WHERE wallet_id = p_wallet FOR NO KEY UPDATE;
        decided := greatest(clock_timestamp(), holder.last_entry);
        wallet_currency := holder.currency;
        scaled := p_amount * 10 ^ (SELECT digits FROM direct_currencies c
                                    WHERE c.currency = wallet_currency);
        IF p_expires <= decided THEN
            code := 'invalid-request';
        ELSIF scaled <> trunc(scaled) THEN
            code := 'invalid-amount';
        ELSIF EXISTS (SELECT FROM reservations WHERE external_unique_id = p_key) THEN
            code := 'duplicate-reservation';
        ELSIF holder.wallet_id IS NULL THEN
            code := 'wallet-not-found';
        ELSIF p_currency <> holder.currency THEN
            code := 'currency-mismatch';
        ELSIF holder.status = 'CLOSED' THEN
            code := 'wallet-closed';
        ELSIF holder.status = 'FROZEN' THEN
            code := 'wallet-frozen';
        ELSIF scaled > most THEN
            code := 'limit-exceeded';
        END IF;
        EXIT ladder WHEN code IS NOT NULL;
        minor := scaled;
        SELECT coalesce(sum(amount_minor), 0) INTO held
          FROM reservations
         WHERE wallet_id = p_wallet AND released IS NULL AND expires > decided;
        IF holder.type = 'SYSTEM' THEN
            IF holder.balance_minor - held - minor < -most THEN
                code := 'limit-exceeded';
            END IF;
        ELSIF holder.balance_minor - holder.minimum_minor - held < minor THEN
            code := 'insufficient-funds';
        END IF;
        EXIT ladder WHEN code IS NOT NULL;
        INSERT INTO reservations (reservation_id, wallet_id, external_unique_id, session_id,
                                  amount_minor, currency, expires, created, command_id, description)
        VALUES (p_reservation, p_wallet, p_key, p_session, minor, wallet_currency, p_expires,
                decided, p_command, p_description)
            ON CONFLICT (external_unique_id) DO NOTHING;
        IF NOT FOUND THEN
            code := 'duplicate-reservation';
        END IF;
    END ladder;
    INSERT INTO outcomes (partition, number, command_id, kind, subject_id, first_event, decided,
                          actor, detail)
    VALUES (100, number, p_command,
            CASE WHEN code IS NULL THEN 'ReservationPlaced' ELSE 'Rejection' END,
            CASE WHEN code IS NULL THEN p_reservation END,
            CASE WHEN code IS NULL THEN number END, decided, p_actor,
            CASE WHEN code IS NOT NULL THEN json_build_object('code', code) END);
END $$;
