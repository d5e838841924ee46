{{- /* data: rollingSlice */ -}}
SELECT account_id, day, 0 AS is_shown,
            {{.Parts "members"}}
FROM ({{.DistinctDays "member_days"}})
GROUP BY account_id, day
