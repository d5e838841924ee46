SELECT
    splitByChar('/', p.source)[1] AS topic,
    p.source AS source,
    p.latest.2 AS position,
    p.latest.3 AS end_offset,
    if(end_offset > position, end_offset - position, 0) AS lag_records,
    p.latest.4 AS watermark,
    c.log_time AS last_record_at,
    p.latest.1 AS observed_at,
    if(lag_records = 0, 0, if(c.log_time < observed_at, dateDiff('millisecond', c.log_time, observed_at) / 1000, if(c.log_time IS NULL, NULL, 0))) AS lag_seconds,
    p.latest.5 AS instance
FROM
(
    SELECT source, argMax((observed_at, position, end_offset, watermark, instance), observed_at) AS latest
    FROM {{.DB}}.source_progress
    GROUP BY source
) AS p
LEFT JOIN
(
    SELECT source, argMax(toNullable(log_time), offset) AS log_time
    FROM {{.DB}}.checkpoints
    GROUP BY source
) AS c ON c.source = p.source
