{{- /* data: rollingSlice */ -}}
SELECT account_id, day, 0 AS is_shown,
            {{.Parts "keyfeatures"}}
FROM ({{.DistinctDays "key_feature_days"}})
GROUP BY account_id, day
