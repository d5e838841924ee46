{{- /* data: goalViews */ -}}
SELECT
    g.account_id AS account_id,
    g.goal_id AS goal_id,
    g.name AS name,
    g.owner AS owner,
    g.measured_by AS measured_by,
    g.measure AS measure,
    g.direction AS direction,
    g.start AS start,
    g.target AS target,
    g.starts_at AS starts_at,
    g.due_at AS due_at,
    g.defined_at AS defined_at,
    p.latest.2 AS current_value,
    p.latest.1 AS current_at,
    (current_value - g.start) / (g.target - g.start) AS progress,
    greatest(0, least(1, dateDiff('millisecond', g.starts_at, toDateTime64({{.Now}}, 3, 'UTC')) / dateDiff('millisecond', g.starts_at, g.due_at))) AS elapsed_share,
    if(elapsed_share > 0, progress / elapsed_share, NULL) AS pace,
    p.attained AS attained_at,
    CAST(multiIf(
        attained_at <= g.due_at, 'attained',
        attained_at IS NOT NULL, 'attained late',
        {{.Now}} >= g.due_at, 'missed',
        {{.Now}} < g.starts_at, 'not started',
        progress IS NULL, 'unknown',
        pace >= 1, 'on track',
        'behind'), 'LowCardinality(String)') AS state,
    h.segment AS segment
FROM ({{.Include "goal_definitions" .}}) AS g
LEFT JOIN
(
    SELECT account_id, goal_id,
        argMax((at::Nullable(DateTime64(3, 'UTC')), value::Nullable(Float64)), at) AS latest,
        minOrNullIf(at, is_attained) AS attained
    FROM {{.DB}}.goal_progress
    GROUP BY account_id, goal_id
) AS p ON p.account_id = g.account_id AND p.goal_id = g.goal_id
LEFT JOIN (SELECT account_id, segment FROM {{.DB}}.account_history WHERE valid_to IS NULL) AS h ON h.account_id = g.account_id
