SELECT w.segment AS segment, w.window_start AS window_start, w.window_start + {{.Seconds}} AS window_end, w.* EXCEPT (segment, window_start, is_complete), toBool(w.is_complete) AS complete
FROM
(
    SELECT
        CAST(ifNull(u.segment, ''), 'String') AS segment,
        u.window_start AS window_start,
        count() AS accounts,
{{- range .SQLs}}
        {{.}},
{{- end}}
        min(u.complete) AS is_complete
    FROM {{.DB}}.{{.Of}} AS u
    GROUP BY segment, window_start
) AS w
