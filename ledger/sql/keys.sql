-- API keys. Only a hash of the secret is kept.

-- name: create
-- A new key.
-- $1 text id, $2 text name, $3 text owner, $4 text[] scopes, $5 bytea hash, $6 integer rate,
-- $7 timestamptz expires
INSERT INTO api_keys (key_id, name, owner, scopes, secret_hash, rate, expires)
VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: all
-- Every key there has been.
SELECT key_id, name, owner, scopes, secret_hash, rate, created, expires, revoked
  FROM api_keys
 ORDER BY created, key_id

-- name: revoke
-- End a key, by its id or its name.
-- $1 text id or name
UPDATE api_keys
   SET revoked = clock_timestamp()
 WHERE (key_id = $1::text OR name = $1::text) AND revoked IS NULL
RETURNING key_id
