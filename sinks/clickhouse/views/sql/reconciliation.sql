SELECT
    splitByChar('/', source)[1] AS topic,
    source,
    latest.1 AS offset,
    latest.2 AS received,
    latest.3 AS applied,
    latest.4 AS duplicate,
    latest.5 AS filtered,
    latest.6 AS dead_lettered,
    toBool(received = applied + duplicate + filtered + dead_lettered) AS balanced,
    latest.7 AS watermark,
    latest.8 AS last_record_at,
    latest.9 AS catalogue
FROM
(
    SELECT source, argMax((offset, received, applied, duplicate, filtered, dead_lettered, watermark, log_time, catalogue), offset) AS latest
    FROM {{.DB}}.checkpoints
    GROUP BY source
)
