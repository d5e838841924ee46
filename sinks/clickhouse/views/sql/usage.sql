{{- /* data: windows */ -}}
SELECT
    w.account_id AS account_id,
    w.window_start AS window_start,
    w.window_start + {{.Tier.Seconds}} AS window_end,
{{- range .Measures}}
    w.{{.Column}} AS {{.Column}},
{{- end}}
{{- range .Derived}}
    {{.SQL}} AS {{.Column}},
{{- end}}
{{- if .Seats}}
    if(h.seats > 0, active_users / h.seats, NULL) AS seat_utilization,
{{- end}}
    toBool(ifNull(w.window_start + {{.Tier.Seconds}} <= (SELECT complete_to FROM {{.DB}}.completeness WHERE topic = {{str .Topics.Telemetry.Name}}), false)) AS complete,
    h.name AS account_name
{{- range slice .Attributes 1}},
    h.{{.Name}} AS {{.Column}}
{{- end}}
FROM
(
    WITH {{.Tier.Start}}({{.Now}} - {{.MinutesKept}}) AS minutes_from
    SELECT
        account_id,
        window_start,
{{- range $i, $m := .Measures}}{{if $i}},{{end}}
        {{$m.Sum}} AS {{$m.Column}}
{{- end}}
    FROM
    (
        SELECT account_id, window_start,
            {{.Parts "spine"}}
        FROM ({{.Include "spine" .}})
        UNION ALL
        SELECT account_id, window_start,
            {{.Parts "counters"}}
        FROM {{.DB}}.counters
        WHERE tier = {{str .Tier.Name}} AND feature = '' AND metric IN ({{.Names "counters"}}) AND {{.Visible}}
        GROUP BY account_id, window_start, source
        UNION ALL
        SELECT account_id, window_start,
            {{.Parts "members"}}
        FROM {{.DB}}.members
        WHERE tier = {{str .Tier.Name}} AND feature = '' AND metric IN ({{.Names "members"}}) AND {{.Visible}}
        GROUP BY account_id, window_start
{{- if .Reads "features"}}
        UNION ALL
        SELECT account_id, window_start,
            {{.Parts "features"}}
        FROM {{.DB}}.counters
        WHERE tier = {{str .Tier.Name}} AND feature != '' AND metric = {{str .Uses}} AND value > 0 AND {{.Visible}}
        GROUP BY account_id, window_start
{{- end}}
{{- if .Reads "minutes"}}
{{- range .Tier.Slices}}
        UNION ALL
        {{$.Include "minutes_slice" ($.Slice .)}}
{{- end}}
{{- end}}
    )
    GROUP BY account_id, window_start
) AS w
{{$.AsOf "h" "w" (printf "toDateTime64(w.window_start + %v, 3, 'UTC')" .Tier.Seconds)}}
