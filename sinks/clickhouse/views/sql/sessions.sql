SELECT
    account_id,
    leftPad(lower(hex(user)), 16, '0') AS user,
    fromUnixTimestamp64Milli(at, 'UTC') AS started_at,
    fromUnixTimestamp64Milli(ended, 'UTC') AS ended_at,
    (ended - at) / 1000 AS duration_seconds
FROM ({{.Include "user_events" .}})
WHERE starts
