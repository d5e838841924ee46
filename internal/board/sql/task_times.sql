SELECT workflow, segment, completed, task_seconds_p50 AS p50, task_seconds_p95 AS p95
FROM segment_task_times_28d
WHERE window_start = @from
ORDER BY workflow, segment
