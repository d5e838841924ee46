SELECT segment, toInt64(toUnixTimestamp(window_start)) AS day, active_users, complete
FROM segment_usage_day
WHERE window_start >= @from
ORDER BY segment, day
