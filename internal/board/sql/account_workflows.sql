SELECT workflow, started, completed, abandoned, completion_rate, task_seconds_avg
FROM workflows_28d
WHERE account_id = @account AND window_end = toStartOfDay(toDateTime(@now, 'UTC')) + INTERVAL 1 DAY
ORDER BY workflow
