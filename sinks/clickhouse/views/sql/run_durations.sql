SELECT account_id, workflow, toInt32(intDiv(toUnixTimestamp(started_at), 86400)) AS d, task_seconds
FROM {{.DB}}.workflow_runs
WHERE task_seconds IS NOT NULL
