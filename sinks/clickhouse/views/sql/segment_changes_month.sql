SELECT segment, toDateTime(month, 'UTC') AS window_start, toDateTime(addMonths(month, 1), 'UTC') AS window_end, sum(came) AS entered, sum(went) AS left
FROM
(
    SELECT segment, toStartOfMonth(entered_at) AS month, toUInt64(1) AS came, toUInt64(0) AS went FROM {{.DB}}.segment_memberships
    WHERE entered_at BETWEEN toDateTime64('1971-01-01 00:00:00', 3, 'UTC') AND toDateTime64({{.Now}}, 3, 'UTC')
    UNION ALL
    SELECT segment, toStartOfMonth(assumeNotNull(left_at)) AS month, toUInt64(0) AS came, toUInt64(1) AS went FROM {{.DB}}.segment_memberships
    WHERE left_at BETWEEN toDateTime64('1971-01-01 00:00:00', 3, 'UTC') AND toDateTime64({{.Now}}, 3, 'UTC')
)
GROUP BY segment, month
