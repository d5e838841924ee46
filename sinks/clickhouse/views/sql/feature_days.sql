SELECT account_id, metric, cityHash64(feature) AS member, toInt32(toUInt32(window_start) / 86400) AS day
FROM {{.DB}}.counters
WHERE tier = 'day' AND feature != '' AND metric = {{str .Uses}} AND value > 0 AND {{.Visible}}
    AND window_start BETWEEN {{.FirstDay}} AND {{.LastDay}}
