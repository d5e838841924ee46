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
    if(measured_by = 'metric', replaceRegexpOne(latest.3[measured_by], '^usage_28d\\.', ''), latest.3[measured_by]) AS measure,
    parseDateTime64BestEffortOrZero(latest.3['starts_at'], 3, 'UTC') AS starts_at,
    parseDateTime64BestEffortOrZero(latest.3['due_at'], 3, 'UTC') AS due_at
FROM {{.DB}}.facts
WHERE kind = 'goal' AND {{.Visible}}
GROUP BY account_id, goal_id
{{- with .Declared}}
UNION ALL
-- Of the catalogue: from the account's creation on, unless a goal of that id was agreed with the account.
SELECT account_id, declared.1 AS goal_id, (toDateTime64(0, 3, 'UTC'), toFloat64(0), CAST(map(), 'Map(LowCardinality(String), String)')) AS latest,
    assumeNotNull(created_at) AS defined_at, declared.3 AS target, declared.2 AS start,
    declared.4 AS name, declared.5 AS owner, declared.6 AS direction, 'metric' AS measured_by, declared.7 AS measure,
    assumeNotNull(created_at) AS starts_at, assumeNotNull(created_at) + toIntervalSecond(declared.8) AS due_at
FROM {{$.DB}}.accounts
ARRAY JOIN {{.}} AS declared
WHERE created_at IS NOT NULL AND (empty(declared.9) OR has(declared.9, ifNull(toString(segment), '')))
    AND (account_id, goal_id) NOT IN (SELECT account_id, entity FROM {{$.DB}}.facts WHERE kind = 'goal')
{{- end}}
