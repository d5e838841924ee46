{{- /* data: durationsSlice */ -}}
-- Each day's lengths count in the {{.Days}} windows that hold the day. Where no window of this range of ages is asked for, the
-- calendar is empty and nothing is read.
SELECT {{.Columns "r." .AccountKeys}}, r.window_start AS window_start
{{- range .Values}},
    count(r.{{.Name}}) AS {{.Name}}_n,
    quantilesExactInclusiveStateIf(0.5, 0.95)(toFloat64(ifNull(r.{{.Name}}, 0)), r.{{.Name}} IS NOT NULL) AS {{.Name}}_q
{{- end}}
FROM
(
    SELECT {{.Columns "" .AccountKeys}}, {{range .Values}}{{.Name}}, {{end}}
        toDateTime((arrayJoin(range(toInt32(d), toInt32(d + {{.Days}}))) + 1 - {{.Days}}) * 86400, 'UTC') AS window_start
    FROM
    (
        {{.Rows}}
    )
) AS r
INNER JOIN
(
    SELECT {{.StartOfDay 0}} - 86400 * (toInt64(number) + {{.Ages.From}} + {{.Days}} - 1) AS window_start
    FROM numbers({{.Ages.Count}})
) AS calendar ON calendar.window_start = r.window_start
GROUP BY {{.Columns "r." .AccountKeys}}, r.window_start
