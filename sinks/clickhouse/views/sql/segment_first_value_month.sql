SELECT
    CAST(ifNull(v.segment, ''), 'String') AS segment,
    toDateTime(toStartOfMonth(assumeNotNull(v.created_at)), 'UTC') AS window_start,
    toDateTime(addMonths(toStartOfMonth(assumeNotNull(v.created_at)), 1), 'UTC') AS window_end,
    count() AS accounts,
    countIf(v.is_reached) AS reached,
    reached / accounts AS reached_share,
    quantileExactInclusiveOrNull(0.5)(v.time_to_value_seconds) AS time_to_value_seconds_p50,
    quantileExactInclusiveOrNull(0.95)(v.time_to_value_seconds) AS time_to_value_seconds_p95
FROM {{.DB}}.first_value AS v
WHERE v.created_at BETWEEN toDateTime64('1971-01-01 00:00:00', 3, 'UTC') AND toDateTime64({{.Now}}, 3, 'UTC')
GROUP BY segment, window_start, window_end
