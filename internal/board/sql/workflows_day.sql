SELECT workflow, toInt64(toUnixTimestamp(window_start)) AS day, sum(started) AS started, sum(completed) AS completed, min(complete) AS complete
FROM workflows_day
WHERE window_start >= @from {segment}
GROUP BY workflow, day
ORDER BY workflow, day
