SELECT account_id, feature, toInt32(toUInt32(window_start) / 86400) AS day
FROM {{.DB}}.counters
WHERE tier = 'day' AND feature != '' AND metric IN ({{.Names "counters"}}) AND {{.Visible}}
    AND window_start BETWEEN {{.FirstDay}} AND {{.LastDay}}
