{{- /* data: rollingSlice */ -}}
SELECT account_id, workflow, day, 1 AS is_shown,
            {{.Parts "spine"}}
FROM ({{.FilledDays "workflows_rolling_days"}})
UNION ALL
SELECT account_id, workflow, toInt32(intDiv(toUnixTimestamp(r.started_at), 86400)) AS day, 0 AS is_shown,
            {{.Parts "runs"}}
FROM {{.DB}}.workflow_runs AS r
GROUP BY account_id, workflow, day
