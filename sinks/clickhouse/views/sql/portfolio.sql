SELECT
    a.account_id AS account_id,
{{- range .AllAttributes}}
    a.{{.Name}} AS {{.Column}},
{{- end}}
    a.known_since AS known_since,
    if(a.renewal_at IS NULL, NULL, dateDiff('second', toDateTime64({{.Now}}, 3, 'UTC'), a.renewal_at) / 86400) AS days_to_renewal,
    {{.Now}} AS as_of,
{{- range .Parts}}
    {{.SQL}}
{{- range .Taken}}
    {{.From}} AS {{.Name}},
{{- end}}
{{- end}}
    if(last_value_day IS NULL, NULL, toInt64(toDate({{.Now}}) - last_value_day)) AS days_since_value,
    toInt64(a.seats) - toInt64(b.seats) AS seats_change_90d,
    a.mrr - b.mrr AS mrr_change_90d,
    (SELECT max(toNullable(complete_to)) FROM {{.DB}}.completeness WHERE topic = {{str .Topics.Telemetry.Name}}) AS telemetry_complete_to
FROM {{.DB}}.accounts AS a
{{- range .Parts}}
LEFT JOIN ({{.Query}}) AS {{.Alias}} ON {{.Alias}}.account_id = a.account_id
{{- end}}
LEFT JOIN
(
    SELECT account_id, seats, mrr FROM {{.DB}}.account_history
    WHERE valid_from <= toDateTime64({{.Now}} - 7776000, 3, 'UTC') AND ifNull(valid_to > toDateTime64({{.Now}} - 7776000, 3, 'UTC'), true)
) AS b ON b.account_id = a.account_id
