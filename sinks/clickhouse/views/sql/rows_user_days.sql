{{- /* data: rollingSlice */ -}}
SELECT account_id, day, 1 AS is_shown,
            {{.Parts "active"}}
FROM (SELECT DISTINCT account_id, day, member FROM ({{.Include "member_days" .}}))
GROUP BY account_id, day
