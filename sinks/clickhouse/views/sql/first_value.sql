{{- /* data: builder */ -}}
SELECT
    a.account_id AS account_id,
    a.name AS account_name,
    a.plan AS plan,
    a.segment AS segment,
    a.created_at AS created_at,
    if(v.days = 0, NULL, toDateTime64(multiIf(v.minutes > 0 AND toStartOfHour(v.minutes) = v.hours, v.minutes, v.hours > 0 AND toStartOfDay(v.hours) = v.days, v.hours, v.days), 3, 'UTC')) AS first_value_at,
    CAST(multiIf(v.days = 0, NULL, v.minutes > 0 AND toStartOfHour(v.minutes) = v.hours, 'minute', v.hours > 0 AND toStartOfDay(v.hours) = v.days, 'hour', 'day'), 'LowCardinality(Nullable(String))') AS precision,
    if(created_at IS NULL OR first_value_at IS NULL, NULL, greatest(0, dateDiff('millisecond', created_at, first_value_at) / 1000)) AS time_to_value_seconds,
    if(created_at IS NULL, NULL, greatest(0, dateDiff('millisecond', created_at, toDateTime64({{.Now}}, 3, 'UTC')) / 1000)) AS age_seconds,
    toBool(v.days > 0) AS is_reached
FROM {{.DB}}.accounts AS a
LEFT JOIN
(
    SELECT account_id, metric, min(day_start) AS days, minIf(hour_start, hour_start > 0) AS hours, minIf(minute_start, minute_start > 0) AS minutes
    FROM
    (
        SELECT account_id, metric, min(window_start) AS day_start, toDateTime(0, 'UTC') AS hour_start, toDateTime(0, 'UTC') AS minute_start
        FROM {{.DB}}.member_sets
        WHERE tier = 'day' AND feature = '' AND metric IN ({{.ValueMetrics}}) AND {{.Visible}}
        GROUP BY account_id, metric
        UNION ALL
        SELECT account_id, metric, toDateTime(4294967295, 'UTC') AS day_start, min(window_start) AS hour_start, toDateTime(0, 'UTC') AS minute_start
        FROM {{.DB}}.member_sets
        WHERE tier = 'hour' AND feature = '' AND metric IN ({{.ValueMetrics}}) AND {{.Visible}}
        GROUP BY account_id, metric
        UNION ALL
        -- Minutes are many and kept for days only: those of older accounts are not read.
        SELECT account_id, metric, toDateTime(4294967295, 'UTC') AS day_start, toDateTime(0, 'UTC') AS hour_start, min(window_start) AS minute_start
        FROM {{.DB}}.member_sets
        WHERE tier = 'minute' AND feature = '' AND metric IN ({{.ValueMetrics}}) AND {{.Visible}} AND account_id IN
        (
            SELECT account_id FROM {{.DB}}.member_sets
            WHERE tier = 'day' AND feature = '' AND metric IN ({{.ValueMetrics}})
            GROUP BY account_id HAVING min(window_start) >= toStartOfDay({{.Now}} - {{.MinutesTier}})
        )
        GROUP BY account_id, metric
    )
    GROUP BY account_id, metric
    HAVING days < 4294967295
) AS v ON v.account_id = a.account_id AND v.metric = {{.ValueMetricOf "a.segment"}}
