SELECT
    w.account_id AS account_id,
    w.window_end - {{.Days}} * 86400 AS window_start,
    w.window_end AS window_end,
    w.seats AS seats_before,
    toInt64(h.seats) - toInt64(w.seats) AS seats_change,
    w.mrr AS mrr_before,
    h.mrr - w.mrr AS mrr_change,
    toBool(w.window_end <= {{.Now}}) AS complete
{{- range .Attributes}},
    h.{{.Name}} AS {{.Column}}
{{- end}}
FROM
(
    SELECT d.account_id AS account_id, d.window_start + 86400 AS window_end, b.seats AS seats, b.mrr AS mrr
    FROM ({{.Include "spine" .}}) AS d
    {{$.AsOf "b" "d" (printf "toDateTime64(d.window_start + 86400 - %v * 86400, 3, 'UTC')" .Days)}}
) AS w
{{$.AsOf "h" "w" "toDateTime64(w.window_end, 3, 'UTC')"}}
