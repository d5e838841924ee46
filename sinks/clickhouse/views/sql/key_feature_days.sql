SELECT account_id, arrayJoin({{.KeyFeatureLists}}) AS metric, cityHash64(feature) AS member, day
FROM
(
    SELECT account_id, feature, toInt32(toUInt32(window_start) / 86400) AS day
    FROM {{.DB}}.counters
    WHERE tier = 'day' AND feature != '' AND metric = {{str .Uses}} AND value > 0 AND {{.Visible}}
        AND window_start BETWEEN {{.FirstDay}} AND {{.LastDay}}
)
