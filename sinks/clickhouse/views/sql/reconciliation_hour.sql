SELECT
    splitByChar('/', source)[1] AS topic,
    source,
    toStartOfHour(toDateTime(log_time, 'UTC')) AS window_start,
    sum(received_more) AS received,
    sum(applied_more) AS applied,
    sum(duplicate_more) AS duplicate,
    sum(filtered_more) AS filtered,
    sum(dead_lettered_more) AS dead_lettered,
    toBool(received = applied + duplicate + filtered + dead_lettered) AS balanced
FROM
(
    -- The first checkpoint that is kept counts what came before it only if that is the beginning of the source.
    SELECT
        source,
        log_time,
        row_number() OVER in_order AS n,
        offset = received OR n > 1 AS counts,
{{- range $i, $c := .Counts}}{{if $i}},{{end}}
        if(counts, toInt64({{$c}}) - toInt64(lagInFrame({{$c}}) OVER in_order), 0) AS {{$c}}_more
{{- end}}
    FROM {{.DB}}.checkpoints
    WINDOW in_order AS (PARTITION BY source ORDER BY offset ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)
GROUP BY source, window_start
