{{- /* data: rollingSlice */ -}}
SELECT account_id, feature, day, 1 AS is_shown,
            {{.Parts "spine"}}
FROM ({{.FilledDays "features_rolling_days"}})
UNION ALL
SELECT account_id, feature, toInt32(toUInt32(window_start) / 86400) AS day, 0 AS is_shown,
            {{.Parts "counters"}}
FROM {{.DB}}.counters
WHERE tier = 'day' AND feature != '' AND metric IN ({{.Names "counters"}}) AND {{.Visible}}
    AND window_start BETWEEN {{.FirstDay}} AND {{.LastDay}}
GROUP BY account_id, feature, window_start, source
UNION ALL
SELECT account_id, feature, day, 0 AS is_shown,
            {{.Parts "members"}}
FROM ({{.DistinctDays "features_rolling_members"}})
GROUP BY account_id, feature, day
