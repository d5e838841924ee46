SELECT u.feature AS feature, u.accounts AS accounts, k.accounts AS known, u.users AS users, u.uses AS uses, d.daily AS daily,
    if(d.previous > 0, u.uses / d.previous - 1, NULL) AS change,
    if(u.uses >= 20, u.errors / u.uses, NULL) AS error_rate, -- as in features_28d, where a ratio says nothing below
    if(u.duration_ms > 0, u.duration_ms / u.uses / 1000, NULL) AS seconds
FROM
(
    SELECT feature, uniqExact(account_id) AS accounts, sum(users) AS users, sum(uses) AS uses, sum(errors) AS errors, sum(duration_ms) AS duration_ms
    FROM features_28d WHERE window_start = @from {segment} GROUP BY feature
) AS u
LEFT JOIN
(
    SELECT feature, sumIf(uses, window_start < @from) AS previous,
        sumMap(map(toInt32(dateDiff('day', @from, window_start)), toFloat64(uses))) AS by_day,
        arrayMap(day -> by_day[toInt32(day)], range(28)) AS daily
    FROM features_day WHERE window_start >= @before {segment} GROUP BY feature
) AS d ON d.feature = u.feature
CROSS JOIN (SELECT count() AS accounts FROM accounts WHERE true {segment}) AS k
ORDER BY {order}, feature
