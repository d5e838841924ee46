SELECT now64(3, 'UTC') AS computed_at,
{{- range .Columns}}
    p.{{name .Name}} AS {{name .Name}},
{{- end}}
    if(empty(d.daily), arrayWithConstant(28, toUInt64(0)), d.daily) AS events_28d_daily,
    h.score AS health_score,
    h.band AS health_band,
    h.delta_7d AS health_change_7d,
    h.reason_7d AS health_reason,
    h.day AS health_day,
    h.computed_at AS health_computed_at,
    s.nps AS nps_90d,
    s.nps_responses AS nps_responses_90d
FROM {{.DB}}.portfolio AS p
LEFT JOIN
(
    SELECT account_id, sumForEach(arrayMap(i -> if(27 - i = age, value, 0), range(28))) AS daily
    FROM
    (
        SELECT account_id, dateDiff('day', window_start, {{.StartOfDay 0}}) AS age, max(value) AS value
        FROM {{.DB}}.counters
        WHERE tier = 'day' AND feature = '' AND metric = {{str .Events}} AND {{.Visible}} AND window_start BETWEEN {{.StartOfDay 2332800}} AND {{.StartOfDay 0}}
        GROUP BY account_id, window_start, source
    )
    GROUP BY account_id
) AS d ON d.account_id = p.account_id
LEFT JOIN
(
    SELECT account_id, score, band, delta_7d, reason_7d, toNullable(day) AS day, toNullable(computed_at) AS computed_at
    FROM {{.DB}}.health_rows WHERE computed_at = (SELECT max(computed_at) FROM {{.DB}}.health_rows)
) AS h ON h.account_id = p.account_id
LEFT JOIN
(
    SELECT account_id, nps, nps_responses FROM {{.DB}}.sentiment_90d WHERE window_end = {{.StartOfDay 0}} + 86400
) AS s ON s.account_id = p.account_id
