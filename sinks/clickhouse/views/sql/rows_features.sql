{{- /* data: rollingSlice */ -}}
SELECT account_id, day, 0 AS is_shown,
            {{.Parts "features"}}
FROM ({{.DistinctDays "feature_days"}})
GROUP BY account_id, day
