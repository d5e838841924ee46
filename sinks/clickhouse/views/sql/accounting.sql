-- Checkpoints follow from the log alone, so every two of a source must agree with each other, whoever wrote them.
SELECT
    splitByChar('/', source)[1] AS topic,
    source,
    from_offset,
    to_offset,
    violation,
    last_record_at
FROM
(
    SELECT
        source,
        log_time AS last_record_at,
        lagInFrame(offset) OVER in_order AS from_offset,
        offset AS to_offset,
        row_number() OVER in_order > 1 AS follows,
{{- range .Counts}}
        toInt64({{.}}) - toInt64(lagInFrame({{.}}) OVER in_order) AS {{.}}_more,
{{- end}}
        letters - lagInFrame(letters) OVER in_order AS letters_more,
        arrayFilter(v -> v != '', [
            if(received != applied + duplicate + filtered + dead_lettered, 'received is not the sum of applied, duplicate, filtered and dead_lettered', ''),
            if(follows AND least({{range $i, $c := .Counts}}{{if $i}}, {{end}}{{$c}}_more{{end}}) < 0, 'a count is lower than before', ''),
            if(follows AND received_more > toInt64(to_offset) - toInt64(from_offset), 'more records than offsets', ''),
            if(follows AND letters_more > dead_lettered_more, 'more dead letters than dead_lettered says', '')
        ]) AS violations
    FROM
    (
        SELECT c.*, ifNull(d.letters, 0) AS letters
        FROM
        (
            SELECT *
            FROM {{.DB}}.checkpoints
            WHERE (source, log_time) IN
            (
                SELECT p.source, p.log_time
                FROM {{.DB}}.checkpoints AS p
                INNER JOIN (SELECT source, max(log_time) AS latest FROM {{.DB}}.checkpoints GROUP BY source) AS l ON p.source = l.source
                WHERE p.log_time >= l.latest - toIntervalHour(2)
            )
        ) AS c
        ASOF LEFT JOIN
        (
            SELECT source, offset, toInt64(row_number() OVER (PARTITION BY source ORDER BY offset)) AS letters
            FROM {{.DB}}.dead_letters
        ) AS d ON d.source = c.source AND d.offset < c.offset
    )
    WINDOW in_order AS (PARTITION BY source ORDER BY offset ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)
ARRAY JOIN violations AS violation
