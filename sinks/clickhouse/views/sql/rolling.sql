{{- /* data: rolling */ -}}
SELECT
{{- range .Keys}}
    w.{{.}} AS {{.}},
{{- end}}
    w.window_start AS window_start,
    w.window_start + {{.Days}} * 86400 AS window_end,
{{- range .Measures}}
    w.{{.Column}} AS {{.Column}},
{{- end}}
{{- range .Extra}}
    {{.SQL}} AS {{.Name}},
{{- end}}
{{- range .Derived}}
    {{.SQL}} AS {{.Column}},
{{- end}}
    toBool(ifNull(w.window_start + {{.Days}} * 86400 <= (SELECT complete_to FROM {{.DB}}.completeness WHERE topic = {{str .Topic}}), false)) AS complete
{{- if .Dimension}}
{{- range .Attributes}},
    h.{{.Name}} AS {{.Column}}
{{- end}}
{{- end}}
FROM
(
{{- if .Today}}
    {{$.Include .Today ($.Slice (index .Slices 0))}}
{{- else}}
{{- range $i, $slice := .Slices}}
{{- if $i}}
    UNION ALL
{{- end}}
    {{$.Include "rolling_slice" ($.Slice $slice)}}
{{- end}}
{{- end}}
) AS w
{{- if .Dimension}}
{{$.AsOf "h" "w" (printf "toDateTime64(w.window_start + %v * 86400, 3, 'UTC')" .Days)}}
{{- end}}
