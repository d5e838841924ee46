{{- /* data: healthSlice */ -}}
-- Each account's day, scored with what is known of the periods that end with it.
SELECT account_id, of_day, segment, mrr, profile, is_complete, names, shown, component_values, component_points, contributions, score,
    if(score IS NULL, '', {{.ByProfile "band"}}) AS band
FROM
(
    SELECT * EXCEPT (shared, weighed), arrayMap((w, s) -> if(is_known, if(banded, s, w), NULL), weighed, shared) AS contributions,
        if(is_known, if(banded, verdict, arraySum(weighed)), NULL) AS score
    FROM
    (
        SELECT *, total > 0 AND (rescale OR arrayAll(k -> k, known)) AS is_known,
            arrayMap((p, k, w, g) -> if(k, ifNull(p, 0) * w / group_sums[g] * group_weights[g] / total, 0), component_points, known, weights, groups) AS weighed,
            -- Of a banded profile: each component has the same part of 100, and what is lost is shared by those that decided.
            arrayMap(p -> if(p IS NULL, 0, 100 / arrayCount(known) - if(p = verdict, (100 - verdict) / countEqual(component_points, verdict), 0)), component_points) AS shared
        FROM
        (
            -- The weight of the groups in which anything is known.
            SELECT *, arraySum(arrayMap((w, s) -> if(s > 0, w, 0), group_weights, group_sums)) AS total
            FROM
            (
                -- The weight of what is known in each group.
                SELECT *, arrayMap(g -> arraySum(arrayMap((w, k, of) -> if(k AND of = g, w, 0), weights, known, groups)), arrayEnumerate(group_weights)) AS group_sums
                FROM
                (
                    SELECT *, arrayMap(p -> p IS NOT NULL, component_points) AS known,
                        toFloat64(multiIf(has(component_points, 40), 40, has(component_points, 60), 60, 100)) AS verdict,
                        {{.ByProfile "names"}} AS names,
                        {{.ByProfile "weights"}} AS weights,
                        {{.ByProfile "groups"}} AS groups,
                        {{.ByProfile "groupWeights"}} AS group_weights,
                        {{.ByProfile "banded"}} AS banded,
                        {{.ByProfile "rescale"}} AS rescale
                    FROM
                    (
                        SELECT account_id, of_day, segment, mrr, is_complete, profile,
                            {{.ByProfile "shown"}} AS shown,
                            {{.ByProfile "values"}} AS component_values,
                            {{.ByProfile "points"}} AS component_points
                        FROM
                        (
                            SELECT account_id, of_day, segment, mrr, is_complete, {{.ProfileOf "segment"}} AS profile
{{- range .Profiles}}{{$p := .}}{{range .Components}},
                                {{$p.Value .}} AS {{$p.As .}}
{{- end}}{{end}}
                            FROM
                            (
            SELECT account_id, of_day, ifNull(max(account_segment), '') AS segment, max(account_mrr) AS mrr, min(is_complete) AS is_complete
{{- range .Inputs}}, max({{.As}}) AS {{.As}}{{end}}
            FROM
            (
{{- range $i, $view := .Views}}
{{- if $i}}
                UNION ALL
{{- end}}
                SELECT account_id, window_end - 86400 AS of_day, toUInt8({{if $view.Grid}}1{{else}}0{{end}}) AS is_account,
                    {{if $view.Grid}}toString(segment){{else}}NULL{{end}} AS account_segment, {{if $view.Grid}}mrr{{else}}NULL{{end}} AS account_mrr, complete AS is_complete
{{- with $.Columns $view}}, {{.}}{{end}}
                FROM {{$.Source $view}}
{{- end}}
            )
            GROUP BY account_id, of_day
            HAVING max(is_account) = 1
                            )
                        )
                    )
                )
            )
        )
    )
)
