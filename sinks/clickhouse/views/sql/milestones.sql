{{- /* data: builder */ -}}
SELECT account_id, CAST('goal attained', 'LowCardinality(String)') AS milestone, goal_id AS name, assumeNotNull(attained_at) AS reached_at
FROM {{.DB}}.goals
WHERE attained_at IS NOT NULL
UNION ALL
SELECT account_id, CAST('first value', 'LowCardinality(String)') AS milestone, '' AS name, assumeNotNull(first_value_at) AS reached_at
FROM {{.DB}}.first_value
WHERE first_value_at IS NOT NULL
UNION ALL
SELECT account_id, CAST('onboarding done', 'LowCardinality(String)') AS milestone, '' AS name, assumeNotNull(completed_at) AS reached_at
FROM {{.DB}}.onboarding
WHERE completed_at IS NOT NULL
UNION ALL
SELECT account_id, CAST('workflow completed', 'LowCardinality(String)') AS milestone, workflow AS name, min(assumeNotNull(completed_at)) AS reached_at
FROM {{.DB}}.workflow_runs
WHERE completed_at IS NOT NULL
GROUP BY account_id, workflow
