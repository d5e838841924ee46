{{- /* data: rollingSlice */ -}}
SELECT account_id, toInt32(toUInt32(window_start) / 86400) AS day, 1 AS is_shown,
            {{.Parts "counters"}}
FROM {{.DB}}.counters
WHERE tier = 'day' AND feature = '' AND metric IN ({{.Names "counters"}}) AND {{.Visible}}
    AND window_start BETWEEN {{.FirstDay}} AND {{.LastDay}}
GROUP BY account_id, window_start, source
