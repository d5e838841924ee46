SELECT
    topic,
    min(greatest(watermark, silent_to)) AS complete_to,
    count() AS sources,
    countIf(silent_to > watermark) AS idle_sources,
    sum(lag) AS lag_records,
    min(observed) AS observed_at
FROM
(
    SELECT
        topic,
        latest.1 AS observed,
        latest.2 AS watermark,
        latest.3 AS lag,
        if(lag = 0, observed - toIntervalSecond({{.IdleSeconds "topic"}}), toDateTime64(0, 3, 'UTC')) AS silent_to
    FROM
    (
        -- A topic that was made again has another id, and its old partitions never move again.
        SELECT
            splitByChar('/', source)[1] AS topic,
            splitByChar('@', splitByChar('/', source)[2])[1] AS partition,
            argMax((observed_at, watermark, if(end_offset > position, end_offset - position, 0)), observed_at) AS latest
        FROM {{.DB}}.source_progress
        GROUP BY topic, partition
    )
)
GROUP BY topic
