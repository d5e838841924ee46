{{- /* data: rollingSlice */ -}}
SELECT DISTINCT account_id, day, 0 AS is_shown,
            {{.Parts "active"}}
FROM ({{.Include "member_days" .}})
