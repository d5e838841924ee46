SELECT
    splitByChar('/', d.source)[1] AS topic,
    d.reason AS reason,
    d.field AS field,
    d.producer AS producer,
    uniqExact(d.key) AS accounts,
    count() AS records,
    countIf(d.log_time > {{.Now}} - toIntervalMinute(1)) AS records_last_minute,
    min(d.log_time) AS first_at,
    max(d.log_time) AS last_at,
    argMax((d.source, d.offset, d.detail), (d.log_time, d.source, d.offset)) AS latest,
    latest.1 AS last_source,
    latest.2 AS last_offset,
    latest.3 AS last_detail
FROM {{.DB}}.dead_letters AS d
GROUP BY topic, reason, field, producer
