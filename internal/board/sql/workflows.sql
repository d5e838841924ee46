SELECT workflow, uniqExact(account_id) AS accounts, sum(started) AS started, sum(completed) AS completed, sum(abandoned) AS abandoned,
    if(started > 0, completed / started, NULL) AS completion, if(started > 0, abandoned / started, NULL) AS abandonment,
    if(completed > 0, sum(task_seconds) / completed, NULL) AS seconds
FROM workflows_28d
WHERE window_start = @from {segment}
GROUP BY workflow
ORDER BY {order}, workflow
