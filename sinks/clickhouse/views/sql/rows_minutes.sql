{{- /* data: rollingSlice */ -}}
SELECT account_id, toInt32(intDiv(at, 86400000)) AS day, 1 AS is_shown,
            {{.Parts "minutes"}}
FROM ({{.Include "user_events" .}})
WHERE at < toUnixTimestamp({{.LastDay}} + 86400) * 1000
GROUP BY account_id, day
