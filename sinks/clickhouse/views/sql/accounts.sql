SELECT
    k.account_id AS account_id,
{{- range .AllAttributes}}
    h.{{.Name}} AS {{.Name}},
{{- end}}
    h.external_ids AS external_ids,
    h.targets AS targets,
    h.attributes AS attributes,
    k.since AS known_since,
    h.valid_from AS updated_at
FROM ({{.Include "known_accounts" .}}) AS k
LEFT JOIN
(
    SELECT * REPLACE (toNullable(valid_from) AS valid_from) FROM {{.DB}}.account_history WHERE valid_to IS NULL
) AS h ON h.account_id = k.account_id
WHERE k.until IS NULL
