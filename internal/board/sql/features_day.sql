WITH daily AS (SELECT feature, window_start, uses, errors, complete FROM features_day WHERE window_start >= @from {segment})
SELECT feature, toInt64(toUnixTimestamp(window_start)) AS day, sum(uses) AS uses, sum(errors) AS errors, min(complete) AS complete
FROM daily
WHERE feature IN (SELECT feature FROM daily GROUP BY feature ORDER BY sum(uses) DESC, feature LIMIT 4)
GROUP BY feature, day
ORDER BY feature, day
