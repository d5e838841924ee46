{{- /* data: segmentSentiment */ -}}
SELECT
    w.segment AS segment,
    w.window_start AS window_start,
    w.window_start + {{.Days}} * 86400 AS window_end,
    w.accounts AS accounts,
    w.answering_accounts AS answering_accounts,
{{- range .Questions}}
    {{.SQL}} AS {{.Score.Name}},
{{- end}}
{{- range .Counts}}
    w.{{.Name}} AS {{.Name}},
{{- end}}
    toBool(w.complete) AS complete
FROM
(
    SELECT
        CAST(ifNull(s.segment, ''), 'String') AS segment,
        s.window_start AS window_start,
        count() AS accounts,
        countIf(s.nps_responses + s.csat_responses + s.ces_responses > 0) AS answering_accounts,
{{- range .Counts}}
        sum(s.{{.Name}}) AS {{.Name}},
{{- end}}
        min(s.complete) AS complete
    FROM {{.DB}}.{{.Of}} AS s
    GROUP BY segment, window_start
) AS w
