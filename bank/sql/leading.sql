-- Which of several bank processes acts, and what wakes it.

-- name: try_lead
-- Whether this session leads from now on, until it ends. A session's lock: a pooler that shares
-- sessions between clients would break it.
SELECT pg_try_advisory_lock(x'62616e6b'::bigint)

-- name: still_there
-- Whether the session that leads is still what it was.
SELECT true

-- name: wake
-- Tell whichever process leads that there is something to do for one of its steps.
-- $1 text step
SELECT pg_notify('sov_bank', $1::text)
