SELECT w.segment AS segment, {{with .Key}}w.{{.}} AS {{.}}, {{end}}w.window_start AS window_start, w.window_start + {{.Seconds}} AS window_end,
    w.* EXCEPT (segment, {{with .Key}}{{.}}, {{end}}window_start, is_complete){{range .Ratios}},
    {{.SQL}} AS {{.Column}}{{end}},
    toBool(w.is_complete) AS complete
FROM
(
    SELECT
        CAST(ifNull({{if .Joined}}h{{else}}u{{end}}.segment, ''), 'String') AS segment,
{{- with .Key}}
        u.{{.}} AS {{.}},
{{- end}}
        u.window_start AS window_start,
        count() AS accounts,
{{- range .SQLs}}
        {{.}},
{{- end}}
        min(u.complete) AS is_complete
    FROM {{.DB}}.{{.Of}} AS u
{{- if .Joined}}
    {{.AsOf "h" "u" "toDateTime64(u.window_end, 3, 'UTC')"}}
{{- end}}
    GROUP BY segment, {{with .Key}}{{.}}, {{end}}window_start
) AS w
