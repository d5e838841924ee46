SELECT account_id, toInt32(intDiv(at, 86400000)) AS d, toNullable((ended - at) / 1000) AS session_seconds
FROM ({{.Include "user_events" .}})
WHERE starts
