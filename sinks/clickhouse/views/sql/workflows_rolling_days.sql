SELECT account_id, workflow, toInt32(intDiv(toUnixTimestamp(started_at), 86400)) AS day
FROM {{.DB}}.workflow_runs
