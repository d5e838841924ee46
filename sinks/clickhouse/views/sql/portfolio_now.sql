SELECT {{range $i, $c := .Shown}}{{if $i}}, {{end}}{{name $c.Name}}{{end}}
FROM {{.DB}}.portfolio_rows
WHERE computed_at = (SELECT max(computed_at) FROM {{.DB}}.portfolio_rows)
