{{- /* data: rollingSlice */ -}}
SELECT account_id, toInt32(toUInt32(window_start) / 86400) AS day, 1 AS is_shown,
            {{.Parts "spine"}}
FROM ({{.Include "spine" .}})
WHERE window_start BETWEEN {{.FirstDay}} AND {{.LastDay}}
UNION ALL
SELECT account_id, day, 0 AS is_shown,
            {{.Parts "members"}}
FROM ({{.DistinctDays "member_days"}})
GROUP BY account_id, day
UNION ALL
SELECT account_id, day, 1 AS is_shown,
            {{.Parts "active"}}
FROM (SELECT DISTINCT account_id, day, member FROM ({{.Include "member_days" .}}))
GROUP BY account_id, day
{{- if ge .Days 28}}
UNION ALL
SELECT account_id, day, 0 AS is_shown,
            {{.Parts "bands"}}
FROM ({{.BandDays}})
GROUP BY account_id, day
{{- end}}
