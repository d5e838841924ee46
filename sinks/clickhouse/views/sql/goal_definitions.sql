-- A later definition replaces an earlier one.
SELECT account_id, entity AS goal_id,
    argMax((at, value, attributes), (at, source, offset)) AS latest,
    latest.1 AS defined_at,
    latest.2 AS target,
    toFloat64OrZero(latest.3['start']) AS start,
    latest.3['name'] AS name,
    latest.3['owner'] AS owner,
    latest.3['direction'] AS direction,
    arrayFirst(m -> latest.3[m] != '', ['kpi', 'meter', 'metric']) AS measured_by,
    latest.3[measured_by] AS measure,
    parseDateTime64BestEffortOrZero(latest.3['starts_at'], 3, 'UTC') AS starts_at,
    parseDateTime64BestEffortOrZero(latest.3['due_at'], 3, 'UTC') AS due_at
FROM {{.DB}}.facts
WHERE kind = 'goal' AND {{.Visible}}
GROUP BY account_id, goal_id
