SELECT topic, toUnixTimestamp(minute) AS at, toFloat64(sum(grown)) / 60 AS rate
FROM
(
    SELECT splitByChar('/', source)[1] AS topic, toStartOfMinute(log_time) AS minute,
        max(received) - lagInFrame(max(received), 1, max(received)) OVER (PARTITION BY source ORDER BY minute ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS grown
    FROM checkpoints
    WHERE log_time >= @now - INTERVAL 61 MINUTE
    GROUP BY source, minute
)
WHERE minute < toStartOfMinute(@now) AND minute >= @now - INTERVAL 60 MINUTE
GROUP BY topic, minute
ORDER BY topic, minute
