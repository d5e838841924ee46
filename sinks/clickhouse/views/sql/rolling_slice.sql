{{- /* data: rollingSlice */ -}}
-- The windows whose last day has an age in one range. They need older days too, so a condition on window_start can't
-- reach the tables; but when no window of this range is asked for, the calendar is empty and nothing is read.
SELECT r.* FROM
(
    WITH {{.StartOfDay .MinutesKept}} AS minutes_from
    SELECT
        {{join .Keys ", "}},
        toDateTime((day + 1 - {{.Days}}) * 86400, 'UTC') AS window_start
{{- range .Measures}},
        {{.Rolled}} AS {{.Column}}
{{- end}}
{{- range .Measures}}{{if .Previous}},
        {{.RolledBefore}} AS {{.Column}}_previous
{{- end}}{{end}}
{{- range .Helpers}},
        {{.Rolled}} AS {{.Column}}
{{- end}}
{{- range .Fits}},
        tupleElement(simpleLinearRegression(toFloat64(day), toFloat64({{.}}_sum)) OVER ({{$.Over}} RANGE BETWEEN {{$.LastFitted}} PRECEDING AND CURRENT ROW), 1) AS {{.}}_slope
{{- end}}
    FROM
    (
        SELECT {{join .Keys ", "}}, day, shown
{{- range .All}},
            {{.Over $.Over}} AS {{.Column}}_sum
{{- if .Previous}},
            {{.OverBefore $.Over}} AS {{.Column}}_before
{{- end}}
{{- end}}
        FROM
        (
            SELECT {{join .Keys ", "}}, day, max(is_shown) AS shown
{{- range .All}},
                sum({{.Column}}_part) AS {{.Column}}_day
{{- end}}
            FROM ({{.Rows}})
            GROUP BY {{join .Keys ", "}}, day
        )
    )
    WHERE shown
) AS r
INNER JOIN
(
    SELECT {{.StartOfDay 0}} - 86400 * (toInt64(number) + {{.Ages.From}} + {{.Days}} - 1) AS window_start
    FROM numbers({{.Ages.Count}})
) AS calendar ON calendar.window_start = r.window_start
