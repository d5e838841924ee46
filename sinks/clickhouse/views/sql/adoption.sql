{{- /* data: adopted */ -}}
SELECT
    w.account_id AS account_id,
    w.window_start AS window_start,
    w.window_start + 28 * 86400 AS window_end,
    {{.Include "adoption_columns" .}},
    toBool(ifNull(w.window_start + 28 * 86400 <= (SELECT complete_to FROM {{.DB}}.completeness WHERE topic = {{str .Topics.Telemetry.Name}}), false)) AS complete
{{- range .Attributes}},
    h.{{.Name}} AS {{.Column}}
{{- end}}
FROM
(
    SELECT account_id, window_start, arrayFilter(x -> x.1 != '', groupArray((feature, users, uses))) AS of_features
    FROM
    (
        SELECT d.account_id AS account_id, d.window_start - 27 * 86400 AS window_start, '' AS feature, toUInt64(0) AS users, toUInt64(0) AS uses
        FROM ({{.Include "spine" .}}) AS d
        UNION ALL
        SELECT f.account_id AS account_id, f.window_start AS window_start, toString(f.feature) AS feature, f.users AS users, f.uses AS uses
        FROM {{.DB}}.features_28d AS f
        WHERE f.feature IN ({{.Wanted}})
    )
    GROUP BY account_id, window_start
) AS w
{{$.AsOf "h" "w" "toDateTime64(w.window_start + 28 * 86400, 3, 'UTC')"}}
