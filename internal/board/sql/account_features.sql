SELECT feature, toUnixTimestamp(window_start) AS at, uses, users, errors, complete
FROM features_day
WHERE account_id = @account AND window_start >= @from
ORDER BY feature, window_start
