-- The days that begin in each period.
SELECT account_id, kpi, period_start, period_end, toDateTime(86400 * arrayJoin(range(first_day, greatest(first_day, least(next_day, first_day + 400)))), 'UTC') AS window_start
FROM
(
    SELECT account_id, kpi, period_start, period_end,
        toUInt32(least(greatest(intDiv(toUnixTimestamp64Milli(period_start) + 86399999, 86400000), 0), 49000)) AS first_day,
        toUInt32(least(greatest(intDiv(toUnixTimestamp64Milli(period_end) + 86399999, 86400000), 0), 49000)) AS next_day
    FROM ({{.Include "kpi_values" .}})
)
