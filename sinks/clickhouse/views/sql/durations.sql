{{- /* data: durations */ -}}
SELECT
{{- range .Keys}}
    w.{{.}} AS {{.}},
{{- end}}
    w.window_start AS window_start,
    w.window_start + {{.Days}} * 86400 AS window_end,
{{- range .Values}}
    w.{{.Name}}_n AS {{.Count.Name}},
{{- end}}
{{- range .Values}}
    if(w.{{.Name}}_n > 0, w.{{.Name}}_q[1], NULL) AS {{.Name}}_p50,
    if(w.{{.Name}}_n > 0, w.{{.Name}}_q[2], NULL) AS {{.Name}}_p95,
{{- end}}
    toBool(ifNull(w.window_start + {{.Days}} * 86400 <= (SELECT complete_to FROM {{.DB}}.completeness WHERE topic = {{str .Topic}}), false)) AS complete
FROM
(
    SELECT
{{- if .OfSegment}}
        CAST(ifNull(h.segment, ''), 'String') AS segment,
{{- else}}
        a.account_id AS account_id,
{{- end}}
{{- range .MoreKeys}}
        a.{{.}} AS {{.}},
{{- end}}
        a.window_start AS window_start
{{- range .Values}},
        sum(a.{{.Name}}_n) AS {{.Name}}_n,
        quantilesExactInclusiveMerge(0.5, 0.95)(a.{{.Name}}_q) AS {{.Name}}_q
{{- end}}
    FROM
    (
{{- range $i, $slice := .Slices}}
{{- if $i}}
        UNION ALL
{{- end}}
        {{$.Include "durations_slice" ($.Slice $slice)}}
{{- end}}
    ) AS a
{{- if .OfSegment}}
    {{$.AsOf "h" "a" (printf "toDateTime64(a.window_start + %v * 86400, 3, 'UTC')" .Days)}}
{{- end}}
    GROUP BY {{.Columns "" .Keys}}, window_start
) AS w
