-- What all processes of this installation share.

-- name: read
-- The layout in force and the secret of command ids.
SELECT l.layout, l.partitions, d.command_id_secret
  FROM deployment d, layouts l
 ORDER BY l.layout DESC
 LIMIT 1
