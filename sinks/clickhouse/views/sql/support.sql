{{- /* data: windows */ -}}
SELECT
    w.account_id AS account_id,
    w.window_start AS window_start,
    w.window_start + {{.Tier.Seconds}} AS window_end,
{{- range .Measures}}
    w.{{.Column}} AS {{.Column}},
{{- end}}
{{- range .Derived}}
    {{.SQL}} AS {{.Column}},
{{- end}}
    toBool(ifNull(w.window_start + {{.Tier.Seconds}} <= (SELECT complete_to FROM {{.DB}}.completeness WHERE topic = {{str .Topics.Tickets.Name}}), false)) AS complete
FROM
(
    SELECT account_id, window_start
{{- range .Measures}},
        {{.Merge}} AS {{.Column}}
{{- end}}
    FROM
    (
        SELECT account_id, window_start,
            sum(opened_part) AS opened_n, sum(solved_part) AS solved_n, sum(reopened_part) AS reopened_n, sum(escalated_part) AS escalated_n,
            sum(replied_part) AS replied_n, sum(reply_ms_part) AS reply_ms_n, sum(resolved_part) AS resolved_n, sum(resolution_ms_part) AS resolution_ms_n,
            sum(sum(backlog_part)) OVER (PARTITION BY account_id ORDER BY window_start ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS backlog_n
        FROM
        (
            SELECT account_id, window_start, {{range .Moments}}toInt64(0) AS {{.}}_part, {{end}}0 AS unused
            FROM ({{.Include "spine" .}})
            UNION ALL
            SELECT account_id, toDateTime(window_s, 'UTC') AS window_start, {{range .Moments}}sumIf(amount, what = '{{.}}') AS {{.}}_part, {{end}}0 AS unused
            FROM ({{.TicketMoments}})
            GROUP BY account_id, window_start
        )
        GROUP BY account_id, window_start
    )
) AS w
