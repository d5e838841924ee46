{{- /* data: windows */ -}}
SELECT
    w.account_id AS account_id,
    w.feature AS feature,
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
    SELECT
        account_id,
        feature,
        window_start
{{- range .Measures}},
        {{.Sum}} AS {{.Column}}
{{- end}}
    FROM
    (
        SELECT account_id, feature, window_start,
            {{.Parts "counters"}}
        FROM {{.DB}}.counters
        WHERE tier = {{str .Tier.Name}} AND feature != '' AND metric IN ({{.Names "counters"}}) AND {{.Visible}}
        GROUP BY account_id, feature, window_start, source
        UNION ALL
        SELECT account_id, feature, window_start,
            {{.Parts "members"}}
        FROM {{.DB}}.members
        WHERE tier = {{str .Tier.Name}} AND feature != '' AND metric IN ({{.Names "members"}}) AND {{.Visible}}
        GROUP BY account_id, feature, window_start
    )
    GROUP BY account_id, feature, window_start
) AS w
