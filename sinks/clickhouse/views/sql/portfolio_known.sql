SELECT
    known_at,
    account_id
{{- range .Columns}},
    {{$.Was .}} AS {{.Name}}
{{- end}}
FROM {{.DB}}.portfolio_snapshots FINAL
