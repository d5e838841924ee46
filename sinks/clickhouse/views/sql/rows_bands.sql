{{- /* data: rollingSlice */ -}}
SELECT account_id, day, 0 AS is_shown,
            {{.Parts "bands"}}
FROM ({{.BandDays}})
GROUP BY account_id, day
