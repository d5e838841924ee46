{{- /* data: rollingSlice */ -}}
SELECT account_id, toInt32(toUInt32(window_start) / 86400) AS day, 1 AS is_shown,
            {{.Parts "spine"}}
FROM ({{.Include "spine" .}})
WHERE window_start BETWEEN {{.FirstDay}} AND {{.LastDay}}
