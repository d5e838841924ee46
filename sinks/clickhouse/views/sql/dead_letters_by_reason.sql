SELECT
    splitByChar('/', d.source)[1] AS topic,
    d.reason AS reason,
    toStartOfDay(toDateTime(d.log_time, 'UTC')) AS window_start,
    count() AS records,
    sum(d.size) AS bytes,
    max(d.log_time) AS last_at,
    argMax((d.source, d.offset, d.detail), (d.log_time, d.source, d.offset)) AS latest,
    latest.1 AS last_source,
    latest.2 AS last_offset,
    latest.3 AS last_detail
FROM {{.DB}}.dead_letters AS d
GROUP BY topic, reason, window_start
