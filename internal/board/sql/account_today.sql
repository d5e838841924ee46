SELECT toUnixTimestamp(window_start) AS at, events, active_users, users, toNullable(sessions) AS sessions, active_minutes, features_used, errors, toNullable(seats) AS seats, complete
FROM usage_day
WHERE account_id = @account AND window_start = toStartOfDay(toDateTime(@now, 'UTC'))
