{{- /* data: adopted */ -}}
SELECT
    w.account_id AS account_id,
    w.window_start AS window_start,
    w.window_start + 28 * 86400 AS window_end,
    toUInt64(length({{.Entitled}})) AS key_features_entitled,
    toUInt64(arrayCount(x -> x.2 >= {{.MinUsers}} AND has({{.Entitled}}, x.1), w.of_features)) AS key_features_adopted,
    if(key_features_entitled > 0, key_features_adopted / key_features_entitled, NULL) AS breadth,
    if(arraySum(x -> if(has({{.Entitled}}, x.1), x.2, 0), w.of_features) > 0,
        arraySum(x -> if(has({{.Entitled}}, x.1), x.3, 0), w.of_features) / arraySum(x -> if(has({{.Entitled}}, x.1), x.2, 0), w.of_features), NULL) AS depth,
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
        {{- if .Only}} WHERE d.window_start = {{.Only}}{{end}}
        UNION ALL
        SELECT f.account_id AS account_id, f.window_start AS window_start, toString(f.feature) AS feature, f.users AS users, f.uses AS uses
        FROM {{.Features}} AS f
        WHERE f.feature IN ({{.Wanted}})
    )
    GROUP BY account_id, window_start
) AS w
ASOF LEFT JOIN {{.DB}}.account_history AS h
    ON h.account_id = w.account_id AND h.valid_from <= toDateTime64(w.window_start + 28 * 86400, 3, 'UTC')
