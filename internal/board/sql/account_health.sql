SELECT component, shown, points, contribution, reason, toUnixTimestamp(window_start) AS day, complete, profile
FROM health_components_day
WHERE account_id = @account AND window_start >= toStartOfDay(toDateTime(@now, 'UTC')) - INTERVAL 1 DAY
ORDER BY window_start DESC, contribution DESC NULLS LAST, component
