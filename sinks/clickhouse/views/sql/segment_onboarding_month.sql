SELECT
    CAST(ifNull(o.segment, ''), 'String') AS segment,
    toDateTime(toStartOfMonth(o.created_at), 'UTC') AS window_start,
    toDateTime(addMonths(toStartOfMonth(o.created_at), 1), 'UTC') AS window_end,
    count() AS accounts,
    countIf(o.state = 'done') AS done,
    countIf(o.state = 'stalled') AS stalled,
    avgOrNull(o.progress) AS progress_avg,
    quantileExactInclusiveOrNull(0.5)(o.days_to_complete) AS days_to_complete_p50
FROM {{.DB}}.onboarding AS o
WHERE o.created_at BETWEEN toDateTime64('1971-01-01 00:00:00', 3, 'UTC') AND toDateTime64({{.Now}}, 3, 'UTC')
GROUP BY segment, window_start, window_end
