{{- /* data: windows */ -}}
SELECT
    w.account_id AS account_id,
    w.workflow AS workflow,
    w.window_start AS window_start,
    w.window_start + {{.Tier.Seconds}} AS window_end,
{{- range .Measures}}
    w.{{.Column}} AS {{.Column}},
{{- end}}
{{- range .Derived}}
    {{.SQL}} AS {{.Column}},
{{- end}}
    toBool(ifNull(w.window_start + {{.Tier.Seconds}} <= (SELECT complete_to FROM {{.DB}}.completeness WHERE topic = {{str .Topics.Telemetry.Name}}), false)) AS complete
FROM
(
    SELECT r.account_id AS account_id, r.workflow AS workflow, {{.Tier.Start}}(toDateTime(r.started_at, 'UTC')) AS window_start
{{- range .Measures}},
        {{.Part}} AS {{.Column}}
{{- end}}
    FROM {{.DB}}.workflow_runs AS r
    GROUP BY account_id, workflow, window_start
) AS w
