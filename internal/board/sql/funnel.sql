SELECT workflow, toUInt8(reach.1) AS step, reach.2 AS runs, started
FROM
(
    SELECT workflow, count() AS started, groupArray(step_reached) AS reached, max(steps) AS last,
        arrayMap(n -> (n, toUInt64(arrayCount(r -> r >= n, reached))), range(1, last + 1)) AS by_step
    FROM workflow_runs WHERE started_at >= @from {segment} GROUP BY workflow
)
ARRAY JOIN by_step AS reach
ORDER BY workflow, step
